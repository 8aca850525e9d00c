"""The form of the self-review meeting (会议形式): its groups, its attendance, its ballots."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller
from tests.support.records.evidence import a_waiver, excused, lacking, leaves
from tests.support.records.self_review import MET_ON, a_ballot, a_life_meeting, a_meeting, tellers_of
from tests.support.situations import EVERYBODY, a_study, on_roll
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tallies import CommitteeItem
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, TallySubject
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import unmet
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Process

LIFE, REPORT, DECIDING = MeetingPurpose
GENERAL, COMMITTEE, GROUP = MeetingForm
IN_NO_GROUP, BELOW_HALF, FEW_BALLOTS = "members_in_no_group_meeting", "general_meetings_below_half", "ballots_below_half"
NO_COMMITTEE = "committee_meetings_without_a_committee"


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch after its study: five people, of whom 王五 and 孙八 are not on the committee."""
    process = a_school(session)
    a_study(session, process)
    return process


def a_group(session: Session, process: Process, *present: str) -> Meeting:
    return a_meeting(session, process, form=GROUP, present=present, chair=None, recorder=None, confirmed=False)


def told(session: Session, process: Process, name: str) -> str:
    (row,) = unmet(session, process, [BY_NAME[name]], today=TODAY)
    return row.message.zh


# ── M1: in groups ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_meeting_in_groups_is_whole_when_everybody_was_in_one(session: Session, branch: Process) -> None:
    assert lacking(session, branch, IN_NO_GROUP) == []
    a_group(session, branch, "张三", "李四", "王五")
    on_roll(session, branch, "孙八").party_group = "第二党小组"
    session.flush()
    assert lacking(session, branch, IN_NO_GROUP) == ["q7", "s8"]
    assert told(session, branch, IN_NO_GROUP) == "组织生活会分党小组召开，还有 2 名党员没有参加其中任何一次：钱七、孙八（第二党小组）"
    second = a_group(session, branch, "钱七", "孙八")
    assert lacking(session, branch, IN_NO_GROUP) == []
    withdraw(second, by="z3", now=NOW, reason="登记有误")
    session.flush()
    assert lacking(session, branch, IN_NO_GROUP) == ["q7", "s8"]


def test_the_excused_those_who_left_and_those_with_a_reason_are_in_no_group(session: Session, branch: Process) -> None:
    a_group(session, branch, "张三", "李四")
    assert lacking(session, branch, IN_NO_GROUP) == ["q7", "s8", "w5"]
    excused(session, branch, "钱七")
    leaves(session, "孙八")
    assert lacking(session, branch, IN_NO_GROUP) == ["w5"]
    a_waiver(session, branch, IN_NO_GROUP, "w5")
    assert lacking(session, branch, IN_NO_GROUP) == []


def test_absence_a_report_and_another_form_are_no_group_meeting(session: Session, branch: Process) -> None:
    a_meeting(session, branch, form=GROUP, present=("张三", "李四", "孙八"), absent=[{"staff_no": "w5", "reason": "出差"}])
    a_meeting(session, branch, REPORT)
    a_meeting(session, branch, form=COMMITTEE, present=("张三", "李四", "钱七"))
    assert lacking(session, branch, IN_NO_GROUP) == ["q7", "w5"]


def test_a_branch_that_met_as_a_whole_needs_no_groups(session: Session, branch: Process) -> None:
    a_group(session, branch, "张三", "李四")
    a_life_meeting(session, branch, present=("张三", "李四", "王五"))
    assert lacking(session, branch, IN_NO_GROUP) == []


# ── M1: a committee meeting ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_committee_meeting_is_held_by_a_committee(session: Session, branch: Process) -> None:
    row = a_life_meeting(session, branch, form=COMMITTEE)
    a_meeting(session, branch, DECIDING, form=COMMITTEE)
    assert lacking(session, branch, NO_COMMITTEE) == []
    for name in EVERYBODY:
        on_roll(session, branch, name).on_committee = False
    session.flush()
    assert lacking(session, branch, NO_COMMITTEE) == [str(row.id)]


# ── M2: attendance ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("purpose", [LIFE, REPORT])
def test_a_general_meeting_of_fewer_than_half_is_shown(session: Session, branch: Process, purpose: MeetingPurpose) -> None:
    a_meeting(session, branch, purpose, present=("张三", "李四", "王五"))
    a_meeting(session, branch, purpose, form=GROUP, present=("张三", "李四"))
    a_meeting(session, branch, DECIDING, present=("张三", "李四"))
    assert lacking(session, branch, BELOW_HALF) == []
    row = a_meeting(session, branch, purpose, present=("张三", "李四"))
    assert lacking(session, branch, BELOW_HALF) == [str(row.id)]
    assert told(session, branch, BELOW_HALF) == f"1 次党员大会到会不足应到人数的一半：{MET_ON} {purpose.zh}（应到 5 人，实到 2 人）"


def test_half_is_counted_among_those_due_on_that_day(session: Session, branch: Process) -> None:
    row = a_meeting(session, branch, present=("张三", "李四"))
    excused(session, branch, "王五")
    assert lacking(session, branch, BELOW_HALF) == []
    on_roll(session, branch, "王五").excused_confirmed_by = None
    on_roll(session, branch, "孙八").left_on = MET_ON + timedelta(days=1)
    session.flush()
    assert lacking(session, branch, BELOW_HALF) == [str(row.id)]
    on_roll(session, branch, "孙八").left_on = MET_ON
    session.flush()
    assert lacking(session, branch, BELOW_HALF) == []
    on_roll(session, branch, "孙八").left_on = None
    on_roll(session, branch, "孙八").joined_on = MET_ON + timedelta(days=1)
    session.flush()
    assert lacking(session, branch, BELOW_HALF) == []


def test_minutes_without_attendance_are_told_once(session: Session, branch: Process) -> None:
    a_meeting(session, branch, present=(), confirmed=False)
    assert lacking(session, branch, BELOW_HALF) == []
    assert len(lacking(session, branch, "incomplete_minutes")) == 1


# ── M3, D2: ballots ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("valid", "few"), [(2, True), (3, False)])
def test_a_ballot_of_fewer_than_half_of_the_voters_is_shown(session: Session, branch: Process, valid: int, few: bool) -> None:
    body = {**a_ballot(session, branch, TallySubject.COMMITTEE), "issued": 5, "returned": valid, "valid": valid}
    body["counts"] = {item.value: {"good": valid} for item in CommitteeItem}
    first, second = tellers_of(session, branch)
    TALLIES.record(session, branch, body, by=caller(session, first), now=NOW)
    assert lacking(session, branch, FEW_BALLOTS) == []
    TALLIES.record(session, branch, body, by=caller(session, second), now=NOW)
    assert lacking(session, branch, FEW_BALLOTS) == (["committee"] if few else [])
    if few:
        assert told(session, branch, FEW_BALLOTS) == "测评的有效票不足应参加测评党员的一半：支部委员会（有效 2 张，应参加 5 人）"
