"""The deciding meeting (研究评定意见的会议: D1, Q2, Q4): quorum and vote of either form, minutes.

Levels may change after the decision.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller
from tests.support.records.evidence import excused, lacking, leaves, stand_at, under_probation
from tests.support.records.rating import BASIC, DECIDED_ON, QUALIFIED, a_branch_of, a_counted_ballot, a_decision, a_rating, amended
from tests.support.situations import on_roll
from workflow.appraisal.meetings.recording import MEETINGS, confirm_minutes
from workflow.appraisal.rating.deciding import (
    incomplete_deciding_minutes,
    levels_changed_after_the_decision,
    no_deciding_decision,
    unconfirmed_deciding_minutes,
)
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import todos, unmet
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process

D1, Q2 = no_deciding_decision.name, levels_changed_after_the_decision.name
INCOMPLETE, UNCONFIRMED = incomplete_deciding_minutes.name, unconfirmed_deciding_minutes.name
COMMITTEE = MeetingForm.COMMITTEE


@pytest.fixture
def branch(session: Session) -> Process:
    process = a_school(session)
    a_counted_ballot(session, process)
    return stand_at(session, process, Stage.RATING)


def why(session: Session, process: Process) -> list[tuple[str, str]]:
    return [(subject.id, subject.name) for each in unmet(session, process, [BY_NAME[D1]]) for subject in each.open]


def names(number: int) -> list[str]:
    return ["张三", *(f"党员{each}" for each in range(1, number))]


# ── D1: the general meeting ───────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_meeting_nothing_is_decided(session: Session, branch: Process) -> None:
    assert why(session, branch) == [("", "没有召开支部委员会会议或者党员大会的记录")]
    a_decision(session, branch)
    assert why(session, branch) == []


@pytest.mark.parametrize(
    ("members", "present", "yes", "said"),
    [
        (22, 10, 10, "应到 22，实到 10，不足半数"),
        (22, 11, 11, "赞成 11，未过应到的半数"),
        (22, 12, 11, "赞成 11，未过应到的半数"),
        (22, 12, 12, None),
        (7, 3, 3, "应到 7，实到 3，不足半数"),
        (7, 4, 3, "赞成 3，未过应到的半数"),
        (7, 4, 4, None),
        (3, 2, 2, None),
        (3, 2, 1, "赞成 1，未过应到的半数"),
    ],
)
def test_a_general_meeting_wants_half_of_those_due_present_and_more_than_half_of_them_to_agree(
    session: Session, members: int, present: int, yes: int, said: str | None
) -> None:
    process = a_branch_of(session, members)
    row = a_decision(session, process, present=names(present), yes=yes)
    assert why(session, process) == ([] if said is None else [(str(row.id), said)])


def test_due_are_those_who_vote_are_not_excused_and_have_not_left(session: Session) -> None:
    process = a_branch_of(session, 8, probationary=["党员7"])
    excused(session, process, "党员6")
    excused(session, process, "党员5", confirmed=False)
    under_probation(session, "党员4")
    leaves(session, "党员3", on=DECIDED_ON)
    # Due: 张三, 党员1, 党员2, 党员5.
    row = a_decision(session, process, present=["张三", "党员4", "党员6", "党员7"], yes=1)
    assert why(session, process) == [(str(row.id), "应到 4，实到 1，不足半数")]
    another = a_decision(session, process, present=["张三", "党员1", "党员5", "党员7"], yes=2)
    assert why(session, process)[1:] == [(str(another.id), "赞成 2，未过应到的半数")]
    a_decision(session, process, present=["张三", "党员1", "党员5"], yes=3)
    assert why(session, process) == []


@pytest.mark.parametrize(("field", "still_due"), [("left_on", DECIDED_ON + timedelta(days=1)), ("joined_on", DECIDED_ON)])
def test_due_is_the_roll_of_the_meetings_day(session: Session, field: str, still_due: date) -> None:
    process = a_branch_of(session, 6)
    row = a_decision(session, process, present=["张三", "党员1", "党员2"], yes=3)
    too_few = [(str(row.id), "赞成 3，未过应到的半数")]
    assert why(session, process) == too_few
    line = on_roll(session, process, "党员5")
    for day, said in ((still_due, too_few), (DECIDED_ON if field == "left_on" else still_due + timedelta(days=1), [])):
        setattr(line, field, day)
        session.flush()
        assert why(session, process) == said


def test_a_meeting_that_did_not_vote_has_decided_nothing(session: Session, branch: Process) -> None:
    row = a_decision(session, branch, vote=None)
    assert why(session, branch) == [(str(row.id), "没有表决结果")]


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_meeting_that_was_taken_back_has_decided_nothing(session: Session, branch: Process, take_back: Any) -> None:
    row = a_decision(session, branch)
    take_back(row, by="office", now=NOW, reason="有误")
    session.flush()
    assert lacking(session, branch, D1) == [""]


def test_another_meeting_than_the_deciding_one_decides_nothing(session: Session, branch: Process) -> None:
    body = {"purpose": MeetingPurpose.REPORT, "form": MeetingForm.GENERAL, "held_on": DECIDED_ON, "present": ["z3", "l4", "w5"], "vote": _yes(3)}
    stand_at(session, branch, Stage.SELF_REVIEW)
    MEETINGS.record(session, branch, body, by=caller(session, "张三"), now=NOW)
    assert lacking(session, branch, D1) == [""]


def _yes(votes: int) -> dict[str, int]:
    return {"yes": votes, "no": 0, "abstain": 0}


def test_the_shares_are_the_years_own(session: Session, branch: Process) -> None:
    rules = branch.cycle.plan["rules"]
    votes = {"general_quorum": "2/3", "general_passing": "2/3", "committee_quorum": "1/1"}
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "settings": {**rules["settings"], "votes": votes}}}
    session.flush()
    row = a_decision(session, branch, present=["张三", "李四", "王五"])
    assert why(session, branch) == [(str(row.id), "应到 5，实到 3，不足2/3")]
    withdraw(row, by="z3", now=NOW, reason="重开")
    row = a_decision(session, branch, present=["张三", "李四", "王五", "孙八"], yes=3)
    assert why(session, branch) == [(str(row.id), "赞成 3，未过应到的2/3")]
    withdraw(row, by="z3", now=NOW, reason="重开")
    row = a_decision(session, branch, form=COMMITTEE, present=["张三", "李四"])
    assert why(session, branch) == [(str(row.id), "应到 3，实到 2，不足1/1")]
    a_decision(session, branch, present=["张三", "李四", "王五", "孙八"])
    assert why(session, branch) == []


# ── D1: the committee ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("present", "yes", "said"),
    [
        (["张三"], 1, "应到 3，实到 1，不足半数"),
        (["张三", "王五", "孙八"], 1, "应到 3，实到 1，不足半数"),
        (["张三", "李四"], 1, "赞成 1，未过应到的半数"),
        (["张三", "李四"], 2, None),
        (["张三", "李四", "钱七"], 2, None),
    ],
)
def test_a_committee_meeting_wants_half_of_the_committee_and_more_than_half_of_it_to_agree(
    session: Session, branch: Process, present: list[str], yes: int, said: str | None
) -> None:
    row = a_decision(session, branch, form=COMMITTEE, present=present, yes=yes)
    assert why(session, branch) == ([] if said is None else [(str(row.id), said)])


def test_who_has_left_the_committee_is_not_due_and_who_is_excused_is(session: Session, branch: Process) -> None:
    excused(session, branch, "钱七")
    a_decision(session, branch, form=COMMITTEE, present=["张三"], yes=1)
    assert [name for _, name in why(session, branch)] == ["应到 3，实到 1，不足半数"]
    leaves(session, "钱七", on=DECIDED_ON)
    assert [name for _, name in why(session, branch)] == ["赞成 1，未过应到的半数"]


def test_a_branch_without_a_committee_decides_in_a_general_meeting(session: Session) -> None:
    process = a_branch_of(session, 4)
    row = a_decision(session, process, form=COMMITTEE, present=["张三"], yes=1)
    assert why(session, process) == [(str(row.id), "没有支部委员会，应由党员大会评定")]
    a_decision(session, process)
    assert why(session, process) == []


# ── Q4: the minutes ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("gap", ["place", "chair", "recorder", "minutes", "present"])
def test_minutes_of_the_decision_that_leave_something_out_are_incomplete(session: Session, branch: Process, gap: str) -> None:
    fields: dict[str, Any] = {"present": [], "vote": None} if gap == "present" else {gap: None}
    row = a_decision(session, branch, confirmed=False, **fields)
    assert lacking(session, branch, INCOMPLETE) == [str(row.id)]
    withdraw(row, by="z3", now=NOW, reason="重录")
    session.flush()
    assert lacking(session, branch, INCOMPLETE) == []


def test_recorder_and_chair_each_confirm_the_minutes_of_the_decision(session: Session, branch: Process) -> None:
    row = a_decision(session, branch, confirmed=False)

    def asked(name: str) -> list[str]:
        mine = todos(session, caller(session, name).person_id, today=TODAY)
        return [subject.id for each in mine if each.requirement.name == UNCONFIRMED for subject in each.open]

    assert (asked("张三"), asked("李四"), asked("王五")) == ([str(row.id)], [str(row.id)], [])
    confirm_minutes(session, branch, row, by=caller(session, "李四"), now=NOW)
    assert (asked("张三"), asked("李四")) == ([str(row.id)], [])
    confirm_minutes(session, branch, row, by=caller(session, "张三"), now=NOW)
    assert lacking(session, branch, UNCONFIRMED) == []


# ── Q2: levels after the decision ─────────────────────────────────────────────────────────────────────────────────────


def test_a_level_that_changes_after_the_minutes_were_confirmed_is_a_sign(session: Session, branch: Process) -> None:
    row, other = a_rating(session, branch, "王五"), a_rating(session, branch, "孙八")
    amended(session, branch, row, hours=1, level=BASIC)
    assert lacking(session, branch, Q2) == []
    meeting = a_decision(session, branch, confirmed=False)
    assert lacking(session, branch, Q2) == []
    for name in ("李四", "张三"):
        confirm_minutes(session, branch, meeting, by=caller(session, name), now=NOW)
    assert lacking(session, branch, Q2) == ["w5"]
    amended(session, branch, other, hours=1, opinion="另一意见")
    assert lacking(session, branch, Q2) == ["w5"]
    leaves(session, "王五")
    assert lacking(session, branch, Q2) == []


def test_a_meeting_that_decided_nothing_is_not_what_levels_are_compared_with(session: Session, branch: Process) -> None:
    amended(session, branch, a_rating(session, branch, "王五", QUALIFIED), hours=1, level=BASIC)
    a_decision(session, branch, yes=1)
    assert lacking(session, branch, Q2) == []
