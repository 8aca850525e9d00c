"""The database (数据库): the base of all tables, the engine of a school, the one way to a session.

A school is never split: ``engine_for`` gives the engine of one school, and nothing reads or locks
across schools.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import (
    DDL,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    Identity,
    MetaData,
    Table,
    Text,
    any_,
    create_engine,
    event,
    func,
    literal,
    text,
)
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import DBAPIError as DatabaseFault
from sqlalchemy.exc import IntegrityError as ConstraintFault
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, Session, mapped_column

from workflow.foundation.errors import Busy, Conflict, DatabaseAway, DatabaseUnwritable, Exists, Refusal
from workflow.foundation.vocabulary import Word
from workflow.foundation.waits.lines import ALIVE, bound_waits
from workflow.foundation.waits.places import in_turn

__all__ = ["ConstraintFault", "DatabaseFault", "Engine", "NoConnectionFree", "Session"]
"""The names of the database that the edges may use.

The edges take them from here: they import no SQLAlchemy and write no SQL.
"""

APPLICATION_ROLE = "zhibu_app"
"""The group that may use the tables and owns none.

``zhibu migrate`` creates it, migrations only grant to it.
"""

OLDEST_POSTGRESQL = 16

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """The base of all tables.

    Moments are ``timestamptz`` in UTC, words are text with a CHECK built from their StrEnum.
    """

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it from the class)
        datetime: DateTime(timezone=True),
        int: BigInteger,
        str: Text,
        dict[str, Any]: JSONB,
        list[str]: JSONB,
    }


Json = dict[str, Any]
"""An object as a JSON column holds it."""


def table_of(model: type[Any]) -> Table:
    """Return the table of a mapped class."""
    return cast(Table, model.__table__)


class Numbered:
    """A bigint identity for use inside; outside, rows are named by their natural keys."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, sort_order=2)


W = TypeVar("W", bound=Word)


def word(enum: type[W], *, name: str | None = None) -> SqlEnum:
    """Make the column type of a word: text, and a CHECK with the values of the StrEnum."""
    return SqlEnum(
        enum, native_enum=False, create_constraint=True, length=32, name=name or enum.__name__.lower(), values_callable=lambda e: [m.value for m in e]
    )


def notes(*clauses: str) -> dict[str, object]:
    """Mark a column with the clauses of the plan that it records.

    For clauses that no requirement asks for (``mapped_column(info=notes("E2"))``).
    """
    return {"clauses": clauses}


def any_of(column: InstrumentedAttribute[object], values: Collection[object]) -> ColumnElement[bool]:
    """Compare a column with many values: ``column = any(array)``.

    The text of the statement is the same for any number of values, so it is prepared and cached
    once.
    """
    return column == any_(literal(list(values), ARRAY(column.type)))


def ddl(statement: str) -> DDL:
    """Make a statement that hangs on the metadata, so that ``create_all`` runs it too.

    The migrations have the same statement.
    """
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]


def engine_for(url: str, *, pool_size: int = 10) -> Engine:
    """Make the engine of one school.

    Statements end after 30 s, waits for a lock after 10 s, a transaction left idle after 60 s: no
    client can hold up the school. ``waits`` bounds what a silent server can hold up.
    """
    engine = create_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_timeout=5, connect_args=ALIVE)
    bound_waits(engine)
    event.listen(engine, "connect", _limit)
    event.listen(engine, "handle_error", _throw_away_what_is_bad)
    return engine


LIMITS: Mapping[str, str] = {
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "max_parallel_workers_per_gather": "0",
}
"""The settings of a session of ours (PostgreSQL, 20.11)."""
_SET_LIMITS = f"select {', '.join(['set_config(%s, %s, false)'] * len(LIMITS))}"


def _limit(connection: psycopg.Connection, _: object) -> None:
    """Set the limits of a new session, by a statement.

    Not as options of the connection: PgBouncer takes none (docs/0043).
    """
    connection.autocommit = True
    connection.execute(_SET_LIMITS, [word for setting in LIMITS.items() for word in setting])
    connection.autocommit = False


@contextmanager
def transaction(engine: Engine, *, actor: str | Callable[[Session], str] | None) -> Iterator[Session]:
    """Open one transaction that knows its actor, so that history can name the actor.

    This is the only way to a session. ``actor`` is a 学工号, ``cli`` or ``worker``, or a function that
    finds the actor with the session itself. With None the transaction only reads: the database
    refuses it any tracked change. Leaving the block commits, an exception rolls back; helpers
    inside never commit. Raises Busy for a request that finds no place at the database.
    """
    with in_turn(), Session(engine, expire_on_commit=False) as session, session.begin():
        if actor is not None:
            act_as(session, actor=actor(session) if callable(actor) else actor)
        yield session


def act_as(session: Session, *, actor: str, reason: str | None = None, on_behalf_of: str | None = None) -> None:
    """Name the actor of this transaction.

    One statement; the setting ends with the transaction.
    """
    session.execute(SET_ACTOR, {"actor": actor, "reason": reason or "", "on_behalf_of": on_behalf_of or ""})


SET_ACTOR = text(
    "select set_config('zhibu.actor', :actor, true), set_config('zhibu.reason', :reason, true), set_config('zhibu.on_behalf_of', :on_behalf_of, true)"
)


class Meaning(StrEnum):
    """The meaning of a "no" of the database that passes by itself (数据库的拒绝)."""

    GIVE_WAY = "give-way"
    """Another transaction goes first: the whole is run once more."""
    BUSY = "busy"
    """It took too long, or there was no room: the connection stays good unless it was closed."""
    UNWRITABLE = "unwritable"
    """It can be read, not written."""
    AWAY = "away"
    """There is no database, or none that answers."""


DEADLOCK, SERIALIZATION, LOCK_TIMEOUT = "40P01", "40001", "55P03"
READ_ONLY, NO_CONNECTION = "25006", "08006"
MEANINGS: Mapping[str, Meaning] = {
    SERIALIZATION: Meaning.GIVE_WAY,
    DEADLOCK: Meaning.GIVE_WAY,
    LOCK_TIMEOUT: Meaning.GIVE_WAY,
    "57014": Meaning.BUSY,  # query_canceled: by statement_timeout or by an administrator
    "25P03": Meaning.BUSY,  # idle_in_transaction_session_timeout
    "25P04": Meaning.BUSY,  # transaction_timeout
    "53200": Meaning.BUSY,  # out_of_memory
    "53300": Meaning.BUSY,  # too_many_connections
    READ_ONLY: Meaning.UNWRITABLE,  # a standby, or set so by an administrator or a cloud
    "53": Meaning.UNWRITABLE,  # insufficient_resources: disk_full, configuration_limit_exceeded
    "58": Meaning.UNWRITABLE,  # system_error: io_error
    "08": Meaning.AWAY,  # connection_exception
    "57P": Meaning.AWAY,  # shut down, crashed, starting up, dropped, closed when idle
}
"""The meaning of a SQLSTATE, or of all that begin so (PostgreSQL, appendix A); the longest counts.

Every other one is a fault of ours: 500.
"""
PASSING: Mapping[Meaning, type[Refusal]] = {
    Meaning.GIVE_WAY: Busy,
    Meaning.BUSY: Busy,
    Meaning.UNWRITABLE: DatabaseUnwritable,
    Meaning.AWAY: DatabaseAway,
}
"""The refusal that a caller gets."""

T = TypeVar("T")


def with_one_retry(act: Callable[[], T], *, pause_seconds: float = 0.05) -> T:
    """Run a whole transaction, and once more when the database asked it to give way.

    Raises Busy the second time.
    """
    try:
        return act()
    except DBAPIError as error:
        if meaning_of(error) is not Meaning.GIVE_WAY:
            raise
    time.sleep(pause_seconds)
    try:
        return act()
    except DBAPIError as error:
        if meaning_of(error) is Meaning.GIVE_WAY:
            raise Busy from error
        raise


def sqlstate(error: DBAPIError) -> str | None:
    """Return PostgreSQL's five-character code of an error."""
    return getattr(error.orig, "sqlstate", None)


def in_short(error: BaseException) -> dict[str, str | None]:
    """Describe an error to the log: its type and its SQLSTATE.

    Never its words, which quote values.
    """
    state = sqlstate(error) if isinstance(error, DBAPIError) else None
    return {"error": type(error).__name__, "sqlstate": state}


def constraint(error: DBAPIError) -> str | None:
    """Name the constraint that refused, if one did."""
    diagnosis = getattr(error.orig, "diag", None)
    return getattr(diagnosis, "constraint_name", None)


def refusal_of(error: ConstraintFault) -> Refusal:
    """Turn the refusal of a constraint into ours: there is one already, or not possible now."""
    name = constraint(error)
    return Exists(constraint=name) if (name or "").startswith(("uq_", "pk_")) else Conflict()


def meaning_of(error: BaseException) -> Meaning | None:
    """Find out what a "no" of the database means; None for a fault that does not pass by itself."""
    if not isinstance(error, DBAPIError):
        return None
    # A connection that was refused, or cut, has no code.
    state = sqlstate(error) or (NO_CONNECTION if isinstance(error, OperationalError) else "")
    return next((MEANINGS[state[:length]] for length in (5, 3, 2) if state[:length] in MEANINGS), None)


def passing_of(error: BaseException) -> Refusal | None:
    """Turn a "no" that passes by itself into a refusal that says when to ask again."""
    meaning = meaning_of(error)
    return PASSING[meaning]() if meaning is not None else None


def is_away(error: BaseException) -> bool:
    """Tell whether the database cannot be reached at all."""
    return meaning_of(error) is Meaning.AWAY


def _throw_away_what_is_bad(context: ExceptionContext) -> None:
    """Let a connection go that is closed, or that leads to a database that takes no changes.

    All that were opened before go with it, each when it is next asked for: after a fail-over they
    lead to the same standby, and a session keeps the "read-only" that it began with.
    """
    bad = getattr(context.original_exception, "sqlstate", None) == READ_ONLY
    context.is_disconnect = context.is_disconnect or bad


WRITABLE = text("""
    do $$ begin
        if pg_is_in_recovery() or current_setting('transaction_read_only')::bool then
            raise exception 'read-only' using errcode = 'read_only_sql_transaction';
        end if;
        set local work_mem = '64kB';
        perform count(*) from generate_series(1, 50000);
    end $$
""")
"""Ask for changes without making one.

A series that does not fit into memory goes into a temporary file of a megabyte beside the tables:
PostgreSQL then finds out by itself that a disk is full. It leaves nothing behind.
"""


def must_be_writable(connection: Connection | Session) -> None:
    """Raise DBAPIError if the database takes no changes: a standby, read-only, or a full disk."""
    connection.execute(WRITABLE)


# ── one clock for all processes ────────────────────────────────────────────────────────────────────────────────────────


DATABASE_NOW = func.statement_timestamp(type_=DateTime(timezone=True))
"""The database's time when it received the statement.

A moment that one process writes and another compares (a lease, a limit of tries, a sign of life) is
told by it in the statement itself (docs/0036): a process may stand still between its look at a
clock and its statement. ``now()`` would be that of the transaction, which may have waited;
``clock_timestamp()`` changes from row to row and keeps an index from being used.
"""
SKEW_NOTICED, SKEW_BORNE = timedelta(seconds=2), timedelta(minutes=1)
"""The difference from the database's clock that is told, and the greatest that is borne."""


def skew(asked: Connection | Session, clock: Callable[[], datetime]) -> timedelta:
    """Measure the least that a clock is away from the database's, whatever the question took."""
    before = clock()
    there: datetime = asked.execute(text("select clock_timestamp()")).scalar_one()
    return max(before - there, there - clock(), timedelta())
