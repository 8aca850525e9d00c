"""The worker's heartbeat (后台心跳): when its last tick ended, what of it failed, how long the oldest letter waits."""

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

from workflow.foundation.database import Base
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, personal
from workflow.mail.outbox import Letter


@granted("select, insert, update")
class WorkerHeartbeat(Base):
    """When the worker last finished a tick (心跳), one row: what ``/readyz`` shows."""

    __tablename__ = "worker_heartbeat"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("last_tick is not null or failed is not null", name="truth"),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    last_tick: Mapped[datetime | None]
    """The newest of which every step was done; None before the first."""
    oldest_unsent: Mapped[datetime | None]
    """When the oldest letter that still may be sent was written."""
    failed: Mapped[str | None]
    """The steps of the newest tick that were not done, with the types of their errors."""


personal(WorkerHeartbeat, Area.SYSTEM, "后台心跳", other="last_tick oldest_unsent failed")


def beat(session: Session, now: datetime, failed: str | None = None) -> WorkerHeartbeat:
    """Write down that a tick has ended, what of it failed, and since when the oldest letter waits.

    A tick of which a step failed leaves ``last_tick`` alone: whoever watches it sees it age.
    """
    oldest = select(func.min(Letter.created_at)).where(Letter.next_at.is_not(None))
    values = {"failed": failed, "oldest_unsent": session.scalar(oldest)}
    values |= {} if failed else {"last_tick": now}
    statement = insert(WorkerHeartbeat).values(id=1, **values).on_conflict_do_update(index_elements=[WorkerHeartbeat.id], set_=values)
    return session.scalars(statement.returning(WorkerHeartbeat), execution_options={"populate_existing": True}).one()


def heartbeat(session: Session) -> WorkerHeartbeat | None:
    """The worker's last sign of life; None before its first tick."""
    return session.get(WorkerHeartbeat, 1, populate_existing=True)
