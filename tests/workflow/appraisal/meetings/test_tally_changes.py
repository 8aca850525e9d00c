"""Changes of tallies (计票): two tellers at once, corrections, taken back.

The readers and the gate see the result.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller
from tests.support.records.evidence import a_waiver, excused, lacking, leaves
from tests.support.records.self_review import a_ballot, a_tally
from tests.support.situations import on_roll
from workflow.appraisal.meetings.tallies import Tally, TallyOfMember, band, sees_counts
from workflow.appraisal.meetings.tellers import TALLIES, TallyMismatch
from workflow.appraisal.self_review.meeting_requirements import more_ballots_than_voters, no_tally_of_the_committee, no_tally_of_the_members
from workflow.foundation.database import transaction
from workflow.foundation.errors import Conflict, Exists, Forbidden, Invalid, Stale
from workflow.foundation.history import History
from workflow.foundation.vocabulary import Standing, TallySubject
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import unmet
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of

COMMITTEE, MEMBERS = TallySubject
M3, D2, Q2 = no_tally_of_the_committee.name, no_tally_of_the_members.name, more_ballots_than_voters.name
BOTH = pytest.mark.parametrize("subject", TallySubject)
TAKE_BACK = pytest.mark.parametrize("take_back", [withdraw, reject])
ASKED = {COMMITTEE: M3, MEMBERS: D2}


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch of five."""
    return a_school(session)


def amended(session: Session, process: Process, row: Tally, body: dict[str, Any], *, by: str = "李四") -> Tally:
    TALLIES.amend(session, process, row, body, seen=row.version, by=caller(session, by), now=NOW)
    return row


def taken_back(session: Session, row: Tally, take_back: Callable[..., None] = withdraw) -> None:
    take_back(row, by="l4", now=NOW, reason="票数有误")
    session.flush()


# ── two at once ───────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
def test_two_first_entries_at_once_are_the_two_entries_of_one_tally(engine: Engine, subject: TallySubject) -> None:
    with transaction(engine, actor="cli") as session:
        process = a_school(session)
        body = a_ballot(session, process, subject)
    for _ in range(5):
        barrier = Barrier(2)

        def enter(name: str, barrier: Barrier = barrier) -> int:
            with transaction(engine, actor="cli") as session:
                here, who = process_of(session, 2024, "D0101", lock=Lock.EVIDENCE), caller(session, name)
                barrier.wait()
                return TALLIES.record(session, here, body, by=who, now=NOW).id

        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(enter, ("李四", "王五"))
        assert one == other
        with transaction(engine, actor="cli") as session:
            row = session.get_one(Tally, one)
            assert {row.recorded_by, row.counted_by} == {"l4", "w5"}
            assert lacking(session, process_of(session, 2024, "D0101"), ASKED[subject]) == []
            taken_back(session, row)


def test_of_two_different_entries_at_once_one_is_kept(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        body = a_ballot(session, a_school(session), COMMITTEE)
    barrier = Barrier(2)

    def enter(name: str, issued: int) -> str:
        with transaction(engine, actor="cli") as session:
            here, who = process_of(session, 2024, "D0101", lock=Lock.EVIDENCE), caller(session, name)
            barrier.wait()
            return TALLIES.record(session, here, {**body, "issued": issued}, by=who, now=NOW).recorded_by

    with ThreadPoolExecutor(2) as pool:
        entries = [pool.submit(enter, "李四", 5), pool.submit(enter, "王五", 6)]
    (error,) = [each.exception() for each in entries if each.exception()]
    assert isinstance(error, TallyMismatch)
    with transaction(engine, actor=None) as session:
        (row,) = session.scalars(select(Tally))
        assert (row.counted_by, error.extra) == (None, {"lines": ["issued"]})


# ── corrected and taken back ──────────────────────────────────────────────────────────────────────────────────────────


def test_its_teller_corrects_an_entry_until_it_is_counted(session: Session, branch: Process) -> None:
    row = a_tally(session, branch, COMMITTEE, tellers=1)
    for name in ("王五", "张三"):
        with pytest.raises(Forbidden):
            amended(session, branch, row, {"issued": 6}, by=name)
    amended(session, branch, row, {"issued": 7, "returned": 6, "void": 1})
    assert (row.issued, row.returned, row.valid, row.void, row.version) == (7, 6, 5, 1, 2)
    assert (row.figures["work"]["good"], row.comments) == (5, ["多听意见"])
    with pytest.raises(Stale):
        TALLIES.amend(session, branch, row, {"issued": 8}, seen=1, by=caller(session, "李四"), now=NOW)
    body = {**a_ballot(session, branch, COMMITTEE), "issued": 7, "returned": 6, "void": 1}
    assert TALLIES.record(session, branch, body, by=caller(session, "王五"), now=NOW).counted_by == "w5"
    with pytest.raises(Conflict):
        amended(session, branch, row, {"issued": 8})


def test_a_correction_balances_with_what_stands(session: Session, branch: Process) -> None:
    row = a_tally(session, branch, MEMBERS, tellers=1)
    for body, wrong in (({"returned": 6}, ["returned", "valid"]), ({"subject": COMMITTEE}, ["subject"]), ({"counts": {}}, ["counts"])):
        with pytest.raises(Invalid) as refused:
            amended(session, branch, row, body)
        assert sorted(refused.value.errors) == wrong
    amended(session, branch, row, {"subject": MEMBERS, "issued": 6})
    assert (row.issued, row.version) == (6, 2)


def test_a_correction_replaces_the_votes(session: Session, branch: Process) -> None:
    row = a_tally(session, branch, MEMBERS, tellers=1)
    counts = {**row.figures, "w5": {"excellent": 4, "abstain": 1}}
    amended(session, branch, row, {"counts": counts})
    session.expire_all()
    assert row.figures["w5"] == {"excellent": 4, "qualified": 0, "basic": 0, "unqualified": 0, "abstain": 1}
    assert session.scalar(select(func.count()).select_from(TallyOfMember).where(TallyOfMember.tally_id == row.id)) == 5


@BOTH
@TAKE_BACK
@pytest.mark.parametrize("tellers", [1, 2])
def test_what_was_taken_back_is_entered_anew_by_two(
    session: Session, branch: Process, subject: TallySubject, take_back: Callable[..., None], tellers: int
) -> None:
    row = a_tally(session, branch, subject, tellers=tellers)
    taken_back(session, row, take_back)
    assert lacking(session, branch, ASKED[subject]) == [""]
    with pytest.raises(Conflict):
        amended(session, branch, row, {"issued": 6})
    anew = a_tally(session, branch, subject, tellers=1)
    assert (anew.id != row.id, anew.counted_at, lacking(session, branch, ASKED[subject])) == (True, None, [""])
    with pytest.raises(Exists):
        a_tally(session, branch, subject, tellers=1)
    body = a_ballot(session, branch, subject)
    assert TALLIES.record(session, branch, body, by=caller(session, "王五"), now=NOW).counted_at == NOW
    assert lacking(session, branch, ASKED[subject]) == []


def test_its_tellers_and_the_secretary_take_it_back(session: Session, branch: Process) -> None:
    row = a_tally(session, branch, COMMITTEE)
    for name in (row.recorded_by, row.counted_by, "张三"):
        TALLIES.may_withdraw(caller(session, str(name)), branch, row)
    for name in ("王五", "赵六", "office"):
        with pytest.raises(Forbidden):
            TALLIES.may_withdraw(caller(session, name), branch, row)


# ── who reads how much ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reader", "knows"),
    [
        ("李四", {COMMITTEE, MEMBERS}),
        ("钱七", {MEMBERS}),
        ("张三", {MEMBERS}),
        ("王五", set()),
        ("office", {COMMITTEE, MEMBERS}),
        ("committee", {MEMBERS}),
        ("auditor", {MEMBERS}),
        ("administrator", set()),
        ("赵六", set()),
    ],
)
def test_a_first_entry_is_its_tellers_and_a_plain_member_knows_what_he_entered(
    session: Session, branch: Process, reader: str, knows: set[TallySubject]
) -> None:
    a_tally(session, branch, COMMITTEE, tellers=1)
    a_tally(session, branch, MEMBERS)
    assert set(session.scalars(select(Tally.subject).where(TALLIES.visible(caller(session, reader), "D0101")))) == knows


def test_a_plain_member_knows_of_a_tally_he_was_teller_of(session: Session, branch: Process) -> None:
    body = a_ballot(session, branch, MEMBERS)
    for name in ("孙八", "王五"):
        TALLIES.record(session, branch, body, by=caller(session, name), now=NOW)
    for name in ("孙八", "王五"):
        assert session.scalars(select(Tally.id).where(TALLIES.visible(caller(session, name), "D0101"))).all()


@pytest.mark.parametrize(("valid", "exact"), [(0, False), (9, False), (10, True)])
def test_below_ten_valid_ballots_the_branch_reads_bands_and_the_school_counts(session: Session, branch: Process, valid: int, exact: bool) -> None:
    assert [sees_counts(caller(session, name), branch, valid) for name in ("张三", "李四", "王五")] == [exact] * 3
    assert [sees_counts(caller(session, name), branch, valid) for name in ("office", "committee", "auditor")] == [True] * 3


def test_below_how_many_is_a_setting(session: Session, branch: Process) -> None:
    rules = branch.cycle.plan["rules"]
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "settings": {**rules["settings"], "bands_below": 5}}}
    session.flush()
    assert [sees_counts(caller(session, "张三"), branch, valid) for valid in (4, 5)] == [False, True]


@pytest.mark.parametrize(
    ("votes", "valid", "said"),
    [
        (9, 9, "三分之二以上"),
        (6, 9, "三分之二以上"),
        (5, 9, "过半数"),
        (4, 8, "未过半数"),
        (5, 8, "过半数"),
        (0, 9, "未过半数"),
        (0, 0, "未过半数"),
    ],
)
def test_a_band_says_about_how_many(votes: int, valid: int, said: str) -> None:
    assert band(votes, valid) == said


def test_the_history_tells_who_entered_and_corrected_and_never_a_number(session: Session, branch: Process) -> None:
    row = a_tally(session, branch, MEMBERS, tellers=1)
    amended(session, branch, row, {"issued": 777, "returned": 5, "counts": {**row.figures, "w5": {"excellent": 4, "basic": 1}}})
    committee = a_tally(session, branch, COMMITTEE)
    rows = session.scalars(select(History).where(History.what.like("tally%"), History.process_id == branch.id)).all()
    assert {each.what for each in rows} == {"tally", "tally_of_member", "tally_of_item"}
    hidden = {"issued", "returned", "valid", "void", "comments", *row.figures["w5"], *committee.figures["work"]}
    for each in rows:
        for told in (each.old or {}, each.new or {}):
            assert {told[name] for name in hidden & told.keys()} <= {"changed"}
    assert "777" not in str([(each.old, each.new) for each in rows])


# ── M3, D2 and Q2 ─────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
def test_a_tally_is_asked_until_the_second_teller_has_counted_it(session: Session, branch: Process, subject: TallySubject) -> None:
    assert lacking(session, branch, ASKED[subject]) == [""]
    a_tally(session, branch, subject, tellers=1)
    assert lacking(session, branch, ASKED[subject]) == [""]
    TALLIES.record(session, branch, a_ballot(session, branch, subject), by=caller(session, "王五"), now=NOW)
    assert lacking(session, branch, ASKED[subject]) == []
    assert lacking(session, process_of(session, 2024, "D0201"), ASKED[subject]) == [""]
    with pytest.raises(Invalid):
        a_waiver(session, branch, ASKED[subject])


def test_more_ballots_than_voters_are_shown_once_they_are_counted(session: Session, branch: Process) -> None:
    body = {**a_ballot(session, branch, MEMBERS), "issued": 6}
    TALLIES.record(session, branch, body, by=caller(session, "李四"), now=NOW)
    assert lacking(session, branch, Q2) == []
    row = TALLIES.record(session, branch, body, by=caller(session, "王五"), now=NOW)
    a_tally(session, branch, COMMITTEE)
    (shown,) = unmet(session, branch, [BY_NAME[Q2]], today=TODAY)
    assert [(subject.id, subject.name) for subject in shown.open] == [("members", "党员（发出 6 张，应参加 5 人）")]
    assert not BY_NAME[Q2].blocks
    taken_back(session, row)
    assert lacking(session, branch, Q2) == []


@pytest.mark.parametrize("change", ["no vote", "probationary", "excused", "left"])
def test_who_has_no_vote_is_excused_or_has_left_is_no_voter(session: Session, branch: Process, change: str) -> None:
    a_tally(session, branch, COMMITTEE)
    assert lacking(session, branch, Q2) == []
    if change == "excused":
        excused(session, branch, "孙八")
    elif change == "left":
        leaves(session, "孙八")
    else:
        row = on_roll(session, branch, "孙八")
        row.voting = False
        row.standing = Standing.PROBATIONARY if change == "probationary" else Standing.FULL
        session.flush()
    assert lacking(session, branch, Q2) == ["committee"]
