"""Readiness (就绪): the state of the database, of its migrations, and of the worker's last tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from workflow.foundation.database import is_away, transaction
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
    migrations: str | None
    worker: WorkerSign | None = None

    @property
    def ready(self) -> bool:
        return (self.database, self.migrations) == ("ok", "ok")


def readiness(engine: Engine, newest_migration: str | None) -> Readiness:
    """Ask the database; with None for ``newest_migration`` any migration is accepted."""
    behind = Readiness("ok", "behind")
    try:
        with transaction(engine, actor=None) as session:
            present = session.scalar(text("select version_num from alembic_version"))
            if newest_migration not in (None, present):
                return behind
            beat = heartbeat(session)
    except ProgrammingError:  # no such table: nothing was migrated yet
        return behind
    except DBAPIError as error:
        if not is_away(error):
            raise
        return Readiness("away", None)
    return Readiness("ok", "ok", WorkerSign(beat.last_tick, beat.oldest_unsent) if beat else WorkerSign())
