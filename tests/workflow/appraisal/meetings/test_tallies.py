"""Tallies (计票): the sums, the tellers, two entries that agree or differ.

Each reader sees their own part of a tally.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller
from tests.support.records.evidence import excused, lacking, leaves, stand_at
from tests.support.records.self_review import a_ballot, a_tally, present_of
from tests.support.situations import on_roll
from workflow.appraisal.meetings.tallies import Tally, TallySchema, members_on_ballot
from workflow.appraisal.meetings.tellers import TALLIES, TallyMismatch
from workflow.appraisal.self_review.meeting_requirements import more_ballots_than_voters, no_tally_of_the_committee, no_tally_of_the_members
from workflow.foundation.database import act_as, constraint
from workflow.foundation.errors import Exists, Forbidden, Invalid, StageClosed
from workflow.foundation.fields.loading import load
from workflow.foundation.history import History
from workflow.foundation.vocabulary import Post, Stage, Standing, TallySubject
from workflow.people.access import Action
from workflow.people.substitutes import name_substitute
from workflow.roster.posts import appoint
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.roll import roll

COMMITTEE, MEMBERS = TallySubject
M3, D2, Q2 = no_tally_of_the_committee.name, no_tally_of_the_members.name, more_ballots_than_voters.name
BOTH = pytest.mark.parametrize("subject", TallySubject)
TAKE_BACK = pytest.mark.parametrize("take_back", [withdraw, reject])


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch of five."""
    return a_school(session)


def entered(session: Session, process: Process, body: dict[str, Any], *, by: str) -> Tally:
    return TALLIES.record(session, process, deepcopy(body), by=caller(session, by), now=NOW)


def amended(session: Session, process: Process, row: Tally, body: dict[str, Any], *, by: str) -> Tally:
    TALLIES.amend(session, process, row, deepcopy(body), seen=row.version, by=caller(session, by), now=NOW)
    return row


def refused(act: Callable[[], object]) -> list[str]:
    """Give the fields that are refused."""
    with pytest.raises(Invalid) as error:
        act()
    return sorted(error.value.errors)


def standing(session: Session, process: Process) -> list[Tally]:
    return list(session.scalars(select(Tally).where(Tally.process_id == process.id, Tally.counts)))


# ── what must balance ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ({"issued": 6, "returned": 5}, []),
        ({"issued": 7, "returned": 6, "void": 1}, []),
        ({"issued": 4}, ["returned"]),
        ({"issued": 6, "returned": 6}, ["valid"]),
        ({"void": 1}, ["valid"]),
        ({"valid": 4, "void": 1}, ["counts.overall", "counts.style", "counts.work"]),
        ({"issued": 4, "returned": 6}, ["returned", "valid"]),
    ],
)
def test_ballots_balance(session: Session, branch: Process, numbers: dict[str, int], wrong: list[str]) -> None:
    body = {**a_ballot(session, branch, COMMITTEE), **numbers}
    if wrong:
        assert refused(lambda: entered(session, branch, body, by="李四")) == wrong
        assert standing(session, branch) == []
    else:
        assert entered(session, branch, body, by="李四").valid == 5


@pytest.mark.parametrize("levels", [{"qualified": 3, "abstain": 1}, {"qualified": 5, "abstain": 1}, {"excellent": 5, "basic": 1}, {}])
def test_the_levels_of_each_and_the_abstentions_come_to_the_valid_ballots(session: Session, branch: Process, levels: dict[str, int]) -> None:
    body = a_ballot(session, branch, MEMBERS)
    body["counts"]["w5"] = levels
    assert refused(lambda: entered(session, branch, body, by="李四")) == ["counts.w5"]


def test_voters_are_those_of_the_day_of_the_count(session: Session, branch: Process) -> None:
    a_tally(session, branch, MEMBERS)
    stand_at(session, branch, Stage.RATING)
    assert lacking(session, branch, Q2) == []
    line = on_roll(session, branch, "王五")
    for left_on, said in ((TODAY + timedelta(days=1), []), (TODAY, ["members"])):
        line.left_on = left_on
        session.flush()
        assert lacking(session, branch, Q2) == said, left_on


def test_the_table_itself_refuses_what_does_not_balance_and_one_teller_twice(session: Session, branch: Process) -> None:
    row = a_tally(session, branch, COMMITTEE)
    for values, name in (
        ({"issued": 4}, "ck_tally_balance"),
        ({"void": 1}, "ck_tally_balance"),
        ({"counted_by": row.recorded_by}, "ck_tally_two_tellers"),
    ):
        with pytest.raises(IntegrityError) as error, session.begin_nested():
            session.execute(update(Tally).where(Tally.id == row.id).values(**values))
        assert constraint(error.value) == name


@pytest.mark.parametrize("count", [-1, 2**63, 2**31, 1.5, "5", True, float("inf")])
def test_a_count_is_a_whole_number_of_people(session: Session, branch: Process, count: Any) -> None:
    assert refused(lambda: load(TallySchema(), {**a_ballot(session, branch, MEMBERS), "issued": count})) == ["issued"]
    committee, members = a_ballot(session, branch, COMMITTEE), a_ballot(session, branch, MEMBERS)
    committee["counts"]["work"] = {"good": count}
    members["counts"]["w5"] = {"qualified": count}
    assert refused(lambda: entered(session, branch, committee, by="李四")) == ["counts.work.good"]
    assert refused(lambda: entered(session, branch, members, by="李四")) == ["counts.w5.qualified"]


@pytest.mark.parametrize(
    ("subject", "counts", "wrong"),
    [
        (COMMITTEE, {"work": {"good": 5}, "style": {"good": 5}}, ["counts.overall"]),
        (COMMITTEE, {"w5": {"qualified": 5}}, ["counts.overall", "counts.style", "counts.w5", "counts.work"]),
        (MEMBERS, {"comments": []}, ["counts.comments"]),
        (MEMBERS, {"w 5": {}}, ["counts.w 5"]),
        (MEMBERS, {"w5": {"perfect": 5}}, ["counts.w5.perfect"]),
        (MEMBERS, {"w5": {"good": 5}}, ["counts.w5.good"]),
        (MEMBERS, {"w5": 5}, ["counts.w5"]),
        (MEMBERS, {"w5": None}, ["counts"]),
    ],
)
def test_what_is_counted_is_of_its_subject(
    session: Session, branch: Process, subject: TallySubject, counts: dict[str, Any], wrong: list[str]
) -> None:
    assert refused(lambda: entered(session, branch, {**a_ballot(session, branch, subject), "counts": counts}, by="李四")) == wrong


# ── whom the ballot lists ─────────────────────────────────────────────────────────────────────────────────────────────


def test_each_member_stands_on_the_ballot_but_who_is_probationary_excused_or_rated_elsewhere(session: Session, branch: Process) -> None:
    assert sorted(members_on_ballot(present_of(session, branch))) == ["l4", "q7", "s8", "w5", "z3"]
    leaves(session, "王五")
    on_roll(session, branch, "李四").standing = Standing.PROBATIONARY
    on_roll(session, branch, "钱七").rated_here = False
    session.flush()
    excused(session, branch, "孙八", confirmed=False)
    assert sorted(members_on_ballot(present_of(session, branch))) == ["s8", "z3"]
    excused(session, branch, "孙八")
    assert sorted(members_on_ballot(roll(session, branch.id))) == ["z3"]


def test_a_ballot_leaves_nobody_out_who_stands_on_it(session: Session, branch: Process) -> None:
    body = a_ballot(session, branch, MEMBERS)
    del body["counts"]["w5"], body["counts"]["s8"]
    with pytest.raises(Invalid, match="缺少：孙八、王五"):
        entered(session, branch, body, by="李四")
    excused(session, branch, "孙八")
    on_roll(session, branch, "王五").rated_here = False
    session.flush()
    assert sorted(entered(session, branch, body, by="李四").figures) == ["l4", "q7", "z3"]


def test_a_probationary_name_and_one_that_is_not_on_the_roll_are_refused(session: Session, branch: Process) -> None:
    body = a_ballot(session, branch, MEMBERS)
    on_roll(session, branch, "孙八").standing = Standing.PROBATIONARY
    session.flush()
    assert refused(lambda: entered(session, branch, body, by="李四")) == ["counts.s8"]
    body["counts"]["z6"] = body["counts"].pop("s8")
    assert refused(lambda: entered(session, branch, body, by="李四")) == ["counts"]


# ── who counts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_any_full_member_but_the_secretary_is_a_teller(session: Session, branch: Process) -> None:
    appoint(session, {"staff_no": "s8", "branch": "D0101", "post": Post.DEPUTY, "starts_on": date(2024, 3, 1)}, now=NOW)
    body = a_ballot(session, branch, COMMITTEE)
    on_roll(session, branch, "王五").standing = Standing.PROBATIONARY
    session.flush()
    for name in ("张三", "王五", "赵六", "office"):
        with pytest.raises(Forbidden):
            entered(session, branch, body, by=name)
    assert entered(session, branch, body, by="孙八").recorded_by == "s8"
    leaves(session, "钱七")
    with pytest.raises(Forbidden):
        entered(session, branch, body, by="钱七")
    assert entered(session, branch, body, by="李四").counted_by == "l4"


def test_who_stands_in_for_the_secretary_counts_for_himself(session: Session, branch: Process) -> None:
    secretary = caller(session, "张三")
    week = {"substitute": "w5", "starts_on": TODAY, "ends_on": TODAY + timedelta(days=6)}
    name_substitute(session, week, by=secretary, reach=secretary.may(Action.WRITE_SUBSTITUTES).values(), now=NOW)
    act_as(session, actor="w5", on_behalf_of="z3")
    row = entered(session, branch, a_ballot(session, branch, COMMITTEE), by="王五")
    act_as(session, actor="w5", on_behalf_of="z3")
    amended(session, branch, row, {"issued": 6}, by="王五")
    rows = session.scalars(select(History).where(History.what == "tally", History.row_key == str(row.id))).all()
    assert [(each.actor, each.on_behalf_of) for each in rows] == [("w5", None)] * 2


# ── two entries ───────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
def test_an_equal_second_entry_of_another_teller_counts_it(session: Session, branch: Process, subject: TallySubject) -> None:
    body, later = a_ballot(session, branch, subject), NOW + timedelta(hours=1)
    row = entered(session, branch, body, by="李四")
    assert (row.recorded_by, row.counted_by, row.counted_at, row.version) == ("l4", None, None, 1)
    with pytest.raises(Exists):
        entered(session, branch, body, by="李四")
    second = TALLIES.record(session, branch, body, by=caller(session, "王五"), now=later)
    assert (second.id, second.recorded_by, second.counted_by, second.counted_at, second.version) == (row.id, "l4", "w5", later, 2)
    for name in ("李四", "王五", "孙八"):
        with pytest.raises(Exists):
            entered(session, branch, body, by=name)


@pytest.mark.parametrize(
    "other",
    [
        {"issued": 6},
        {"issued": 6, "returned": 6, "void": 1},
        {"counts": {"style": {"good": 4, "poor": 1}}},
        {"counts": {"work": {"good": 4, "abstain": 1}}},
    ],
)
def test_a_different_second_entry_is_refused_by_its_lines_and_not_kept(session: Session, branch: Process, other: dict[str, Any]) -> None:
    body = a_ballot(session, branch, COMMITTEE)
    row = entered(session, branch, body, by="李四")
    second = {**body, **other, "counts": {**body["counts"], **other.get("counts", {}), "comments": ["另有意见"]}}
    with pytest.raises(TallyMismatch) as mismatch:
        entered(session, branch, second, by="王五")
    assert mismatch.value.extra == {"lines": list(other.get("counts", other))}
    session.refresh(row)
    assert (row.counted_by, row.version, row.comments) == (None, 1, ["多听意见"])
    assert entered(session, branch, body, by="王五").counted_by == "w5"


def test_a_second_entry_that_names_one_more_is_different(session: Session, branch: Process) -> None:
    excused(session, branch, "孙八")
    body = a_ballot(session, branch, MEMBERS)
    entered(session, branch, body, by="李四")
    body["counts"]["s8"] = {"qualified": 5}
    with pytest.raises(TallyMismatch):
        entered(session, branch, body, by="王五")


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("多听意见", ["多听意见"], ["多听意见"]),
        (["多听意见", "深入一线"], "作风扎实", ["多听意见", "深入一线", "作风扎实"]),
        (None, ["作风扎实"], ["作风扎实"]),
        ([], None, []),
    ],
)
def test_comments_are_one_text_or_several_and_those_of_both_tellers_are_kept(
    session: Session, branch: Process, first: Any, second: Any, kept: list[str]
) -> None:
    body = a_ballot(session, branch, COMMITTEE)
    for name, comments in (("李四", first), ("王五", second)):
        body["counts"]["comments"] = comments
        row = entered(session, branch, body, by=name)
    assert row.comments == kept


@pytest.mark.parametrize(
    ("comments", "wrong"), [("", ["counts.comments.0"]), (["x" * 2001], ["counts.comments.0"]), (["好"] * 501, ["counts.comments"])]
)
def test_comments_are_texts_of_people(session: Session, branch: Process, comments: Any, wrong: list[str]) -> None:
    body = a_ballot(session, branch, COMMITTEE)
    body["counts"]["comments"] = comments
    assert refused(lambda: entered(session, branch, body, by="李四")) == wrong


def test_the_two_subjects_are_counted_each_for_itself(session: Session, branch: Process) -> None:
    a_tally(session, branch, COMMITTEE, tellers=1)
    a_tally(session, branch, MEMBERS)
    assert (lacking(session, branch, M3), lacking(session, branch, D2)) == ([""], [])


def test_a_tally_may_be_entered_ahead_and_closes_with_its_stage(session: Session, branch: Process) -> None:
    row = a_tally(session, branch, COMMITTEE, tellers=1)
    stand_at(session, branch, Stage.RATING)
    with pytest.raises(StageClosed):
        a_tally(session, branch, MEMBERS, tellers=1)
    with pytest.raises(StageClosed):
        amended(session, branch, row, {"issued": 6}, by="李四")
