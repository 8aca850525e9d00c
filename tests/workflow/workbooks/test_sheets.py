"""Uploaded sheets against a form of two: the reading, and hostile files without effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from io import BytesIO
from zipfile import ZIP_BZIP2, ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook  # type: ignore[import-untyped]

from tests.support.workbooks import Formula, Row, repacked, workbook_of
from workflow.workbooks import cells
from workflow.workbooks.sheets import Column, SheetForm, SheetProblem, Table, has_errors, in_order, read_sheets, rows_named

SHEET = "xl/worksheets/sheet1.xml"
PEOPLE = SheetForm(
    (
        Column("学工号", "staff_no", cells.staff_no, filled=True),
        Column("姓名", "name", cells.person_name, filled=True),
        Column("日期", "on", cells.day),
        Column("邮箱", "email", cells.email, optional=True),
    ),
    empty="名单中没有人",
)
FORMS = {"名单": PEOPLE, "附表": SheetForm((Column("姓名", "name", cells.person_name, filled=True), Column("说明", "words", cells.text)))}
HEADINGS = ("学工号", "姓名", "日期", "邮箱")
NOTES: tuple[Sequence[str], Sequence[Row]] = (("姓名", "说明"), [{"姓名": "张三", "说明": "组长"}])


def people() -> list[Row]:
    return [
        {"学工号": f"1{number}", "姓名": name, "日期": date(2024, 7, number), "邮箱": None} for number, name in enumerate(("张三", "李四", "王五"), 1)
    ]


def a_list(
    rows: Sequence[Row] | None = None,
    *,
    headings: Sequence[str] = HEADINGS,
    title: str | None = None,
    finish: Callable[[Workbook], None] = lambda _: None,
) -> bytes:
    """Make a workbook of both sheets."""
    return workbook_of({"名单": (headings, people() if rows is None else rows), "附表": NOTES}, title=title, finish=finish)


def read(data: bytes) -> Table:
    return read_sheets(data, FORMS)[0]["名单"]


def problems_of(data: bytes) -> list[SheetProblem]:
    return in_order(read_sheets(data, FORMS)[1], FORMS)


def the_problem(data: bytes) -> SheetProblem:
    problems = problems_of(data)
    assert len(problems) == 1, problems
    return problems[0]


def with_cell(heading: str, value: object) -> bytes:
    rows = people()
    rows[0][heading] = value
    return a_list(rows)


def with_sheet(change: Callable[[str], str]) -> bytes:
    data = a_list()
    with ZipFile(BytesIO(data)) as archive:
        return repacked(data, {SHEET: change(archive.read(SHEET).decode()).encode()})


def only(name: str) -> bytes:
    """Make a workbook with the list as its only sheet, under this name."""
    return workbook_of({name: (HEADINGS, people())})


# The form


def test_rows_come_by_field_with_their_number() -> None:
    tables, problems = read_sheets(a_list(), FORMS)
    assert problems == []
    assert (tables["名单"].whole, tables["附表"].whole) == (True, True)
    assert tables["附表"].rows == [{"row": 2, "faulty": frozenset(), "name": "张三", "words": "组长"}]
    assert [(row["row"], row["name"], row["on"]) for row in tables["名单"].rows][1:] == [(3, "李四", date(2024, 7, 2)), (4, "王五", date(2024, 7, 3))]


def test_a_title_row_and_columns_in_another_order_are_taken_and_rows_still_count_as_in_excel() -> None:
    rows = people()
    rows[1]["姓名"] = None
    assert the_problem(a_list(rows, title="名单", headings=HEADINGS[::-1])) == SheetProblem("名单", 4, "姓名", "error", "缺少姓名")


def test_headings_and_names_of_sheets_may_carry_notes_and_spaces() -> None:
    noted = {"日期": "日期（年月日）", "姓名": " 姓　名*", "学工号": "学\n工号"}
    rows = [{noted.get(heading, heading): value for heading, value in row.items()} for row in people()]
    tables, problems = read_sheets(workbook_of({"名 单（在校）": (list(rows[0]), rows), "附表": NOTES}), FORMS)
    assert (problems, len(tables["名单"].rows)) == ([], 3)


def test_an_unknown_column_is_reported_and_kept_out() -> None:
    data = a_list([{**row, "身份证号": "110"} for row in people()], headings=(*HEADINGS, "身份证号"))
    problem = the_problem(data)
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("名单", 1, "身份证号", "warning")
    assert read(data) == read(a_list())


def test_content_under_no_heading_is_reported_once() -> None:
    def scribble(workbook: Workbook) -> None:
        for row in (1, 2):
            workbook.get_worksheet_by_name("名单").write(row, len(HEADINGS) + 1, "核对过")

    problem = the_problem(a_list(finish=scribble))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("名单", 2, None, "warning")
    assert "F 列" in problem.message


def test_another_sheet_is_reported_and_not_read() -> None:
    problem = the_problem(a_list(finish=lambda workbook: workbook.add_worksheet("填表说明")))
    assert (problem.sheet, problem.severity) == ("填表说明", "warning")


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_missing_heading_is_named_and_without_one_that_is_not_optional_the_sheet_is_not_whole(heading: str) -> None:
    data = a_list(headings=[each for each in HEADINGS if each != heading])
    severity = "warning" if heading == "邮箱" else "error"
    assert the_problem(data) == SheetProblem("名单", None, heading, severity, f"缺少列“{heading}”")
    assert read(data).whole is (severity == "warning")
    assert all(heading in row["faulty"] for row in read(data).rows)


def test_a_heading_that_stands_twice_is_an_error_and_the_first_counts() -> None:
    data = a_list(finish=lambda book: book.get_worksheet_by_name("名单").write(0, len(HEADINGS), "姓名"))
    assert the_problem(data) == SheetProblem("名单", 1, "姓名", "error", "列“姓名”重复出现")
    assert read(data).rows == read(a_list()).rows


def test_a_missing_sheet_is_named() -> None:
    data = workbook_of({"附表": NOTES, "表1": (HEADINGS, people())})
    assert SheetProblem("名单", None, None, "error", "缺少表“名单”") in problems_of(data)
    assert read(data) == Table()


def test_a_sheet_without_headings_or_without_rows_says_so() -> None:
    assert "没有找到表头" in the_problem(a_list(headings=["x"])).message
    assert the_problem(a_list([])) == SheetProblem("名单", None, None, "error", "名单中没有人")
    assert problems_of(workbook_of({"名单": (HEADINGS, people()), "附表": (NOTES[0], [])})) == []


def test_empty_rows_are_skipped() -> None:
    first, second, third = people()
    data = a_list([first, {}, {"姓名": " 　"}, second, third])
    assert problems_of(data) == []
    assert len(read(data).rows) == 3


@pytest.mark.parametrize("heading", ["学工号", "姓名"])
def test_a_cell_that_must_be_filled_is_named(heading: str) -> None:
    assert the_problem(with_cell(heading, "  ")) == SheetProblem("名单", 2, heading, "error", f"缺少{heading}")


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_formula_is_refused_whatever_it_last_gave(heading: str) -> None:
    data = with_cell(heading, Formula("=A1", "张三"))
    assert (the_problem(data).row, the_problem(data).heading, the_problem(data).severity) == (2, heading, "error")
    assert "是公式" in the_problem(data).message
    assert read(data).rows[0]["faulty"] == {heading}


def test_a_warning_of_a_cell_leaves_its_row_without_it() -> None:
    data = with_cell("邮箱", "zhang.example")
    assert (the_problem(data).row, the_problem(data).severity, has_errors([the_problem(data)])) == (2, "warning", False)
    assert "email" not in read(data).rows[0]


def test_a_date_cell_beyond_the_calendar_is_an_error_of_that_cell() -> None:
    def far_away(workbook: Workbook) -> None:
        day_format = workbook.add_format({"num_format": "yyyy-mm-dd"})
        workbook.get_worksheet_by_name("名单").write_number(1, HEADINGS.index("日期"), 99_999_999, day_format)

    problem = the_problem(a_list(finish=far_away))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("名单", 2, "日期", "error")


def test_problems_come_in_the_order_of_the_forms_whatever_the_order_of_the_sheets() -> None:
    rows = people()
    rows[2]["姓名"] = rows[0]["学工号"] = None
    data = workbook_of({"说明": ([], []), "附表": (NOTES[0], [{"说明": "组长"}]), "名单": (HEADINGS, rows)})
    assert [(problem.sheet, problem.row) for problem in problems_of(data)] == [("名单", 2), ("名单", 4), ("附表", 2), ("说明", None)]
    of_the_file = SheetProblem(None, None, None, "error", "")
    assert in_order([*problems_of(data), of_the_file], FORMS)[0] == of_the_file


def test_of_many_rows_the_first_ten_are_named() -> None:
    assert rows_named([2, 3]) == "第 2、3 行"
    assert rows_named(range(2, 14)) == "第 2、3、4、5、6、7、8、9、10、11 等 12 行"


# Under any name

ANY_NAME = {"名单": SheetForm(PEOPLE.columns, any_name=True)}


@pytest.mark.parametrize("name", ["Sheet1", "名单", "签到 7.1"])
def test_the_only_sheet_of_a_workbook_may_have_any_name_where_the_form_says_so(name: str) -> None:
    tables, problems = read_sheets(only(name), ANY_NAME)
    assert (problems, len(tables["名单"].rows)) == ([], 3)


def test_what_is_wrong_with_it_is_told_under_the_name_of_the_form() -> None:
    rows = people()
    rows[0]["姓名"] = None
    [problem] = read_sheets(workbook_of({"Sheet1": (HEADINGS, rows)}), ANY_NAME)[1]
    assert (problem.sheet, problem.row) == ("名单", 2)


def test_of_several_sheets_the_name_decides_and_elsewhere_it_always_does() -> None:
    both = workbook_of({"Sheet1": (HEADINGS, people()), "Sheet2": (HEADINGS, people())})
    for data, forms in ((both, ANY_NAME), (only("Sheet1"), {"名单": PEOPLE})):
        tables, problems = read_sheets(data, forms)
        assert tables["名单"] == Table()
        assert SheetProblem("名单", None, None, "error", "缺少表“名单”") in problems
        assert SheetProblem("Sheet1", None, None, "warning", "表“Sheet1”不在官方表式之内，未读取") in problems


def test_a_lone_sheet_that_has_the_name_of_another_form_is_that_one() -> None:
    tables, _ = read_sheets(only("附表"), {**ANY_NAME, "附表": PEOPLE})
    assert (len(tables["附表"].rows), tables["名单"].rows) == (3, [])


# Files that are no workbooks, or harmful


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "不是 Excel 工作簿"),
        ("学工号,姓名\n1,张三".encode(), "不是 Excel 工作簿（.xlsx），像是CSV 或文本文件"),
        ("学工号,姓名\n1,张三".encode("gbk"), "CSV"),
        ("\ufeff学工号,姓名\n1,张三".encode(), "CSV"),
        (b"<html><table></table></html>", "网页格式的表格"),
        ("\ufeff<html>".encode(), "网页格式的表格"),
        (bytes.fromhex("D0CF11E0A1B11AE1") + bytes(512), "这是旧版 .xls 文件，请在 Excel 中另存为 .xlsx"),
        (bytes.fromhex("D0CF11E0A1B11AE1") + bytes(512) + "EncryptedPackage".encode("utf-16-le"), "密码保护"),
    ],
)
def test_what_is_no_workbook_is_told_what_it_is(data: bytes, words: str) -> None:
    problem = the_problem(data)
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == (None, None, None, "error")
    assert words in problem.message


def test_another_zip_is_no_workbook() -> None:
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("word/document.xml", "<document/>")
    assert "不是 Excel 工作簿" in the_problem(content.getvalue()).message


def test_an_encrypted_archive_is_refused() -> None:
    data = bytearray(a_list())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    assert "密码保护" in the_problem(bytes(data)).message


@pytest.mark.parametrize("size", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_one_problem(size: float) -> None:
    data = a_list()
    assert "已损坏" in the_problem(data[: int(len(data) * size)]).message


@pytest.mark.parametrize(
    ("part", "megabytes", "words"), [(SHEET, 65, "展开后有 65 MB"), ("xl/sharedStrings.xml", 17, "展开后有 17 MB"), (SHEET, 4, "压缩比异常")]
)
def test_a_zip_bomb_is_refused_without_unpacking_it(part: str, megabytes: int, words: str) -> None:
    data = bytearray(repacked(a_list(), {part: bytes(megabytes * 2**20)}))
    packed = data.index(part.encode()) + len(part)
    # Unpacking would fail, and say that the file is damaged.
    data[packed : packed + 100] = bytes(100)
    assert words in the_problem(bytes(data)).message


def test_a_part_that_declares_less_than_it_holds_is_not_believed() -> None:
    data = bytearray(repacked(a_list(), {SHEET: b"<worksheet>" + bytes(2**20)}))
    entry = next(place for place in range(len(data)) if data.startswith(b"PK\x01\x02", place) and data.startswith(SHEET.encode(), place + 46))
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    assert "已损坏" in the_problem(bytes(data)).message


def test_a_packing_that_cannot_be_bounded_is_refused() -> None:
    assert "压缩方式异常" in the_problem(repacked(a_list(), {}, ZIP_BZIP2)).message


def test_fifty_thousand_rows_are_read_and_one_more_is_all_that_is_reported() -> None:
    rows = people()
    rows[0]["邮箱"] = "x"

    def to_row(number: int) -> bytes:
        return a_list(rows, finish=lambda book: book.get_worksheet_by_name("名单").write(number - 1, 0, "x"))

    assert {problem.row for problem in problems_of(to_row(50_000))} == {2, 50_000}
    assert the_problem(to_row(50_001)).message == "第 50001 行超出限度：每张表最多 50000 行，请删除其后的内容"


def test_a_cell_in_the_last_corner_is_reported_and_costs_nothing() -> None:
    data = a_list(finish=lambda book: book.get_worksheet_by_name("名单").write(1_048_575, 16_383, "x"))
    problem = the_problem(data)
    assert (problem.sheet, problem.severity) == ("名单", "error")
    assert "第 1048576 行超出限度：每张表最多 50000 行" in problem.message


def test_a_cell_far_to_the_right_is_reported() -> None:
    data = a_list(finish=lambda book: book.get_worksheet_by_name("名单").write(1, 16_383, "x"))
    assert "最多 200 列" in the_problem(data).message


def test_formats_without_content_down_to_the_last_row_do_not_matter() -> None:
    def colour(workbook: Workbook) -> None:
        workbook.get_worksheet_by_name("名单").write_blank(1_048_575, 16_383, None, workbook.add_format({"bold": True}))

    assert problems_of(a_list(finish=colour)) == []


@pytest.mark.parametrize("stated", ["A1", "A1:XFD1048576"])
def test_what_a_sheet_says_of_its_size_is_not_believed(stated: str) -> None:
    data = with_sheet(lambda xml: xml.replace('<dimension ref="A1:D4"/>', f'<dimension ref="{stated}"/>'))
    assert problems_of(data) == []
    assert len(read(data).rows) == 3


def test_a_row_number_beyond_excel_is_reported() -> None:
    far = '<row r="999999999999"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    assert "超出限度" in the_problem(with_sheet(lambda xml: xml.replace("</sheetData>", far))).message


def test_an_entity_bomb_is_one_problem() -> None:
    bomb = "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    declared = f'<!DOCTYPE worksheet [<!ENTITY a "张三">{bomb}]><worksheet'
    data = with_sheet(lambda xml: xml.replace("<worksheet", declared, 1).replace("<v>0</v>", "<v>&i;</v>", 1))
    assert "已损坏" in the_problem(data).message


def test_an_entity_that_would_read_a_file_is_one_problem() -> None:
    declared = '<!DOCTYPE worksheet [<!ENTITY x SYSTEM "file:///etc/hostname">]><worksheet'
    data = with_sheet(lambda xml: xml.replace("<worksheet", declared, 1).replace("<v>0</v>", "<v>&x;</v>", 1))
    assert "已损坏" in the_problem(data).message


@pytest.mark.parametrize("part", ["[Content_Types].xml", "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml", SHEET])
@pytest.mark.parametrize("content", [b"", b"<a><b></a>", b"\xff\xfe\x00", b"<a>" * 20_000])
def test_a_broken_part_is_told_and_not_raised(part: str, content: bytes) -> None:
    assert has_errors(problems_of(repacked(a_list(), {part: content})))


@given(st.integers(min_value=0), st.binary(min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_whatever_bytes_are_spoilt_nothing_is_raised(place: int, spoilt: bytes) -> None:
    data = bytearray(a_list())
    place %= len(data)
    data[place : place + len(spoilt)] = spoilt
    tables, problems = read_sheets(bytes(data), FORMS)
    assert tables["名单"].rows or has_errors(problems)


@given(st.binary())
def test_whatever_bytes_come_nothing_is_raised(data: bytes) -> None:
    for each in (data, b"PK\x03\x04" + data):
        tables, problems = read_sheets(each, FORMS)
        assert tables == {"名单": Table(), "附表": Table()}
        assert has_errors(problems)
