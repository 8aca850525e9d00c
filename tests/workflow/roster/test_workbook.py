"""The roster's workbook: its form, and the values made from its cells."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rosters import COMMITTEE_HEADINGS, MEMBER_HEADINGS, a_roster, a_school_roster, a_workbook, committee_rows, member_rows
from tests.support.workbooks import Formula, repacked
from workflow.foundation.vocabulary import Post, Standing
from workflow.roster.checks import Roster
from workflow.roster.workbook import Reading, read_workbook
from workflow.workbooks.sheets import SheetProblem

TODAY = date(2025, 1, 10)


def read(data: bytes) -> Reading:
    return read_workbook(data, today=TODAY)


def the_problem(data: bytes) -> SheetProblem:
    reading = read(data)
    assert len(reading.problems) == 1, reading.problems
    assert reading.applicable is (reading.problems[0].severity == "warning")
    return reading.problems[0]


def with_cell(heading: str, value: object, sheet: str = "党员") -> bytes:
    members, committee = member_rows(), committee_rows()
    (members if sheet == "党员" else committee)[0][heading] = value
    return a_workbook(members, committee)


def test_a_good_workbook_has_no_problems() -> None:
    reading = read(a_roster())
    assert reading.problems == ()
    assert reading.applicable
    secretary = reading.roster.members[0]
    assert (secretary.name, secretary.email) == ("张三", "m1@school.example")
    assert (secretary.post, secretary.standing) == (Post.SECRETARY, Standing.FULL)


def test_a_whole_school_has_no_problems() -> None:
    reading = read(a_school_roster())
    assert reading.problems == ()
    assert (len(reading.roster.branches), len(reading.roster.members)) == (60, 1352)
    assert a_school_roster(5, 100) == a_school_roster(5, 100)


def test_headings_may_carry_the_notes_and_spaces_of_the_form() -> None:
    noted = {"人员类别": "人员类别（正式党员或预备党员）", "姓名": " 姓　名*", "学工号": "学\n工号"}
    members = [{noted.get(heading, heading): value for heading, value in row.items()} for row in member_rows()]
    committee = [{"职务（留空默认为委员）" if heading == "职务" else heading: value for heading, value in row.items()} for row in committee_rows()]
    data = a_workbook(members, committee, member_headings=list(members[0]), committee_headings=list(committee[0]))
    assert read(data).problems == ()


def test_what_the_form_does_not_have_leaves_the_roster_as_it_is() -> None:
    members = [{**row, "身份证号": "110"} for row in member_rows()]
    data = a_workbook(members, committee_rows(), member_headings=(*MEMBER_HEADINGS, "身份证号"))
    assert the_problem(data).severity == "warning"
    assert read(data).roster == read(a_roster()).roster


PASSED_OVER = ("性别", "备注")
READ = [heading for heading in MEMBER_HEADINGS if heading not in PASSED_OVER]


@pytest.mark.parametrize("heading", PASSED_OVER)
@pytest.mark.parametrize("value", ["M", "困难" * 200, date(2023, 5, 1), Formula("=A1", "张三"), "\x07"])
def test_what_nothing_here_needs_is_passed_over(heading: str, value: object) -> None:
    without = [each for each in MEMBER_HEADINGS if each != heading]
    for headings in (without, [*MEMBER_HEADINGS, heading]):
        data = a_workbook(member_rows(), committee_rows(), member_headings=headings)
        assert read(data) == read(a_roster())
    assert read(with_cell(heading, value)) == read(a_roster())


@pytest.mark.parametrize("heading", READ)
def test_a_missing_heading_is_named(heading: str) -> None:
    data = a_workbook(member_rows(), committee_rows(), member_headings=[each for each in MEMBER_HEADINGS if each != heading])
    severity = "warning" if heading == "邮箱" else "error"
    found = [problem for problem in read(data).problems if problem.heading == heading]
    assert found == [SheetProblem("党员", None, heading, severity, f"缺少列“{heading}”")]


@pytest.mark.parametrize("heading", COMMITTEE_HEADINGS)
def test_a_missing_heading_of_the_committee_sheet_is_named(heading: str) -> None:
    data = a_workbook(member_rows(), committee_rows(), committee_headings=[each for each in COMMITTEE_HEADINGS if each != heading])
    assert the_problem(data) == SheetProblem("支部委员会", None, heading, "error", f"缺少列“{heading}”")


@pytest.mark.parametrize(("missing", "present"), [("党员", "支部委员会"), ("支部委员会", "党员")])
def test_a_missing_sheet_is_named(missing: str, present: str) -> None:
    with ZipFile(BytesIO(a_roster())) as archive:
        named = archive.read("xl/workbook.xml").decode().replace(f'name="{missing}"', 'name="表1"').encode()
    found = [problem for problem in read(repacked(a_roster(), {"xl/workbook.xml": named})).problems if problem.severity == "error"]
    assert found == [SheetProblem(missing, None, None, "error", f"缺少表“{missing}”")]


def test_a_roster_without_members_is_an_error_and_one_without_a_committee_is_none() -> None:
    assert the_problem(a_workbook([], [])) == SheetProblem("党员", None, None, "error", "表中没有党员")
    assert "没有书记" in the_problem(a_workbook([{**row, "党内职务": None} for row in member_rows()], [])).message


@pytest.mark.parametrize("heading", ["学工号", "姓名", "所在分党委编码", "所在分党委", "所在党支部编码", "所在党支部", "人员类别"])
def test_a_cell_that_must_be_filled_is_named(heading: str) -> None:
    assert SheetProblem("党员", 2, heading, "error", f"缺少{heading}") in read(with_cell(heading, "  ")).problems


@pytest.mark.parametrize("heading", ["所属党支部", "姓名", "学工号"])
def test_a_cell_of_the_committee_sheet_that_must_be_filled_is_named(heading: str) -> None:
    assert SheetProblem("支部委员会", 2, heading, "error", f"缺少{heading}") in read(with_cell(heading, None, "支部委员会")).problems


@pytest.mark.parametrize(
    ("heading", "other"), [("人员类别", "党籍状态"), ("人员类别", "党员类别"), ("入党时间", "加入党组织日期"), ("转正时间", "转为正式党员日期")]
)
def test_headings_of_the_partys_own_systems_are_understood(heading: str, other: str) -> None:
    rows = [{other if each == heading else each: value for each, value in row.items()} for row in member_rows()]
    assert read(a_workbook(rows, committee_rows(), member_headings=list(rows[0]))) == read(a_roster())


def test_a_column_of_party_groups_is_read_where_there_is_one() -> None:
    rows = [{**row, "党小组": "第一党小组"} for row in member_rows()]
    reading = read(a_workbook(rows, committee_rows(), member_headings=(*MEMBER_HEADINGS, "党小组")))
    assert (reading.problems, reading.roster.told) == ((), ("email", "party_group"))
    assert {member.party_group for member in reading.roster.members} == {"第一党小组"}
    assert read(a_roster()).roster.told == ("email",)


@pytest.mark.parametrize("heading", READ)
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
        {"学工号": 20240001, "姓名": "张 三", "人员类别": "正式", "是否党员领导干部": "是"},
        入党时间="2001年7月1日",
        转正时间=2000.07,
    )
    committee[0].update({"学工号": "２０２４０００１", "所属党支部": " 物理学院　教工第一党支部"})
    reading = read(a_workbook(members, committee))
    (problem,) = reading.problems
    assert problem.message == "转正时间 2000-07-01 早于入党时间 2001-07-01"
    first = reading.roster.members[0]
    assert (first.staff_no, first.name, first.standing) == ("20240001", "张三", Standing.FULL)
    assert first.cadre


def test_problems_come_in_the_order_of_the_workbook() -> None:
    members, committee = member_rows(), committee_rows()
    members[1]["学工号"] = members[0]["学工号"]
    members[2]["姓名"] = committee[0]["姓名"] = None
    places = [(problem.sheet, problem.row) for problem in read(a_workbook(members, committee)).problems]
    assert places == [("党员", 3), ("党员", 4), ("支部委员会", 2)]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", a_roster()[:2000]])
def test_what_is_no_workbook_is_one_problem_and_no_roster(data: bytes) -> None:
    assert (the_problem(data).sheet, the_problem(data).severity) == (None, "error")
    assert read(data).roster == Roster()


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
