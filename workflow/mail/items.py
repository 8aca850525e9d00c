"""The items of a letter (提醒事项): the reminders of one person and local day are one letter.

Each item has the key that says what is told to whom. As long as an item stands in a letter that
goes, went or may have arrived, it is told to nobody again. An item that was not true any more when
its letter was written is left out: it may be told by a later letter, once it is true again.

An item has no words: those are written from the facts when the letter is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, all_, and_, case, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from workflow.foundation.database import DATABASE_NOW, Base, Numbered, any_of
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import LetterState
from workflow.mail.letters import REMINDERS
from workflow.mail.outbox import WITHOUT_TEXT, Letter, whereto

_OPEN = (LetterState.PENDING, LetterState.MOOT, LetterState.NO_ADDRESS, LetterState.GONE)
"""The states in which the letter of a day still takes an item."""


@granted("select, insert, update")
class LetterItem(Numbered, Base):
    """One thing of which a letter reminds (提醒事项)."""

    __tablename__ = "letter_item"
    __table_args__ = (
        Index("ix_letter_item_letter", "letter_id"),
        Index("ix_letter_item_process", "process_id"),
    )

    letter_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("letter.id"))
    """The letter that tells it, or the last one that left it out."""
    key: Mapped[str] = mapped_column(unique=True)
    """See ``outbox.reminder_of`` and ``letter_key``: what is told, and to whom."""
    kind: Mapped[str]
    process_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("process.id"))
    cycle_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    due_on: Mapped[date | None]
    """The day it speaks of."""
    left_out: Mapped[bool] = mapped_column(default=False)
    """True if it was not true any more when the letter was written, or could not be written."""


personal(
    LetterItem,
    Area.SYSTEM,
    "提醒事项",
    Data("key 哪一项（有收信人的编号）", "同一件事不提醒两次；谁得知什么", "read_school"),
    of="收信人",
    other="letter_id kind process_id cycle_id due_on left_out",
)


@dataclass(frozen=True)
class Reader:
    """The recipient of a letter of reminders."""

    id: int
    name: str
    address: str | None
    gone: bool


@dataclass(frozen=True)
class NewItem:
    """An item to be told to a reader on this day."""

    reader: Reader
    key: str
    kind: str
    process_id: int | None
    cycle_id: int | None
    due_on: date | None


def gather(session: Session, items: Sequence[NewItem], day: date, now: datetime) -> int:
    """Put items into the letters of their readers for a day; return how many were new.

    1. Make the letter of each reader, or take the one that is there. It is held. A letter that was
       moot waits again. One that is being sent, or was sent, takes no more: its reader's items are
       left to the next day.
    2. Put in the items that no letter tells.

    Both go in the order of their keys, so that two workers never wait for one another in a circle.
    """
    taking = _letters(session, {item.reader.id: item.reader for item in items}, day, now)
    rows = [
        {
            "letter_id": taking[item.reader.id],
            "key": item.key,
            "kind": item.kind,
            "process_id": item.process_id,
            "cycle_id": item.cycle_id,
            "due_on": item.due_on,
            "left_out": False,
        }
        for item in sorted(items, key=lambda item: item.key)
        if item.reader.id in taking
    ]
    if not rows:
        return 0
    statement = insert(LetterItem)
    again = {"letter_id": statement.excluded.letter_id, "left_out": False}
    put = statement.on_conflict_do_update(index_elements=[LetterItem.key], set_=again, where=LetterItem.left_out.is_(True)).returning(LetterItem.id)
    return len(session.scalars(put, rows, execution_options=_ONE_INSERT).all())


_ONE_INSERT: dict[str, Any] = {"insertmanyvalues_page_size": 1000, "populate_existing": True}


def _letters(session: Session, readers: Mapping[int, Reader], day: date, now: datetime) -> dict[int, int]:
    rows = [_letter(reader, day, now) for _, reader in sorted(readers.items(), key=lambda each: _key(each[0], day))]
    statement = insert(Letter)
    was_moot = Letter.state == LetterState.MOOT
    again = {name: case((was_moot, statement.excluded[name]), else_=getattr(Letter, name)) for name in ("state", "address", "next_at")}
    taking = statement.on_conflict_do_update(index_elements=[Letter.key], set_=again, where=any_of(Letter.state, _OPEN))
    found = session.execute(taking.returning(Letter.recipient_id, Letter.id), rows, execution_options=_ONE_INSERT)
    return {row.recipient_id: row.id for row in found}


def _letter(reader: Reader, day: date, now: datetime) -> dict[str, object]:
    return whereto(_key(reader.id, day), reader.address, now, gone=reader.gone) | {
        "kind": REMINDERS,
        "recipient_id": reader.id,
        "recipient_name": reader.name,
        "subject": f"{day.month}月{day.day}日提醒事项",
        **WITHOUT_TEXT,
        "day": day,
    }


def _key(recipient_id: int, day: date) -> str:
    return f"{REMINDERS}:{day}:{recipient_id}"


def told(session: Session, keys: Collection[str]) -> dict[str, LetterState]:
    """Return the state of each item's letter, for those items that a letter tells."""
    found = select(LetterItem.key, Letter.state).join(Letter, Letter.id == LetterItem.letter_id)
    return {row.key: row.state for row in session.execute(found.where(any_of(LetterItem.key, keys), ~LetterItem.left_out))}


def waiting(session: Session) -> set[str]:
    """Return the keys of the items whose letter is still to be sent."""
    to_send = select(LetterItem.key).join(Letter, Letter.id == LetterItem.letter_id)
    return set(session.scalars(to_send.where(Letter.next_at.is_not(None), ~LetterItem.left_out)))


def close_days_before(session: Session, day: date) -> None:
    """End letters of earlier days that did not go; what is still true goes with today's letter.

    A letter that may have arrived stays unknown and is not sent again. One that a sender holds is
    left to them, until their lease has run out.
    """
    dead = and_(Letter.state == LetterState.SENDING, Letter.leased_until <= DATABASE_NOW)
    waits = any_of(Letter.state, (LetterState.PENDING, LetterState.UNKNOWN))
    here = select(Letter.id, Letter.state).where(Letter.day < day, Letter.next_at.is_not(None), or_(waits, dead))
    found = session.execute(here.order_by(Letter.id).with_for_update(skip_locked=True)).all()
    if not found:
        return
    never = [row.id for row in found if row.state is LetterState.PENDING]
    moot = literal(LetterState.MOOT, Letter.state.type)
    ended = case((Letter.state == LetterState.PENDING, moot), else_=literal(LetterState.UNKNOWN, Letter.state.type))
    values = {"state": ended, "next_at": None, "leased_until": None, **WITHOUT_TEXT}
    these = update(Letter).where(any_of(Letter.id, [row.id for row in found])).values(**values)
    session.execute(these.execution_options(synchronize_session=False))
    leave_out(session, never)


def leave_out(session: Session, letter_ids: Collection[int], *, but: Collection[str] = ()) -> None:
    """Mark the items that letters do not tell: all of them, except those with the keys ``but``."""
    others = LetterItem.key != all_(literal(list(but), ARRAY(Text)))
    these = update(LetterItem).where(any_of(LetterItem.letter_id, letter_ids), ~LetterItem.left_out, others)
    session.execute(these.values(left_out=True).execution_options(synchronize_session=False))


def items_of(session: Session, letter_ids: Collection[int], *, left_out: bool = True) -> Sequence[LetterItem]:
    """List the items of letters in the order they came, with or without those left out."""
    here = select(LetterItem).where(any_of(LetterItem.letter_id, letter_ids)).order_by(LetterItem.id)
    return session.scalars(here if left_out else here.where(~LetterItem.left_out)).all()


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

    They tell who was told what, and when. An argument that is None does not filter; a letter of
    reminders is found by each year and process of its items.
    """
    statement = select(Letter).options(defer(Letter.text, raiseload=True), defer(Letter.html, raiseload=True))
    if cycle_id is not None:
        of_year = select(LetterItem.id).where(LetterItem.letter_id == Letter.id, LetterItem.cycle_id == cycle_id)
        statement = statement.where(or_(Letter.cycle_id == cycle_id, of_year.exists()))
    if process_ids is not None:
        of_items = select(LetterItem.letter_id).where(any_of(LetterItem.process_id, process_ids))
        statement = statement.where(Letter.id.in_(select(Letter.id).where(any_of(Letter.process_id, process_ids)).union(of_items)))
    if recipient_id is not None:
        statement = statement.where(Letter.recipient_id == recipient_id)
    return session.scalars(statement.where(Letter.id > after).order_by(Letter.id).limit(limit)).all()
