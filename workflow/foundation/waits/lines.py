"""Lines (线路): connections that notice a dead network, are asked for a sign of life, and are cut."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, cast

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from workflow.foundation.errors import Busy
from workflow.foundation.waits.places import bound_ends_at

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

ALIVE = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""Settings of libpq for a connection over a network (PostgreSQL, 34.1.2): seconds, milliseconds."""
CONNECT_SECONDS, LEAST_CONNECT_SECONDS = 5, 2
PING_SECONDS = 5
"""The longest wait for a sign of life of a connection that was idle."""
LOOK_EVERY_SECONDS = 0.25


class _Lines:
    """The lines in use, and the moment at which each is cut.

    Whoever uses a line says so, and says so again when they let it go; both, and the cutting,
    happen under one lock: a line is never cut for somebody who has it no more. The sockets are
    duplicates of our own, so their numbers cannot come to mean another connection meanwhile.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._used: dict[socket.socket, float] = {}
        self._watch: Thread | None = None

    def use(self, line: socket.socket, until: float) -> None:
        with self._lock:
            self._used[line] = until
            # Not alive either in a process that was forked from one that watched.
            if self._watch is None or not self._watch.is_alive():
                self._watch = Thread(target=self._look, name="waits", daemon=True)
                self._watch.start()

    def let_go(self, line: socket.socket) -> None:
        with self._lock:
            self._used.pop(line, None)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            now = time.monotonic()
            with self._lock:
                for line in [each for each, until in self._used.items() if until <= now]:
                    del self._used[line]
                    _cut(line)


def _cut(line: socket.socket) -> None:
    with suppress(OSError):  # the other side was faster
        line.shutdown(socket.SHUT_RDWR)


_LINES = _Lines()
LINE, FRESH = "line", "fresh"


def bound_waits(engine: Engine) -> None:
    """Bound the waits of all connections of an engine: asked for a sign of life, cut in time.

    The sign of life is asked here and not by the pool's own ``pre_ping``: that one comes before
    anybody is told which connection it is, and would wait for as long as the database is silent.
    """

    def taken(connection: psycopg.Connection, entry: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        line: socket.socket = entry.info[LINE]
        ends_at = bound_ends_at()
        if not entry.info.pop(FRESH, False):
            _LINES.use(line, _ends(PING_SECONDS))
            try:
                engine.dialect.do_ping(cast(Any, connection))
            except psycopg.Error as error:
                # The pool opens a new one instead, and uses none that is as old.
                raise InvalidatePoolError from error
        if ends_at is None:
            _LINES.let_go(line)
        else:
            _LINES.use(line, ends_at)

    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _connected, insert=True)
    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", _given_back)
    event.listen(engine, "close", _closed)


def _connect(dialect: Dialect, _: ConnectionPoolEntry, given: Sequence[Any], named: Mapping[str, Any]) -> DBAPIConnection:
    """Connect in the time that is left. Raises Busy when there is none.

    Of several hosts each gets its part of it: the first one may be the one that is silent.
    """
    left = round(_ends(CONNECT_SECONDS) - time.monotonic())
    if left < LEAST_CONNECT_SECONDS:
        raise Busy
    hosts = str(named.get("host", "")).count(",") + 1
    return dialect.connect(*given, **{**named, "connect_timeout": max(left // hosts, LEAST_CONNECT_SECONDS)})


def _ends(seconds: float) -> float:
    """Return the moment in so many seconds, or the end of the bound if that is earlier."""
    return min(time.monotonic() + seconds, bound_ends_at() or math.inf)


def _connected(connection: psycopg.Connection, entry: ConnectionPoolEntry) -> None:
    entry.info[LINE] = line = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    entry.info[FRESH] = True
    _LINES.use(line, _ends(CONNECT_SECONDS))


def _given_back(_: psycopg.Connection | None, entry: ConnectionPoolEntry) -> None:
    if LINE in entry.info:
        _LINES.let_go(entry.info[LINE])


def _closed(_: psycopg.Connection, entry: ConnectionPoolEntry) -> None:
    line = entry.info.pop(LINE, None)
    if line is not None:
        _LINES.let_go(line)
        line.close()
