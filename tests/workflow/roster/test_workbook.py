"""The workbook as it comes in: its form, and what a hostile file does (nothing)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook  # type: ignore[import-untyped]

from tests.rosters import (
    COMMITTEE_HEADINGS,
    MEMBER_HEADINGS,
    Formula,
    a_roster,
    a_school_roster,
    a_workbook,
    committee_rows,
    member_rows,
)
from workflow.roster.workbook import Problem, Reading, read_workbook
from workflow.vocabulary import Post, Standing

TODAY = date(2025, 1, 10)
SHEET = "xl/worksheets/sheet1.xml"


def read(data: bytes) -> Reading:
    return read_workbook(data, today=TODAY)


def the_problem(data: bytes) -> Problem:
    reading = read(data)
    assert len(reading.problems) == 1, reading.problems
    assert reading.applicable is (reading.problems[0].severity == "warning")
    return reading.problems[0]


def with_cell(heading: str, value: object, sheet: str = "党员") -> bytes:
    members, committee = member_rows(), committee_rows()
    (members if sheet == "党员" else committee)[0][heading] = value
    return a_workbook(members, committee)


def repacked(data: bytes, parts: Mapping[str, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    """The same archive with some parts replaced or added."""
    content = BytesIO()
    with ZipFile(BytesIO(data)) as source, ZipFile(content, "w", compression) as target:
        for part in {**{info.filename: b"" for info in source.infolist()}, **parts}:
            target.writestr(part, parts[part] if part in parts else source.read(part))
    return content.getvalue()


def with_sheet(change: Callable[[str], str]) -> bytes:
    data = a_roster()
    with ZipFile(BytesIO(data)) as archive:
        return repacked(data, {SHEET: change(archive.read(SHEET).decode()).encode()})


# The form


def test_a_good_workbook_has_no_problems() -> None:
    reading = read(a_roster())
    assert reading.problems == ()
    assert reading.applicable
    secretary = reading.roster.members[0]
    assert (secretary.name, secretary.post, secretary.standing, secretary.joined_on) == ("张三", Post.SECRETARY, Standing.FULL, date(1991, 2, 2))


def test_a_whole_school_has_no_problems() -> None:
    reading = read(a_school_roster())
    assert reading.problems == ()
    assert (len(reading.roster.branches), len(reading.roster.members)) == (60, 1352)
    assert a_school_roster(5, 100) == a_school_roster(5, 100)


def test_a_title_row_and_columns_in_another_order_are_taken_and_rows_still_count_as_in_excel() -> None:
    members = member_rows()
    members[1]["姓名"] = None
    data = a_workbook(members, committee_rows(), title="党员名册", member_headings=MEMBER_HEADINGS[::-1], committee_headings=COMMITTEE_HEADINGS[::-1])
    assert the_problem(data) == Problem("党员", 4, "姓名", "error", "缺少姓名")


def test_headings_may_carry_the_notes_and_spaces_of_the_form() -> None:
    noted = {"党籍状态": "党籍状态（正式党员或预备党员）", "姓名": " 姓　名*", "学工号": "学\n工号"}
    members = [{noted.get(heading, heading): value for heading, value in row.items()} for row in member_rows()]
    committee = [{"职务（留空默认为委员）" if heading == "职务" else heading: value for heading, value in row.items()} for row in committee_rows()]
    data = a_workbook(members, committee, member_headings=list(members[0]), committee_headings=list(committee[0]))
    assert read(data).problems == ()


def test_an_unknown_column_is_reported_and_kept_out() -> None:
    members = [{**row, "身份证号": "110"} for row in member_rows()]
    data = a_workbook(members, committee_rows(), member_headings=(*MEMBER_HEADINGS, "身份证号"))
    problem = the_problem(data)
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("党员", 1, "身份证号", "warning")
    assert read(data).roster == read(a_roster()).roster


def test_content_under_no_heading_is_reported_once() -> None:
    def scribble(workbook: Workbook) -> None:
        for row in (1, 2):
            workbook.get_worksheet_by_name("党员").write(row, len(MEMBER_HEADINGS) + 1, "核对过")

    problem = the_problem(a_workbook(member_rows(), committee_rows(), finish=scribble))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("党员", 2, None, "warning")
    assert "P 列" in problem.message


def test_another_sheet_is_reported_and_not_read() -> None:
    problem = the_problem(a_workbook(member_rows(), committee_rows(), finish=lambda workbook: workbook.add_worksheet("填表说明")))
    assert (problem.sheet, problem.severity) == ("填表说明", "warning")


@pytest.mark.parametrize("heading", MEMBER_HEADINGS)
def test_a_missing_heading_is_named(heading: str) -> None:
    data = a_workbook(member_rows(), committee_rows(), member_headings=[each for each in MEMBER_HEADINGS if each != heading])
    severity = "warning" if heading in {"性别", "邮箱", "备注"} else "error"
    found = [problem for problem in read(data).problems if problem.heading == heading]
    assert found == [Problem("党员", None, heading, severity, f"缺少列“{heading}”")]


@pytest.mark.parametrize("heading", COMMITTEE_HEADINGS)
def test_a_missing_heading_of_the_committee_sheet_is_named(heading: str) -> None:
    data = a_workbook(member_rows(), committee_rows(), committee_headings=[each for each in COMMITTEE_HEADINGS if each != heading])
    assert the_problem(data) == Problem("支部委员会", None, heading, "error", f"缺少列“{heading}”")


def test_a_heading_that_stands_twice_is_an_error_and_the_first_counts() -> None:
    data = a_workbook(member_rows(), committee_rows(), finish=lambda book: book.get_worksheet_by_name("党员").write(0, len(MEMBER_HEADINGS), "姓名"))
    assert the_problem(data) == Problem("党员", 1, "姓名", "error", "列“姓名”重复出现")


@pytest.mark.parametrize(("missing", "present"), [("党员", "支部委员会"), ("支部委员会", "党员")])
def test_a_missing_sheet_is_named(missing: str, present: str) -> None:
    with ZipFile(BytesIO(a_roster())) as archive:
        named = archive.read("xl/workbook.xml").decode().replace(f'name="{missing}"', 'name="表1"').encode()
    found = [problem for problem in read(repacked(a_roster(), {"xl/workbook.xml": named})).problems if problem.severity == "error"]
    assert found == [Problem(missing, None, None, "error", f"缺少表“{missing}”")]


def test_a_sheet_without_headings_or_without_members_says_so() -> None:
    assert "没有找到表头" in the_problem(a_workbook(member_rows(), committee_rows(), committee_headings=["x"])).message
    assert "表中没有党员" in the_problem(a_workbook([], [])).message


def test_empty_rows_are_skipped_and_hidden_rows_and_merged_cells_are_read() -> None:
    first, second, third = member_rows()

    def hide(workbook: Workbook) -> None:
        sheet = workbook.get_worksheet_by_name("党员")
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.merge_range(10, 0, 11, 3, "")

    data = a_workbook([first, {}, {"姓名": " 　"}, second, third], committee_rows(), finish=hide)
    assert read(data).problems == ()
    assert len(read(data).roster.members) == 3


@pytest.mark.parametrize("heading", ["学工号", "姓名", "所在分党委编码", "所在分党委", "所在党支部编码", "所在党支部", "党籍状态"])
def test_a_cell_that_must_be_filled_is_named(heading: str) -> None:
    assert Problem("党员", 2, heading, "error", f"缺少{heading}") in read(with_cell(heading, "  ")).problems


@pytest.mark.parametrize("heading", ["所属党支部", "姓名", "学工号"])
def test_a_cell_of_the_committee_sheet_that_must_be_filled_is_named(heading: str) -> None:
    assert Problem("支部委员会", 2, heading, "error", f"缺少{heading}") in read(with_cell(heading, None, "支部委员会")).problems


@pytest.mark.parametrize("heading", MEMBER_HEADINGS)
def test_a_formula_is_refused_whatever_it_last_gave(heading: str) -> None:
    found = [problem for problem in read(with_cell(heading, Formula("=A1", "张三"))).problems if problem.severity == "error"]
    assert [(problem.sheet, problem.row, problem.heading) for problem in found] == [("党员", 2, heading)]
    assert "是公式" in found[0].message


def test_a_warning_of_a_cell_leaves_the_roster_applicable_without_it() -> None:
    reading = read(with_cell("邮箱", "zhang.example"))
    assert [(problem.row, problem.heading, problem.severity) for problem in reading.problems] == [(2, "邮箱", "warning")]
    assert reading.applicable
    assert reading.roster.members[0].email is None


def test_numbers_and_other_habits_in_cells_are_taken() -> None:
    members, committee = member_rows(), committee_rows()
    members[0].update(
        {"学工号": 20240001, "姓名": "张 三", "入党时间": "1999年7月1日", "转正时间": 2000.07, "党籍状态": "正式", "是否党员领导干部": "是"}
    )
    committee[0].update({"学工号": "２０２４０００１", "所属党支部": " 物理学院　教工第一党支部"})
    reading = read(a_workbook(members, committee))
    assert reading.problems == ()
    first = reading.roster.members[0]
    assert (first.staff_no, first.name, first.joined_on, first.confirmed_on) == ("20240001", "张三", date(1999, 7, 1), date(2000, 7, 1))
    assert first.cadre


def test_a_date_cell_beyond_the_calendar_is_an_error_of_that_cell() -> None:
    def far_away(workbook: Workbook) -> None:
        day_format = workbook.add_format({"num_format": "yyyy-mm-dd"})
        workbook.get_worksheet_by_name("党员").write_number(1, MEMBER_HEADINGS.index("入党时间"), 99_999_999, day_format)

    problem = the_problem(a_workbook(member_rows(), committee_rows(), finish=far_away))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("党员", 2, "入党时间", "error")


def test_problems_come_in_the_order_of_the_workbook() -> None:
    members, committee = member_rows(), committee_rows()
    members[1]["学工号"] = members[0]["学工号"]
    members[2]["姓名"] = committee[0]["姓名"] = None
    places = [(problem.sheet, problem.row) for problem in read(a_workbook(members, committee)).problems]
    assert places == [("党员", 3), ("党员", 4), ("支部委员会", 2)]


# Files that are none, or mean harm


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "不是 Excel 工作簿"),
        ("学工号,姓名\n1,张三".encode(), "不是 Excel 工作簿"),
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
    data = bytearray(a_roster())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    assert "密码保护" in the_problem(bytes(data)).message


@pytest.mark.parametrize("size", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_one_problem(size: float) -> None:
    data = a_roster()
    assert "已损坏" in the_problem(data[: int(len(data) * size)]).message


@pytest.mark.parametrize(
    ("part", "megabytes", "words"), [(SHEET, 65, "展开后有 65 MB"), ("xl/sharedStrings.xml", 17, "展开后有 17 MB"), (SHEET, 4, "压缩比异常")]
)
def test_a_zip_bomb_is_refused_without_unpacking_it(part: str, megabytes: int, words: str) -> None:
    data = bytearray(repacked(a_roster(), {part: bytes(megabytes * 2**20)}))
    packed = data.index(part.encode()) + len(part)
    data[packed : packed + 100] = bytes(100)  # unpacking would fail, and say that the file is damaged
    assert words in the_problem(bytes(data)).message


def test_a_part_that_declares_less_than_it_holds_is_not_believed() -> None:
    data = bytearray(repacked(a_roster(), {SHEET: b"<worksheet>" + bytes(2**20)}))
    entry = next(place for place in range(len(data)) if data.startswith(b"PK\x01\x02", place) and data.startswith(SHEET.encode(), place + 46))
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    assert "已损坏" in the_problem(bytes(data)).message


def test_a_packing_that_cannot_be_bounded_is_refused() -> None:
    assert "压缩方式异常" in the_problem(repacked(a_roster(), {}, ZIP_BZIP2)).message


def test_fifty_thousand_rows_are_read_and_one_more_is_all_that_is_reported() -> None:
    members = member_rows()
    members[0]["邮箱"] = "x"

    def to_row(number: int) -> bytes:
        return a_workbook(members, committee_rows(), finish=lambda book: book.get_worksheet_by_name("党员").write(number - 1, 0, "x"))

    assert {problem.row for problem in read(to_row(50_000)).problems} == {2, 50_000}
    assert the_problem(to_row(50_001)).message == "第 50001 行超出限度：每张表最多 50000 行，请删除其后的内容"


def test_a_cell_in_the_last_corner_is_reported_and_costs_nothing() -> None:
    data = a_workbook(member_rows(), committee_rows(), finish=lambda book: book.get_worksheet_by_name("党员").write(1_048_575, 16_383, "x"))
    problem = the_problem(data)
    assert (problem.sheet, problem.severity) == ("党员", "error")
    assert "第 1048576 行超出限度：每张表最多 50000 行" in problem.message


def test_a_cell_far_to_the_right_is_reported() -> None:
    data = a_workbook(member_rows(), committee_rows(), finish=lambda book: book.get_worksheet_by_name("党员").write(1, 16_383, "x"))
    assert "最多 200 列" in the_problem(data).message


def test_formats_without_content_down_to_the_last_row_do_not_matter() -> None:
    def colour(workbook: Workbook) -> None:
        workbook.get_worksheet_by_name("党员").write_blank(1_048_575, 16_383, None, workbook.add_format({"bold": True}))

    assert read(a_workbook(member_rows(), committee_rows(), finish=colour)).problems == ()


@pytest.mark.parametrize("stated", ["A1", "A1:XFD1048576"])
def test_what_a_sheet_says_of_its_size_is_not_believed(stated: str) -> None:
    data = with_sheet(lambda xml: xml.replace('<dimension ref="A1:N4"/>', f'<dimension ref="{stated}"/>'))
    assert read(data).applicable
    assert len(read(data).roster.members) == 3


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
    assert not read(repacked(a_roster(), {part: content})).applicable


@given(st.sampled_from(MEMBER_HEADINGS), st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_in_a_cell_nothing_is_raised(heading: str, words: str) -> None:
    for problem in read(with_cell(heading, words)).problems:
        assert problem.message


@given(st.integers(min_value=0), st.binary(min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_whatever_bytes_are_spoilt_nothing_is_raised(place: int, spoilt: bytes) -> None:
    data = bytearray(a_roster())
    place %= len(data)
    data[place : place + len(spoilt)] = spoilt
    assert read(bytes(data)).roster.members or not read(bytes(data)).applicable


@given(st.binary())
def test_whatever_bytes_come_nothing_is_raised(data: bytes) -> None:
    assert not read(data).applicable
    assert not read(b"PK\x03\x04" + data).applicable
