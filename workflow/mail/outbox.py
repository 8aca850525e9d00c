"""The outbox (发件箱): every letter as a row, before it is sent and after it.

The rows answer "who was told what, when". A letter has one key in words. A second queueing of it,
after a restart or from another worker, queues nothing. A letter of an act has its words from the
beginning. The reminders of one person and local day are one letter with items (``items.py``), which
gets its words when it is sent (``sending.py``).

``next_at`` is the time from which a letter may be tried; null when it may not be tried any more.
The table has no history: its row is the record. The text of a letter is kept as long as it may be
sent; afterwards the ledger has its kind, subject, recipient and result, and nobody reads more of
it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    case,
    literal,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from workflow.foundation.database import Base, Numbered, any_of, word
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import LetterState
from workflow.mail.letters import Rendered
from workflow.mail.links import SECRET

AT_ONCE = 500
"""The number of rows in one INSERT."""
WITHOUT_TEXT = {"text": "", "html": ""}
"""A letter that will not be sent any more: its text is personal, and may open an account."""
_NO_TEXT = "text = '' and html = ''"


@granted("select, insert, update")
class Letter(Numbered, Base):
    """One letter to one recipient (一封信)."""

    __tablename__ = "letter"
    __table_args__ = (
        CheckConstraint("state in ('pending', 'sending', 'unknown') or next_at is null", name="ended"),
        CheckConstraint("state <> 'pending' or next_at is not null", name="pending_is_tried"),
        CheckConstraint("(state = 'sending') = (leased_until is not null)", name="lease"),
        CheckConstraint("(state = 'sent') = (sent_at is not null)", name="sent"),
        CheckConstraint("case state when 'no_address' then address is null when 'gone' then true else address is not null end", name="address"),
        CheckConstraint(f"next_at is not null or state = 'sending' or {_NO_TEXT}", name="text"),
        Index("ix_letter_to_send", "next_at", "id", postgresql_where="next_at is not null"),
        Index("ix_letter_in_hand", "leased_until", postgresql_where="state = 'sending'"),
        Index("ix_letter_process", "process_id", "id"),
        Index("ix_letter_cycle", "cycle_id", "id"),
        Index("ix_letter_recipient", "recipient_id", "id"),
    )

    key: Mapped[str] = mapped_column(unique=True)
    """See ``NewLetter.key``."""
    kind: Mapped[str]
    process_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("process.id"))
    cycle_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    recipient_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    recipient_name: Mapped[str]
    address: Mapped[str | None]
    """The address on that day: a later change of it does not change who was told."""
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str]
    state: Mapped[LetterState] = mapped_column(word(LetterState))
    created_at: Mapped[datetime]
    due_on: Mapped[date | None]
    """The day the letter speaks of."""
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]
    """The reason that it was not sent: the step of SMTP and its code.

    Never the server's own words, which name the address.
    """
    message_id: Mapped[str] = mapped_column(unique=True)
    """The Message-ID before its ``@``."""
    record: Mapped[int | None] = mapped_column(BigInteger, sort_order=100)
    """The record of which a letter of an act speaks: a decision, a reason, a move."""
    day: Mapped[date | None] = mapped_column(sort_order=101)
    """The local day whose reminders it gathers; null for a letter of an act."""
    version: Mapped[int | None] = mapped_column(sort_order=102)
    """The version that its process had when it was written: what moved later has a greater one."""


personal(
    Letter,
    Area.SYSTEM,
    "通知邮件",
    Data(
        "key 哪一封（有收信人的编号）, recipient_id 收信人, recipient_name 收信人姓名",
        "谁得知什么",
        "read_school",
    ),
    Data(
        "subject 题目, created_at 写信时间, sent_at 寄出时间",
        "谁在什么时候得知什么",
        "read_school",
    ),
    Data("address 寄往的邮箱", "寄到哪里", "无人；寄信时用"),
    Data("text 正文, html 网页格式的正文", "寄信", "收信人", "不再寄时清空"),
    of="收信人",
    other="kind state due_on attempts next_at leased_until error message_id record day version",
)


@dataclass(frozen=True)
class NewLetter:
    """A letter to be queued. Without an address it is kept as one that could be sent to nobody."""

    kind: str
    recipient_id: int
    recipient_name: str
    address: str | None
    words: Rendered
    process_id: int | None = None
    cycle_id: int | None = None
    round: int = 1
    due_on: date | None = None
    record: int | None = None
    """The record it speaks of, where a process may have several: each has a letter of its own."""
    version: int | None = None
    """The version of its process, for a letter that is overtaken when the process moves."""
    gone: bool = False
    """True if the recipient's account is disabled or they left the school: kept, never sent."""

    @property
    def key(self) -> str:
        """Return the key: two letters with one key are the same letter.

        It is made of kind, process (and record) or else cycle, round, day, recipient.
        """
        told = reminder_of(self.kind, process_id=self.process_id, cycle_id=self.cycle_id, round_=self.round, due_on=self.due_on, record=self.record)
        return letter_key(told, self.recipient_id)


def enqueue(session: Session, letters: Sequence[NewLetter], now: datetime) -> int:
    """Queue the letters of an act that are not queued yet; return how many that were.

    A letter that was moot never left, so it is queued again with today's words. They go in one
    order, process by process and then by key. Otherwise two acts that insert the same letters could
    wait for one another in a circle.
    """
    rows = [_row(letter, now) for letter in sorted(letters, key=lambda letter: (letter.process_id or 0, letter.key))]
    if not rows:
        return 0
    return len(session.scalars(_ENQUEUE, rows, execution_options={"insertmanyvalues_page_size": AT_ONCE}).all())


def _enqueue() -> ReturningInsert[tuple[int]]:
    statement = insert(Letter)
    names = ("recipient_name", "address", "subject", "text", "html", "state", "created_at", "next_at", "attempts", "version")
    again = {name: statement.excluded[name] for name in names} | {"error": None}
    was_moot = Letter.state == LetterState.MOOT
    return statement.on_conflict_do_update(index_elements=[Letter.key], set_=again, where=was_moot).returning(Letter.id)


_ENQUEUE = _enqueue()


def _row(letter: NewLetter, now: datetime) -> dict[str, object]:
    goes = whereto(letter.key, letter.address, now, gone=letter.gone)
    return goes | {
        "kind": letter.kind,
        "process_id": letter.process_id,
        "cycle_id": letter.cycle_id,
        "recipient_id": letter.recipient_id,
        "recipient_name": letter.recipient_name,
        "subject": letter.words.subject,
        "text": letter.words.text if goes["next_at"] else "",
        "html": letter.words.html if goes["next_at"] else "",
        "due_on": letter.due_on,
        "record": letter.record,
        "version": letter.version,
    }


def whereto(key: str, address: str | None, now: datetime, *, gone: bool) -> dict[str, object]:
    """Give the columns of a new letter that say where it goes, and whether it goes at all."""
    address = (address or "").strip() or None
    state = LetterState.GONE if gone else LetterState.PENDING if address else LetterState.NO_ADDRESS
    return {
        "key": key,
        "address": address,
        "state": state,
        "created_at": now,
        "attempts": 0,
        "next_at": now if state is LetterState.PENDING else None,
        # By chance: numbers of processes and people are the same in every school. And two who queue
        # one letter at one moment must meet at its key alone.
        "message_id": uuid4().hex,
    }


def retire_links(session: Session, recipient_ids: Collection[int]) -> None:
    """Cancel queued letters with an older link of these people: their text opens an account."""
    waits = any_of(Letter.state, (LetterState.PENDING, LetterState.UNKNOWN))
    here = (any_of(Letter.kind, SECRET), any_of(Letter.recipient_id, recipient_ids), Letter.next_at.is_not(None), waits)
    # A letter that may have arrived stays unknown, and is not sent again.
    state = case((Letter.state == LetterState.PENDING, literal(LetterState.MOOT, Letter.state.type)), else_=Letter.state)
    session.execute(update(Letter).where(*here).values(state=state, next_at=None, **WITHOUT_TEXT).execution_options(synchronize_session=False))


def reminder_of(
    kind: str, *, process_id: int | None = None, cycle_id: int | None = None, round_: int = 1, due_on: date | None, record: int | None = None
) -> str:
    """Return a letter's key without its recipient: one reminder to any number of people."""
    about = f"p{process_id}" if process_id is not None else f"c{cycle_id}"
    return f"{kind}:{about}{'' if record is None else f'.{record}'}:r{round_}:{due_on or '-'}"


def letter_key(told: str, recipient_id: int) -> str:
    """Return the key of a letter, from its reminder and its recipient."""
    return f"{told}:{recipient_id}"
