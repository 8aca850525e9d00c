"""Repeated calls (重复提交): a request with an Idempotency-Key has its effect once.

It may be sent any number of times. The key and the outcome are written last in the effect's own
transaction, so that they exist exactly when the effect does: a process that dies between the two
leaves neither. Only success is kept; a refusal changed nothing, and the next try may go better.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import BigInteger, CursorResult, ForeignKey, Index, PrimaryKeyConstraint, and_, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import DATABASE_NOW, Base
from workflow.foundation.errors import Conflict, Exists, Invalid, Words
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, Data, personal

KEPT = timedelta(days=7)
LONGEST_KEY = 255
UNIQUE = "pk_kept_outcome"
"""The constraint that refuses the slower of two equal requests.

The slower one rolls back, and replays the outcome of the other.
"""


class RequestInProgress(Conflict):
    """The same request, still running at this moment."""

    slug = "request-in-progress"
    title = Words("同一请求正在处理，请稍候", "the same request is still running")


@granted("select, insert, delete")
class KeptOutcome(Base):
    """The outcome of an act (已办结的请求).

    It has no history: the row is the record, and it is forgotten after seven days. It names the
    rows and their version, never what anybody wrote. An edge that is asked again shows the rows
    anew.
    """

    __tablename__ = "kept_outcome"
    __table_args__ = (PrimaryKeyConstraint("person_id", "route", "key"), Index("ix_kept_outcome_at", "at"))

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    route: Mapped[str]
    """Method and path: the name that its edge has for the act and its object."""
    key: Mapped[str]
    sent: Mapped[str]
    """SHA-256 of the content that was sent."""
    rows: Mapped[list[Any]] = mapped_column(JSONB)
    """Each row as its table and its key.

    Empty, and no facts: an older release kept the answer instead.
    """
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Facts that no row tells, such as a number of changed rows.

    Null where the outcome is one row.
    """
    version: Mapped[int | None]
    at: Mapped[datetime]


personal(
    KeptOutcome,
    Area.SYSTEM,
    "已办结的请求",
    Data(
        "person_id 何人, route 办的是什么（可能有学工号）, key 请求的键, sent 内容的摘要, rows 涉及的记录, at 时间",
        "断线重发只生效一次",
        "办理人本人，重发时",
        f"{KEPT.days} 天",
    ),
    of="办理人",
    other="facts",
)


@dataclass(frozen=True)
class Repeatable:
    """An act that may be repeated: its person, its object, its key, and the content sent."""

    person_id: int
    route: str
    key: str
    sent: str


def checked_key(key: str) -> str:
    """Return a key that is usable. Raises Invalid for an empty, too long, or non-ASCII one."""
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Invalid(
            {"Idempotency-Key": Words(f"应为 1 至 {LONGEST_KEY} 个可见的 ASCII 字符", f"must be 1 to {LONGEST_KEY} visible ASCII characters")}
        )
    return key


def kept_before(session: Session, asked: Repeatable) -> KeptOutcome | None:
    """Return the earlier outcome, or None when this transaction must do the act.

    With None, nobody else does it while this transaction lasts. Raises RequestInProgress while
    another does it, Invalid when the key was used for something else, Exists for an act that an
    older release did.
    """
    number = func.hashtextextended(f"{asked.person_id} {asked.route} {asked.key}", 0)
    lock = select(func.pg_try_advisory_xact_lock(number).label("ours")).subquery("lock")
    same = and_(KeptOutcome.person_id == asked.person_id, KeptOutcome.route == asked.route, KeptOutcome.key == asked.key)
    # The read may be older than the lock: then the insert at the end is refused, and the request is
    # tried again.
    ours, kept = session.execute(select(lock.c.ours, KeptOutcome).select_from(lock).outerjoin(KeptOutcome, same)).one()
    if kept is None and not ours:
        raise RequestInProgress
    if kept is not None and kept.sent != asked.sent:
        raise Invalid({"Idempotency-Key": Words("这个键已用于另一个请求", "this key was used for another request")})
    if kept is not None and not kept.rows and kept.facts is None:
        raise Exists(Words("这一请求在升级之前已经办结，请查看结果", "this was done before the upgrade; please look at what came of it"))
    return cast(KeptOutcome | None, kept)


def keep_outcome(session: Session, asked: Repeatable, *, rows: list[Any], facts: dict[str, Any] | None, version: int | None) -> None:
    """Keep the outcome, as the last statement of the effect's transaction."""
    session.add(KeptOutcome(**vars(asked), rows=rows, facts=facts, version=version, at=DATABASE_NOW))
    session.flush()


def forget_old_outcomes(session: Session) -> int:
    """Delete outcomes older than seven days by the database's clock; return how many."""
    done = session.execute(delete(KeptOutcome).where(KeptOutcome.at < DATABASE_NOW - KEPT))
    return cast(CursorResult[Any], done).rowcount
