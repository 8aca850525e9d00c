"""Throttling (限次): limits of tries, counted in the database for all processes together.

A try is counted before it is made, by one upsert that is committed at once: even of many
simultaneous guesses no more than the limit get through. The time is the database's (docs/0036). A
try that turns out to be no guess is given back. Counters hold a hash of what they count: people
type passwords into the wrong field. What is limited, and why a stranger can slow an account but
not lock it: docs/0040.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from sqlalchemy import ColumnElement, Index, Interval, and_, case, delete, false, func, literal, or_, select, text, true, type_coerce, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import DATABASE_NOW, Base
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
        zh, en = (f"{minutes} 分钟", f"{minutes} minutes") if self.retry_after > 60 else (f"{self.retry_after} 秒", f"{self.retry_after} seconds")
        super().__init__(Words(f"尝试次数过多，请 {zh}后再试", f"too many tries, try again in {en}"))


@dataclass(frozen=True)
class Limit:
    """A number of tries in a length of time, from the first try on."""

    what: str
    at_most: int
    within: timedelta
    longest: timedelta | None = None
    """The longest wait between two tries beyond ``at_most``: it begins with a second and doubles.

    None: no further try until the time is over.
    """


PAIR = Limit("sign in to an account from one place", 5, timedelta(minutes=15))
"""The guesses at one account from one network, or in one marked browser."""
ACCOUNT = Limit("sign in to an account from all networks", 20, timedelta(hours=1), longest=timedelta(seconds=30))
"""The guesses at one account from all networks: beyond them each network waits before a guess."""
NETWORK = Limit("sign in from a network", 50, timedelta(hours=1), longest=timedelta(minutes=1))
"""The guesses from one network at any account. A campus may be one network."""
WELCOME = Limit("signed in from a network", 1, timedelta(hours=1))
"""One account that signed in from a network: it makes up for one guess there, once an hour."""
FORGOTTEN_OF_ACCOUNT = Limit("forgotten password of an account", 3, timedelta(hours=1))
FORGOTTEN_FROM_NETWORK = Limit("forgotten password from a network", 50, timedelta(hours=1), longest=timedelta(minutes=1))

SWEPT_AT_ONCE = 100
NO_WAIT = timedelta(0)


@granted()
class Attempt(Base):
    """The count of tries since the first one (尝试次数).

    No history: it says nothing of anybody, and is soon forgotten.
    """

    __tablename__ = "attempt"
    __table_args__ = (Index("ix_attempt_ends_at", "ends_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of the limit's name and of what it counts: an account, a network, a browser."""
    count: Mapped[int]
    ends_at: Mapped[datetime]
    tried_at: Mapped[datetime] = mapped_column(server_default=text("statement_timestamp()"), sort_order=100)
    """The time of the last try that was let through, or from which the first one waits."""
    refused: Mapped[bool] = mapped_column(server_default=text("false"), sort_order=101)
    """True if the newest try was not let through."""


personal(
    Attempt,
    Area.SYSTEM,
    "尝试次数",
    Data("key 账号、来源地址或浏览器标记的摘要", "防止猜密码", "无人；只计数", "15 分钟或 1 小时，到期由后来的尝试清除"),
    of="登录或找回密码的人",
    other="count ends_at tried_at refused",
)


def take(session: Session, limit: Limit, *whom: str, gap: timedelta = NO_WAIT) -> timedelta | None:
    """Count one try, unless it must wait: then return for how long.

    The transaction is committed before the try is made. With a ``gap`` each try, the first one too,
    comes so long after it was first asked for, or after the one before.
    """
    fresh = insert(Attempt).values(
        key=_key(limit, *whom), count=0 if gap else 1, ends_at=DATABASE_NOW + limit.within, tried_at=DATABASE_NOW, refused=bool(gap)
    )
    over, begins = Attempt.ends_at <= DATABASE_NOW, fresh.excluded
    free_at = Attempt.tried_at + _between(limit, gap)
    passes = and_(~over, or_(Attempt.count < limit.at_most, true() if limit.longest else false()), free_at <= DATABASE_NOW)
    ends_first = and_(Attempt.count >= limit.at_most, false() if limit.longest else true())
    counted = fresh.on_conflict_do_update(
        index_elements=[Attempt.key],
        set_={
            "count": case((over, begins.count), (passes, Attempt.count + 1), else_=Attempt.count),
            "ends_at": case((over, begins.ends_at), else_=Attempt.ends_at),
            "tried_at": case((or_(over, passes), DATABASE_NOW), else_=Attempt.tried_at),
            "refused": case((over, begins.refused), else_=~passes),
        },
    ).returning(Attempt.refused, type_coerce(case((ends_first, Attempt.ends_at), else_=free_at) - DATABASE_NOW, Interval()))
    refused, wait = session.execute(counted).one()
    _sweep(session, _key(limit, *whom))
    return wait if refused else None


def _between(limit: Limit, gap: timedelta) -> ColumnElement[timedelta]:
    """Say in SQL how long after the last try the next one comes."""
    least = literal(gap, Interval)
    if limit.longest is None:
        return least
    # Doubled from a second on; of a large count no more than the bound is needed.
    beyond = func.least(Attempt.count - limit.at_most, 20)
    grown = func.least(literal(limit.longest, Interval), func.power(2, beyond) * literal(timedelta(seconds=1), Interval))
    return case((Attempt.count < limit.at_most, least), else_=func.greatest(least, grown))


def add(session: Session, limit: Limit, *whom: str) -> None:
    """Count one try that another limit let through."""
    fresh = insert(Attempt).values(key=_key(limit, *whom), count=1, ends_at=DATABASE_NOW + limit.within)
    over, begins = Attempt.ends_at <= DATABASE_NOW, fresh.excluded
    count, ends_at = case((over, 1), else_=Attempt.count + 1), case((over, begins.ends_at), else_=Attempt.ends_at)
    session.execute(fresh.on_conflict_do_update(index_elements=[Attempt.key], set_={"count": count, "ends_at": ends_at}))


def first(session: Session, limit: Limit, *whom: str) -> bool:
    """Tell whether it is the first time within a limit's length of time, and remember it."""
    fresh = insert(Attempt).values(key=_key(limit, *whom), count=1, ends_at=DATABASE_NOW + limit.within)
    again = fresh.on_conflict_do_update(index_elements=[Attempt.key], set_={"ends_at": fresh.excluded.ends_at}, where=Attempt.ends_at <= DATABASE_NOW)
    return session.execute(again.returning(Attempt.key)).first() is not None


def slowed(session: Session, limit: Limit, *whom: str) -> timedelta:
    """Return the wait between two tries that a count has grown to."""
    count = session.scalar(select(Attempt.count).where(Attempt.key == _key(limit, *whom), Attempt.ends_at > DATABASE_NOW)) or 0
    if count < limit.at_most or limit.longest is None:
        return NO_WAIT
    return min(limit.longest, timedelta(seconds=2 ** min(count - limit.at_most, 20)))


def give_back(session: Session, limit: Limit, *whom: str, tries: int = 1) -> None:
    """Take tries back: they were no guesses, the password was right."""
    fewer = func.greatest(Attempt.count - tries, 0)
    session.execute(update(Attempt).where(Attempt.key == _key(limit, *whom)).values(count=fewer), execution_options=_NOT_IN_MEMORY)


def forget(session: Session, limit: Limit, *whom: str) -> None:
    """Delete a counter, so that the count begins anew."""
    session.execute(delete(Attempt).where(Attempt.key == _key(limit, *whom)), execution_options=_NOT_IN_MEMORY)


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


_NOT_IN_MEMORY = {"synchronize_session": False}


def _sweep(session: Session, but: str) -> None:
    # It never waits, and comes last: deleting old counters cannot hold up a count.
    over = select(Attempt.key).where(Attempt.ends_at <= DATABASE_NOW, Attempt.key != but).limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)
    session.execute(delete(Attempt).where(Attempt.key.in_(over.scalar_subquery())), execution_options=_NOT_IN_MEMORY)


def _key(limit: Limit, *whom: str) -> str:
    return sha256("\0".join((limit.what, *whom)).encode()).hexdigest()
