"""The outbox (发件箱): every letter as a row, before it is sent and after it.

The rows answer "who was told what, when". A letter has one key in words. A second queueing of it,
after a restart or from another worker, queues nothing. A sender claims one row with a lease,
commits, sends, and settles the row in a second transaction; the settling counts only while the
lease is still its own.

``next_at`` is the time from which a letter may be tried; null when it may not be tried any more. A
letter whose connection was lost after DATA may have arrived: it is ``unknown`` and is sent once
more with the same Message-ID, so that the reader's mailbox knows the second one as the same.

The table has no history: its row is the record. The text of a letter is kept as long as it may be
sent; afterwards the ledger has its kind, subject, recipient and result, and nobody reads more of
it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    CursorResult,
    ForeignKey,
    Index,
    Text,
    Update,
    all_,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from workflow.foundation.database import Base, Numbered, any_of, word
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import LetterState
from workflow.mail.letters import OF_A_DEADLINE, Rendered
from workflow.mail.links import SECRET

AT_ONCE = 500
"""The number of rows in one INSERT."""
WITHOUT_TEXT = {"text": "", "html": ""}
"""A letter that will not be sent any more: its text is personal, and may open an account."""
CONTENT = "content"
"""The beginning of the error of a letter whose message cannot be built; its type follows."""
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
        CheckConstraint("(address is null) = (state = 'no_address')", name="address"),
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


personal(
    Letter,
    Area.SYSTEM,
    "信件",
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
    other="kind state due_on attempts next_at leased_until error message_id",
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

    @property
    def key(self) -> str:
        """Return the key: two letters with one key are the same letter.

        It is made of kind, process (and record) or else cycle, round, day, recipient.
        """
        told = reminder_of(self.kind, process_id=self.process_id, cycle_id=self.cycle_id, round_=self.round, due_on=self.due_on, record=self.record)
        return letter_key(told, self.recipient_id)


@dataclass(frozen=True)
class Claimed:
    """A letter that one sender holds until ``leased_until``."""

    id: int
    kind: str
    recipient_name: str
    address: str
    subject: str
    text: str
    html: str
    message_id: str
    created_at: datetime
    attempts: int
    leased_until: datetime
    error: str | None
    """The reason that the last try failed."""
    once_more: bool
    """True if it may have arrived already: this is the one resend."""


# ── queueing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def enqueue(session: Session, letters: Sequence[NewLetter], now: datetime) -> int:
    """Queue the letters that are not queued yet; return how many that were.

    They go in one order, process by process and then by key. Otherwise two ticks that insert the
    same letters, or a tick and a move of many processes, could wait for one another in a circle.
    """
    rows = [_row(letter, now) for letter in sorted(letters, key=lambda letter: (letter.process_id or 0, letter.key))]
    if not rows:
        return 0
    # Without naming the key: two ticks in one moment make the same Message-ID too, so either
    # constraint may refuse first.
    statement = insert(Letter).on_conflict_do_nothing().returning(Letter.id)
    return len(session.scalars(statement, rows, execution_options={"insertmanyvalues_page_size": AT_ONCE}).all())


def _row(letter: NewLetter, now: datetime) -> dict[str, object]:
    address = (letter.address or "").strip() or None
    return {
        "key": letter.key,
        "kind": letter.kind,
        "process_id": letter.process_id,
        "cycle_id": letter.cycle_id,
        "recipient_id": letter.recipient_id,
        "recipient_name": letter.recipient_name,
        "address": address,
        "subject": letter.words.subject,
        "text": letter.words.text if address else "",
        "html": letter.words.html if address else "",
        "state": LetterState.PENDING if address else LetterState.NO_ADDRESS,
        "created_at": now,
        "due_on": letter.due_on,
        "attempts": 0,
        "next_at": now if address else None,
        # With the time: numbers of processes and people are the same in every school, Message-IDs
        # must not be.
        "message_id": sha256(f"{letter.key} {now.isoformat()}".encode()).hexdigest()[:32],
    }


def fates(session: Session, keys: Sequence[str]) -> dict[str, LetterState]:
    """Return the state of each key's letter, for those keys that have one."""
    return {row.key: row.state for row in session.execute(select(Letter.key, Letter.state).where(any_of(Letter.key, keys)))}


def newest_letter(session: Session) -> int:
    """Return the number of the letter that was queued last, 0 if there is none."""
    return session.scalar(select(func.max(Letter.id))) or 0


def retire_reminders(session: Session, process_ids: Collection[int]) -> None:
    """Cancel queued reminders of these processes: they moved, or the deadline did."""
    session.execute(_moot(_waiting(OF_A_DEADLINE), any_of(Letter.process_id, process_ids)))


def retire_links(session: Session, recipient_ids: Collection[int]) -> None:
    """Cancel queued letters with an older link of these people."""
    session.execute(_moot(_waiting(SECRET), any_of(Letter.recipient_id, recipient_ids)))


def retire_reminders_except(session: Session, kinds: Sequence[str], current: Collection[str], *, up_to: int) -> None:
    """Cancel queued reminders that are out of date: only the nearest one is sent.

    ``kinds`` are beginnings of kinds, ``current`` holds keys without their recipient
    (``reminder_of``). Letters queued after number ``up_to`` are not judged by it. A row that
    another transaction holds is left alone and not waited for.
    """
    reminder = func.regexp_replace(Letter.key, ":[0-9]+$", "")
    told = all_(literal(list(current), ARRAY(Text)))
    stale = select(Letter.id).where(_waiting(kinds), Letter.id <= up_to, reminder != told)
    in_order = stale.order_by(Letter.id).with_for_update(skip_locked=True)
    session.execute(_moot(Letter.id.in_(in_order.scalar_subquery())))


def reminder_of(
    kind: str, *, process_id: int | None = None, cycle_id: int | None = None, round_: int = 1, due_on: date | None, record: int | None = None
) -> str:
    """Return a letter's key without its recipient: one reminder to any number of people."""
    about = f"p{process_id}" if process_id is not None else f"c{cycle_id}"
    return f"{kind}:{about}{'' if record is None else f'.{record}'}:r{round_}:{due_on or '-'}"


def letter_key(told: str, recipient_id: int) -> str:
    """Return the key of a letter, from its reminder and its recipient."""
    return f"{told}:{recipient_id}"


def _waiting(kinds: Sequence[str]) -> ColumnElement[bool]:
    return and_(
        or_(*(Letter.kind.startswith(kind, autoescape=True) for kind in kinds)),
        Letter.next_at.is_not(None),
        any_of(Letter.state, (LetterState.PENDING, LetterState.UNKNOWN)),
    )


def _moot(*which: ColumnElement[bool]) -> Update:
    # A letter that may have arrived stays unknown, and is not sent again.
    state = case((Letter.state == LetterState.PENDING, literal(LetterState.MOOT, Letter.state.type)), else_=Letter.state)
    ended = update(Letter).where(*which).values(state=state, next_at=None, **WITHOUT_TEXT)
    return ended.execution_options(synchronize_session=False)


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def claim(session: Session, now: datetime, lease: timedelta, limit: int = 1) -> list[Claimed]:
    """Claim letters until ``now + lease``, those that wait longest first.

    Rows that another sender holds are skipped. A letter is claimed again when its sender let the
    lease run out: the sender died or hung, perhaps after DATA, so this is the letter's one resend.
    """
    in_hand = Letter.state == LetterState.SENDING
    free = (
        select(Letter.id, (Letter.state != LetterState.PENDING).label("once_more"))
        .where(Letter.next_at <= now, or_(~in_hand, Letter.leased_until <= now))
        .order_by(Letter.next_at, Letter.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    taken = (
        update(Letter)
        .where(Letter.id == free.c.id)
        .values(
            state=LetterState.SENDING,
            leased_until=now + lease,
            attempts=Letter.attempts + 1,
            next_at=case((free.c.once_more, null()), else_=Letter.next_at),
        )
        .returning(*(getattr(Letter, name) for name in _CLAIMED), free.c.once_more)
        .execution_options(synchronize_session=False)
    )
    return sorted((Claimed(**row._mapping) for row in session.execute(taken)), key=lambda claimed: claimed.id)


_CLAIMED = ("id", "kind", "recipient_name", "address", "subject", "text", "html", "message_id", "created_at", "attempts", "leased_until", "error")


def settle_sent(session: Session, letter: Claimed, now: datetime) -> bool:
    """Settle a letter that the server has taken.

    False, here and below, when the lease had run out and another sender has the letter.
    """
    return _settle(session, letter, state=LetterState.SENT, sent_at=now, next_at=None, error=None)


def settle_failed(session: Session, letter: Claimed, error: str) -> bool:
    """Settle a letter that the server refuses for good.

    A refused resend says nothing about the first sending: that stays unknown.
    """
    return _settle(session, letter, state=LetterState.UNKNOWN if letter.once_more else LetterState.FAILED, next_at=None, error=error)


def settle_retry(session: Session, letter: Claimed, next_at: datetime, error: str) -> bool:
    """Settle a try that handed nothing over: try again at ``next_at``."""
    return _settle(session, letter, state=LetterState.UNKNOWN if letter.once_more else LetterState.PENDING, next_at=next_at, error=error)


def settle_unknown(session: Session, letter: Claimed, next_at: datetime, error: str) -> bool:
    """Settle a try whose connection was lost after DATA: once more at ``next_at``.

    Not once more if this was the resend.
    """
    return _settle(session, letter, state=LetterState.UNKNOWN, next_at=None if letter.once_more else next_at, error=error)


def settle_abandoned(session: Session, now: datetime) -> int:
    """Settle resends whose sender let the lease run out: their state stays unknown.

    They are not tried a third time.
    """
    abandoned = and_(Letter.state == LetterState.SENDING, Letter.next_at.is_(None), Letter.leased_until <= now)
    values = {"state": LetterState.UNKNOWN, "leased_until": None, "error": "lease", **WITHOUT_TEXT}
    return _changed(session, update(Letter).where(abandoned).values(**values))


def _settle(session: Session, letter: Claimed, **values: Any) -> bool:
    mine = and_(Letter.id == letter.id, Letter.state == LetterState.SENDING, Letter.leased_until == letter.leased_until)
    ended = WITHOUT_TEXT if values["next_at"] is None else {}
    return _changed(session, update(Letter).where(mine).values(leased_until=None, **values, **ended)) == 1


def _changed(session: Session, statement: Update) -> int:
    done = session.execute(statement.execution_options(synchronize_session=False))
    return cast(CursorResult[Any], done).rowcount


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def letters_of(
    session: Session,
    *,
    cycle_id: int | None = None,
    process_ids: Sequence[int] | None = None,
    recipient_id: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> Sequence[Letter]:
    """List letters in the order they were written, without their texts.

    They tell who was told what, and when. An argument that is None does not filter.
    """
    statement = select(Letter).options(defer(Letter.text, raiseload=True), defer(Letter.html, raiseload=True))
    if cycle_id is not None:
        statement = statement.where(Letter.cycle_id == cycle_id)
    if process_ids is not None:
        statement = statement.where(any_of(Letter.process_id, process_ids))
    if recipient_id is not None:
        statement = statement.where(Letter.recipient_id == recipient_id)
    return session.scalars(statement.where(Letter.id > after).order_by(Letter.id).limit(limit)).all()
