"""会议记录 (minutes): the contents that the minutes of a meeting must have.

The plan: 各支部要注意做好会议记录 (Q4). Each stage asks for the minutes of its own meetings. This
file makes selects for requirements; it records nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.sql.selectable import Exists as ExistsClause

from workflow.appraisal.meetings.meetings import Meeting, MeetingAttendance
from workflow.foundation.vocabulary import MeetingPurpose, Post
from workflow.rules.requirement import Missing, missing
from workflow.year.cycle import Participant


def minutes_incomplete(*purposes: MeetingPurpose) -> Missing:
    """Select meetings whose minutes lack place, chair, recorder, attendance or text (Q4)."""
    attended = exists().where(MeetingAttendance.meeting_id == Meeting.id, MeetingAttendance.present).correlate(Meeting)
    blank = or_(*(each.is_(None) for each in (Meeting.place, Meeting.chair, Meeting.recorder, Meeting.minutes)))
    return missing(Meeting.process_id, subject=Meeting.id, name=meeting_name()).where(Meeting.counts, held_for(purposes), or_(blank, ~attended))


def minutes_unconfirmed(*purposes: MeetingPurpose) -> Missing:
    """Select meetings whose recorder or chair has not confirmed the minutes (Q4).

    There is a row for each of the two who has not.
    """
    secretary = aliased(Participant, name="secretary")
    # If they have left, the secretary must name another.
    first = (
        select(func.min(secretary.person_id))
        .where(secretary.process_id == Meeting.process_id, secretary.post == Post.SECRETARY, secretary.left_on.is_(None))
        .correlate(Meeting)
        .scalar_subquery()
    )
    someone = case((Participant.left_on.is_(None), Participant.person_id), else_=first)
    return (
        missing(Meeting.process_id, subject=Meeting.id, name=meeting_name(), person=someone)
        .join(
            Participant,
            and_(
                Participant.process_id == Meeting.process_id,
                or_(
                    and_(Participant.staff_no == Meeting.chair, Meeting.chair_confirmed_at.is_(None)),
                    and_(Participant.staff_no == Meeting.recorder, Meeting.recorder_confirmed_at.is_(None)),
                ),
            ),
        )
        .where(Meeting.counts, held_for(purposes))
    )


def a_meeting(*which: ColumnElement[bool] | InstrumentedAttribute[bool]) -> ExistsClause:
    """Ask whether there is such a meeting that counts.

    The caller correlates it with the row to which the meeting belongs.
    """
    return exists().where(Meeting.counts, *which)


def meeting_name() -> ColumnElement[str]:
    """Name a meeting in a list of what is missing: 2025-01-08 组织生活会."""
    words = case(*((Meeting.purpose == each, each.zh) for each in MeetingPurpose))
    return func.concat(Meeting.held_on, " ", words)


def held_for(purposes: Sequence[MeetingPurpose]) -> ColumnElement[bool]:
    """Limit meetings to these purposes."""
    return or_(*(Meeting.purpose == each for each in purposes))
