"""A moment in the school, and the reminders that are due at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, caller
from workflow.appraisal.talks.talks import TALKS
from workflow.foundation.vocabulary import SCHOOL_ZONE, LetterState
from workflow.mail.items import LetterItem
from workflow.mail.letters import Rendered
from workflow.mail.outbox import Letter
from workflow.mail.sending import Claimed, claim, settle_sent, settle_unsent
from workflow.reminders import letters_due, queue_due
from workflow.reminders.due import Due
from workflow.reminders.overtaken import CLAIMING
from workflow.reminders.writing import Reminders
from workflow.year.cycle import Process

BASE = "https://zhibu.example.edu.cn"
LEADERS = {"张三"}
NO_OVERRIDES: dict[date, bool] = {}


def at(day: str, clock: str = "09:00") -> datetime:
    """Give a moment by the school's clock, in the form of the database."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SCHOOL_ZONE).astimezone(UTC)


def due(session: Session, process: Process, now: datetime) -> dict[str, Due]:
    """Find the letters of one process by the name of the recipient."""
    return {letter.recipient_name: letter for letter in letters_due(session, now, base_url=BASE) if letter.process_id == process.id}


@dataclass(frozen=True)
class Told:
    """An item, and what became of it: moot if its letter left it out, else as its letter."""

    kind: str
    recipient: str
    state: LetterState
    due_on: date | None
    process_id: int | None


def told_of(session: Session, process: Process | None = None) -> list[Told]:
    """List the items of all letters, or those about one process."""
    rows = session.execute(
        select(LetterItem, Letter.recipient_name, Letter.state).join(Letter, Letter.id == LetterItem.letter_id).order_by(LetterItem.id),
        execution_options={"populate_existing": True},
    )
    found = [Told(item.kind, name, LetterState.MOOT if item.left_out else state, item.due_on, item.process_id) for item, name, state in rows]
    return [each for each in found if process is None or each.process_id == process.id]


def queue(session: Session, now: datetime) -> int:
    return queue_due(lambda: nullcontext(session), now, base_url=BASE)


def send(session: Session, now: datetime) -> dict[str, Claimed]:
    """Tick without a mail server: queue, write and settle; give what went, by recipient."""
    reminders = Reminders(lambda: nullcontext(session), base_url=BASE)
    reminders.queue(now)
    sent = {}
    while found := claim(session, now, timedelta(minutes=5), day=reminders.day(now), statement=CLAIMING):
        [letter] = found
        if letter.day is None and not letter.stands:
            settle_unsent(session, letter, LetterState.MOOT)
        elif (ready := letter if letter.day is None else reminders.write(session, letter, now)) is not None:
            sent[ready.recipient_name] = ready
            assert settle_sent(session, ready, now)
    return sent


def kinds(letters: Sequence[Due | Told]) -> set[str]:
    return {letter.kind for letter in letters}


def duties(words: Rendered) -> list[str]:
    """Find the numbered lines about missing things."""
    return [line.partition(". ")[2] for line in words.text.splitlines() if re.match(r"\d+\. ", line)]


def talk(session: Session, process: Process, talker: str, partner: str) -> None:
    body = {"held_on": date(2024, 12, 19), "talker": STAFF_NO[talker], "partner": STAFF_NO[partner]}
    TALKS.record(session, process, body, by=caller(session, talker), now=NOW)
