"""The first meeting with the database (数据库第一次连上), of a service that began without it."""

from __future__ import annotations

from flask import request as http

from workflow.foundation.database import Engine
from workflow.foundation.errors import DatabaseBehind
from workflow.readings.readiness import is_migrated


class Arrival:
    """A door before the routes that use the database: closed until its migration was seen once.

    ``zhibu serve`` looks at the migration when it begins, but then the database may be away. After
    that nothing is asked: an upgrade migrates under a service that still runs.
    """

    def __init__(self, engine: Engine, newest_migration: str, endpoints: frozenset[str]) -> None:
        self._engine, self._newest, self._endpoints = engine, newest_migration, endpoints
        self._seen = False

    def __call__(self) -> None:
        """Let a request through. Raises DatabaseBehind, or DBAPIError while there is none."""
        if self._seen or http.endpoint not in self._endpoints:
            return
        if not is_migrated(self._engine, self._newest):
            raise DatabaseBehind
        self._seen = True
