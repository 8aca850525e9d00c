"""Branches that take no part any more (不再参加), over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Client, Reply
from tests.support.builders import NOW
from tests.support.servers import YEAR, Cast, House

FRESH = {"Cache-Control": "no-cache"}


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> Iterator[None]:
    house.clock.now = NOW
    yield
    house.clock.now = NOW


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


def end(office: Client, branch: Cast, **body: Any) -> Reply:
    return office.post(f"{branch.path}/end", {"why": "temporary", "reason": "实习临时支部，不参加评议", **body})


def progress(office: Client) -> dict[str, Any]:
    body: dict[str, Any] = office.get(f"{YEAR}/progress", **FRESH).body
    return body


def test_an_ended_branch_leaves_every_count_and_is_listed_as_ended(office: Client, branch: Cast) -> None:
    before, since = progress(office), progress(office)["cursor"]
    ended = end(office, branch)
    assert (ended.status, ended.body["due_on"], ended.body["overdue"]) == (200, None, False)
    assert {name: ended.body["ended"][name] for name in ("by", "why", "into", "reason")} == {
        "by": "office",
        "why": "temporary",
        "into": None,
        "reason": "实习临时支部，不参加评议",
    }
    after = progress(office)
    assert after["branches"] == before["branches"] - 1
    assert after["by_stage"]["study"] == before["by_stage"]["study"] - 1
    assert after["ended"] == before["ended"] + 1
    rows = {name: office.get(f"{YEAR}/branches?q={branch.code}&{name}").body["items"] for name in ("ended=true", "ended=false", "stage=study")}
    assert {name: len(found) for name, found in rows.items()} == {"ended=true": 1, "ended=false": 0, "stage=study": 0}
    changed = {row["branch"]["code"]: row for row in office.get(f"{YEAR}/branches?changed_since={since}").body["items"]}
    assert changed[branch.code]["ended"]["why"] == "temporary"


def test_nothing_is_missing_from_an_ended_branch_and_nobody_of_it_has_to_do_anything(house: House, office: Client, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)

    def asked() -> tuple[int, int]:
        rows = office.get(f"{YEAR}/exceptions?limit=200").body["items"]
        return sum(row["branch"]["code"] == branch.code for row in rows), len(secretary.get("/me/todos").body["items"])

    assert min(asked()) > 0
    totals = office.get(f"{YEAR}/totals").body["branches"]
    end(office, branch)
    assert asked() == (0, 0)
    assert office.get(f"{YEAR}/totals").body["branches"] == totals - 1


def test_what_stands_in_an_ended_branch_is_read_and_not_changed(house: House, office: Client, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    end(office, branch)
    study = {"held_on": "2024-12-19", "titles": [], "present": [branch.member]}
    refused = secretary.post(f"{branch.path}/study-sessions", study)
    assert (refused.status, refused.body["detail"]) == (409, f"{branch.code}党支部已不再参加本年度（临时支部），不能改动")
    assert secretary.get(f"{branch.path}/study-sessions").status == 200
    move = {"trigger": "step_back", "to": "study", "reason": "x"}
    assert secretary.post(f"{branch.path}/moves", move, seen=office.get(branch.path).etag).status == 409
    assert end(office, branch).status == 409


def test_ending_is_taken_back_and_the_branch_goes_on_where_it_stood(office: Client, branch: Cast) -> None:
    before = office.get(branch.path).body
    end(office, branch)
    back = office.post(f"{branch.path}/resume")
    assert (back.status, back.body) == (200, {**before, "version": before["version"] + 2})
    assert office.post(f"{branch.path}/resume").status == 409


def test_the_members_of_a_merged_branch_go_to_the_other_and_their_branch_is_named(house: House, office: Client, branch: Cast) -> None:
    into = house.a_branch()
    merged = end(office, branch, why="merged", into=into.code, reason="党委批复〔2024〕5号")
    assert merged.body["ended"]["into"] == into.code
    roll = {row["staff_no"]: row for row in office.get(f"{into.path}/roll?limit=200").body["items"]}
    assert {*branch.everybody, *into.everybody} == roll.keys()
    assert all(roll[staff_no]["rated_here"] for staff_no in branch.everybody)
    assert [row["staff_no"] for row in roll.values() if row["post"] == "secretary"] == [into.secretary]


def test_a_merger_that_is_taken_back_brings_the_members_and_their_posts_back(house: House, office: Client, branch: Cast) -> None:
    into, third = house.a_branch(), house.a_branch()

    def posts() -> dict[str, str | None]:
        rows = office.get(f"{branch.path}/roll?limit=200").body["items"]
        return {row["staff_no"]: row["post"] for row in rows if row["left_on"] is None}

    before = posts()
    end(office, branch, why="merged", into=into.code, reason="党委批复〔2024〕5号")
    moved = {"branch": third.code, "on": "2024-12-20", "reason": "另行安排"}
    assert office.post(f"/people/{branch.newcomer}/move", moved).status == 200
    back = office.post(f"{branch.path}/resume")
    assert (back.status, back.body["secretary"]["staff_no"]) == (200, branch.secretary)
    assert posts() == {who: post for who, post in before.items() if who != branch.newcomer}
    assert house.as_(branch.secretary).get(f"{branch.path}/next").status == 200
    assert {row["staff_no"] for row in office.get(f"{into.path}/roll?limit=200").body["items"] if row["left_on"] is None} == set(into.everybody)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"why": "merged"}, "into"),
        ({"why": "dissolved", "into": "D0201"}, "into"),
        ({"why": "merged", "into": "X999"}, "into"),
        ({"why": "merged", "into": None}, "into"),
        ({"why": "gone"}, "why"),
        ({"reason": None}, "reason"),
    ],
)
def test_an_end_that_says_too_little_or_too_much_is_refused(office: Client, branch: Cast, body: dict[str, Any], field: str) -> None:
    refused = end(office, branch, **body)
    assert (refused.status, list(refused.body["errors"])) == (422, [field])
    assert office.get(branch.path).body["ended"] is None


def test_a_branch_is_not_merged_into_itself_or_into_one_that_has_ended(house: House, office: Client, branch: Cast) -> None:
    other = house.a_branch()
    end(office, other)
    for code in (branch.code, other.code):
        assert list(end(office, branch, why="merged", into=code).body["errors"]) == ["into"]


def test_the_assessment_alone_is_ended_for_a_branch_that_is_left_out(office: Client, branch: Cast) -> None:
    assessed = f"{YEAR}/assessments/{branch.code}"
    body = {"why": "new", "reason": "今年十月新成立"}
    assert office.post(f"{assessed}/end", body).body["ended"]["why"] == "new"
    assert office.get(branch.path).body["ended"] is None
    assert list(office.post(f"{assessed}/end", {**body, "why": "merged", "into": "D0201"}).body["errors"]) == ["why"]
    assert office.post(f"{assessed}/resume").body["ended"] is None


def test_only_the_office_and_the_committee_end_a_branch(house: House, branch: Cast) -> None:
    for who, status in ((branch.secretary, 403), ("auditor", 403), ("committee", 200)):
        assert end(house.as_(who), branch).status == status


def test_a_branch_with_members_is_not_dissolved_but_moved_first(office: Client, branch: Cast) -> None:
    into = "D0201"
    refused = end(office, branch, why="dissolved")
    assert (refused.status, refused.body["detail"]) == (409, f"{branch.code}党支部还有 6 名党员，请先转移，或者按并入办理")
    for staff_no in branch.everybody:
        assert office.post(f"/people/{staff_no}/move", {"branch": into, "on": "2024-12-20"}).status == 200
    assert end(office, branch, why="dissolved").body["ended"]["why"] == "dissolved"
