"""Reminders (提醒): which letters are due at a moment, derived from days and requirements. Nothing remembers what was planned.

* A deadline: seven, three and one day before a process must be done, and on the day itself; where that is a day off, on the working day before it.
  Secretary and deputy get theirs while the stage stands open, even with nothing missing; whoever else must act gets his own.
* A day that is the office's own (党办的期限): as often, one letter to each of the office for all branches that it must bring on by then.
* Overdue (逾期), to the same people: the day after, and then every seven days until the branch has moved on or got a later day; where that is a
  day off, on the next working day. Once a week is what an office would ring up for.
* Help that was promised in a talk (后续帮助): the day before and the day itself, to who talked and who recorded it.
* Measures (整改措施), to their owner while they are under way: as for a deadline, before the day and after it, also when the branch has filed or the
  year is closed.
* The office's week (每周汇总): on the first working day of the week, to everyone of the office.

All from nine in the morning. After a gap only the nearest one is written, never the missed ones too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy.orm import Session

from workflow.calendar import overrides_of
from workflow.gate import duties
from workflow.mail.letters import DIGEST
from workflow.mail.outbox import AT_ONCE, enqueue, fates, reminder_of, retire_reminders_except
from workflow.reminders.deadlines import near_processes, of_deadlines
from workflow.reminders.due import Due
from workflow.reminders.follow_ups import of_follow_ups, open_follow_ups
from workflow.reminders.measures import of_measures, open_measures
from workflow.reminders.office import of_the_office, told_to_the_office
from workflow.reminders.week import of_the_week, running_cycles
from workflow.reminders.when import OPENING, digest_of_week
from workflow.vocabulary import SCHOOL_ZONE

Begin = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction."""


def letters_due(session: Session, now: datetime, *, base_url: str) -> list[Due]:
    """Every reminder that is due at a moment, those included that are queued or sent already. None before nine in the morning."""
    if now.astimezone(SCHOOL_ZONE).time() < OPENING:
        return []
    overrides = overrides_of(session)
    near = near_processes(session, now, overrides)
    missing = duties(session, [each.process for each in near])
    return [
        *of_deadlines(session, near, missing, now, base_url),
        *of_the_office(session, near, missing, now, base_url),
        *of_follow_ups(session, now, overrides, base_url),
        *of_measures(session, now, overrides, base_url),
        *of_the_week(session, now, overrides, base_url),
    ]


def queue_due(begin: Begin, now: datetime, *, base_url: str) -> int:
    """Queue the reminders that are due and not queued yet, and tell how many that were. Those that wait and are due no more become moot.

    At most 500 to a transaction, in the order of ``enqueue``; broken off in the middle, the next call queues the rest.
    """
    with begin() as session:
        due = letters_due(session, now, base_url=base_url)
        known = fates(session, [each.key for each in due])
    fresh = sorted((each for each in due if each.key not in known), key=lambda each: (each.process_id or 0, each.key))
    queued = 0
    for start in range(0, len(fresh), AT_ONCE):
        written = [each.letter for each in fresh[start : start + AT_ONCE]]
        with begin() as session:
            queued += enqueue(session, written, now)
    # Last, and from what holds by now: a branch may have moved on since its letter was derived.
    with begin() as session:
        retire_reminders_except(session, _current(session, now))
    return queued


def _current(session: Session, now: datetime) -> list[str]:
    """What is told now, without whom: whatever else waits has been overtaken."""
    overrides = overrides_of(session)
    monday = digest_of_week(now, overrides)
    near = near_processes(session, now, overrides)
    return [
        *(each.told for each in near),
        *told_to_the_office(near),
        *open_follow_ups(session, now, overrides),
        *open_measures(session, now, overrides),
        *(reminder_of(DIGEST, cycle_id=cycle.id, due_on=monday) for cycle in running_cycles(session)),
    ]
