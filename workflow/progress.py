"""The dashboard (进度): what the office polls, and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Integer, and_, cast, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from workflow.cycle import Cycle, Extension, Participant, Process, StageChange, secretaries
from workflow.people.organisation import Branch
from workflow.vocabulary import SCHOOL_ZONE, STAGES, WORKING_STAGES, Kind, Stage

DUE_SOON_DAYS = 7


@dataclass(frozen=True)
class Overview:
    """Where a cycle stands (总体进度). ``as_of`` is when this first became true."""

    year: int
    as_of: datetime
    branches: int
    by_stage: dict[Stage, int]
    overdue: int
    due_soon: int
    """Due within seven days, today included, and not overdue."""
    returned: int
    """In a later round and not filed again."""
    late: int


def overview(session: Session, cycle: Cycle, *, now: datetime, kind: Kind = Kind.APPRAISAL) -> Overview:
    """Count a cycle's processes in one query."""
    today = now.astimezone(SCHOOL_ZONE).date()
    here = (Process.cycle_id == cycle.id, Process.kind == kind)
    working = Process.stage.in_(WORKING_STAGES[kind])
    ours = select(Process.id).where(*here).scalar_subquery()
    changed = func.greatest(
        select(func.max(StageChange.made_at)).where(StageChange.process_id.in_(ours)).scalar_subquery(),
        select(func.max(Extension.given_at)).where(Extension.process_id.in_(ours)).scalar_subquery(),
        func.max(Process.entered_at),
    )
    row = session.execute(
        select(
            func.count().label("branches"),
            *(_number(Process.stage == stage).label(stage.value) for stage in STAGES[kind]),
            _number(Process.due_on < today).label("overdue"),
            _number(Process.due_on.between(today, today + timedelta(days=DUE_SOON_DAYS))).label("due_soon"),
            _number(and_(Process.round > 1, working)).label("returned"),
            _number(Process.late.is_(True)).label("late"),
            changed.label("changed"),
        ).where(*here)
    ).one()
    midnight = datetime.combine(today, time(), SCHOOL_ZONE)
    return Overview(
        year=cycle.year,
        as_of=max(moment for moment in (row.changed, cycle.changed_at, midnight) if moment is not None),
        branches=row.branches,
        by_stage={stage: getattr(row, stage.value) for stage in STAGES[kind]},
        overdue=row.overdue,
        due_soon=row.due_soon,
        returned=row.returned,
        late=row.late,
    )


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(cast(condition, Integer)), 0)


def branches(
    session: Session,
    cycle: Cycle,
    *,
    today: date,
    stage: Stage | None = None,
    overdue: bool | None = None,
    unit: str | None = None,
    words: str | None = None,
    after: str = "",
    limit: int = 100,
    kind: Kind = Kind.APPRAISAL,
) -> tuple[Sequence[Process], dict[int, Participant]]:
    """Rows of the dashboard by branch code, with the secretary of each, in two queries. ``words`` is looked for in code, name and unit."""
    conditions: list[ColumnElement[bool]] = [Process.cycle_id == cycle.id, Process.kind == kind, Branch.code > after]
    if stage is not None:
        conditions.append(Process.stage == stage)
    if overdue is not None:
        late = func.coalesce(Process.due_on < today, False)
        conditions.append(late if overdue else ~late)
    if unit is not None:
        conditions.append(or_(Branch.unit_code == unit, Branch.unit_name == unit))
    if words is not None:
        conditions.append(or_(*(column.contains(words, autoescape=True) for column in (Branch.code, Branch.name, Branch.unit_name))))
    rows = session.scalars(
        select(Process)
        .join(Process.cycle)
        .join(Process.branch)
        .options(contains_eager(Process.cycle), contains_eager(Process.branch))
        .where(*conditions)
        .order_by(Branch.code)
        .limit(limit)
    ).all()
    return rows, secretaries(session, [row.id for row in rows])
