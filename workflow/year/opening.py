"""Opening a year (年度的建立、发布、办结), and taking that back.

A draft is read again or dropped; a closed year is reopened. The plan of a published year changes by
amendments alone (``amendments.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.foundation.database import ConstraintFault, Json
from workflow.foundation.errors import Conflict, Exists, Invalid, Words
from workflow.foundation.vocabulary import STAGES, CycleStatus, Kind, Stage
from workflow.people.organisation import Branch
from workflow.year.cycle import Cycle, Process
from workflow.year.deadlines import checked_deadlines
from workflow.year.finding import cycle_by_year
from workflow.year.following import open_processes
from workflow.year.plan import Plan
from workflow.year.plan_files import newest_plan, read_plan


def open_cycle(
    session: Session, plan: Plan, deadlines: Mapping[Stage, date | None], *, now: datetime, passed_through: Collection[Stage] = (), file: str = ""
) -> Cycle:
    """Open a draft from a plan and the days that the office typed.

    ``passed_through``: the stages of which the plan asks nothing; ``file``: the name by which the
    plan is found again. Raises Exists when the year has one already, Invalid for days out of order.
    """
    if session.scalar(select(Cycle.id).where(Cycle.year == plan.year)) is not None:
        raise Exists(Words(f"{plan.year}年度已经存在", f"there is a cycle {plan.year} already"))
    cycle = Cycle(
        year=plan.year,
        status=CycleStatus.DRAFT,
        deadlines=checked_deadlines(deadlines),
        changed_at=now,
        published_at=None,
        closed_at=None,
        status_reason=None,
    )
    _take_plan(cycle, plan, passed_through, file)
    session.add(cycle)
    session.flush()
    return cycle


def reread(session: Session, cycle: Cycle, plan: Plan, *, now: datetime, passed_through: Collection[Stage], file: str) -> None:
    """Replace the plan of a draft by its file as it is now; the days that were typed stay.

    Raises Invalid for a plan of another year, Conflict unless the year is a draft.
    """
    if plan.year != cycle.year:
        zh = f"方案 {file} 现在写的是{plan.year}年度，不是{cycle.year}年度"
        raise Invalid({"plan": Words(zh, f"the plan {file} is for {plan.year} now, not for {cycle.year}")})
    must_be_a_draft(cycle, Words("方案不能重新读取；要补充内容，请发补充通知", "its plan is not read again; amend it instead"))
    _take_plan(cycle, plan, passed_through, file)
    cycle.changed_at = now
    cycle.version += 1
    session.flush()


def _take_plan(cycle: Cycle, plan: Plan, passed_through: Collection[Stage], file: str) -> None:
    cycle.title, cycle.theme = plan.title, plan.theme
    cycle.plan = plan.as_json() | {"passed_through": [stage.value for stage in passed_through], "file": file}


def plan_file_of(cycle: Cycle) -> str:
    """Return the name of the plan that a year was opened from.

    Years of before that was kept were opened from the plan that is called like them.
    """
    return str(cycle.plan.get("file") or cycle.year)


def drop(session: Session, cycle: Cycle) -> None:
    """Throw a draft away; the history keeps it.

    Raises Conflict unless it is a draft, and when something is recorded in it already.
    """
    must_be_a_draft(cycle, Words("不能删除", "it cannot be dropped"))
    try:
        with session.begin_nested():
            session.delete(cycle)
            session.flush()
    except ConstraintFault:
        zh = f"{cycle.year}年度已经有登记的内容（如集中活动），不能删除"
        raise Conflict(Words(zh, f"something is recorded in {cycle.year} already, such as an activity")) from None


def must_be_a_draft(cycle: Cycle, so: Words) -> None:
    """Raise Conflict if the year was published; ``so`` says what cannot be done then."""
    if cycle.status is not CycleStatus.DRAFT:
        raise Conflict(Words(f"{cycle.year}年度{cycle.status.zh}，{so}", f"the cycle {cycle.year} is {cycle.status.value}: {so.en}"))


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
        raise Conflict(Words(f"{other}年度还在进行，请先办结", f"the cycle {other} is still open"))
    cycle.status = CycleStatus.PUBLISHED
    cycle.published_at = cycle.changed_at = now
    cycle.version += 1
    session.flush()
    opened = open_processes(session, cycle, now=now)
    if not opened:
        raise Conflict(Words("还没有名册：请先导入名册再发布年度", "import the roster first: there are no branches"))
    return opened


def close_cycle(session: Session, cycle: Cycle, *, now: datetime, leave_open: bool = False, reason: str | None = None) -> None:
    """End the year; its processes stay to be read.

    With ``leave_open`` and a reason also while branches are not accepted or assessments are not
    published. Raises Invalid without the reason; Conflict unless the year is published, and naming
    each branch that is still open.
    """
    if leave_open and reason is None:
        raise Invalid({"reason": Words("还有没办完的就办结年度，须写明理由", "give the reason for leaving things open")})
    if cycle.status is not CycleStatus.PUBLISHED:
        raise Conflict(Words(f"{cycle.year}年度{cycle.status.zh}，不能办结", f"the cycle {cycle.year} is {cycle.status.value}"))
    if not leave_open and (still := still_open(session, cycle)):
        raise Conflict(_names_of(still))
    cycle.status, cycle.status_reason = CycleStatus.CLOSED, reason
    cycle.closed_at = cycle.changed_at = now
    cycle.version += 1
    session.flush()


def still_open(session: Session, cycle: Cycle) -> dict[Kind, list[tuple[str, Stage]]]:
    """List the branches that have not come to the end of each kind, with the stage they are in."""
    rows = session.execute(
        select(Process.kind, Process.branch_name, Process.stage)
        .join(Branch, Branch.id == Process.branch_id)
        .where(Process.cycle_id == cycle.id, Process.ended_at.is_(None), Process.stage.not_in([stages[-1] for stages in STAGES.values()]))
        .order_by(Branch.code)
    )
    found: dict[Kind, list[tuple[str, Stage]]] = {}
    for kind, name, stage in rows:
        found.setdefault(kind, []).append((name, stage))
    return {kind: found[kind] for kind in STAGES if kind in found}


def _names_of(still: Mapping[Kind, list[tuple[str, Stage]]]) -> Words:
    """Say which branches are open, and how to close the year all the same."""
    zh, en = [], []
    for kind, branches in still.items():
        last = STAGES[kind][-1]
        names = "、".join(f"{name}（{stage.zh}）" for name, stage in branches)
        zh.append(f"{kind.zh}还有 {len(branches)} 个支部不是“{last.zh}”：{names}")
        names = ", ".join(f"{name} ({stage.value})" for name, stage in branches)
        en.append(f"{kind.value}: {len(branches)} branches are not {last.value}: {names}")
    return Words("；".join(zh) + "。确要办结，请注明留下未办完的并写明理由", "; ".join(en) + ". To close all the same, leave them open with a reason")


def reopen_cycle(session: Session, cycle: Cycle, *, reason: str, now: datetime) -> None:
    """Open a closed year again. The caller lets its unfiled rolls follow what changed meanwhile.

    Raises Conflict unless it is closed, and once a later year was published or another one runs.
    """
    if cycle.status is not CycleStatus.CLOSED:
        raise Conflict(Words(f"{cycle.year}年度{cycle.status.zh}，不能重新启动", f"the cycle {cycle.year} is {cycle.status.value}"))
    later = Cycle.published_at.is_not(None) & (Cycle.year > cycle.year)
    other = session.scalar(select(Cycle.year).where((Cycle.status == CycleStatus.PUBLISHED) | later).order_by(Cycle.year).limit(1))
    if other is not None:
        raise Conflict(Words(f"{other}年度已经发布，{cycle.year}年度不能再打开", f"the cycle {other} was published: {cycle.year} stays closed"))
    cycle.status, cycle.status_reason = CycleStatus.PUBLISHED, reason
    cycle.closed_at, cycle.changed_at = None, now
    cycle.version += 1
    session.flush()
