"""Readiness (就绪): the state of the database, of its migrations, and of the worker's last tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from workflow.foundation.database import Meaning, NoConnectionFree, meaning_of, must_be_writable, transaction
from workflow.foundation.errors import Busy
from workflow.mail.heartbeat import heartbeat


@dataclass(frozen=True)
class WorkerSign:
    """The worker's last sign of life (后台的心跳)."""

    last_tick: datetime | None = None
    oldest_unsent: datetime | None = None


@dataclass(frozen=True)
class Readiness:
    """The state of a service now (就绪). ``worker`` is None where nothing is known of it.

    A worker that does not tick is shown and leaves the service ready: requests are answered all the
    same, and taking the web away helps nobody.
    """

    database: str
    """``ok``, or the ``Meaning`` of the database's "no": ``away``, ``unwritable``, ``busy``."""
    migrations: str | None
    worker: WorkerSign | None = None

    @property
    def ready(self) -> bool:
        return (self.database, self.migrations) == ("ok", "ok")


MIGRATION = text("select version_num from alembic_version")


def is_migrated(engine: Engine, newest_migration: str) -> bool:
    """Tell whether the database has this migration. Raises DBAPIError while it is away."""
    try:
        with transaction(engine, actor=None) as session:
            return bool(session.scalar(MIGRATION) == newest_migration)
    except ProgrammingError:  # no such table: nothing was migrated yet
        return False


def readiness(engine: Engine, newest_migration: str | None) -> Readiness:
    """Ask the database; with None for ``newest_migration`` any migration is accepted."""
    behind = Readiness("ok", "behind")
    try:
        with transaction(engine, actor=None) as session:
            present = session.scalar(MIGRATION)
            if newest_migration not in (None, present):
                return behind
            beat = heartbeat(session)
            must_be_writable(session)
    except ProgrammingError:  # no such table: nothing was migrated yet
        return behind
    except (Busy, NoConnectionFree):
        return Readiness(Meaning.BUSY.value, None)
    except DBAPIError as error:
        meaning = meaning_of(error)
        if meaning is None:
            raise
        return Readiness(meaning.value, None)
    return Readiness("ok", "ok", WorkerSign(beat.last_tick, beat.oldest_unsent) if beat else WorkerSign())
