"""Rosters as schools send them, from the upload to the roll: each broke some other program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from tests.api.conftest import Client
from tests.support.imports import a_school_of, applied, upload
from tests.support.rosters import MEMBER_HEADINGS, RosterBranch, a_roster, a_workbook, committee_rows, member_rows
from tests.support.servers import YEAR, House
from tests.support.workbooks import repacked
from workflow.foundation.database import transaction
from workflow.people.organisation import Person

BRANCH = RosterBranch("D0101", "一支部", ("张三", "李四", "王五", "冯二", "陈一"), {"张三": "书记"})


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """A school without a roster."""
    with a_school_of(superuser, template, ()) as school:
        yield school


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


def names(house: House) -> dict[str, str]:
    """Give the people of branches: 学工号 to name."""
    with transaction(house.engine, actor=None) as session:
        return dict(session.execute(select(Person.staff_no, Person.name).where(Person.branch_id.is_not(None)).order_by(Person.staff_no)).all())


def edited(change: Any, data: bytes | None = None) -> bytes:
    """Change a workbook as Excel would: ``change`` takes it opened."""
    book = load_workbook(BytesIO(a_roster([BRANCH]) if data is None else data))
    change(book)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def told(preview: Mapping[str, Any], severity: str) -> list[str]:
    return [problem["message"] for problem in preview["problems"] if problem["severity"] == severity]


def with_names(*given: str) -> bytes:
    rows = member_rows([BRANCH])
    for row, name in zip(rows[1:], given, strict=False):
        row["姓名"] = name
    return a_workbook(rows, committee_rows([BRANCH]))


# ── sheets, rows, cells ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("title", "state"), [("党员(旧)", "hidden"), ("党员 ", "hidden"), ("党员（2023年底）", "visible")])
def test_an_old_sheet_before_the_present_one_is_not_read(house: House, office: Client, title: str, state: str) -> None:
    def with_old(book: Any) -> None:
        old = book.copy_worksheet(book["党员"])
        old.title, old.sheet_state = title, state
        old.delete_rows(4, 10)
        book.move_sheet(old, -2)

    content = edited(with_old)
    with ZipFile(BytesIO(content)) as archive:
        assert archive.read("xl/workbook.xml").index(title.strip().encode()) < archive.read("xl/workbook.xml").index("支部委员会".encode())
    preview = upload(office, content).body
    assert (preview["applicable"], preview["summary"]["members"], told(preview, "error")) == (True, 5, [])


def test_zeros_that_a_format_shows_are_kept_and_nobody_is_new_or_gone_the_next_time(house: House, office: Client) -> None:
    rows, committee = member_rows([BRANCH]), committee_rows([BRANCH])
    for n, row in enumerate(rows, 1):
        row["学工号"] = f"010100{n}"
    committee[0]["学工号"] = "0101001"
    content = a_workbook(rows, committee)
    assert applied(office, content).status == 200

    def numbers(book: Any) -> None:
        for row in range(2, 7):
            cell = book["党员"].cell(row, 1)
            cell.value, cell.number_format = 101000 + row - 1, "0000000"

    summary = upload(office, edited(numbers, content)).body["summary"]
    assert (summary["new_members"], summary["gone"], summary["changed_members"]) == (0, [], 0)


def test_a_hidden_row_is_told(office: Client) -> None:
    def hide(book: Any) -> None:
        book["党员"].row_dimensions[6].hidden = True

    preview = upload(office, edited(hide)).body
    assert (preview["applicable"], len(told(preview, "warning"))) == (True, 1)
    assert "第 6 行被隐藏或筛选掉了" in told(preview, "warning")[0]


def test_merged_cells_of_a_branch_are_told_once(house: House, office: Client) -> None:
    def merge(book: Any) -> None:
        for column in "DEFG":
            for row in range(3, 7):
                book["党员"][f"{column}{row}"] = None
            book["党员"].merge_cells(f"{column}2:{column}6")

    preview = upload(office, edited(merge)).body
    assert (preview["applicable"], len(preview["problems"])) == (True, 1)
    assert "合并单元格（D2:D6、E2:E6、F2:F6、G2:G6）" in preview["problems"][0]["message"]
    assert office.post(f"/roster-imports/{preview['id']}/apply").status == 200
    assert len(names(house)) == 5


def test_doubtful_names_are_told_and_two_in_one_cell_are_refused(house: House, office: Client) -> None:
    doubtful = ("李\ue81e", "王\ufffd", "赵?", "12345")
    preview = upload(office, with_names(*doubtful)).body
    assert (preview["applicable"], [problem["row"] for problem in preview["problems"]]) == (True, [3, 4, 5, 6])
    preview = upload(office, with_names("XXX")).body
    assert told(preview, "warning") == ["姓名“XXX”含有无法识别或占位的字符，请核对"]
    preview = upload(office, with_names("测甲\n测乙")).body
    assert (preview["applicable"], told(preview, "error")) == (False, ["姓名“测甲测乙”中有换行：一格只能写一个人"])


@pytest.mark.parametrize("name", ["李\ue81e", "𠮷𪚥", "阿卜杜拉·买买提", "王\U000f0001"])
def test_a_name_that_the_roster_takes_every_other_route_takes(house: House, office: Client, name: str) -> None:
    assert applied(office, with_names(name)).status == 200
    assert office.post(f"{YEAR}/publish").status == 200
    secretary, here = house.as_("20240001"), f"{YEAR}/branches/D0101"
    study = {"held_on": "2024-12-19", "titles": ["中国共产党纪律处分条例"], "present": ["20240002"], "exchange": f"{name}同志发言"}
    assert secretary.post(f"{here}/study-sessions", study).body.get("exchange") == f"{name}同志发言"
    talk = {"held_on": "2024-12-19", "talker": "20240001", "partner": "20240002", "place": f"{name}办公室", "affirmed": name}
    assert secretary.post(f"{here}/talks", talk).status == 201
    assert office.get(f"{here}/roll/20240002").body["name"] == name
    officer = {"staff_no": "g100", "name": name, "role": "auditor"}
    assert house.as_("administrator").post("/accounts", officer).body["name"] == name


# ── branches without a secretary, words of other systems ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", ["副书记（主持工作）", "代书记", "临时负责人", "第一书记", "支书", "总支书记", None])
def test_one_branch_without_a_secretary_stops_nobody(house: House, office: Client, words: str | None) -> None:
    others = [
        RosterBranch(f"D02{n:02d}", f"第{n}支部", (f"甲{c}", f"乙{c}", f"丙{c}"), {f"甲{c}": "书记"}) for n, c in enumerate("壹贰叁肆伍陆柒捌玖拾")
    ]
    vacant = RosterBranch(BRANCH.code, BRANCH.name, BRANCH.members, {"张三": words} if words else {})
    preview = upload(office, a_roster([*others, vacant])).body
    assert (preview["applicable"], told(preview, "error")) == (True, [])
    assert ["没有书记" in message for message in told(preview, "warning")] == ([] if words in {"支书", "总支书记"} else [True])
    assert office.post(f"/roster-imports/{preview['id']}/apply").status == 200
    roles = house.as_("20240031").get("/me").body["branches"][0]["roles"]
    assert ("secretary" in roles) is (words is not None)


def test_words_and_headings_of_the_partys_own_systems_are_understood(house: House, office: Client) -> None:
    other = {"人员类别": "人员类别", "入党时间": "加入党组织日期", "转正时间": "转为正式党员日期"}
    rows = [{other.get(heading, heading): value for heading, value in row.items()} for row in member_rows([BRANCH])]
    for row, words in zip(rows, ("中共党员", "中共党员", "中共正式党员", "中共党员", "中共预备党员"), strict=True):
        row["人员类别"] = words
    rows[4]["转为正式党员日期"] = None
    preview = upload(office, a_workbook(rows, committee_rows([BRANCH]), member_headings=list(rows[0]))).body
    assert (preview["applicable"], preview["problems"]) == (True, [])
    assert office.post(f"/roster-imports/{preview['id']}/apply").status == 200
    assert office.post(f"{YEAR}/publish").status == 200
    assert [row["standing"] for row in office.get(f"{YEAR}/branches/D0101/roll").body["items"]] == [*["full"] * 4, "probationary"]


@pytest.mark.parametrize("code", ["assessments", "decision", "office", "help"])
def test_a_branch_has_no_code_that_is_the_address_of_a_page(office: Client, code: str) -> None:
    preview = upload(office, a_roster([RosterBranch(code)])).body
    assert (preview["applicable"], [problem["heading"] for problem in preview["problems"]]) == (False, ["所在党支部编码"])


# ── files that pass, and files that are named ─────────────────────────────────────────────────────────────────────────


def part(name: str, old: str, new: str) -> bytes:
    data = a_roster([BRANCH])
    with ZipFile(BytesIO(data)) as archive:
        words = archive.read(name).decode()
    assert old in words
    return repacked(data, {name: words.replace(old, new).encode()})


def workbook2() -> bytes:
    """Make the workbook with its main part under the name that some programs give it."""
    data, names = a_roster([BRANCH]), ("_rels/.rels", "[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    with ZipFile(BytesIO(data)) as archive:
        parts = {name: archive.read(name).replace(b"xl/workbook.xml", b"xl/workbook2.xml") for name in names}
    return repacked(data, {name.replace("workbook.xml", "workbook2.xml"): content for name, content in parts.items()})


PASSING: dict[str, Callable[[], bytes]] = {
    "readings of characters": lambda: part("xl/sharedStrings.xml", "<t>李四</t>", "<r><t>李四</t></r><rPh sb='0' eb='1'><t>リシ</t></rPh>"),
    "a dimension of one cell": lambda: part("xl/worksheets/sheet1.xml", '<dimension ref="A1:N6"/>', '<dimension ref="A1"/>'),
    "a main part of another name": workbook2,
    "a title row": lambda: a_workbook(member_rows([BRANCH]), committee_rows([BRANCH]), title="党员名册"),
}


@pytest.mark.parametrize("kind", PASSING)
def test_files_of_other_programs_are_read_whole(house: House, office: Client, kind: str) -> None:
    assert applied(office, PASSING[kind]()).status == 200
    assert list(names(house).values()) == list(BRANCH.members)


def with_cells(heading: str, values: Sequence[object]) -> bytes:
    rows = member_rows([BRANCH])
    for row, value in zip(rows, values, strict=False):
        row[heading] = value
    return a_workbook(rows, committee_rows([BRANCH]), member_headings=MEMBER_HEADINGS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: with_cells("入党时间", [2009.1]), "分不清是 1 月还是 10 月"),
        (lambda: with_cells("学工号", ["2.02401E+11"]), "学工号“2.02401E+11”不合规范"),
        (lambda: with_cells("学工号", [1234567890123456]), "超过 15 位"),
        (lambda: "学工号,姓名\n1,张三".encode("gbk"), "CSV"),
        ("\ufeff学工号,姓名\n1,张三".encode, "CSV"),
        (lambda: b"<html><table></table></html>", "网页格式的表格"),
    ],
)
def test_files_that_lost_something_are_refused_in_words(office: Client, content: Any, words: str) -> None:
    preview = upload(office, content()).body
    assert preview["applicable"] is False
    assert any(words in message for message in told(preview, "error"))


def test_a_month_as_text_is_october(office: Client) -> None:
    assert upload(office, with_cells("入党时间", ["1990.10"])).body["problems"] == []


def test_a_workbook_that_counts_its_days_from_1904_is_read_so(office: Client) -> None:
    rows = [{**row, "转正时间": None, "入党时间": date(2021, 7, 1), "人员类别": "预备党员"} for row in member_rows([BRANCH])]
    data = a_workbook(rows, [])
    with ZipFile(BytesIO(data)) as archive:
        words = archive.read("xl/workbook.xml").decode()
    shifted = repacked(data, {"xl/workbook.xml": words.replace("<workbookPr", '<workbookPr date1904="1"').encode()})
    late = [sum("在今天之后" in words for words in told(upload(office, each).body, "error")) for each in (data, shifted)]
    assert late == [0, 5], "the same number is four years later"


def test_a_footer_and_a_repeated_heading_are_refused_by_row(office: Client) -> None:
    def more(book: Any) -> None:
        sheet = book["党员"]
        sheet.append([cell.value for cell in sheet[1]])
        sheet.append(["制表人：张三"])

    preview = upload(office, edited(more)).body
    assert (preview["applicable"], {problem["row"] for problem in preview["problems"] if problem["severity"] == "error"}) == (False, {7, 8})
