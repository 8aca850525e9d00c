"""Reminders (提醒): which letters are due at a moment, derived from deadlines and requirements. Nothing remembers what was planned.

Seven, three and one day before a process must be done, and on the day itself; where that is a day off, on the working day before it; from
nine in the morning. After a gap only the nearest one is written, never the missed ones too. Secretary and deputy get theirs while the stage
stands open, even with nothing missing; whoever else must act gets his own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, contains_eager

from workflow.calendar import unannounced, working_day_on_or_before
from workflow.cycle import Cycle, Participant, Process
from workflow.database import any_of
from workflow.gate import duties
from workflow.mail.letters import REMINDER_DAYS, Duty, Reminder, branch_link, reminder, reminder_kind
from workflow.mail.outbox import NewLetter, enqueue, letter_key, queued_keys, reminder_of, retire_reminders_except
from workflow.people.organisation import Person
from workflow.vocabulary import SCHOOL_ZONE, WORKING_STAGES, CycleStatus, Post

OPENING = time(9)
"""Letters go from nine in the morning, as the school's clock says it."""
HORIZON = timedelta(days=31)
"""Longer than the first reminder and the longest holiday before it."""

_LEADERS = (Post.SECRETARY, Post.DEPUTY)
_WORKING = [stage for stages in WORKING_STAGES.values() for stage in stages]


def letters_due(session: Session, now: datetime, *, base_url: str) -> list[NewLetter]:
    """Every reminder that is due at a moment, those included that are queued or sent already. None before nine in the morning."""
    return [_letter(each, now, base_url) for each in _due(session, _near(session, now), now)]


def queue_due(session: Session, now: datetime, *, base_url: str) -> int:
    """Queue the reminders that are due and not queued yet, and tell how many that were. Those that wait and are due no more become moot."""
    near = _near(session, now)
    due = _due(session, near, now)
    known = queued_keys(session, [each.key for each in due])
    queued = enqueue(session, [_letter(each, now, base_url) for each in due if each.key not in known], now)
    # After the inserts: it waits for nobody, so that whoever waits for these rows never waits in a circle.
    retire_reminders_except(session, [each.told for each in near])
    return queued


def nearest_reminder(due_on: date, now: datetime) -> int | None:
    """The last reminder of a day whose time has come: 7, 3, 1 or 0 days before. None before the first, and once the day is over."""
    local = now.astimezone(SCHOOL_ZONE)
    if local.date() > due_on:
        return None
    return min((days for days in REMINDER_DAYS if goes_at(due_on, days) <= local), default=None)


def goes_at(due_on: date, days_before: int) -> datetime:
    """When a reminder goes: at nine, on the working day on or before that day."""
    return datetime.combine(working_day_on_or_before(due_on - timedelta(days=days_before)), OPENING, tzinfo=SCHOOL_ZONE)


# ── who is told ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Near:
    """A process whose day is near: which reminder of it is the nearest now."""

    process: Process
    due_on: date
    days_before: int

    @property
    def kind(self) -> str:
        return reminder_kind(self.days_before)

    @property
    def told(self) -> str:
        return reminder_of(self.kind, process_id=self.process.id, round_=self.process.round, due_on=self.due_on)


@dataclass(frozen=True)
class _Due:
    """One reminder to one person."""

    near: _Near
    person_id: int
    name: str
    address: str | None
    leads: bool
    duties: tuple[Duty, ...]

    @property
    def key(self) -> str:
        return letter_key(self.near.told, self.person_id)


def _near(session: Session, now: datetime) -> list[_Near]:
    """The processes of published cycles that stand in a stage whose day is near, in id order."""
    today = now.astimezone(SCHOOL_ZONE).date()
    rows = session.scalars(
        select(Process)
        .join(Process.cycle)
        .join(Process.branch)
        .options(contains_eager(Process.cycle), contains_eager(Process.branch))
        .where(Cycle.status == CycleStatus.PUBLISHED, any_of(Process.stage, _WORKING), Process.due_on.between(today, today + HORIZON))
        .order_by(Process.id)
        .execution_options(populate_existing=True)
    )
    nearest = {day: nearest_reminder(day, now) for day in (today + timedelta(days=n) for n in range(HORIZON.days + 1))}
    return [_Near(process, process.due_on, days) for process in rows if process.due_on is not None and (days := nearest[process.due_on]) is not None]


def _due(session: Session, near: Sequence[_Near], now: datetime) -> list[_Due]:
    if now.astimezone(SCHOOL_ZONE).time() < OPENING:
        return []
    missing = duties(session, [each.process for each in near])
    by_process = {each.process.id: each for each in near}
    acting = [person_id for _, person_id in missing if person_id is not None]
    roll = session.execute(
        select(Participant, Person.email)
        .join(Person, Person.id == Participant.person_id)
        .where(
            any_of(Participant.process_id, list(by_process)),
            Participant.left_on.is_(None),
            or_(any_of(Participant.post, _LEADERS), any_of(Participant.person_id, acting)),
        )
        .order_by(Participant.process_id, Participant.person_id)
    )
    found = []
    for row, address in roll:
        each, leads = by_process[row.process_id], row.post in _LEADERS
        counts = missing.get((row.process_id, None if leads else row.person_id), {})
        if leads or counts:
            told = tuple(Duty(clause, each.process.cycle.sentence(clause), count) for clause, count in counts.items())
            found.append(_Due(each, row.person_id, row.name, address, leads, told))
    return found


def _letter(due: _Due, now: datetime, base_url: str) -> NewLetter:
    process, due_on = due.near.process, due.near.due_on
    caveat = unannounced(due_on.year)
    words = reminder(
        Reminder(
            recipient=due.name,
            branch=process.branch.name,
            year=process.cycle.year,
            stage=process.stage,
            due_on=due_on,
            today=now.astimezone(SCHOOL_ZONE).date(),
            leads=due.leads,
            duties=due.duties,
            link=branch_link(base_url, process.cycle.year, process.branch.code),
            kind=process.kind,
            remark=caveat.zh if caveat else None,
        )
    )
    return NewLetter(
        kind=due.near.kind,
        recipient_id=due.person_id,
        recipient_name=due.name,
        address=due.address,
        words=words,
        process_id=process.id,
        cycle_id=process.cycle_id,
        round=process.round,
        due_on=due_on,
    )
