"""Reminders (提醒): which letters are due at a moment, derived from days and requirements.

Nothing remembers what was planned. All go from nine in the morning; after a gap only the nearest one
is written, never the missed ones too.

* A deadline: seven, three and one day before a process must be done, and on the day itself; a day off
  gives way to the working day before it. Secretary and deputy get theirs while the stage stands open,
  even with nothing missing; others who must act get their own.
* A day that is the office's own (党办的期限): as often, one letter to each of the office for all
  branches that it must bring on by then.
* Overdue (逾期), to the same people: the day after, and then every seven days until the branch has
  moved on or got a later day; a day off gives way to the next working day. An office would ring up
  once a week.
* Help that was promised in a talk (后续帮助): the day before and the day itself, to those who talked
  and recorded it.
* Measures (整改措施), to their owner while they are under way: as for a deadline, before the day and
  after it, also when the branch has filed or the year is closed.
* The office's week (每周汇总): on the first working day of the week, to everyone of the office.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from workflow.calendar import overrides_of
from workflow.cycle import Process
from workflow.database import any_of, is_away, sqlstate
from workflow.gate import duties
from workflow.mail.letters import OF_A_DEADLINE
from workflow.mail.outbox import AT_ONCE, enqueue, fates, newest_letter, retire_reminders_except
from workflow.reminders.deadlines import near_processes, of_deadlines
from workflow.reminders.due import STANDING, Due, Moment, Source, Standing, Topic
from workflow.reminders.follow_ups import FOLLOW_UPS
from workflow.reminders.measures import MEASURES
from workflow.reminders.office import days_of_the_office, of_the_office
from workflow.reminders.week import WEEK

Begin = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction."""

log = structlog.get_logger()


def _deadlines(session: Session, at: Moment) -> Iterator[Topic]:
    near = near_processes(session, at)
    days = days_of_the_office(near)
    yield from (each.topic for each in near)
    yield from days
    if at.letters_go:
        missing = duties(session, [each.process for each in near])
        yield from of_deadlines(session, near, missing, at)
        yield from of_the_office(session, days, missing, at)


SOURCES = (Source(OF_A_DEADLINE, _deadlines), FOLLOW_UPS, MEASURES, WEEK)
"""All reminders there are: a new one is its module and its place here."""


@dataclass
class Derived:
    """All that is told at a moment, of the sources that could be derived."""

    kinds: list[str] = field(default_factory=list)
    reminders: set[str] = field(default_factory=set)
    """What is told now, without whom: whatever else of these kinds waits has been overtaken."""
    letters: list[Due] = field(default_factory=list)
    """Those included that are queued or sent already. None before nine in the morning."""
    failed: list[Exception] = field(default_factory=list)


def derive(session: Session, now: datetime, *, base_url: str) -> Derived:
    """Derive every reminder once; a source that fails is logged and stops no other."""
    at, derived = Moment(now, overrides_of(session), base_url), Derived()
    for source in SOURCES:
        try:
            with session.begin_nested():
                topics = list(source.derive(session, at))
            if strange := {each.kind for each in topics if not each.kind.startswith(source.kinds)}:
                raise ValueError(f"{strange} would never be retired by {source.kinds}")
        except Exception as error:
            if is_away(error):
                raise
            state = sqlstate(error) if isinstance(error, DBAPIError) else None
            log.error("not-derived", kinds=source.kinds, error=type(error).__name__, sqlstate=state)
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
    """Queue the reminders that are due and not queued yet, and tell how many that were.

    1. Derive once, and retire what waits and is told no more; one transaction.
    2. Write and queue what is new, at most 500 to a transaction, in the order of ``enqueue``.
       A letter whose process has moved on meanwhile is left to the next call, as is the rest
       of a call that was broken off.
    3. Raise ExceptionGroup with what failed; all the rest has been done by then.
    """
    with begin() as session:
        # Before deriving: what another worker queues from now on knows more than we do.
        newest = newest_letter(session)
        derived = derive(session, now, base_url=base_url)
        known = fates(session, [each.key for each in derived.letters])
        retire_reminders_except(session, derived.kinds, derived.reminders, up_to=newest)
    fresh = [each for each in derived.letters if each.key not in known]
    fresh.sort(key=lambda each: (each.process_id or 0, each.key))
    queued = 0
    for start in range(0, len(fresh), AT_ONCE):
        with begin() as session:
            queued += _queue(session, fresh[start : start + AT_ONCE], now)
    _raise(derived.failed)
    return queued


def _queue(session: Session, due: list[Due], now: datetime) -> int:
    """Queue letters whose process still stands as they were derived; hold it until they are.

    So a move either comes first, and they are derived anew, or retires them when it comes.
    """
    ids = {each.process_id for each in due if each.process_id is not None}
    held = select(*STANDING).where(any_of(Process.id, ids)).order_by(Process.id)
    stand = {Standing(*row) for row in session.execute(held.with_for_update(read=True))}
    unmoved = [each for each in due if each.standing is None or each.standing in stand]
    return enqueue(session, [each.letter for each in unmoved], now)


def _raise(failed: list[Exception]) -> None:
    if failed:
        raise ExceptionGroup("reminders", failed)
