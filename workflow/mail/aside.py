"""Letters put aside (搁置的信): letters that could not be written, while every other letter goes.

They are not in the outbox: nobody was told anything. The letter's words and those of the error are
not kept, since they may quote a name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base, any_of
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, Data, personal

REST = timedelta(hours=1)
"""The time after which a letter that was put aside is tried again."""


@granted()
class LetterAside(Base):
    """A letter that could not be written (搁置的信).

    The row goes when the letter is written, or is not wanted any more.
    """

    __tablename__ = "letter_aside"

    key: Mapped[str] = mapped_column(primary_key=True)
    """The key that the letter would have."""
    kind: Mapped[str]
    process_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("process.id"))
    error: Mapped[str]
    """The type of the error."""
    since: Mapped[datetime]
    next_at: Mapped[datetime]


personal(
    LetterAside,
    Area.SYSTEM,
    "搁置的信",
    Data("key 哪一封（有收信人的编号）", "修好以后补写", "无人；系统检查只说是哪个支部的哪种信", "写成或不再需要时删除"),
    of="收信人",
    other="kind process_id error since next_at",
)


@dataclass(frozen=True)
class Unwritten:
    """A letter that could not be written just now."""

    key: str
    kind: str
    process_id: int | None
    error: str


def letters_aside(session: Session) -> dict[str, LetterAside]:
    """Return all letters that are put aside, by key; as a rule there are none."""
    return {row.key: row for row in session.scalars(select(LetterAside).order_by(LetterAside.key))}


def put_aside(session: Session, letters: Sequence[Unwritten], now: datetime) -> None:
    """Put letters aside for an hour, or for one more."""
    if letters:
        rows = [{**vars(each), "since": now, "next_at": now + REST} for each in letters]
        statement = insert(LetterAside).values(rows)
        again = {name: statement.excluded[name] for name in ("error", "next_at")}
        session.execute(statement.on_conflict_do_update(index_elements=["key"], set_=again))


def take_up(session: Session, keys: Collection[str]) -> None:
    """Forget that these letters were put aside: they are written, or not wanted any more."""
    if keys:
        session.execute(delete(LetterAside).where(any_of(LetterAside.key, keys)))
