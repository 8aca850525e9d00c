"""Opening a year (年度的建立、发布、关闭)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.foundation.database import Json
from workflow.foundation.errors import Conflict, Exists, Words
from workflow.foundation.vocabulary import CycleStatus, Stage
from workflow.year.cycle import Cycle, cycle_by_year
from workflow.year.deadlines import checked_deadlines
from workflow.year.following import open_processes
from workflow.year.plan import Plan
from workflow.year.plan_files import newest_plan, read_plan


def open_cycle(
    session: Session, plan: Plan, deadlines: Mapping[Stage, date | None], *, now: datetime, passed_through: Collection[Stage] = ()
) -> Cycle:
    """Open a draft from a plan and the days that the office typed.

    ``passed_through``: the stages of which the plan asks nothing. Raises Exists when the year has
    one already, Invalid for days out of order.
    """
    if session.scalar(select(Cycle.id).where(Cycle.year == plan.year)) is not None:
        raise Exists(Words(f"{plan.year}年度已经存在", f"there is a cycle {plan.year} already"))
    cycle = Cycle(
        year=plan.year,
        title=plan.title,
        theme=plan.theme,
        status=CycleStatus.DRAFT,
        plan=plan.as_json() | {"passed_through": [stage.value for stage in passed_through]},
        deadlines=checked_deadlines(deadlines),
        changed_at=now,
        published_at=None,
        closed_at=None,
    )
    session.add(cycle)
    session.flush()
    return cycle


def plan_quoted(session: Session, year: int | None = None) -> Json:
    """Find the kept plan of a year.

    Without a year: the plan of the published year, else of the newest, else the one that comes with
    the product. Raises NotFound for a year that does not exist.
    """
    if year is not None:
        return cycle_by_year(session, year).plan
    newest = select(Cycle).order_by((Cycle.status == CycleStatus.PUBLISHED).desc(), Cycle.year.desc()).limit(1)
    if (cycle := session.scalar(newest)) is not None:
        return cycle.plan
    name, text = newest_plan(None)
    return read_plan(text, (), name=name).as_json()


def publish(session: Session, cycle: Cycle, *, now: datetime) -> int:
    """Pin the plan and give each branch its process and its roll. Returns how many.

    Raises Conflict unless it is a draft, no other year is published, and there is a roster.
    """
    if cycle.status is not CycleStatus.DRAFT:
        raise Conflict(Words(f"{cycle.year}年度{cycle.status.zh}，不能再发布", f"the cycle {cycle.year} is {cycle.status.value} already"))
    other = session.scalar(select(Cycle.year).where(Cycle.status == CycleStatus.PUBLISHED))
    if other is not None:
        raise Conflict(Words(f"{other}年度还在进行，请先关闭", f"the cycle {other} is still open"))
    cycle.status = CycleStatus.PUBLISHED
    cycle.published_at = cycle.changed_at = now
    cycle.version += 1
    session.flush()
    opened = open_processes(session, cycle, now=now)
    if not opened:
        raise Conflict(Words("还没有名册：请先导入名册再发布年度", "import the roster first: there are no branches"))
    return opened


def close_cycle(session: Session, cycle: Cycle, *, now: datetime) -> None:
    """End the year; its processes stay to be read. Raises Conflict unless it is published."""
    if cycle.status is not CycleStatus.PUBLISHED:
        raise Conflict(Words(f"{cycle.year}年度{cycle.status.zh}，不能关闭", f"the cycle {cycle.year} is {cycle.status.value}"))
    cycle.status = CycleStatus.CLOSED
    cycle.closed_at = cycle.changed_at = now
    cycle.version += 1
    session.flush()
