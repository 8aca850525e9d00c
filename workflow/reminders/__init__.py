"""Reminders (提醒): the letters that are due at a moment, derived from days and requirements.

Nothing remembers what was planned. All go from nine in the morning; after a gap only the nearest
one is written, never the missed ones too.

* A deadline: seven, three and one day before a process must be done, and on the day itself; for a
  day off the reminder goes on the working day before it. Secretary and deputy get theirs while the
  stage stands open, even with nothing missing; others who must act get their own.
* A day that is the office's own (党办的期限): as often, one letter to each of the office for all
  branches that it must bring on by then.
* Overdue (逾期), to the same people: the day after, and then every seven days until the branch has
  moved on or got a later day; for a day off it goes on the next working day. An office would ring
  up once a week.
* Help that was promised in a talk (后续帮助): the day before and the day itself, to those who talked
  and recorded it.
* Measures (整改措施), to their owner while they are under way: as for a deadline, before the day and
  after it, also when the branch has filed or the year is closed.
* Help, dispositions, commitments (后续事项): the same, to helper, leaders and members; a disposition
  only once it stands still.
* The office's week (每周汇总): on the first working day of the week, to everyone of the office.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from workflow.foundation.calendar import overrides_of
from workflow.foundation.database import any_of, in_short, is_away
from workflow.machine.gate import duties
from workflow.mail.aside import LetterAside, Unwritten, letters_aside, put_aside, take_up
from workflow.mail.letters import OF_A_DEADLINE
from workflow.mail.outbox import (
    AT_ONCE,
    NewLetter,
    enqueue,
    fates,
    newest_letter,
    retire_reminders_except,
)
from workflow.reminders.aftercare import AFTERCARE
from workflow.reminders.deadlines import near_processes, of_deadlines
from workflow.reminders.due import STANDING, Due, ProcessState, ReminderSource, TickMoment, Topic
from workflow.reminders.follow_ups import FOLLOW_UPS
from workflow.reminders.measures import MEASURES
from workflow.reminders.office import days_of_the_office, of_the_office
from workflow.reminders.week import WEEK
from workflow.year.cycle import Process
from workflow.year.deadlines import reminder_days

Begin = Callable[[], AbstractContextManager[Session]]
"""A function that opens a transaction."""

log = structlog.get_logger()


def _deadlines(session: Session, at: TickMoment) -> Iterator[Topic]:
    near = near_processes(session, at)
    days = days_of_the_office(near)
    yield from (each.topic for each in near)
    yield from days
    if at.letters_go:
        missing = duties(session, [each.process for each in near])
        yield from of_deadlines(session, near, missing, at)
        yield from of_the_office(session, days, missing, at)


SOURCES = (ReminderSource(OF_A_DEADLINE, _deadlines), FOLLOW_UPS, MEASURES, AFTERCARE, WEEK)
"""All sources of reminders: a new one is its module and its place here."""


@dataclass
class Derived:
    """All reminders of a moment, from the sources that could be derived."""

    kinds: list[str] = field(default_factory=list)
    reminders: set[str] = field(default_factory=set)
    """The keys of the reminders, without their recipients.

    Any other waiting letter of these kinds is out of date.
    """
    letters: list[Due] = field(default_factory=list)
    """The letters of the reminders, those queued or sent already too; none before nine."""
    failed: list[Exception] = field(default_factory=list)

    def is_over(self, aside: LetterAside) -> bool:
        """Tell whether a letter that was put aside is not wanted any more."""
        told = aside.key.rpartition(":")[0] in self.reminders
        return aside.kind.startswith(tuple(self.kinds)) and not told


def derive(session: Session, now: datetime, *, base_url: str) -> Derived:
    """Derive every reminder once; a source that fails is logged and stops no other."""
    at, derived = TickMoment(now, overrides_of(session), base_url, reminder_days(session)), Derived()
    for source in SOURCES:
        try:
            with session.begin_nested():
                topics = list(source.derive(session, at))
            if strange := {each.kind for each in topics if not each.kind.startswith(source.kinds)}:
                raise ValueError(f"{strange} would never be retired by {source.kinds}")
        except Exception as error:
            if is_away(error):
                raise
            log.error("not-derived", kinds=source.kinds, **in_short(error))
            derived.failed.append(error)
            continue
        derived.kinds += source.kinds
        derived.reminders |= {each.reminder for each in topics}
        if at.letters_go:
            derived.letters += [each for each in topics if isinstance(each, Due)]
    return derived


def letters_due(session: Session, now: datetime, *, base_url: str) -> list[Due]:
    """Derive the letters due at a moment. Raises ExceptionGroup if a source failed."""
    derived = derive(session, now, base_url=base_url)
    _raise(derived.failed)
    return derived.letters


def queue_due(begin: Begin, now: datetime, *, base_url: str) -> int:
    """Queue the reminders that are due and not queued yet; return how many that were.

    1. Derive once, and retire waiting letters that are not wanted any more; one transaction.
    2. Write and queue new letters, at most 500 to a transaction, in the order of ``enqueue``.
       A letter whose process has moved on meanwhile is left to the next call, as is the rest
       of a call that was broken off. One that cannot be written is put aside for an hour.
    3. Raise ExceptionGroup with the failures; all the rest has been done by then.
    """
    with begin() as session:
        # Before deriving: a letter that another worker queues from now on has newer facts than
        # ours.
        newest = newest_letter(session)
        derived = derive(session, now, base_url=base_url)
        known = fates(session, [each.key for each in derived.letters])
        retire_reminders_except(session, derived.kinds, derived.reminders, up_to=newest)
        aside = letters_aside(session)
        take_up(session, [key for key, row in aside.items() if derived.is_over(row)])
    resting = {key for key, row in aside.items() if row.next_at > now}
    fresh = [each for each in derived.letters if each.key not in known.keys() | resting]
    fresh.sort(key=lambda each: (each.process_id or 0, each.key))
    queued, failed = 0, derived.failed
    for start in range(0, len(fresh), AT_ONCE):
        try:
            with begin() as session:
                queued += _queue(session, fresh[start : start + AT_ONCE], aside, now)
        except DBAPIError as error:
            if is_away(error):
                raise
            log.error("not-queued", **in_short(error))
            failed.append(error)
    _raise(failed)
    return queued


def _queue(
    session: Session,
    due: list[Due],
    aside: Mapping[str, LetterAside],
    now: datetime,
) -> int:
    """Queue letters whose process is still in the state they were derived from.

    The processes are held until then. So a move either comes first, and the letters are derived
    anew, or it comes later and retires them.
    """
    ids = {each.process_id for each in due if each.process_id is not None}
    held = select(*STANDING).where(any_of(Process.id, ids)).order_by(Process.id)
    stand = {ProcessState(*row) for row in session.execute(held.with_for_update(read=True))}
    unmoved = [each for each in due if each.standing is None or each.standing in stand]
    written, unwritten = _write(unmoved)
    for each in unwritten:
        if each.key not in aside or aside[each.key].error != each.error:
            log.error("letter-put-aside", letter=each.key, kind=each.kind, error=each.error)
    put_aside(session, unwritten, now)
    take_up(session, aside.keys() & {letter.key for letter in written})
    return enqueue(session, written, now)


def _write(due: list[Due]) -> tuple[list[NewLetter], list[Unwritten]]:
    written: list[NewLetter] = []
    unwritten: list[Unwritten] = []
    for each in due:
        try:
            written.append(each.letter)
        # Errors of any type: they come from the data of a school, and must not cost others their
        # letters.
        except Exception as error:
            kind = type(error).__name__
            unwritten.append(Unwritten(each.key, each.kind, each.process_id, kind))
    return written, unwritten


def _raise(failed: list[Exception]) -> None:
    if failed:
        raise ExceptionGroup("reminders", failed)
