"""The one clock (同一时钟): the database's, by which processes on several machines agree.

A moment that one process writes and another compares (a lease, a limit of tries, a sign of life) is
told by the database in the statement itself (docs/0035). It is never brought along: a process may
stand still between its look at the clock and its statement. ``now`` stays for what is due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, DateTime, func, text
from sqlalchemy.orm import Session

DATABASE_NOW = func.statement_timestamp(type_=DateTime(timezone=True))
"""The database's time when it received the statement.

``now()`` would be that of the transaction, which may have waited; ``clock_timestamp()`` changes
from row to row and keeps an index from being used.
"""
SKEW_NOTICED, SKEW_BORNE = timedelta(seconds=2), timedelta(minutes=1)
"""The difference from the database's clock that is told, and the greatest that is borne."""


def skew(asked: Connection | Session, clock: Callable[[], datetime]) -> timedelta:
    """Measure how far a clock is from the database's at least; the way there and back is not counted."""
    before = clock()
    there: datetime = asked.execute(text("select clock_timestamp()")).scalar_one()
    return max(before - there, there - clock(), timedelta())
