"""The worker's heartbeat (后台心跳): its last tick, its failures, and the oldest waiting letter."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    SmallInteger,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import DATABASE_NOW, Base
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, personal
from workflow.mail.outbox import Letter


@granted("select, insert, update")
class WorkerHeartbeat(Base):
    """The time of the worker's last finished tick (心跳), one row: ``/readyz`` shows it."""

    __tablename__ = "worker_heartbeat"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("last_tick is not null or failed is not null", name="truth"),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    last_tick: Mapped[datetime | None]
    """The newest tick of which every step was done; None before the first."""
    oldest_unsent: Mapped[datetime | None]
    """The time at which the oldest letter that still may be sent was written."""
    failed: Mapped[str | None]
    """The failed steps of the newest tick, with the types of their errors."""


personal(WorkerHeartbeat, Area.SYSTEM, "后台心跳", other="last_tick oldest_unsent failed")


def beat(session: Session, failed: str | None = None) -> WorkerHeartbeat:
    """Write down that a tick has ended, its failures, and the time of the oldest waiting letter.

    The time is the database's. A tick with a failed step leaves ``last_tick`` alone: anyone who
    watches it sees it age.
    """
    oldest = select(func.min(Letter.created_at)).where(Letter.next_at.is_not(None))
    values: dict[str, object] = {"failed": failed, "oldest_unsent": oldest.scalar_subquery()}
    values |= {} if failed else {"last_tick": DATABASE_NOW}
    statement = insert(WorkerHeartbeat).values(id=1, **values).on_conflict_do_update(index_elements=[WorkerHeartbeat.id], set_=values)
    return session.scalars(statement.returning(WorkerHeartbeat), execution_options={"populate_existing": True}).one()


def heartbeat(session: Session) -> WorkerHeartbeat | None:
    """Return the worker's last sign of life; None before its first tick."""
    return session.get(WorkerHeartbeat, 1, populate_existing=True)
