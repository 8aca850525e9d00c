"""The office's week (每周汇总): how many branches stand where, as its overview counts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.calendar import Overrides
from workflow.cycle import Cycle
from workflow.mail import letters
from workflow.mail.letters import DIGEST
from workflow.people.organisation import holders_of
from workflow.progress import overview
from workflow.reminders.due import Due
from workflow.reminders.when import digest_of_week, remark_of
from workflow.vocabulary import SCHOOL_ZONE, CycleStatus, Kind, Role


def of_the_week(session: Session, now: datetime, overrides: Overrides, base_url: str) -> Iterator[Due]:
    monday = digest_of_week(now, overrides)
    if monday is None:
        return
    today = now.astimezone(SCHOOL_ZONE).date()
    office = holders_of(session, Role.OFFICE, today)
    for cycle in running_cycles(session):
        seen, assessed = overview(session, cycle, now=now), overview(session, cycle, now=now, kind=Kind.ASSESSMENT)
        for person in office:
            digest = letters.Digest(
                recipient=person.name,
                today=today,
                link=letters.school_link(base_url, cycle.year),
                remark=remark_of(monday.year),
                year=cycle.year,
                branches=seen.branches,
                by_stage=tuple(seen.by_stage.items()),
                overdue=seen.overdue,
                due_soon=seen.due_soon,
                returned=seen.returned,
                assessed=tuple((stage, count) for stage, count in assessed.by_stage.items() if count),
            )
            yield Due(
                kind=DIGEST,
                recipient_id=person.id,
                staff_no=person.staff_no,
                recipient_name=person.name,
                address=person.email,
                reason="每周汇总",
                write=partial(letters.render, digest),
                cycle_id=cycle.id,
                due_on=monday,
            )


def running_cycles(session: Session) -> Sequence[Cycle]:
    return session.scalars(select(Cycle).where(Cycle.status == CycleStatus.PUBLISHED).order_by(Cycle.id)).all()
