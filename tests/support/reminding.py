"""A moment in the school, and the reminders that are due at it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, caller
from workflow.appraisal.talks.talks import TALKS
from workflow.foundation.vocabulary import SCHOOL_ZONE
from workflow.mail.letters import Rendered
from workflow.mail.outbox import Letter
from workflow.reminders import letters_due
from workflow.reminders.due import Due
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


def kinds(letters: Sequence[Due] | Sequence[Letter]) -> set[str]:
    return {letter.kind for letter in letters}


def duties(words: Rendered) -> list[str]:
    """Find the lines about missing things, without the plan's sentence."""
    return [line[line.index("【") : line.index("】") + 1] + line[line.index("（还差") :] for line in words.text.splitlines() if "【" in line]


def talk(session: Session, process: Process, talker: str, partner: str) -> None:
    body = {"held_on": date(2024, 12, 19), "talker": STAFF_NO[talker], "partner": STAFF_NO[partner]}
    TALKS.record(session, process, body, by=caller(session, talker), now=NOW)
