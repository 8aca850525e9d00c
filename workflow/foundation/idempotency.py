"""Repeated calls (重复提交): a request with an Idempotency-Key has its effect once, however often it is sent.

The key and the answer are written last in the effect's own transaction, so that they exist exactly when the effect does: a process that dies
between the two leaves neither. Only what succeeded is kept; a refusal changed nothing, and asking again may go better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import BigInteger, CursorResult, ForeignKey, Index, PrimaryKeyConstraint, SmallInteger, and_, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base
from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.history import usable
from workflow.foundation.personal import Area, Data, personal

KEPT = timedelta(days=7)
LONGEST_KEY = 255
UNIQUE = "pk_kept_answer"
"""The constraint that refuses the slower of two equal requests: it rolls back, and replays the other's answer."""


class RequestInProgress(Conflict):
    """The same request is being done at this moment."""

    slug = "request-in-progress"
    title = Words("同一请求正在处理，请稍候", "the same request is still running")


class KeptAnswer(Base):
    """What a request was answered with (已答复的请求). No history: its row is the record, and it is forgotten after seven days."""

    __tablename__ = "kept_answer"
    __table_args__ = (PrimaryKeyConstraint("person_id", "route", "key"), Index("ix_kept_answer_at", "at"))

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    route: Mapped[str]
    """Method and path."""
    key: Mapped[str]
    sent: Mapped[str]
    """SHA-256 of what was sent with it."""
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[str]
    at: Mapped[datetime]


usable(KeptAnswer.__table__, "select, insert, delete")  # type: ignore[arg-type]
personal(
    KeptAnswer,
    Area.SYSTEM,
    "已答复的请求",
    Data(
        "person_id 何人, route 办的是什么（可能有学工号）, key 请求的键, sent 内容的摘要, headers 答复的头, body 答复的正文, at 时间",
        "断线重发只生效一次",
        "办理人本人，重发时",
        f"{KEPT.days} 天",
    ),
    of="办理人，答复说到的人",
    other="status",
)


@dataclass(frozen=True)
class Repeatable:
    """One request that may be repeated: whose, where, under which key, and what was sent."""

    person_id: int
    route: str
    key: str
    sent: str


def checked_key(key: str) -> str:
    """Raises Invalid for a key that is empty, too long, or not plain ASCII."""
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Invalid(
            {"Idempotency-Key": Words(f"应为 1 至 {LONGEST_KEY} 个可见的 ASCII 字符", f"must be 1 to {LONGEST_KEY} visible ASCII characters")}
        )
    return key


def answered_before(session: Session, asked: Repeatable) -> KeptAnswer | None:
    """The answer that this request has had, or None when it is ours to do: nobody else does it while this transaction lasts.

    Raises RequestInProgress while another does it, Invalid when the key was used for something else.
    """
    number = func.hashtextextended(f"{asked.person_id} {asked.route} {asked.key}", 0)
    lock = select(func.pg_try_advisory_xact_lock(number).label("ours")).subquery("lock")
    same = and_(KeptAnswer.person_id == asked.person_id, KeptAnswer.route == asked.route, KeptAnswer.key == asked.key)
    # The look may be older than the lock: then the insert at the end is refused, and the request is asked again.
    ours, kept = session.execute(select(lock.c.ours, KeptAnswer).select_from(lock).outerjoin(KeptAnswer, same)).one()
    if kept is None and not ours:
        raise RequestInProgress
    if kept is not None and kept.sent != asked.sent:
        raise Invalid({"Idempotency-Key": Words("这个键已用于另一个请求", "this key was used for another request")})
    return cast(KeptAnswer | None, kept)


def keep_answer(session: Session, asked: Repeatable, *, status: int, headers: Mapping[str, str], body: str, now: datetime) -> None:
    """Remember the answer, as the last statement of the effect's transaction."""
    session.add(
        KeptAnswer(
            person_id=asked.person_id, route=asked.route, key=asked.key, sent=asked.sent, status=status, headers=dict(headers), body=body, at=now
        )
    )
    session.flush()


def forget_old_answers(session: Session, now: datetime) -> int:
    """Forget what is older than seven days; returns how many."""
    done = session.execute(delete(KeptAnswer).where(KeptAnswer.at < now - KEPT))
    return cast(CursorResult[Any], done).rowcount
