"""Reminders as they are derived (到点的提醒): the topics of a moment, and letters not yet written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from workflow.foundation.calendar import Overrides
from workflow.foundation.database import any_of
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import SCHOOL_ZONE, Stage, local_day
from workflow.mail.items import NewItem, Reader
from workflow.mail.letters import Addressed, Rendered, render
from workflow.mail.outbox import letter_key, reminder_of
from workflow.people.organisation import Person
from workflow.reminders.when import day_of_letters, days_ahead, nearest_reminder
from workflow.year.cycle import Participant, Process


@dataclass(frozen=True)
class TickMoment:
    """The moment for which reminders are derived, with other facts for their letters."""

    now: datetime
    overrides: Overrides
    base_url: str
    days_before: Mapping[int, Collection[int]]
    """The days before a deadline on which its reminders go, by the cycle whose plan sets them."""

    @property
    def today(self) -> date:
        return local_day(self.now)

    @property
    def began(self) -> datetime:
        """The beginning of the local day."""
        return datetime.combine(self.today, time(), tzinfo=SCHOOL_ZONE)

    @cached_property
    def letters_go(self) -> bool:
        """True in the hours of a working day."""
        return day_of_letters(self.now, self.overrides) is not None

    @cached_property
    def days_near(self) -> list[date]:
        """The days to come whose first reminder is due, by the plan that reminds first."""
        ahead = days_ahead(self.now)
        widest = {days for each in self.days_before.values() for days in each}
        return [day for day in ahead if nearest_reminder(day, self.now, self.overrides, widest) is not None]

    def is_near(self, day: InstrumentedAttribute[object]) -> ColumnElement[bool]:
        """Say in SQL that the first reminder of a day has come, or the day is over."""
        return or_(any_of(day, self.days_near), day < self.today)

    def step(self, due_on: date, cycle_id: int) -> int | None:
        """Return the reminder of a day of this cycle whose time has come.

        As ``nearest_reminder`` tells it.
        """
        return nearest_reminder(due_on, self.now, self.overrides, self.days_before[cycle_id])


class ProcessState(NamedTuple):
    """The state of a process when its letters were derived."""

    process_id: int
    stage: Stage
    round: int
    due_on: date | None


STANDING = (Process.id, Process.stage, Process.round, Process.due_on)
"""The columns of a ``ProcessState``."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A reminder without its recipients: its kind, its day and its reason.

    Its key has no stage: two stages with one day are one reminder, told as the branch stands when
    the letter is sent.
    """

    kind: str
    due_on: date
    reason: Words
    """The reason as the dry run shows it: 期限前3天."""
    cycle_id: int
    standing: ProcessState | None = None
    """The state of its process; None where it is about the whole year."""
    branch: str | None = None
    round: int = 1

    @property
    def process_id(self) -> int | None:
        return self.standing.process_id if self.standing else None

    @property
    def reminder(self) -> str:
        """Return the key of its letters without the recipient."""
        about = {"process_id": self.process_id, "cycle_id": self.cycle_id}
        return reminder_of(self.kind, **about, round_=self.round, due_on=self.due_on)

    def to(
        self,
        who: Participant | Person,
        address: str | None,
        compose: Callable[[], Addressed],
    ) -> Due:
        """Address a letter of it to one person."""
        number = who.person_id if isinstance(who, Participant) else who.id
        recipient = {"recipient_id": number, "staff_no": who.staff_no, "recipient_name": who.name}
        fields: dict[str, Any] = {**vars(self), **recipient, "address": address}
        return Due(**fields, compose=compose)


@dataclass(frozen=True, kw_only=True)
class Due(Topic):
    """An item of a person's letter that is due. Its words are written when the letter is sent."""

    recipient_id: int
    staff_no: str
    recipient_name: str
    address: str | None
    compose: Callable[[], Addressed]
    """Gathers the content of the item: a failure here spoils this item alone."""
    gone: bool = False
    """True if the recipient's account is disabled or they left the school."""

    @cached_property
    def key(self) -> str:
        return letter_key(self.reminder, self.recipient_id)

    @property
    def words(self) -> Rendered:
        """Write it as a letter of its own."""
        return render(self.compose())

    @property
    def item(self) -> NewItem:
        reader = Reader(self.recipient_id, self.recipient_name, self.address, self.gone)
        return NewItem(reader, self.key, self.kind, self.process_id, self.cycle_id, self.due_on)


@dataclass(frozen=True)
class ReminderSource:
    """One sort of reminder: the beginnings of its kinds, and the function that derives it."""

    kinds: tuple[str, ...]
    derive: Callable[[Session, TickMoment], Iterator[Topic]]
    """Gives each topic of the moment, and each letter (``Due``) of it."""
