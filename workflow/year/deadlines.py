"""Days (期限): the day by which a branch must be done.

The office types the cycle's days, moves them, and gives single branches later ones. ``due_day``
alone computes the day of a process; all code that changes it stores the result of ``due_day``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, Date, Text, any_, case, cast, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from workflow.foundation.database import any_of
from workflow.foundation.errors import Conflict, Invalid, Stale, Words
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import WORKING_STAGES, CycleStatus, Stage, local_day
from workflow.year.cycle import Cycle, Extension, Process, must_run


def checked_deadlines(deadlines: Mapping[Stage, date | None]) -> dict[str, object]:
    """Check the days and return them in the form in which they are kept.

    They are the six of the branches, and those of the committee's assessment. The report's is
    required; the days of one kind that are set must stand in the order of its stages. Raises
    Invalid naming the stage.
    """
    for stages in WORKING_STAGES.values():
        _must_stand_in_order(stages, deadlines)
    if deadlines.get(Stage.REPORT) is None:
        raise Invalid({"deadlines.report": Words("报送期限必须填写（方案只写了月日，年份由党办确定）", "the report's deadline is required")})
    return {stage.value: day.isoformat() if (day := deadlines.get(stage)) else None for stage in STAGES_WITH_A_DAY}


STAGES_WITH_A_DAY = tuple(stage for stages in WORKING_STAGES.values() for stage in stages)
"""The stages that the office may type a day for."""


def _must_stand_in_order(stages: Sequence[Stage], deadlines: Mapping[Stage, date | None]) -> None:
    last_stage, last_day = None, None
    for stage in stages:
        day = deadlines.get(stage)
        if day is None:
            continue
        if last_day is not None and last_stage is not None and day < last_day:
            raise Invalid(
                {
                    f"deadlines.{stage.value}": Words(
                        f"早于上一环节“{last_stage.zh}”的期限 {last_day}", f"earlier than the deadline of {last_stage.value}"
                    )
                }
            )
        last_stage, last_day = stage, day


def change_deadlines(session: Session, cycle: Cycle, changes: Mapping[Stage, date | None], *, seen: int, now: datetime) -> None:
    """Move the days of a whole cycle.

    Raises Invalid for days out of order, Stale, Conflict for a closed cycle.
    """
    present = {stage: cycle.deadline(stage) for stage in STAGES_WITH_A_DAY}
    deadlines = checked_deadlines({**present, **changes})
    if cycle.version != seen:
        raise Stale(version=cycle.version, changed=changed_since(session, Cycle, cycle.id, seen))
    if cycle.status is CycleStatus.CLOSED:
        raise Conflict(Words("年度已关闭，期限不能再改", "the cycle is closed"))
    cycle.deadlines = deadlines
    cycle.changed_at = now
    cycle.version += 1
    session.flush()
    session.execute(select(Process.id).where(Process.cycle_id == cycle.id).order_by(Process.id).with_for_update())
    session.execute(
        update(Process)
        .where(Process.cycle_id == cycle.id)
        .values(due_on=due_day(Process.stage, Process.round, Process.round_due_on))
        .execution_options(synchronize_session=False)
    )


def extend(session: Session, process: Process, *, stage: Stage, due_on: date, reason: str, by: str, now: datetime) -> Extension:
    """Give one branch a later day for a stage, in this round. The process is held by Lock.MOVE.

    Raises Invalid, Conflict.
    """
    if stage not in WORKING_STAGES[process.kind]:
        raise Invalid({"stage": Words("这个环节没有期限", "this stage has no deadline")})
    if process.has_left(stage):
        raise Conflict(Words(f"该支部已完成“{stage.zh}”，不需要延期", f"the branch has left {stage.value} already"))
    given = [row.due_on for row in extensions_of(session, process.id) if row.stage is stage and row.round == process.round]
    present = max((day for day in (process.round_due_on or process.cycle.deadline(stage), *given) if day is not None), default=None)
    if present is not None and due_on <= present:
        raise Invalid({"due_on": Words(f"须晚于现有期限 {present}", f"must be later than {present}")})
    must_run(process)
    row = Extension(
        process_id=process.id, stage=stage, round=process.round, due_on=due_on, reason=reason, version=process.version + 1, given_by=by, given_at=now
    )
    session.add(row)
    session.flush()
    change_processes(session, [process], {"version": Process.version + 1})
    return row


def due_day(stage: object, round_: object, round_due_on: object) -> ColumnElement[date | None]:
    """Write the SQL for the day by which a process must be done; None once filed.

    It is the later of two days: the round's day, or without one the stage's deadline; and the last
    extension of this round. This is the only place that knows it: moves, extensions and changed
    deadlines all store its result.
    """
    given = (
        select(func.max(Extension.due_on))
        .where(Extension.process_id == Process.id, Extension.stage == stage, Extension.round == round_)
        .correlate(Process)
        .scalar_subquery()
    )
    deadline = (
        select(cast(Cycle.deadlines.op("->>")(cast(stage, Text)), Date)).where(Cycle.id == Process.cycle_id).correlate(Process).scalar_subquery()
    )
    day = func.greatest(func.coalesce(cast(round_due_on, Date), deadline), given)
    return case((cast(stage, Text) == any_(literal([each.value for each in STAGES_WITH_A_DAY], ARRAY(Text))), day), else_=null())


def change_processes(session: Session, processes: Sequence[Process], values: Mapping[str, object]) -> None:
    """Write processes held by Lock.MOVE, each with its due day, in one statement.

    Values may be SQL over the row as it was.
    """
    stage = values.get("stage", Process.stage)
    stage = literal(stage, Process.stage.type) if isinstance(stage, Stage) else stage
    day = due_day(stage, values.get("round", Process.round), values.get("round_due_on", Process.round_due_on))
    names = (*values, "due_on")
    rows = session.execute(
        update(Process)
        .where(any_of(Process.id, [process.id for process in processes]))
        .values(**values, due_on=day)
        .returning(Process.id, *(getattr(Process, name) for name in names))
        .execution_options(synchronize_session=False)
    )
    written = {row.id: row for row in rows}
    for process in processes:
        for name in names:
            set_committed_value(process, name, getattr(written[process.id], name))


def has_passed(day: date | None, now: datetime) -> bool:
    """Tell whether the end of that local day is over."""
    return day is not None and day < local_day(now)


def must_not_be_past(field: str, day: date | None, now: datetime, *, past_due_ok: bool = False) -> None:
    """Raise Invalid if a due day is over already, unless the sender says that this is meant."""
    if has_passed(day, now) and not past_due_ok:
        zh = f"{day} 已过，如确实如此请注明 past_due_ok"
        raise Invalid({field: Words(zh, f"{day} is past; say past_due_ok if this is meant")})


def extensions_of(session: Session, process_id: int, *, after: int = 0, limit: int = 200) -> Sequence[Extension]:
    """List later days in the order they were given."""
    return session.scalars(
        select(Extension).where(Extension.process_id == process_id, Extension.id > after).order_by(Extension.id).limit(limit)
    ).all()


def reminder_days(session: Session) -> dict[int, list[int]]:
    """Return the numbers of days before a deadline on which reminders go, by cycle.

    The plan of each cycle sets them.
    """
    days = Cycle.plan["rules"]["settings"]["reminder_days_before"]
    return {id_: list(before) for id_, before in session.execute(select(Cycle.id, days))}
