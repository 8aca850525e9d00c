"""Sending (投递登记): claiming a letter, writing the words of reminders, settling what became of it.

A sender claims one row with a lease, commits, asks once more before the letter leaves whether the
lease holds, and settles the row in a second transaction; the settling counts only while the lease
is still its own. Leases are told by the database's clock alone (docs/0036); ``now`` says which
letters are due. A letter whose connection was lost after DATA may have arrived: it is ``unknown``
and is sent once more with the same Message-ID, so that the reader's mailbox knows the second one as
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Date,
    DateTime,
    Integer,
    Interval,
    Update,
    and_,
    bindparam,
    case,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from workflow.foundation.database import DATABASE_NOW
from workflow.foundation.vocabulary import LetterState
from workflow.mail.letters import Rendered
from workflow.mail.outbox import WITHOUT_TEXT, Letter

CONTENT = "content"
"""The beginning of the error of a letter whose message cannot be built; its type follows."""


@dataclass(frozen=True)
class Claimed:
    """A letter that one sender holds until ``leased_until``."""

    id: int
    kind: str
    recipient_id: int
    recipient_name: str
    address: str
    subject: str
    text: str
    html: str
    message_id: str
    created_at: datetime
    day: date | None
    """The day whose reminders it gathers; None for a letter of an act."""
    attempts: int
    leased_until: datetime
    error: str | None
    """The reason that the last try failed."""
    once_more: bool
    """True if it may have arrived already: this is the one resend."""
    stands: bool
    """False if what it says was withdrawn, decided or done before it left."""


def claiming(stands: ColumnElement[bool]) -> Update:
    """Make the statement of ``claim``, once: it is run for every letter.

    ``stands`` says in SQL whether a letter of an act is still wanted; it may ask for ``NOW``.
    """
    in_hand = Letter.state == LetterState.SENDING
    free = (
        select(Letter.id, (Letter.state != LetterState.PENDING).label("once_more"))
        .where(Letter.next_at <= NOW, or_(~in_hand, Letter.leased_until <= DATABASE_NOW), or_(Letter.day.is_(None), Letter.day == _DAY))
        .order_by(Letter.next_at, Letter.id)
        .limit(_LIMIT)
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    return (
        update(Letter)
        .where(Letter.id == free.c.id)
        .values(
            state=LetterState.SENDING,
            leased_until=DATABASE_NOW + _LEASE,
            attempts=Letter.attempts + 1,
            next_at=case((free.c.once_more, null()), else_=Letter.next_at),
        )
        .returning(*(getattr(Letter, name) for name in _CLAIMED), free.c.once_more, stands.label("stands"))
        .execution_options(synchronize_session=False)
    )


NOW = bindparam("moment", type_=DateTime(timezone=True))
"""The moment of the claim, as ``stands`` may name it."""
_LEASE, _DAY, _LIMIT = bindparam("lease", type_=Interval()), bindparam("today", type_=Date()), bindparam("most", type_=Integer())
_CLAIMED = tuple(name for name in Claimed.__dataclass_fields__ if name not in ("once_more", "stands"))
ANY = claiming(true())


def claim(session: Session, now: datetime, lease: timedelta, limit: int = 1, *, day: date | None = None, statement: Update = ANY) -> list[Claimed]:
    """Claim letters that are due ``now`` for a lease, those that wait longest first.

    Rows that another sender holds are skipped. A letter is claimed again when its sender let the
    lease run out: the sender died or hung, perhaps after DATA, so this is the letter's one resend.
    Reminders are claimed of ``day`` alone, of none without it.
    """
    taken = session.execute(statement, {"moment": now, "lease": lease, "today": day, "most": limit})
    return sorted((Claimed(**row._mapping) for row in taken), key=lambda claimed: claimed.id)


def may_leave(session: Session, letter: Claimed, answer: timedelta) -> bool:
    """Tell whether a sender still holds a letter, and long enough for the server's ``answer``.

    It is asked just before the letter is handed over: until then a sender may have stood still for
    any time, and another may have sent the letter.
    """
    return session.scalar(_MAY_LEAVE, {"letter": letter.id, "until": letter.leased_until, "answer": answer}) is not None


_UNTIL = bindparam("until", type_=DateTime(timezone=True))
_MAY_LEAVE = select(literal(1)).where(
    Letter.id == bindparam("letter", type_=BigInteger()),
    Letter.state == LetterState.SENDING,
    Letter.leased_until == _UNTIL,
    Letter.leased_until > DATABASE_NOW + bindparam("answer", type_=Interval()),
)


def write(session: Session, letter: Claimed, words: Rendered) -> None:
    """Keep the words that a claimed letter of reminders goes with."""
    _settle(session, letter, state=LetterState.SENDING, leased_until=letter.leased_until, **vars(words))


def settle_sent(session: Session, letter: Claimed, now: datetime) -> bool:
    """Settle a letter that the server has taken.

    False, here and below, when the lease had run out and another sender has the letter.
    """
    return _end(session, letter, state=LetterState.SENT, sent_at=now, error=None)


def settle_failed(session: Session, letter: Claimed, error: str) -> bool:
    """Settle a letter that the server refuses for good.

    A refused resend says nothing about the first sending: that stays unknown.
    """
    return _end(session, letter, state=LetterState.UNKNOWN if letter.once_more else LetterState.FAILED, error=error)


def settle_retry(session: Session, letter: Claimed, next_at: datetime, error: str | None) -> bool:
    """Settle a try that handed nothing over: try again at ``next_at``."""
    return _settle(session, letter, state=LetterState.UNKNOWN if letter.once_more else LetterState.PENDING, next_at=next_at, error=error)


def settle_unknown(session: Session, letter: Claimed, next_at: datetime, error: str) -> bool:
    """Settle a try whose connection was lost after DATA: once more at ``next_at``.

    Not once more if this was the resend.
    """
    if letter.once_more:
        return _end(session, letter, state=LetterState.UNKNOWN, error=error)
    return _settle(session, letter, state=LetterState.UNKNOWN, next_at=next_at, error=error)


def settle_unsent(session: Session, letter: Claimed, state: LetterState) -> bool:
    """Settle a letter that is not wanted (moot), or whose reader is gone, before it left.

    One that may have arrived stays unknown, and is not sent again.
    """
    return _end(session, letter, state=LetterState.UNKNOWN if letter.once_more else state)


def settle_abandoned(session: Session) -> int:
    """Settle resends whose sender let the lease run out: their state stays unknown.

    They are not tried a third time.
    """
    abandoned = and_(Letter.state == LetterState.SENDING, Letter.next_at.is_(None), Letter.leased_until <= DATABASE_NOW)
    values = {"state": LetterState.UNKNOWN, "leased_until": None, "error": "lease", **WITHOUT_TEXT}
    return _changed(session, update(Letter).where(abandoned).values(**values))


def _end(session: Session, letter: Claimed, **values: Any) -> bool:
    return _settle(session, letter, next_at=None, **values, **WITHOUT_TEXT)


def _settle(session: Session, letter: Claimed, **values: Any) -> bool:
    mine = and_(Letter.id == letter.id, Letter.state == LetterState.SENDING, Letter.leased_until == letter.leased_until)
    return _changed(session, update(Letter).where(mine).values(**{"leased_until": None, **values})) == 1


def _changed(session: Session, statement: Update) -> int:
    done = session.execute(statement.execution_options(synchronize_session=False))
    return cast(CursorResult[Any], done).rowcount
