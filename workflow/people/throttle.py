"""Throttling (限次): a limit of tries, counted in the database for all processes together.

A try is counted before it is made, by one upsert that is committed at once: even of many
simultaneous guesses no more than the limit get through. The time is the database's (docs/0036). A
try that turns out to be no guess is given back. Counters hold a hash of the account or address:
people type passwords into the wrong field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from sqlalchemy import Index, Interval, case, delete, not_, select, type_coerce, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import DATABASE_NOW, Base, any_of
from workflow.foundation.errors import Refusal, Words
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, Data, personal


class TooManyTries(Refusal):
    """Too many tries; after ``retry_after`` seconds it may be tried again."""

    slug = "too-many-tries"
    title = Words("尝试次数过多，请稍后再试", "too many tries, please wait")

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, ceil(wait.total_seconds()))
        minutes = ceil(self.retry_after / 60)
        super().__init__(Words(f"尝试次数过多，请 {minutes} 分钟后再试", f"too many tries, try again in {minutes} minutes"))


@dataclass(frozen=True)
class Limit:
    """A number of tries in a length of time, from the first try on."""

    what: str
    at_most: int
    within: timedelta


SIGN_IN_TO_ACCOUNT = Limit("sign in to an account", 5, timedelta(minutes=15))
SIGN_IN_FROM_ADDRESS = Limit("sign in from an address", 20, timedelta(minutes=15))
FORGOTTEN_OF_ACCOUNT = Limit("forgotten password of an account", 3, timedelta(hours=1))
FORGOTTEN_FROM_ADDRESS = Limit("forgotten password from an address", 20, timedelta(minutes=15))

SWEPT_AT_ONCE = 100


@granted()
class Attempt(Base):
    """The count of tries since the first one (尝试次数).

    No history: it says nothing of anybody, and is soon forgotten.
    """

    __tablename__ = "attempt"
    __table_args__ = (Index("ix_attempt_ends_at", "ends_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of the limit's name and of the account or address that it counts."""
    count: Mapped[int]
    ends_at: Mapped[datetime]


personal(
    Attempt,
    Area.SYSTEM,
    "尝试次数",
    Data("key 账号或来源地址的摘要", "防止猜密码", "无人；只计数", "15 分钟或 1 小时，到期由后来的尝试清除"),
    of="登录或找回密码的人",
    other="count ends_at",
)


def take(session: Session, tries: Sequence[tuple[Limit, str]]) -> None:
    """Count one try of each limit, for instance of an account and from an address.

    The transaction is committed before the try is made. Raises TooManyTries, with the longest wait,
    when one of them has had all of its tries: then none is counted.
    """
    limits = {_key(limit, whom): limit for limit, whom in tries}
    # Always in the same order: otherwise two that count the same keys could wait for each other in
    # a circle.
    rows = [{"key": key, "count": 1, "ends_at": DATABASE_NOW + limits[key].within} for key in sorted(limits)]
    counting = insert(Attempt).values(rows)
    over = Attempt.ends_at <= DATABASE_NOW
    counted = counting.on_conflict_do_update(
        index_elements=[Attempt.key],
        set_={"count": case((over, 1), else_=Attempt.count + 1), "ends_at": case((over, counting.excluded.ends_at), else_=Attempt.ends_at)},
    ).returning(Attempt.key, Attempt.count, type_coerce(Attempt.ends_at - DATABASE_NOW, Interval()))
    waits = [wait for key, count, wait in session.execute(counted) if count > limits[key].at_most]
    if waits:
        raise TooManyTries(max(waits))
    _sweep(session, list(limits))


def give_back(session: Session, limit: Limit, whom: str) -> None:
    """Take one try back: it was no guess, the password was right."""
    session.execute(update(Attempt).where(Attempt.key == _key(limit, whom), Attempt.count > 0).values(count=Attempt.count - 1))


def forget(session: Session, limit: Limit, whom: str) -> None:
    """Delete a counter, so that the count begins anew."""
    session.execute(delete(Attempt).where(Attempt.key == _key(limit, whom)))


def network_of(address: str) -> str:
    """Return the network of a client's address.

    A client with an IPv6 address has the 2**64 addresses of its network too, so those count as one.
    """
    try:
        client = ip_address(address)
    except ValueError:
        return address
    if not isinstance(client, IPv6Address):
        return str(client)
    return str(client.ipv4_mapped or ip_network((client, 64), strict=False))


def _sweep(session: Session, but: Sequence[str]) -> None:
    # It never waits, and comes last: deleting old counters cannot hold up a count.
    over = (
        select(Attempt.key)
        .where(Attempt.ends_at <= DATABASE_NOW, not_(any_of(Attempt.key, but)))
        .limit(SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(Attempt).where(Attempt.key.in_(over.scalar_subquery())), execution_options={"synchronize_session": False})


def _key(limit: Limit, whom: str) -> str:
    return sha256(f"{limit.what}\0{whom}".encode()).hexdigest()
