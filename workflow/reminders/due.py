"""A letter that is due (到点的信), before it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from workflow.mail.letters import Rendered
from workflow.mail.outbox import NewLetter, letter_key, reminder_of


@dataclass(frozen=True, kw_only=True)
class Due:
    """A letter that is due: to whom, of what, and why. Its words are written only when they are wanted."""

    kind: str
    recipient_id: int
    staff_no: str
    recipient_name: str
    address: str | None
    reason: str
    """Why now, as the dry run tells it: 期限前3天."""
    write: Callable[[], Rendered]
    cycle_id: int
    due_on: date
    process_id: int | None = None
    branch: str | None = None
    round: int = 1

    @property
    def key(self) -> str:
        told = reminder_of(self.kind, process_id=self.process_id, cycle_id=self.cycle_id, round_=self.round, due_on=self.due_on)
        return letter_key(told, self.recipient_id)

    @property
    def words(self) -> Rendered:
        return self.write()

    @property
    def letter(self) -> NewLetter:
        return NewLetter(
            kind=self.kind,
            recipient_id=self.recipient_id,
            recipient_name=self.recipient_name,
            address=self.address,
            words=self.words,
            process_id=self.process_id,
            cycle_id=self.cycle_id,
            round=self.round,
            due_on=self.due_on,
        )
