"""Days (期限): the day by which a branch must be done.

The office types the cycle's days, moves them, and gives single branches later ones. ``due_day``
alone computes the day of a process; all code that changes it stores the result of ``due_day``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    Integer,
    ScalarSelect,
    Text,
    and_,
    any_,
    case,
    cast,
    column,
    func,
    literal,
    null,
    select,
    type_coerce,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from workflow.foundation.database import any_of
from workflow.foundation.errors import Conflict, Invalid, Stale, Words
from workflow.foundation.fields import Sent, Truth, about
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import WORKING_STAGES, CycleStatus, Kind, Stage, local_day, stages_from
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
        raise Invalid({"deadlines.report": Words("报送期限必须填写（方案只写了月日，年份由党委办公室确定）", "the report's deadline is required")})
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
        raise Conflict(Words("年度已办结，期限不能再改", "the cycle is closed"))
    cycle.deadlines = deadlines
    cycle.changed_at = now
    cycle.version += 1
    session.flush()
    session.execute(select(Process.id).where(Process.cycle_id == cycle.id).order_by(Process.id).with_for_update())
    session.execute(
        update(Process)
        .where(Process.cycle_id == cycle.id)
        .values(due_on=(day := due_day(Process.stage, Process.round, Process.round_due_on)), day_changed_at=_changed_at(day, now))
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
    last = WORKING_STAGES[process.kind][-1]
    of_both = select(_day_of(stage), _day_of(last)).where(Process.id == process.id)
    present, at_most = session.execute(of_both).one()
    if present is not None and due_on <= present:
        raise Invalid({"due_on": Words(f"须晚于现有期限 {present}", f"must be later than {present}")})
    if stage is not last and at_most is not None and due_on > at_most:
        zh = f"不能晚于“{last.zh}”的期限 {at_most}，请先延长“{last.zh}”"
        raise Invalid({"due_on": Words(zh, f"must not be later than the day of {last.value}, {at_most}: extend that one first")})
    must_run(process)
    row = Extension(
        process_id=process.id, stage=stage, round=process.round, due_on=due_on, reason=reason, version=process.version + 1, given_by=by, given_at=now
    )
    session.add(row)
    session.flush()
    change_processes(session, [process], {"version": Process.version + 1}, now=now)
    return row


_GIVERS = values(column("stage", Text), column("giver", Text), column("place", Integer), column("last", Boolean), name="givers").data(
    [
        (stage.value, giver.value, place, giver is stages_from(stage)[-1])
        for stage in STAGES_WITH_A_DAY
        for place, giver in enumerate(stages_from(stage))
    ]
)
"""The stages whose day may hold for a stage, the nearest first: itself and the later ones."""


def due_day(stage: object, round_: object, round_due_on: object) -> ColumnElement[date | None]:
    """Write the SQL for the day by which a process must be done; None once filed or ended.

    A stage without a day of its own has the day of the next later stage that has one, with that
    stage's extension; the day of a whole round is the last stage's. A later day that the stage got
    itself in this round comes on top. This is the only place that knows it: moves, extensions and
    changed deadlines all store its result.
    """
    here, of_round = cast(stage, Text), cast(round_due_on, Date)
    typed = cast(Cycle.deadlines.op("->>")(_GIVERS.c.giver), Date)
    of_giver = (
        select(func.greatest(func.coalesce(of_round, typed), _extended_to(type_coerce(_GIVERS.c.giver, Extension.stage.type), round_)))
        .select_from(Cycle)
        .join(_GIVERS, _GIVERS.c.stage == here)
        .where(Cycle.id == Process.cycle_id, case((of_round.is_not(None), _GIVERS.c.last), else_=typed.is_not(None)))
        .order_by(_GIVERS.c.place)
        .limit(1)
        .correlate(Process)
        .scalar_subquery()
    )
    day = func.greatest(of_giver, _extended_to(stage, round_))
    at_work = here == any_(literal([each.value for each in STAGES_WITH_A_DAY], ARRAY(Text)))
    return case((and_(Process.ended_at.is_(None), at_work), day), else_=null())


def _extended_to(stage: object, round_: object) -> ScalarSelect[date]:
    """Select the last day to which a stage was extended in a round."""
    given = (Extension.process_id == Process.id, Extension.stage == stage, Extension.round == round_)
    return select(func.max(Extension.due_on)).where(*given).correlate(Process, _GIVERS).scalar_subquery()


def _day_of(stage: Stage) -> ColumnElement[date | None]:
    return due_day(literal(stage, Process.stage.type), Process.round, Process.round_due_on)


def _changed_at(day: ColumnElement[date | None], now: datetime) -> ColumnElement[datetime | None]:
    return case((day.is_distinct_from(Process.due_on), literal(now)), else_=Process.day_changed_at)


def change_processes(session: Session, processes: Sequence[Process], values: Mapping[str, object], *, now: datetime | None = None) -> None:
    """Write processes held by Lock.MOVE, each with its due day, in one statement.

    Values may be SQL over the row as it was. ``now`` is kept with a day that changes while the
    stage stays; a move has the time of its stage.
    """
    stage = values.get("stage", Process.stage)
    stage = literal(stage, Process.stage.type) if isinstance(stage, Stage) else stage
    day = due_day(stage, values.get("round", Process.round), values.get("round_due_on", Process.round_due_on))
    if now is not None:
        values = {**values, "day_changed_at": _changed_at(day, now)}
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


def days_that_hold(cycle: Cycle, kind: Kind) -> list[tuple[Stage, date]]:
    """List the stages of a kind that the plan asks, each with the day that holds for it."""
    return [(stage, day) for stage in WORKING_STAGES[kind] if stage not in cycle.passed_through and (day := cycle.holds(stage)) is not None]


def has_passed(day: date | None, now: datetime) -> bool:
    """Tell whether the end of that local day is over."""
    return day is not None and day < local_day(now)


def past_due_ok() -> Truth:
    """Make the field by which a sender says that a day that is over is meant."""
    zh, en = "期限写成已经过去的日子时，填 true 表示确实如此", "true if a day that is over is meant"
    return Truth(load_only=True, **about("期限已过也照办", "past due ok", zh, en, example=False))


def must_be_about_the_year(cycle: Cycle, field: str, day: date) -> None:
    """Refuse a day far from the year: a slip in the year. Raises Invalid.

    Work of a year may begin in the year before and end in the year after.
    """
    first, last = cycle.year - 1, cycle.year + 1
    if not first <= day.year <= last:
        raise Invalid({field: Words(f"{day} 不在 {first} 至 {last} 年之间", f"{day} is not between {first} and {last}")})


def must_not_be_long_before_the_year(cycle: Cycle, field: str, day: date | None) -> None:
    """Refuse a day long before the year, of what goes on after it by itself. Raises Invalid."""
    if day is not None and day.year < cycle.year - 1:
        raise Invalid({field: Words(f"{day} 早于 {cycle.year - 1} 年", f"{day} is before {cycle.year - 1}")})


def must_lie_ahead(days: Mapping[str, date | None], sent: Sent, now: datetime) -> None:
    """Refuse days that are over, by field, unless ``past_due_ok`` says that they are meant.

    Their letters would tell a whole school at once that it is late. Raises Invalid.
    """
    if sent.get("past_due_ok"):
        return
    faults = {
        field: Words(
            f"{day} 已经过去；确实要用这一天，请注明“期限已过也照办”（past_due_ok）", f"{day} is over; if it is meant, say so with past_due_ok"
        )
        for field, day in days.items()
        if has_passed(day, now)
    }
    if faults:
        raise Invalid(faults)


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
