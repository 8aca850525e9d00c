"""Reaching the database (连上数据库): the server that was reached, and a "no" that waiting mends.

A connection that is refused has no SQLSTATE in libpq, only words; so they are read here, and
nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Event
from typing import TypeVar, cast

import psycopg
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from workflow.foundation.database import NO_CONNECTION, meaning_of, sqlstate
from workflow.foundation.errors import Words

LOOK_AGAIN_SECONDS = 1.0
T = TypeVar("T")
LENT = Words(
    "数据库前面的 PgBouncer 是事务模式，不能用：预备好的语句和会话的超时设置在事务之间会丢失，请把它改为会话模式（pool_mode = session）",
    "the PgBouncer in front of the database is in transaction mode, which cannot be used: prepared statements and a session's timeouts "
    "are lost between transactions; please set pool_mode = session",
)
NO_PRIMARY = Words(
    "连上的都是备用的数据库（只读），没有主库：请把其中一台提升为主库",
    "all servers that were reached are standbys, which take no changes: please promote one of them",
)

_SERVER_SAID = re.compile(r" failed: [^\s:]+:  (.*)")
"""The server's own words: libpq puts its severity before them, in the server's language."""
_PASSES = re.compile(
    "starting up|shutting down|recovery|accepting connections|too many|slots|try again|cannot connect to server|"
    "启动|关闭|恢复|接受连接|太多|保留|预留"
)
"""A server that comes up or goes down, one that is full, and a pooler without its server."""


def is_there_and_refuses(error: DBAPIError) -> bool:
    """Tell whether a server was reached that will not let us in: password, name or permission.

    A "no" in an unknown language counts as one of these, except where no server spoke at all.
    """
    if not isinstance(error, OperationalError) or (sqlstate(error) or NO_CONNECTION) != NO_CONNECTION:
        return False
    return any(not _PASSES.search(said) for said in _SERVER_SAID.findall(str(error.orig)))


def passes_by_itself(error: DBAPIError) -> bool:
    """Tell whether waiting mends it: the database is away, or busy, and will be there again."""
    return meaning_of(error) is not None and not is_there_and_refuses(error)


def finds_no_primary(error: DBAPIError) -> bool:
    """Tell whether servers were reached and each is a standby, where a primary was looked for."""
    return any(words in str(error.orig) for words in ("session is read-only", "server is in hot standby mode"))


def wait_for_database(look: Callable[[], T], stop: Event, begin: Callable[[], None]) -> T | None:
    """Return what ``look`` finds once the database is there; None if ``stop`` is set before.

    ``begin`` is called once, when there is something to wait for. Raises DBAPIError for a "no" that
    does not pass.
    """
    waits = False
    while not stop.is_set():
        try:
            return look()
        except DBAPIError as error:
            if not passes_by_itself(error):
                raise
        if not waits:
            begin()
        waits = True
        stop.wait(LOOK_AGAIN_SECONDS)
    return None


def server_of(connection: Connection) -> str:
    """Name the server that was reached: host and port, or the folder of its socket."""
    info = driver_of(connection).info
    host = f"[{info.host}]" if ":" in info.host else info.host
    return host if host.startswith("/") else f"{host}:{info.port}"


def driver_of(connection: Connection) -> psycopg.Connection:
    """Return psycopg's own connection."""
    return cast(psycopg.Connection, connection.connection.driver_connection)


def is_lent_by_transaction(engine: Engine) -> bool:
    """Tell whether a pooler lends one session of the server to many, a transaction each.

    Two connections of ours ask in turn for the process that serves them. Each keeps its own, unless
    PgBouncer stands between in transaction mode: by default it gives the one that was used last.
    """
    served_by = select(func.pg_backend_pid())
    with engine.connect() as one, engine.connect() as other:
        seen = []
        for connection in (one, other, one, other):
            seen.append(connection.scalar(served_by))
            connection.rollback()
    return seen[:2] != seen[2:] or seen[0] == seen[1]
