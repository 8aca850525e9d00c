"""The burn-up (报送曲线): branches filed and accepted at the end of each day, from their moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from sqlalchemy import ColumnElement, Date, Integer, cast, func, select
from sqlalchemy.orm import Session

from workflow.foundation.vocabulary import ENDED, MAIN, SCHOOL_ZONE, Stage, local_day
from workflow.year.cycle import Cycle, Process, StageChange


@dataclass(frozen=True)
class DayEnd:
    """The state of a school at the end of a day (当日累计)."""

    day: date
    filed: int
    """Branches that had filed and not been sent back, the accepted ones among them."""
    accepted: int


@dataclass(frozen=True)
class BurnUp:
    """The days of a year up to today, beside the day by which all have to file (报送曲线)."""

    branches: int
    due_on: date | None
    days: Sequence[DayEnd]
    """One for each day from the publication, or from the first filing if that was earlier."""


def burn_up(session: Session, cycle: Cycle, *, today: date) -> BurnUp:
    """Count branches by day, in two queries. Those that take no part any more count nowhere."""
    ours = (Process.cycle_id == cycle.id, Process.kind == MAIN, Process.ended_at.is_(None))
    day = cast(func.timezone(SCHOOL_ZONE.key, StageChange.made_at), Date)
    steps = session.execute(
        select(day, _entered(ENDED[MAIN]), _entered((Stage.ACCEPTED,)))
        .join(Process, Process.id == StageChange.process_id)
        .where(*ours, StageChange.source.in_(ENDED[MAIN]) | StageChange.target.in_(ENDED[MAIN]))
        .group_by(day)
    ).all()
    changed = {when: (filed, accepted) for when, filed, accepted in steps}
    count = session.scalar(select(func.count()).select_from(Process).where(*ours)) or 0
    return BurnUp(count, cycle.holds(Stage.REPORT), _days(cycle, changed, today))


def _entered(stages: Sequence[Stage]) -> ColumnElement[int]:
    """Return the number that entered one of these stages, less those that left them."""
    return func.sum(cast(StageChange.target.in_(stages), Integer) - cast(StageChange.source.in_(stages), Integer))


def _days(cycle: Cycle, changed: Mapping[date, tuple[int, int]], today: date) -> list[DayEnd]:
    if cycle.published_at is None:
        return []
    first = min(local_day(cycle.published_at), today, *changed)
    days = [first + timedelta(days=each) for each in range((today - first).days + 1)]
    sums = accumulate((changed.get(day, (0, 0)) for day in days), lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return [DayEnd(day, filed, accepted) for day, (filed, accepted) in zip(days, sums, strict=True)]
