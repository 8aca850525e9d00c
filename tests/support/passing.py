"""Time that passes by the database's clock, which nobody can turn: rows are made older."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from workflow.foundation.idempotency import KeptOutcome
from workflow.mail.heartbeat import WorkerHeartbeat
from workflow.people.guard.throttle import Attempt


def age_attempts(session: Session, by: timedelta) -> None:
    """Let time pass for all counts of tries."""
    session.execute(update(Attempt).values(ends_at=Attempt.ends_at - by, tried_at=Attempt.tried_at - by))


def age_heartbeat(session: Session, by: timedelta) -> None:
    """Let time pass since the worker's last tick."""
    session.execute(update(WorkerHeartbeat).values(last_tick=WorkerHeartbeat.last_tick - by))


def age_outcomes(session: Session, by: timedelta) -> None:
    """Let time pass for all outcomes kept.

    Each is written anew: the application may not change one.
    """
    for old in session.scalars(select(KeptOutcome)).all():
        kept = {name: getattr(old, name) for name in ("person_id", "route", "key", "sent", "rows", "facts", "version", "at")}
        session.delete(old)
        session.flush()
        session.add(KeptOutcome(**kept | {"at": kept["at"] - by}))
    session.flush()
