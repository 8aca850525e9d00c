"""Measures whose day is near or over (整改到期、整改逾期): letters to their owner, without content.

Also after the branch has filed, and after the year is closed: the next year's duty report tells the
result. An owner who came after the roll was filed is told too.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import UNDER_WAY, Measure
from workflow.foundation.database import any_of
from workflow.foundation.errors import Words
from workflow.mail.letters import MeasureDue
from workflow.people.organisation import Person
from workflow.reminders.aftercare import by_day
from workflow.reminders.due import ReminderSource, TickMoment, Topic
from workflow.year.roll import is_gone

KIND = "measure-"
"""The beginning of the kinds: ``measure-due-7`` …; ``measure-overdue-1`` once the day is over."""


def _derive(session: Session, at: TickMoment) -> Iterator[Topic]:
    under_way = any_of(Measure.state, UNDER_WAY)
    rows = (
        select(Measure.process_id, Measure.due_on.label("day"), Person.id.label("person_id"), Measure.id)
        .join(Person, Person.staff_no == Measure.owner)
        .where(Measure.counts, under_way, at.is_near(Measure.due_on), ~is_gone(Measure.process_id, Measure.owner))
    )
    return by_day(session, at, MeasureDue, what=Words("整改时限", "the day of the measure"), kind=KIND, rows=rows)


MEASURES = ReminderSource((KIND,), _derive)
