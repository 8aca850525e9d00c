"""Measures whose day comes near or is over (整改到期、整改逾期): told to their owner, never what they say, also after the branch has filed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Measure
from workflow.calendar import Overrides
from workflow.cycle import Cycle, Participant, Process
from workflow.database import any_of
from workflow.mail import letters
from workflow.mail.letters import measure_kind
from workflow.mail.outbox import reminder_of
from workflow.people.organisation import Branch, Person
from workflow.reminders.due import Due
from workflow.reminders.when import days_ahead, nearest_reminder, reason_of, remark_of
from workflow.vocabulary import SCHOOL_ZONE, CycleStatus, Kind, MeasureState

_UNDER_WAY = (MeasureState.OPEN, MeasureState.DOING)
# A measure goes on when its year is closed: the next year's duty report tells what became of it.
_TOLD = (CycleStatus.PUBLISHED, CycleStatus.CLOSED)


def of_measures(session: Session, now: datetime, overrides: Overrides, base_url: str) -> list[Due]:
    """One letter for all that is due on a day, to each who owns some of it and is still in the branch."""
    rows = session.execute(
        select(Participant, Person.email, Measure.due_on, func.count().label("count"), Cycle.id.label("cycle_id"), Cycle.year, Branch)
        .select_from(Measure)
        .join(Process, Process.id == Measure.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(Branch, Branch.id == Process.branch_id)
        .join(Participant, Participant.process_id == Process.id)
        .join(Person, Person.id == Participant.person_id)
        .where(any_of(Cycle.status, _TOLD), _near(now, overrides), Participant.staff_no == Measure.owner, Participant.left_on.is_(None))
        .group_by(Participant.process_id, Participant.person_id, Person.id, Measure.due_on, Cycle.id, Branch.id)
        .order_by(Participant.process_id, Participant.person_id, Measure.due_on)
    ).all()
    steps = _steps([row.due_on for row in rows], now, overrides)
    return [_of_measures(row, step, now, overrides, base_url) for row in rows if (step := steps[row.due_on]) is not None]


def _near(now: datetime, overrides: Overrides) -> ColumnElement[bool]:
    """Measures under way whose day is near or over."""
    soon = [day for day in days_ahead(now) if nearest_reminder(day, now, overrides) is not None]
    over = Measure.due_on < now.astimezone(SCHOOL_ZONE).date()
    return and_(Measure.counts, any_of(Measure.state, _UNDER_WAY), or_(any_of(Measure.due_on, soon), over))


def _steps(days: Sequence[date], now: datetime, overrides: Overrides) -> dict[date, int | None]:
    return {day: nearest_reminder(day, now, overrides) for day in set(days)}


def _of_measures(row: Any, step: int, now: datetime, overrides: Overrides, base_url: str) -> Due:
    recipient: Participant = row.Participant
    measure = letters.MeasureDue(
        recipient=recipient.name,
        today=now.astimezone(SCHOOL_ZONE).date(),
        link=letters.process_link(base_url, Kind.APPRAISAL, row.year, row.Branch.code),
        remark=remark_of(row.due_on.year),
        branch=row.Branch.name,
        due_on=row.due_on,
        count=row.count,
    )
    return Due(
        kind=measure_kind(step),
        recipient_id=recipient.person_id,
        staff_no=recipient.staff_no,
        recipient_name=recipient.name,
        address=row.email,
        reason=reason_of("整改时限", row.due_on, step, overrides),
        write=partial(letters.render, measure),
        cycle_id=row.cycle_id,
        due_on=row.due_on,
        process_id=recipient.process_id,
        branch=row.Branch.name,
    )


def open_measures(session: Session, now: datetime, overrides: Overrides) -> list[str]:
    """What is told now of measures that are under way, without whom."""
    rows = session.execute(select(Measure.process_id, Measure.due_on).where(_near(now, overrides)).distinct()).all()
    steps = _steps([row.due_on for row in rows if row.due_on], now, overrides)
    return [
        reminder_of(measure_kind(step), process_id=process_id, due_on=day)
        for process_id, day in rows
        if day is not None and (step := steps[day]) is not None
    ]
