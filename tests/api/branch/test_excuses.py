"""Excuses as the office lives with them: its list, its refusals, what a confirmed one covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.records.evidence import stand_at, statements
from tests.support.records.rating import a_counted_ballot, a_rating
from tests.support.servers import YEAR, Cast, House, a_house
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import process_of

PENDING = f"{YEAR}/excuses?pending=true"


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """A school of one test's own: the office's lists and the plan belong to all branches."""
    with a_house(superuser, template) as made:
        yield made


def excuse(house: House, branch: Cast, who: str, *, kind: str = "ill", reason: str = "长期住院") -> Any:
    secretary, path = house.as_(branch.secretary), f"{branch.path}/roll/{who}"
    done = secretary.patch(path, {"excused_kind": kind, "excused_reason": reason}, seen=secretary.get(path).etag)
    assert done.status == 200, done.body
    return done.body


def put_at(house: House, branch: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, branch.code), stage)


def lacking(reader: Client, branch: Cast, stage: str, requirement: str) -> list[str]:
    rows = reader.get(f"{branch.path}/requirements?stage={stage}").body["items"]
    return [subject["id"] for row in rows if row["requirement"] == requirement and row["state"] == "unmet" for subject in row["subjects"]]


def waivers(reader: Client, branch: Cast) -> list[tuple[str, list[str], str, bool]]:
    rows = reader.get(f"{branch.path}/waivers").body["items"]
    return [(row["clause"], [each["id"] for each in row["subjects"]], row["reason"], row["withdrawn"] is None) for row in rows]


# ── the list ──────────────────────────────────────────────────────────────────────────────────


def test_the_office_lists_the_excuses_of_all_branches_that_wait_for_it(house: House) -> None:
    branch, other = house.a_branch(), house.a_branch()
    office = house.as_("office")
    excuse(house, other, other.member, kind="abroad", reason="在外访学一年")
    excuse(house, branch, branch.newcomer)
    excuse(house, branch, branch.member)
    listed = [(row["branch"]["code"], row["staff_no"], row["excused_kind"], row["excused_reason"]) for row in office.get(PENDING).body["items"]]
    assert listed == [
        (branch.code, branch.member, "ill", "长期住院"),
        (branch.code, branch.newcomer, "ill", "长期住院"),
        (other.code, other.member, "abroad", "在外访学一年"),
    ]
    assert office.post(f"{branch.path}/roll/{branch.member}/confirm").status == 200
    assert office.post(f"{other.path}/roll/{other.member}/refuse", {"reason": "不满六个月"}).status == 200
    assert [row["staff_no"] for row in office.get(PENDING).body["items"]] == [branch.newcomer]
    assert len(office.get(f"{YEAR}/excuses").body["items"]) == 3
    first = office.get(f"{YEAR}/excuses?limit=1").body
    after = office.get(f"{YEAR}/excuses?limit=1&after={first['next']}").body["items"]
    assert [row["staff_no"] for row in (*first["items"], *after)] == [branch.member, branch.newcomer]


def test_an_excuse_that_the_office_cannot_decide_now_does_not_wait_for_it(house: House) -> None:
    filed, ended, gone, waiting = (house.a_branch() for _ in range(4))
    for branch in (filed, ended, gone, waiting):
        excuse(house, branch, branch.member)
    put_at(house, filed, Stage.FILED)
    office = house.as_("office")
    assert office.post(f"{ended.path}/end", {"why": "temporary", "reason": "实习临时支部"}).status == 200
    assert office.post(f"/people/{gone.member}/leave", {"on": "2024-12-10", "reason": "transferred"}).status in (200, 201)
    assert [row["branch"]["code"] for row in office.get(PENDING).body["items"]] == [waiting.code]


def test_only_readers_of_the_school_list_excuses(house: House) -> None:
    branch = house.a_branch()
    excuse(house, branch, branch.member)
    assert house.as_("auditor").get(PENDING).body == house.as_("committee").get(PENDING).body
    assert house.as_(branch.secretary).get(PENDING).status == 403
    assert house.as_("office").get("/cycles/2031/excuses").status == 404
    assert house.as_("office").get(f"{YEAR}/excuses?after=xxxx").status == 422


def test_the_list_costs_the_same_however_many_are_excused(house: House) -> None:
    branch = house.a_branch()
    office = house.as_("office")
    excuse(house, branch, branch.member)
    counts = []
    for who in (branch.newcomer, branch.publicist):
        with statements(house.engine) as sent:
            assert office.get(PENDING).status == 200
        counts.append(len(sent))
        excuse(house, branch, who)
    assert counts[0] == counts[1]


# ── refusals ──────────────────────────────────────────────────────────────────────────────────


def test_the_office_refuses_an_excuse_and_the_branch_reads_why(house: House) -> None:
    branch = house.a_branch()
    office, line = house.as_("office"), f"{branch.path}/roll/{branch.member}"
    excuse(house, branch, branch.member)
    assert office.post(f"{line}/refuse", {}).body["errors"].keys() == {"reason"}
    assert house.as_(branch.secretary).post(f"{line}/refuse", {"reason": "不批"}).status == 403
    assert office.post(f"{line}/refuse", {"reason": "病休不满六个月"}).status == 200
    seen = house.as_(branch.secretary).get(line).body
    assert (seen["excused_reason"], seen["excused_refused_by"], seen["excused_refused_reason"], seen["excused_confirmed_by"]) == (
        "长期住院",
        "office",
        "病休不满六个月",
        None,
    )
    again = office.post(f"{line}/refuse", {"reason": "还是不批"})
    assert (again.status, branch.member in again.body["detail"]) == (409, True)


@pytest.mark.parametrize("change", [{"excused_reason": "已住院七个月"}, {"excused_kind": "old"}])
def test_a_new_reason_of_the_branch_clears_the_refusal_and_waits_again(house: House, change: dict[str, str]) -> None:
    branch = house.a_branch()
    office, secretary, line = house.as_("office"), house.as_(branch.secretary), f"{branch.path}/roll/{branch.member}"
    excuse(house, branch, branch.member)
    office.post(f"{line}/refuse", {"reason": "请补充"})
    assert office.get(PENDING).body["items"] == []
    new = secretary.patch(line, change, seen=secretary.get(line).etag).body
    assert (new["excused_refused_by"], new["excused_refused_reason"]) == (None, None)
    assert [row["staff_no"] for row in office.get(PENDING).body["items"]] == [branch.member]


def test_where_somebody_is_rated_does_not_clear_the_refusal_and_taking_it_back_does(house: House) -> None:
    branch = house.a_branch()
    office, line = house.as_("office"), f"{branch.path}/roll/{branch.member}"
    excuse(house, branch, branch.member)
    office.post(f"{line}/refuse", {"reason": "请补充"})
    kept = office.patch(line, {"rated_here": True}, seen=office.get(line).etag).body
    assert kept["excused_refused_reason"] == "请补充"
    taken = house.as_(branch.secretary).post(f"{line}/withdraw").body
    assert (taken["excused_reason"], taken["excused_refused_by"], taken["excused_refused_reason"]) == (None, None, None)
    assert office.post(f"{line}/refuse", {"reason": "没有可退的"}).status == 409


def test_a_refused_excuse_spares_nobody_and_one_confirmed_by_mistake_can_be_refused(house: House) -> None:
    branch = house.a_branch()
    office, line = house.as_("office"), f"{branch.path}/roll/{branch.member}"
    excuse(house, branch, branch.member)
    asked = branch.member in lacking(office, branch, "self_review", "members_without_a_self_review")
    office.post(f"{line}/confirm")
    spared = branch.member not in lacking(office, branch, "self_review", "members_without_a_self_review")
    assert office.post(f"{line}/refuse", {"reason": "看错了人"}).body["excused_confirmed_by"] is None
    assert asked
    assert spared
    assert branch.member in lacking(office, branch, "self_review", "members_without_a_self_review")
    confirmed = office.post(f"{line}/confirm").body
    assert (confirmed["excused_confirmed_by"], confirmed["excused_refused_by"], confirmed["excused_refused_reason"]) == ("office", None, None)


def test_after_filing_nothing_is_refused(house: House) -> None:
    branch = house.a_branch()
    excuse(house, branch, branch.member)
    put_at(house, branch, Stage.FILED)
    office, before = house.as_("office"), house.state()
    assert office.post(f"{branch.path}/roll/{branch.member}/refuse", {"reason": "请补充"}).status == 409
    assert house.state() == before


# ── what a confirmed one covers ───────────────────────────────────────────────────────────────


def test_a_confirmed_excuse_covers_the_talk_and_the_feedback_in_the_same_act(house: House) -> None:
    branch = house.a_branch()
    office, line = house.as_("office"), f"{branch.path}/roll/{branch.member}"
    with transaction(house.engine, actor="cli") as session:
        process = process_of(session, 2024, branch.code)
        a_counted_ballot(session, process)
        a_rating(session, process, branch.member)
        a_rating(session, process, branch.newcomer)
    excuse(house, branch, branch.member)
    assert office.post(f"{line}/confirm", {"covers": ["K2", "D6"]}).status == 200
    assert waivers(office, branch) == [("K2", [branch.member], "长期住院", True), ("D6", [branch.member], "长期住院", True)]
    given = office.get(f"{branch.path}/waivers").body["items"]
    assert [(row["recorded_by"], row["needs_approval"], row["amount"]) for row in given] == [("office", False, 1)] * 2
    assert branch.member not in lacking(office, branch, "talks", "members_nobody_talked_with")
    assert lacking(office, branch, "rating", "ratings_not_fed_back") == [branch.newcomer]


def test_the_feedback_is_covered_ahead_of_the_rating_and_nothing_without_being_named(house: House) -> None:
    branch = house.a_branch()
    office = house.as_("office")
    for who in (branch.member, branch.newcomer):
        excuse(house, branch, who)
    assert office.post(f"{branch.path}/roll/{branch.member}/confirm", {"covers": ["D6"]}).status == 200
    assert office.post(f"{branch.path}/roll/{branch.newcomer}/confirm").status == 200
    assert waivers(office, branch) == [("D6", [branch.member], "长期住院", True)]
    assert {branch.member, branch.newcomer} <= set(lacking(office, branch, "talks", "members_nobody_talked_with"))


def test_where_every_leader_talks_with_every_member_all_their_pairs_are_covered(house: House) -> None:
    branch = house.a_branch()
    office = house.as_("office")
    with transaction(house.engine, actor="cli") as session:
        process = process_of(session, 2024, branch.code)
        rules = process.cycle.plan["rules"]
        process.cycle.plan = {**process.cycle.plan, "rules": {**rules, "coverage": "strict"}}
    talk = {"held_on": "2024-12-16", "talker": branch.secretary, "partner": branch.member}
    assert house.as_(branch.secretary).post(f"{branch.path}/talks", talk).status == 201
    excuse(house, branch, branch.member)
    before = lacking(office, branch, "talks", "leaders_and_members_without_a_talk")
    assert office.post(f"{branch.path}/roll/{branch.member}/confirm", {"covers": ["K2"]}).status == 200
    theirs = [pair for pair in before if branch.member in pair.split(":")]
    assert len(theirs) == 3
    assert [subjects for _, subjects, _, _ in waivers(office, branch)] == [theirs]
    assert lacking(office, branch, "talks", "leaders_and_members_without_a_talk") == [pair for pair in before if pair not in theirs]


def test_what_a_reason_of_the_branch_covers_already_is_not_covered_twice(house: House) -> None:
    branch = house.a_branch()
    office = house.as_("office")
    body = {"requirement": "members_nobody_talked_with", "subjects": [branch.member], "reason": "住院"}
    assert house.as_(branch.secretary).post(f"{branch.path}/waivers", body).status == 201
    excuse(house, branch, branch.member)
    assert office.post(f"{branch.path}/roll/{branch.member}/confirm", {"covers": ["K2"]}).status == 200
    assert len(waivers(office, branch)) == 1


def test_a_clause_that_cannot_be_covered_confirms_nothing(house: House) -> None:
    branch = house.a_branch()
    office, line = house.as_("office"), f"{branch.path}/roll/{branch.member}"
    excuse(house, branch, branch.member)
    put_at(house, branch, Stage.RATING)
    before = house.state()
    wrong = office.post(f"{line}/confirm", {"covers": ["K2", "K9"]})
    assert (wrong.status, list(wrong.body["errors"])) == (422, ["covers.1"])
    left = office.post(f"{line}/confirm", {"covers": ["K2", "D6"]})
    assert (left.status, left.body["type"].rpartition("#")[2], "谈心谈话" in left.body["detail"]) == (409, "stage-closed", True)
    with transaction(house.engine, actor="cli") as session:
        cycle = process_of(session, 2024, branch.code).cycle
        cycle.plan = {**cycle.plan, "not_asked": {"D6": "本年度另行反馈"}}
    before = house.state()
    dropped = office.post(f"{line}/confirm", {"covers": ["D6"]})
    assert (dropped.status, dropped.body["errors"]) == (422, {"covers": ["本年度方案不要求 D6"]})
    assert house.state() == before
    assert office.get(line).body["excused_confirmed_by"] is None


@pytest.mark.parametrize("end", ["withdraw", "refuse", "new reason"])
def test_what_it_covered_ends_with_the_excuse(house: House, end: str) -> None:
    branch = house.a_branch()
    office, secretary = house.as_("office"), house.as_(branch.secretary)
    line, other = f"{branch.path}/roll/{branch.member}", f"{branch.path}/roll/{branch.newcomer}"
    for each, who in ((line, branch.member), (other, branch.newcomer)):
        excuse(house, branch, who)
        assert office.post(f"{each}/confirm", {"covers": ["K2"]}).status == 200
    if end == "withdraw":
        assert secretary.post(f"{line}/withdraw").status == 200
    elif end == "refuse":
        assert office.post(f"{line}/refuse", {"reason": "已经返校"}).status == 200
    else:
        excuse(house, branch, branch.member, reason="出院，但行动不便")
    assert [(subjects, stands) for _, subjects, _, stands in waivers(office, branch)] == [([branch.member], False), ([branch.newcomer], True)]
    now = lacking(office, branch, "talks", "members_nobody_talked_with")
    assert (branch.member in now, branch.newcomer in now) == (True, False)


# ── counted by kind ───────────────────────────────────────────────────────────────────────────


def test_the_form_and_the_totals_count_confirmed_excuses_by_kind(house: House) -> None:
    branch, other = house.a_branch(), house.a_branch()
    office = house.as_("office")
    for cast, who, kind in ((branch, branch.member, "abroad"), (branch, branch.newcomer, "mobile"), (other, other.member, "abroad")):
        excuse(house, cast, who, kind=kind)
        assert office.post(f"{cast.path}/roll/{who}/confirm").status == 200
    excuse(house, branch, branch.organiser, kind="old")
    none = dict.fromkeys(("abroad", "ill", "old", "mobile", "other"), 0)
    basics = office.get(f"{branch.path}/form").body["basics"]
    assert (basics["excused"], basics["excused_by_kind"]) == (2, {**none, "abroad": 1, "mobile": 1})
    totals = office.get(f"{YEAR}/totals").body["basics"]
    assert (totals["excused"], totals["excused_by_kind"]) == (3, {**none, "abroad": 2, "mobile": 1})
