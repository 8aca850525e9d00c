"""The rules over the rows: one test for each."""

from __future__ import annotations

from datetime import date

import pytest

from tests.support.rosters import RosterBranch, a_workbook, committee_rows, member_rows
from tests.support.workbooks import Row
from workflow.foundation.vocabulary import Post, Standing
from workflow.roster.checks import Roster
from workflow.roster.workbook import Reading, read_workbook
from workflow.workbooks.sheets import SheetProblem

TODAY = date(2025, 1, 10)
FIRST = RosterBranch()
SECOND = RosterBranch("D0102", "物理学院教工第二党支部", ("赵六", "钱七", "孙八"), {"赵六": "书记"})
SEVEN = RosterBranch(members=("张三", "李四", "王五", "赵六", "钱七", "孙八", "周九"), posts={"张三": "书记", "李四": "组织委员", "王五": "宣传委员"})
Key = tuple[str | None, int | None, str | None, str]


def read(members: list[Row], committee: list[Row]) -> Reading:
    return read_workbook(a_workbook(members, committee), today=TODAY)


def read_branches(*branches: RosterBranch) -> Reading:
    return read(member_rows(branches), committee_rows(branches))


def keys(reading: Reading) -> list[Key]:
    return [(problem.sheet, problem.row, problem.heading, problem.severity) for problem in reading.problems]


def the_problem(reading: Reading) -> SheetProblem:
    assert len(reading.problems) == 1, reading.problems
    return reading.problems[0]


def post_of(reading: Reading, name: str) -> tuple[Post | None, str | None, bool]:
    member = next(member for member in reading.roster.members if member.name == name)
    return member.post, member.title, member.on_committee_sheet


def spoil(row: Row, **cells: object) -> None:
    row.update(cells)


def test_equal_staff_numbers_are_one_problem_at_the_second_that_names_the_others() -> None:
    members = member_rows((FIRST, SECOND))
    for row in (members[3], members[4]):
        row["学工号"] = members[1]["学工号"]
    found = [problem for problem in read(members, committee_rows((FIRST,))).problems if problem.heading == "学工号"]
    assert [(p.sheet, p.row, p.severity) for p in found] == [("党员", 5, "error")]
    assert "第 3、6 行" in found[0].message


@pytest.mark.parametrize(("code_heading", "name_heading"), [("所在党支部编码", "所在党支部"), ("所在分党委编码", "所在分党委")])
def test_a_code_with_two_names_is_one_problem_at_the_row_that_brings_the_second(code_heading: str, name_heading: str) -> None:
    members = member_rows((FIRST,))
    for row in members[1:]:
        row[name_heading] = "化学学院"
    problem = the_problem(read(members, committee_rows((FIRST,))))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("党员", 3, name_heading, "error")
    assert "第 2 行" in problem.message
    assert "第 4 行" in problem.message


@pytest.mark.parametrize(("code_heading", "name_heading"), [("所在党支部编码", "所在党支部"), ("所在分党委编码", "所在分党委")])
def test_a_name_with_two_codes_is_one_problem_at_the_row_that_brings_the_second(code_heading: str, name_heading: str) -> None:
    members = member_rows((FIRST,))
    members[2][code_heading] = "D99"
    problem = the_problem(read(members, committee_rows((FIRST,))))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("党员", 4, code_heading, "error")
    assert "第 2、3 行" in problem.message


def test_a_code_typed_with_full_width_digits_is_the_same_code() -> None:
    members = member_rows((FIRST,))
    spoil(members[1], 所在党支部编码="Ｄ０１０１ ", 所在党支部="物理学院　教工第一党支部")
    assert read(members, committee_rows((FIRST,))).problems == ()


def test_a_branch_in_two_units_is_an_error() -> None:
    members = member_rows((FIRST,))
    spoil(members[2], 所在分党委编码="D02", 所在分党委="化学学院党委")
    problem = the_problem(read(members, committee_rows((FIRST,))))
    assert (problem.row, problem.heading, problem.severity) == (4, "所在分党委编码", "error")
    assert "第 2 行" in problem.message


def test_two_secretaries_on_the_committee_sheet_are_one_error_at_the_second() -> None:
    branch = RosterBranch(posts={"张三": "书记", "李四": "书记", "王五": "党支部书记"})
    problem = next(problem for problem in read_branches(branch).problems if problem.severity == "error")
    assert (problem.sheet, problem.row, problem.heading) == ("支部委员会", 3, "职务")
    assert "第 2、4 行" in problem.message


def test_two_secretaries_among_the_members_are_an_error_where_the_committee_sheet_is_silent() -> None:
    members = member_rows((RosterBranch(posts={"张三": "书记", "李四": "书记"}),))
    problem = the_problem(read(members, []))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("党员", 3, "党内职务", "error")
    assert "第 2 行" in problem.message


def test_a_vacant_post_of_secretary_is_a_warning_at_the_first_member_of_the_branch() -> None:
    reading = read_branches(SECOND, RosterBranch(posts={}))
    assert keys(reading) == [("党员", 5, "党内职务", "warning")]
    assert "无人可以推进环节" in reading.problems[0].message
    assert reading.applicable


@pytest.mark.parametrize("words", ["副书记（主持工作）", "代书记", "临时负责人", "第一书记", "组织委员（主持工作）"])
def test_a_branch_led_by_someone_else_is_a_warning_that_names_them_and_they_have_a_deputys_rights(words: str) -> None:
    reading = read_branches(SECOND, RosterBranch(posts={"李四": words}))
    assert keys(reading) == [("党员", 5, "党内职务", "warning")]
    assert "由李四（" in reading.problems[0].message
    assert reading.applicable
    assert post_of(reading, "李四")[0] is Post.DEPUTY


@pytest.mark.parametrize("words", ["支书", "总支书记", "党总支书记", "书记（兼）", "党支部书记、纪检委员"])
def test_other_words_for_the_secretary_are_understood(words: str) -> None:
    reading = read_branches(RosterBranch(posts={"张三": words}))
    assert reading.problems == ()
    assert post_of(reading, "张三")[0] is Post.SECRETARY


@pytest.mark.parametrize("code", ["assessments", "decision", "office", "help", "Help", "ｏｆｆｉｃｅ"])
def test_a_code_that_is_the_address_of_a_page_is_refused(code: str) -> None:
    problem = the_problem(read_branches(RosterBranch(code=code)))
    assert (problem.row, problem.heading, problem.severity) == (2, "所在党支部编码", "error")
    assert "系统页面的地址" in problem.message
    assert "第 3、4 行" in problem.message


def test_the_committee_sheet_names_the_secretary_where_it_names_the_branch() -> None:
    reading = read(member_rows((FIRST,)), committee_rows((RosterBranch(posts={"张三": "委员"}),)))
    assert [problem.message for problem in reading.problems if "没有书记" in problem.message] != []


def test_the_members_sheet_names_the_secretary_of_a_branch_that_the_committee_sheet_leaves_out() -> None:
    reading = read(member_rows((FIRST,)), [])
    assert reading.applicable
    assert post_of(reading, "张三") == (Post.SECRETARY, "书记", False)


def test_someone_on_a_committee_and_not_on_the_roster_is_an_error() -> None:
    committee = committee_rows((FIRST,))
    committee.append({"所属党支部": FIRST.name, "姓名": "赵六", "学工号": "9", "职务": "委员"})
    problem = the_problem(read(member_rows((FIRST,)), committee))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("支部委员会", 3, "学工号", "error")
    assert "赵六（9）不在“党员”表中" in problem.message


def test_someone_on_the_committee_of_another_branch_is_an_error() -> None:
    committee = committee_rows((FIRST, SECOND))
    stranger = member_rows((FIRST, SECOND))[4]
    committee.append({"所属党支部": FIRST.name, "姓名": stranger["姓名"], "学工号": stranger["学工号"], "职务": "委员"})
    problem = the_problem(read(member_rows((FIRST, SECOND)), committee))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("支部委员会", 4, "所属党支部", "error")
    assert SECOND.name in problem.message


def test_a_branch_known_to_the_committee_sheet_alone_is_one_error() -> None:
    committee = committee_rows((FIRST, SECOND))
    unknown = [{"所属党支部": "第九党支部", "姓名": f"某{n}", "学工号": committee[0]["学工号"], "职务": None} for n in ("甲", "乙")]
    found = [problem for problem in read(member_rows((FIRST, SECOND)), [*committee, *unknown]).problems if problem.heading == "所属党支部"]
    assert [(problem.row, problem.severity) for problem in found] == [(4, "error")]
    assert "第 5 行" in found[0].message


def test_one_person_twice_on_a_committee_is_an_error_at_the_second() -> None:
    committee = committee_rows((FIRST,)) * 2
    problem = the_problem(read(member_rows((FIRST,)), committee))
    assert (problem.sheet, problem.row, problem.heading, problem.severity) == ("支部委员会", 3, "学工号", "error")
    assert "第 2 行" in problem.message


def test_a_name_that_differs_between_the_sheets_is_a_warning() -> None:
    committee = committee_rows((FIRST,))
    committee[0]["姓名"] = "章三"
    reading = read(member_rows((FIRST,)), committee)
    assert keys(reading) == [("支部委员会", 2, "姓名", "warning")]
    assert reading.applicable


def test_the_committee_sheet_decides_and_a_differing_post_is_a_warning() -> None:
    members = member_rows((SEVEN,))
    members[1]["党内职务"] = "纪检委员"
    members[3]["党内职务"] = "组织委员"
    reading = read(members, committee_rows((SEVEN,)))
    assert keys(reading) == [("党员", 3, "党内职务", "warning"), ("党员", 5, "党内职务", "warning")]
    assert reading.applicable
    assert post_of(reading, "李四") == (Post.COMMITTEE_MEMBER, "组织委员", True)
    assert post_of(reading, "赵六") == (None, None, False)


def test_a_group_leader_need_not_be_on_the_committee_sheet() -> None:
    members = member_rows((SEVEN,))
    members[3]["党内职务"] = "组长"
    reading = read(members, committee_rows((SEVEN,)))
    assert reading.problems == ()
    assert post_of(reading, "赵六") == (Post.GROUP_LEADER, "组长", False)


def test_an_empty_post_on_the_members_sheet_says_nothing_against_the_committee_sheet() -> None:
    members = member_rows((SEVEN,))
    for row in members:
        row["党内职务"] = None
    reading = read(members, committee_rows((SEVEN,)))
    assert reading.problems == ()
    assert post_of(reading, "张三") == (Post.SECRETARY, "书记", True)


def test_an_empty_post_on_the_committee_sheet_is_a_committee_member() -> None:
    members, committee = member_rows((SEVEN,)), committee_rows((SEVEN,))
    committee[2]["职务"] = members[2]["党内职务"] = None
    reading = read(members, committee)
    assert reading.problems == ()
    assert post_of(reading, "王五") == (Post.COMMITTEE_MEMBER, "委员", True)


def test_a_group_leader_on_a_committee_is_a_committee_member() -> None:
    reading = read_branches(RosterBranch(members=SEVEN.members, posts={**SEVEN.posts, "王五": "党小组组长"}))
    assert post_of(reading, "王五") == (Post.COMMITTEE_MEMBER, "党小组组长", True)


@pytest.mark.parametrize(("names", "has_committee"), [(2, False), (3, True)])
def test_three_names_on_the_committee_sheet_make_a_committee_and_two_only_give_posts(names: int, has_committee: bool) -> None:
    posts = dict([("张三", "书记"), ("李四", "副书记"), ("王五", "组织委员")][:names])
    reading = read_branches(RosterBranch(posts=posts))
    assert reading.problems == ()
    assert reading.roster.branches[0].has_committee is has_committee
    assert post_of(reading, "李四") == (Post.DEPUTY, "副书记", True)


def test_one_name_listed_three_times_makes_no_committee() -> None:
    assert not read(member_rows((FIRST,)), committee_rows((FIRST,)) * 3).roster.branches[0].has_committee


@pytest.mark.parametrize(("full", "names", "warned"), [(7, 2, True), (7, 0, True), (7, 3, False), (6, 1, False)])
def test_seven_full_members_and_fewer_than_three_names_are_a_warning(full: int, names: int, warned: bool) -> None:
    branch = RosterBranch(members=SEVEN.members[:full], posts={"张三": "书记", "李四": "副书记", "王五": "委员"}, probationary=("吴十",))
    members = member_rows((branch,))
    for row in members[max(names, 1) : 3]:
        row["党内职务"] = None
    reading = read(members, committee_rows((branch,))[:names])
    assert keys(reading) == ([("党员", 2, "所在党支部", "warning")] if warned else [])


def test_fewer_than_three_full_members_are_a_warning() -> None:
    reading = read_branches(FIRST, RosterBranch("D0102", SECOND.name, ("赵六", "钱七"), {"赵六": "书记"}, ("孙八",)))
    assert keys(reading) == [("党员", 5, "所在党支部", "warning")]
    assert reading.applicable


def test_a_probationary_member_on_a_committee_is_a_warning() -> None:
    reading = read_branches(RosterBranch(posts={"张三": "书记", "孙八": "委员"}, probationary=("孙八",)))
    assert keys(reading) == [("支部委员会", 3, "学工号", "warning")]


def test_a_probationary_member_with_a_day_of_confirmation_is_a_warning() -> None:
    members = member_rows((RosterBranch(probationary=("孙八",)),))
    members[3]["转正时间"] = date(2024, 12, 1)
    assert keys(read(members, committee_rows((FIRST,)))) == [("党员", 5, "转正时间", "warning")]


def test_a_full_member_without_a_day_of_confirmation_is_a_warning() -> None:
    members = member_rows((FIRST,))
    members[1]["转正时间"] = None
    assert keys(read(members, committee_rows((FIRST,)))) == [("党员", 3, "转正时间", "warning")]


@pytest.mark.parametrize(
    ("joined", "confirmed", "heading", "words"),
    [
        ("1999年7月1日", "1998年7月1日", "转正时间", "早于入党时间"),
        (date(2025, 1, 11), None, "入党时间", "在今天之后"),
        (date(2023, 7, 1), date(2025, 7, 1), "转正时间", "在今天之后"),
        ("1921年6月30日", "1999年7月1日", "入党时间", "早于建党之日"),
        ("1999年2月30日", "2000年7月1日", "入党时间", "不存在"),
    ],
)
def test_dates_that_cannot_be_are_errors(joined: object, confirmed: object, heading: str, words: str) -> None:
    members = member_rows((FIRST,))
    spoil(members[1], 入党时间=joined, 转正时间=confirmed)
    found = [problem for problem in read(members, committee_rows((FIRST,))).problems if problem.severity == "error"]
    assert [(problem.sheet, problem.row, problem.heading) for problem in found] == [("党员", 3, heading)]
    assert words in found[0].message


def test_a_member_who_joined_on_the_first_day_or_today_is_possible() -> None:
    members = member_rows((FIRST,))
    spoil(members[0], 入党时间="1921.7.1", 转正时间=TODAY)
    assert read(members, committee_rows((FIRST,))).problems == ()


def test_a_spoilt_cell_brings_no_second_complaint_about_what_hangs_on_it() -> None:
    members, committee = member_rows((FIRST,)), committee_rows((FIRST,))
    members[0]["入党时间"] = "很久以前"
    members[1]["人员类别"] = "积极分子"
    members[2]["所在党支部编码"] = None
    committee[0]["职务"] = "书记" * 200
    expected: list[Key] = [("党员", 2, "入党时间", "error"), ("党员", 3, "人员类别", "error"), ("党员", 4, "所在党支部编码", "error")]
    assert keys(read(members, committee)) == [*expected, ("支部委员会", 2, "职务", "error")]


def test_a_roster_comes_back_from_its_json() -> None:
    roster = read_branches(SEVEN, RosterBranch("D0102", SECOND.name, ("吴十",), {}, ("郑一",))).roster
    again = Roster.from_json(roster.as_json())
    assert again == roster
    assert again.members[0].standing is Standing.FULL
    assert again.members[0].post is Post.SECRETARY
    of_before = {name: value for name, value in roster.as_json().items() if name != "told"}
    assert Roster.from_json(of_before) == roster, "rosters of before always told the addresses"
