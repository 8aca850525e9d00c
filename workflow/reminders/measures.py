"""Measures whose day is near or over (整改到期、整改逾期): letters to their owner, without content.

Also after the branch has filed, and after the year is closed.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Measure
from workflow.foundation.database import any_of
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import CycleStatus, MeasureState
from workflow.mail.letters import MeasureDue, reminder_kind
from workflow.reminders.counted import counted
from workflow.reminders.due import ReminderSource, TickMoment, Topic
from workflow.year.cycle import Cycle, Participant

KIND = "measure-"
"""The beginning of the kinds: ``measure-due-7`` …; ``measure-overdue-1`` once the day is over."""

_UNDER_WAY = (MeasureState.OPEN, MeasureState.DOING)
# A measure goes on when its year is closed: the next year's duty report tells its result.
_TOLD = (CycleStatus.PUBLISHED, CycleStatus.CLOSED)


def _derive(session: Session, at: TickMoment) -> Iterator[Topic]:
    told = any_of(Cycle.status, _TOLD)
    under_way = any_of(Measure.state, _UNDER_WAY)
    return counted(
        session,
        at,
        MeasureDue,
        what=Words("整改时限", "the day of the measure"),
        kind=lambda step: f"{KIND}{reminder_kind(step)}",
        step_of=at.step,
        record=Measure,
        day=Measure.due_on,
        owner=Participant.staff_no == Measure.owner,
        where=(told, Measure.counts, under_way, at.is_near(Measure.due_on)),
    )


MEASURES = ReminderSource((KIND,), _derive)
