"""Numbers for the monitoring of a school (监控数字): letters by state, processes by stage. No names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.foundation.database import DATABASE_NOW
from workflow.foundation.vocabulary import Kind, LetterState, Stage
from workflow.mail.heartbeat import heartbeat
from workflow.mail.outbox import Letter
from workflow.year.cycle import Cycle, Process


@dataclass(frozen=True)
class SchoolNumbers:
    """The counts of one request (全校数字), so that every server gives the same answer."""

    letters: Mapping[LetterState, int]
    processes: Mapping[tuple[int, Kind, Stage], int]
    """The numbers by year, kind and stage."""
    oldest_unsent: datetime | None
    last_tick: datetime | None
    now: datetime
    """The database's time, by which the two are old: other processes wrote them."""


def numbers_of(session: Session) -> SchoolNumbers:
    """Count letters and processes, in a few queries."""
    of_cycles = (
        select(Cycle.year, Process.kind, Process.stage, func.count()).join(Cycle, Cycle.id == Process.cycle_id).where(Process.ended_at.is_(None))
    )
    processes = session.execute(of_cycles.group_by(Cycle.year, Process.kind, Process.stage))
    letters: dict[LetterState, int] = dict(session.execute(select(Letter.state, func.count()).group_by(Letter.state)).all())
    beat = heartbeat(session)
    oldest = select(func.min(Letter.created_at)).where(Letter.next_at.is_not(None)).scalar_subquery()
    now, oldest_unsent = session.execute(select(DATABASE_NOW, oldest)).one()
    return SchoolNumbers(
        letters=letters,
        processes={(year, kind, stage): count for year, kind, stage, count in processes},
        oldest_unsent=oldest_unsent,
        last_tick=beat.last_tick if beat else None,
        now=now,
    )
