"""Days that are the office's own (党办的期限): one letter for all branches that it must bring on by then, never one for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial

from sqlalchemy.orm import Session

from workflow.gate import BY_NAME
from workflow.mail import letters
from workflow.mail.outbox import reminder_of
from workflow.people.organisation import holders_of
from workflow.reminders.deadlines import Missing, Near, duties_of, is_for_the_secretary
from workflow.reminders.due import Due
from workflow.reminders.when import remark_of
from workflow.vocabulary import SCHOOL_ZONE, STAGES, Role


def days_of_the_office(near: Sequence[Near]) -> Mapping[tuple[int, date], list[Near]]:
    """The processes that it is not for their secretary to move on, by year and day."""
    found: dict[tuple[int, date], list[Near]] = {}
    for each in near:
        if not is_for_the_secretary(each.process):
            found.setdefault((each.process.cycle_id, each.due_on), []).append(each)
    return found


def told_to_the_office(near: Sequence[Near]) -> list[str]:
    """What the office is told now, without whom."""
    return [reminder_of(here[0].kind, cycle_id=cycle_id, due_on=day) for (cycle_id, day), here in days_of_the_office(near).items()]


def of_the_office(session: Session, near: Sequence[Near], missing: Missing, now: datetime, base_url: str) -> Iterator[Due]:
    """A letter for each of the office and each such day: how many branches stand where, and how much of each clause the office itself owes."""
    today = now.astimezone(SCHOOL_ZONE).date()
    days = days_of_the_office(near)
    office = holders_of(session, Role.OFFICE, today) if days else []
    for (cycle_id, day), here in days.items():
        first = here[0]
        cycle, stages = first.process.cycle, Counter(each.process.stage for each in here)
        owed = Counter[str]()
        for each in here:
            counts = missing.get((each.process.id, None), {})
            owed.update({name: count for name, count in counts.items() if BY_NAME[name].todo_for is Role.OFFICE})
        for person in office:
            reminder = letters.OfficeReminder(
                recipient=person.name,
                today=today,
                link=letters.kind_link(base_url, first.process.kind, cycle.year),
                remark=remark_of(day.year),
                year=cycle.year,
                kind=first.process.kind,
                due_on=day,
                by_stage=tuple((stage, stages[stage]) for stage in STAGES[first.process.kind] if stage in stages),
                duties=duties_of(cycle, owed),
            )
            yield Due(
                kind=first.kind,
                recipient_id=person.id,
                staff_no=person.staff_no,
                recipient_name=person.name,
                address=person.email,
                reason=first.reason,
                write=partial(letters.render, reminder),
                cycle_id=cycle_id,
                due_on=day,
            )
