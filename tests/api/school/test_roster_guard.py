"""Rosters that miss people, branches or columns, and older ones after later ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.conftest import Client
from tests.support.imports import a_school_of, applied, of_branch, rows_without, upload
from tests.support.rosters import MEMBER_HEADINGS, RosterBranch, a_roster, a_workbook, committee_rows, member_rows, school_branches
from tests.support.servers import YEAR, House

SCHOOL = school_branches(3, 60)
SECOND = [name for branch in SCHOOL[1:2] for name in (*branch.members, *branch.probationary)]
PLAIN = [name for branch in SCHOOL for name in (*branch.members, *branch.probationary) if name not in branch.posts]
ONE_BRANCH = a_workbook(*of_branch("D0101", SCHOOL))


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """A school of three branches of twenty."""
    with a_school_of(superuser, template, SCHOOL) as school:
        yield school


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


def here(office: Client, code: str) -> int:
    """Count the people of a branch who have not left."""
    return sum(row["left_on"] is None for row in office.get(f"{YEAR}/branches/{code}/roll").body["items"])


# ── people who are gone ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_of_one_branch_is_an_error_until_the_number_of_the_missing_is_said(house: House, office: Client) -> None:
    preview = upload(office, ONE_BRANCH).body
    assert preview["applicable"] is False
    (error,) = (problem for problem in preview["problems"] if problem["severity"] == "error")
    assert "现有 60 名党员中有 40 名不在表中（67%）" in error["message"]
    assert "第1学院第2党支部（D0102）、第1学院第3党支部（D0103）" in error["message"]
    before, apply = house.state(), f"/roster-imports/{preview['id']}/apply"
    for sent in ({}, {"gone": 39}, {"gone": 0}):
        refused = office.post(apply, sent)
        assert (refused.status, "40 名" in refused.body["detail"]) == (409, True), refused.body
    assert house.state() == before
    assert office.post(apply, {"gone": 40}).status == 200
    assert (here(office, "D0101"), here(office, "D0102")) == (20, 0)


@pytest.mark.parametrize(("gone", "status"), [(3, 200), (4, 409)])
def test_a_twentieth_may_be_gone_without_a_word_and_one_more_may_not(office: Client, gone: int, status: int) -> None:
    spread = [name for names in zip(*(PLAIN[n::3] for n in range(3)), strict=False) for name in names]
    assert applied(office, rows_without(SCHOOL, *spread[:gone])).status == status


def test_everybody_of_a_small_branch_is_a_whole_branch(superuser: str, template: str) -> None:
    tiny = RosterBranch("D0901", "新设党支部", ("丁一",), {}, (), "D09", "第9学院党委")
    with a_school_of(superuser, template, [*SCHOOL, tiny]) as house:
        office = house.as_("office")
        refused = applied(office, a_roster(SCHOOL))
        assert (refused.status, "新设党支部（D0901）" in refused.body["detail"]) == (409, True)
        assert applied(office, a_roster(SCHOOL), gone=1).status == 200


def test_a_changed_number_and_a_changed_name_are_told_by_name(office: Client) -> None:
    rows, committee = member_rows(SCHOOL), committee_rows(SCHOOL)
    lost, other = (next(row for row in rows if row["姓名"] == name) for name in PLAIN[:2])
    old = lost["学工号"]
    lost["学工号"], was = "7654321", other["姓名"]
    other["姓名"] = "另一个人"
    warned = [each["message"] for each in upload(office, a_workbook(rows, committee)).body["problems"] if each["severity"] == "warning"]
    assert f"{PLAIN[0]}在表中的学工号是 7654321，现在登记的是 {old}：照表写入会成为两个人；换了学工号的，先在系统里更换再导入" in warned
    assert f"学工号 {other['学工号']} 现在登记的姓名是{was}，表中是另一个人，请核对" in warned


def test_a_number_that_is_not_so_is_refused_even_where_none_is_asked_for(office: Client) -> None:
    content = rows_without(SCHOOL, PLAIN[0])
    assert applied(office, content, gone=2).status == 409
    assert applied(office, content, gone=1).status == 200


def test_people_who_left_the_school_since_the_preview_are_counted_anew(office: Client) -> None:
    preview = upload(office, rows_without(SCHOOL, *SECOND)).body
    assert applied(office, rows_without(SCHOOL, PLAIN[0])).status == 200
    assert office.post(f"/roster-imports/{preview['id']}/apply", {"gone": 20}).status == 409, "a later one was applied"
    assert applied(office, rows_without(SCHOOL, PLAIN[0], *SECOND), gone=21).status == 409
    assert applied(office, rows_without(SCHOOL, PLAIN[0], *SECOND), gone=20).status == 200


# ── a workbook of some branches ───────────────────────────────────────────────────────────────────────────────────────


def test_a_file_of_one_branch_is_applied_as_such_and_touches_no_other(house: House, office: Client) -> None:
    members, committee = of_branch("D0101", SCHOOL)
    members[-1]["姓名"] = "新名字"
    before = [office.get(f"{YEAR}/branches/{code}/roll").body for code in ("D0102", "D0103")]
    posts = office.get("/appointments?limit=200").body
    done = applied(office, a_workbook(members, committee), only_branches=["D0101"])
    assert done.status == 200, done.body
    assert (done.body["changed"]["gone"], done.body["changed"]["ended"], done.body["changed"]["changed_members"]) == ([], [], 1)
    assert [office.get(f"{YEAR}/branches/{code}/roll").body for code in ("D0102", "D0103")] == before
    assert office.get("/appointments?limit=200").body == posts
    assert "新名字" in [row["name"] for row in office.get(f"{YEAR}/branches/D0101/roll").body["items"]]


def test_of_a_whole_workbook_only_the_named_branches_are_applied(office: Client) -> None:
    rows = member_rows(SCHOOL)
    for row in rows:
        row["是否党员领导干部"] = "是"
    assert applied(office, a_workbook(rows, committee_rows(SCHOOL)), only_branches=["D0102"]).body["changed"]["changed_members"] == 20
    cadres = {code: any(row["cadre"] for row in office.get(f"{YEAR}/branches/{code}/roll").body["items"]) for code in ("D0101", "D0102")}
    assert cadres == {"D0101": False, "D0102": True}


def test_the_number_is_asked_of_the_named_branches_too(house: House, office: Client) -> None:
    members, committee = of_branch("D0101", SCHOOL)
    content = a_workbook(members[:-2], committee)
    before = house.state()["appointment"]
    assert applied(office, content, only_branches=["D0101"]).status == 409
    assert applied(office, content, only_branches=["D0101"], gone=2).status == 200
    assert (here(office, "D0101"), here(office, "D0102"), house.state()["appointment"]) == (18, 20, before)


@pytest.mark.parametrize("codes", [["D0102"], ["D0101", "D0999"], [], ["D0101", "D0101"], "D0101"])
def test_branches_that_the_workbook_does_not_have_are_refused(house: House, office: Client, codes: object) -> None:
    preview = upload(office, ONE_BRANCH).body
    before = house.state()
    refused = office.post(f"/roster-imports/{preview['id']}/apply", {"only_branches": codes})
    assert (refused.status, any(field.startswith("only_branches") for field in refused.body["errors"])) == (422, True)
    assert house.state() == before


@pytest.mark.parametrize("named", ["D0101", "D0102"])
def test_someone_who_would_cross_the_border_is_named_and_nothing_is_applied(house: House, office: Client, named: str) -> None:
    rows = member_rows(SCHOOL)
    mover = next(row for row in rows if row["所在党支部编码"] == "D0101" and row["姓名"] in PLAIN)
    mover.update({"所在党支部编码": "D0102", "所在党支部": SCHOOL[1].name})
    content = a_workbook(rows, committee_rows(SCHOOL))
    preview = upload(office, content).body
    before = house.state()
    refused = office.post(f"/roster-imports/{preview['id']}/apply", {"only_branches": [named]})
    assert (refused.status, str(mover["姓名"]) in refused.body["detail"]) == (409, True)
    assert house.state() == before
    assert applied(office, content, only_branches=["D0101", "D0102"]).status == 200


def test_a_new_person_of_a_named_branch_comes_and_a_new_branch_too(office: Client) -> None:
    new = RosterBranch("D0901", "新设党支部", ("丁一", "丁二", "丁三"), {"丁一": "书记"}, (), "D09", "第9学院党委")
    members = [{**row, "学工号": f"9{n}"} for n, row in enumerate(member_rows([new]))]
    done = applied(office, a_workbook(members, []), only_branches=["D0901"])
    assert (done.status, done.body["changed"]["new_branches"], done.body["changed"]["new_members"]) == (200, ["D0901"], 3)


# ── once, and none that is older ──────────────────────────────────────────────────────────────────────────────────────


def test_an_older_roster_is_not_applied_after_a_later_one(house: House, office: Client) -> None:
    older, later = (upload(office, a_roster(SCHOOL)).body["id"] for _ in range(2))
    assert office.post(f"/roster-imports/{later}/apply").status == 200
    before = house.state()
    refused = office.post(f"/roster-imports/{older}/apply")
    assert (refused.status, "重新上传" in refused.body["detail"]) == (409, True)
    assert house.state() == before
    assert applied(office, a_roster(SCHOOL)).status == 200


def test_an_older_roster_may_be_applied_before_a_later_one(office: Client) -> None:
    older, later = (upload(office, a_roster(SCHOOL)).body["id"] for _ in range(2))
    assert [office.post(f"/roster-imports/{each}/apply").status for each in (older, later)] == [200, 200]


def test_a_repeated_request_is_answered_as_before(house: House, office: Client) -> None:
    preview = upload(office, rows_without(SCHOOL, PLAIN[0])).body
    first, again = (office.post(f"/roster-imports/{preview['id']}/apply", **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert (first.status, again.status, again.headers.get("Idempotent-Replayed")) == (200, 200, "true")
    assert again.body == first.body


# ── columns that are absent ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_roster_without_the_column_of_addresses_changes_none(office: Client) -> None:
    headings = [heading for heading in MEMBER_HEADINGS if heading not in {"邮箱", "性别", "备注"}]
    content = a_workbook(member_rows(SCHOOL), committee_rows(SCHOOL), member_headings=headings)
    assert upload(office, content).body["summary"]["changed_members"] == 0
    rows = member_rows(SCHOOL)
    rows[0]["姓名"] = rows[0]["姓名"]
    rows[5]["是否党员领导干部"] = "是"
    assert applied(office, a_workbook(rows, committee_rows(SCHOOL), member_headings=headings)).body["changed"]["changed_members"] == 1
    assert all(row["has_address"] for row in office.get(f"{YEAR}/branches/D0101/roll").body["items"])


def test_an_empty_address_in_the_column_is_none(office: Client) -> None:
    rows = member_rows(SCHOOL)
    rows[5]["邮箱"] = None
    assert applied(office, a_workbook(rows, committee_rows(SCHOOL))).body["changed"]["changed_members"] == 1
    assert [row["has_address"] for row in office.get(f"{YEAR}/branches/D0101/roll").body["items"]].count(False) == 1


def test_party_groups_come_to_the_roll_and_stay_while_their_column_is_absent(office: Client) -> None:
    def groups() -> list[str | None]:
        return [row["group"] for row in office.get(f"{YEAR}/branches/D0101/roll").body["items"]]

    assert groups() == [None] * 20
    rows = [{**row, "党小组": "第一党小组" if n % 2 else "无"} for n, row in enumerate(member_rows(SCHOOL))]
    assert applied(office, a_workbook(rows, committee_rows(SCHOOL), member_headings=(*MEMBER_HEADINGS, "党小组"))).status == 200
    assert groups() == [None, "第一党小组"] * 10
    assert applied(office, a_roster(SCHOOL)).body["changed"]["changed_members"] == 0
    assert groups() == [None, "第一党小组"] * 10
