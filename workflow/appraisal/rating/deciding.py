"""研究评定意见的会议 (the deciding meeting): its quorum, its vote on the ratings, and its minutes.

The plan: 支部委员会会议或者党员大会根据民主测评情况，综合党员日常表现情况，实事求是地对每名党员提出
评定意见……各支部要注意做好会议记录。

The plan names no quorum: shares are settings of the year. At least half of those who should attend
must be there. More than half of those who should attend, not of those present, must agree.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import ColumnElement, Integer, Subquery, Text, and_, case, cast, func, select, true

from workflow.appraisal.meetings.meetings import Meeting, MeetingAttendance
from workflow.appraisal.meetings.minutes import minutes_incomplete, minutes_unconfirmed
from workflow.appraisal.meetings.tallies import Tally
from workflow.appraisal.rating.ratings import Rating, of_members, rated
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Role, Severity, Stage
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.roll import on_roll_on

DECIDING = MeetingPurpose.DECIDING


def deciding_meetings() -> Subquery:
    """Select a row for each deciding meeting that counts.

    Columns: how many of the roll of that day should attend, how many did, whether quorum and vote
    hold, and when the minutes were confirmed.
    """
    votes = Cycle.plan["rules"]["settings"]["votes"]
    in_committee = Meeting.form == MeetingForm.COMMITTEE
    may_vote = case(
        (in_committee, Participant.on_committee),
        else_=and_(Participant.voting, Participant.excused_confirmed_by.is_(None)),
    )
    came = and_(MeetingAttendance.meeting_id == Meeting.id, MeetingAttendance.staff_no == Participant.staff_no, MeetingAttendance.present)
    those = (
        select(func.count().label("due"), func.count(MeetingAttendance.staff_no).label("came"))
        .select_from(Participant)
        .outerjoin(MeetingAttendance, came)
        .where(Participant.process_id == Meeting.process_id, *on_roll_on(Meeting.held_on), may_vote)
        .correlate(Meeting)
        .lateral("those")
    )
    quorum = case((in_committee, votes["committee_quorum"].as_string()), else_=votes["general_quorum"].as_string())
    passing = votes["general_passing"].as_string()
    enough = and_(those.c.due > 0, reaches(those.c.came, those.c.due, quorum))
    return (
        select(
            Meeting.process_id,
            Meeting.id,
            those.c.due,
            those.c.came,
            Meeting.vote_yes,
            quorum.label("quorum"),
            passing.label("passing"),
            enough.label("enough"),
            and_(enough, Meeting.vote_yes * _lower(passing) > those.c.due * _upper(passing)).label("holds"),
            func.greatest(Meeting.chair_confirmed_at, Meeting.recorder_confirmed_at).label("confirmed_at"),
        )
        .join(Process, Process.id == Meeting.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(those, true())
        .where(Meeting.counts, Meeting.purpose == DECIDING)
        .subquery()
    )


def reaches(some: ColumnElement[int], due: ColumnElement[int], share: ColumnElement[str]) -> ColumnElement[bool]:
    """Ask whether ``some`` are at least a share of ``due``; a share is written ``1/2``."""
    return some * _lower(share) >= due * _upper(share)


def _upper(share: ColumnElement[str]) -> ColumnElement[int]:
    return cast(func.split_part(share, "/", 1), Integer)


def _lower(share: ColumnElement[str]) -> ColumnElement[int]:
    return cast(func.split_part(share, "/", 2), Integer)


_asked = partial(requirement, stage=Stage.RATING, severity=Severity.HARD, todo_for=Role.SECRETARY, link="meetings")


@_asked("D1", zh="还没有作出评定的有效会议：{names}", en="no meeting has validly decided on the ratings: {names}")
def no_deciding_decision() -> Missing:
    """支部委员会会议或者党员大会根据民主测评情况，综合党员日常表现情况，实事求是地对每名党员提出评定意见"""
    held, decided = deciding_meetings().alias("held"), deciding_meetings().alias("decided")
    carried = select(decided.c.id).where(decided.c.process_id == Process.id, decided.c.holds).correlate(Process).exists()
    attendance = func.concat("应到 ", held.c.due, "，实到 ", held.c.came, "，不足", _words(held.c.quorum))
    why = case(
        (held.c.id.is_(None), "没有召开支部委员会会议或者党员大会的记录"),
        (held.c.due == 0, "没有支部委员会，应由党员大会评定"),
        (~held.c.enough, attendance),
        (held.c.vote_yes.is_(None), "没有表决结果"),
        else_=func.concat("赞成 ", held.c.vote_yes, "，未过应到的", _words(held.c.passing)),
    )
    subject = func.coalesce(cast(held.c.id, Text), "")
    return missing(Process.id, subject=subject, name=why).select_from(Process).outerjoin(held, held.c.process_id == Process.id).where(~carried)


def _words(share: ColumnElement[str]) -> ColumnElement[str]:
    return case((share == "1/2", "半数"), else_=share)


@_asked(
    "Q4",
    zh="{count} 次研究评定意见的会议的记录不完整（地点、主持人、记录人、到会、记录内容）：{names}",
    en="the minutes of {count} deciding meetings are incomplete: {names}",
)
def incomplete_deciding_minutes() -> Missing:
    """各支部要注意做好会议记录"""
    return minutes_incomplete(DECIDING)


@_asked(
    "Q4",
    todo_for=Role.MEMBER,
    zh="{count} 次研究评定意见的会议的记录还没有经记录人和主持人确认：{names}",
    en="the minutes of {count} deciding meetings are not confirmed by recorder and chair: {names}",
)
def unconfirmed_deciding_minutes() -> Missing:
    """各支部要注意做好会议记录"""
    return minutes_unconfirmed(DECIDING)


@_asked(
    "Q2",
    severity=Severity.SIGN,
    link="ratings",
    zh="{count} 名党员的等次在研究评定意见的会议的记录确认以后有改动：{names}",
    en="the levels of {count} members changed after the minutes of the decision were confirmed: {names}",
)
def levels_changed_after_the_decision() -> Missing:
    """各支部要结合党员队伍现状，按照党员评议标准，坚持实事求是，客观公正，严格程序"""
    decided = deciding_meetings().alias("decided")
    confirmed = select(func.max(decided.c.confirmed_at)).where(decided.c.process_id == Participant.process_id, decided.c.holds)
    return rated(Rating.level_set_at > confirmed.correlate(Participant).scalar_subquery())


@_asked(
    "D2",
    severity=Severity.SIGN,
    link="ratings",
    zh="{count} 名党员的等次是在现在这次民主测评计票以前评定的：{names}",
    en="the levels of {count} members are older than the ballot that stands: {names}",
)
def levels_before_the_ballot() -> Missing:
    """支部委员会会议或者党员大会根据民主测评情况，综合党员日常表现情况"""
    counted = select(func.max(Tally.counted_at)).where(Tally.process_id == Participant.process_id, *of_members())
    return rated(Rating.level_set_at < counted.correlate(Participant).scalar_subquery())


REQUIREMENTS = (
    no_deciding_decision,
    incomplete_deciding_minutes,
    unconfirmed_deciding_minutes,
    levels_changed_after_the_decision,
    levels_before_the_ballot,
)
