"""Reminders (提醒): the letters that are due at a moment, derived from days and requirements.

Nothing remembers what was planned. They go from half past eight to six on working days. All that a
person is told on a local day is one letter; its items are told once. After a gap only the nearest
reminder of a day is told, never the missed ones too.

* A deadline: seven, three and one day before a process must be done, and on the day itself; for a
  day off the reminder goes on the working day before it. Secretary and deputy get theirs while the
  stage stands open, even with nothing missing; others who must act get their own. Nobody gets any
  on the day on which the stage was entered or its day was changed. The office gets those of a
  branch that has nobody to read them.
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

``writing.py`` writes a letter when it is sent, from the items that are still true then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from workflow.foundation.calendar import overrides_of, working_day_on_or_after
from workflow.foundation.database import in_short, is_away
from workflow.foundation.vocabulary import SCHOOL_ZONE, local_day
from workflow.machine.gate import duties
from workflow.mail.aside import LetterAside, letters_aside, take_up
from workflow.mail.items import close_days_before, gather, told, waiting
from workflow.mail.letters import OF_A_DEADLINE
from workflow.mail.outbox import AT_ONCE
from workflow.people.recipients import gone_among
from workflow.reminders.aftercare import AFTERCARE
from workflow.reminders.deadlines import near_processes, of_deadlines
from workflow.reminders.due import Due, ReminderSource, TickMoment, Topic
from workflow.reminders.follow_ups import FOLLOW_UPS
from workflow.reminders.measures import MEASURES
from workflow.reminders.office import days_of_the_office, of_the_office
from workflow.reminders.week import WEEK
from workflow.reminders.when import OPENING
from workflow.year.cycle import Cycle
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

    at: TickMoment
    kinds: list[str] = field(default_factory=list)
    reminders: set[str] = field(default_factory=set)
    """The keys of the reminders, without their recipients; all others of these kinds are over."""
    letters: list[Due] = field(default_factory=list)
    """The items of the reminders, those told already too; none outside the hours."""
    failed: list[Exception] = field(default_factory=list)

    def is_over(self, aside: LetterAside) -> bool:
        """Tell whether an item that was put aside is not wanted any more."""
        told = aside.key.rpartition(":")[0] in self.reminders
        return aside.kind.startswith(tuple(self.kinds)) and not told


def derive(session: Session, now: datetime, *, base_url: str) -> Derived:
    """Derive every reminder once; a source that fails is logged and stops no other."""
    at = TickMoment(now, overrides_of(session), base_url, reminder_days(session))
    derived = Derived(at)
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
    gone = gone_among(session, {each.recipient_id for each in derived.letters}, at.today) if derived.letters else set()
    derived.letters = [replace(each, gone=True) if each.recipient_id in gone else each for each in derived.letters]
    return derived


def letters_due(session: Session, now: datetime, *, base_url: str) -> list[Due]:
    """Derive the items due at a moment. Raises ExceptionGroup if a source failed."""
    derived = derive(session, now, base_url=base_url)
    _raise(derived.failed)
    return derived.letters


def letters_to_come(session: Session, cycle: Cycle, now: datetime) -> set[int]:
    """List the people whom a year's days remind when letters go next, from tomorrow on.

    Nobody is reminded on the day on which a day is changed, so these are the letters it brings.
    """
    overrides = overrides_of(session)
    day = working_day_on_or_after(local_day(now) + timedelta(days=1), overrides)
    at = TickMoment(datetime.combine(day, OPENING, tzinfo=SCHOOL_ZONE), overrides, "", reminder_days(session))
    due = [each for each in _deadlines(session, at) if isinstance(each, Due) and each.cycle_id == cycle.id]
    known = told(session, [each.key for each in due])
    return {each.recipient_id for each in due if each.key not in known}


@dataclass(frozen=True)
class Look:
    """One look at the school: the items due, those told already, and those put aside."""

    derived: Derived
    known: Mapping[str, object]
    """The keys of the items that a letter tells."""
    waiting: Collection[str]
    """The keys of the items that were to be sent before it: all others are newer than this look."""
    aside: Mapping[str, LetterAside]


def look(begin: Begin, now: datetime, *, base_url: str) -> Look:
    """Derive once, and end letters of earlier days that did not go; one transaction."""
    with begin() as session:
        before = waiting(session)
        derived = derive(session, now, base_url=base_url)
        if derived.at.letters_go:
            close_days_before(session, derived.at.today)
        known = told(session, [each.key for each in derived.letters])
        aside = letters_aside(session)
        take_up(session, [key for key, row in aside.items() if derived.is_over(row)])
    return Look(derived, known, before, aside)


def queue(begin: Begin, seen: Look, now: datetime) -> int:
    """Queue the items that no letter tells yet; return how many that were.

    1. Gather them by recipient, at most 500 to a transaction but a recipient's never apart.
    2. What a call that was broken off has left is queued by the next one.
    3. Raise ExceptionGroup with the failures; all the rest has been done by then.
    """
    resting = {key for key, row in seen.aside.items() if row.next_at > now}
    fresh = [each for each in seen.derived.letters if each.key not in seen.known.keys() | resting]
    queued, failed = 0, list(seen.derived.failed)
    for some in _by_recipient(fresh):
        try:
            with begin() as session:
                queued += gather(session, [each.item for each in some], seen.derived.at.today, now)
        except DBAPIError as error:
            if is_away(error):
                raise
            log.error("not-queued", **in_short(error))
            failed.append(error)
    _raise(failed)
    return queued


def _by_recipient(fresh: list[Due]) -> Iterator[list[Due]]:
    batch: list[Due] = []
    fresh.sort(key=lambda each: (str(each.recipient_id), each.key))
    for _, theirs in groupby(fresh, key=lambda each: each.recipient_id):
        of_one = list(theirs)
        if batch and len(batch) + len(of_one) > AT_ONCE:
            yield batch
            batch = []
        batch += of_one
    if batch:
        yield batch


def queue_due(begin: Begin, now: datetime, *, base_url: str) -> int:
    """Look, and queue the reminders that are due; return how many items that were."""
    return queue(begin, look(begin, now, base_url=base_url), now)


def _raise(failed: list[Exception]) -> None:
    if failed:
        raise ExceptionGroup("reminders", failed)
