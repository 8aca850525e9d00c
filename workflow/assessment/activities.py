"""集中活动 (activities of the year): the school's joint activities, and the attendance at them.

The plan: 围绕各支部完成主要工作、参加重要集中活动……参加党员教育学习、文明创建、志愿服务等集中活动的
出勤及表现情况。

Records: an activity of the year, and a line for each person who was expected at it, as the
attendance sheet (出勤表) says. An activity belongs to the year. The line of a person belongs to
their branch's assessment, by the roll at the time when the sheet was applied. ``attendance.py``
reads and applies sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from marshmallow import fields
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, Select, String, func, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.foundation.database import Base, any_of, notes, word
from workflow.foundation.errors import Exists, Invalid, NotFound, StageClosed, Words
from workflow.foundation.fields import (
    Answered,
    Day,
    Line,
    Sent,
    Truth,
    Whole,
    about,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Presence, Role, Severity, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.evidence import STANDING, Retractable, amendable, must_have_happened, withdraw
from workflow.rules.records import REASON, RecordSchema
from workflow.rules.requirement import TODAY, Missing, missing, requirement
from workflow.year.cycle import Cycle, Process, must_be_running
from workflow.year.deadlines import must_be_about_the_year
from workflow.year.finding import Lock, cycle_by_year, processes

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────

OTHER = "other"


@tracked()
class Activity(Retractable, Base):
    """One activity of the year (集中活动)."""

    __tablename__ = "activity"
    __table_args__ = (
        CheckConstraint("expected >= 0", name="expected"),
        Index("ix_activity_cycle", "cycle_id", "held_on"),
        Index(
            "uq_activity_standing",
            "cycle_id",
            "kind",
            "name",
            "held_on",
            unique=True,
            postgresql_where=STANDING,
        ),
    )

    cycle_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    kind: Mapped[str] = mapped_column(String(32))
    """A kind that the plan names, or ``other``, which is listed and has no rate."""
    name: Mapped[str]
    held_on: Mapped[date]
    expected: Mapped[int | None]
    """应到: how many people of the whole school were expected, if the office knows it.

    The sheet is compared with it.
    """


@tracked()
class Attendance(Base):
    """A person's presence, leave or absence at an activity where they were expected (出勤)."""

    __tablename__ = "attendance"
    __table_args__ = (PrimaryKeyConstraint("activity_id", "staff_no"), Index("ix_attendance_process", "process_id"))

    activity_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("activity.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    """The assessment of the branch that the person counts for."""
    presence: Mapped[Presence] = mapped_column(word(Presence, name="presence"), info=notes("S4"))

    activity: Mapped[Activity] = relationship()


personal(Activity, Area.ASSESSMENT, "集中活动", other="kind name held_on expected")
personal(
    Attendance,
    Area.ASSESSMENT,
    "活动出勤",
    Data("staff_no 何人, presence 出勤、请假或缺勤", "按支部算出勤率（S4）", "无人逐个看；只看人数"),
    of="应参加的党员",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class TurnoutSchema(Answered):
    """The turnout of the whole school by the sheet: expected, present, on leave, absent."""

    expected = Whole(dump_only=True, **about("应到", "expected", always=True))
    present = Whole(dump_only=True, **about("实到", "present", always=True))
    on_leave = Whole(dump_only=True, **about("请假", "on leave", always=True))
    absent = Whole(dump_only=True, **about("缺勤", "absent", always=True))


class ActivitySchema(RecordSchema):
    """An activity of the year. It may be planned ahead."""

    kind = Line(required=True, at_most=32, **about("类别", "kind", "方案中的活动类别，或 other", "as the plan has it, or other", example="study"))
    name = Line(required=True, **about("名称", "name", "活动的名称", "how it is called", example="主题党日"))
    held_on = Day(required=True, **about("日期", "day", "可以提前登记", "it may be planned ahead", example="2024-12-19"))
    expected = Whole(at_most=100_000, **about("应到人数", "expected", "与出勤表核对", "compared with the sheet", example=300))
    imported = Truth(dump_only=True, **about("已写入出勤", "attendance imported", always=True))
    attendance = fields.Nested(TurnoutSchema, dump_only=True, **about("出勤", "attendance", always=True))

    def shown_with(self, row: Activity, turnout: Turnout | None) -> dict[str, Any]:
        """Show an activity with its turnout; None before its sheet was applied."""
        counted = self.fields["attendance"].schema.shown(turnout or Turnout())  # type: ignore[attr-defined]
        return {**self.shown(row, frozenset({"imported", "attendance"})), "imported": turnout is not None, "attendance": counted}


ACTIVITIES = ActivitySchema()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_activity(session: Session, cycle: Cycle, body: Sent, *, by: Caller, now: datetime) -> Activity:
    """Record an activity that was held or is planned.

    Raises Invalid; Conflict once the year is closed; Exists when the same one stands.
    """
    must_be_about_the_year(cycle, "held_on", body["held_on"])
    _must_be_of_the_plan(cycle, body["kind"])
    must_be_running(cycle)
    row = Activity(cycle_id=cycle.id, recorded_by=by.staff_no, recorded_at=now, expected=body.get("expected"))
    row.kind, row.name, row.held_on = body["kind"], body["name"], body["held_on"]
    _must_be_the_only_one(session, cycle, row)
    session.add(row)
    session.flush()
    return row


def amend_activity(session: Session, cycle: Cycle, row: Activity, body: Sent, *, seen: int, now: datetime) -> None:
    """Correct an activity, which the caller holds.

    An activity with attendance was held: it cannot be moved to a day that is still to come. Raises
    Invalid, Stale, Conflict, Exists; StageClosed for another kind when a branch was summarised with
    it.
    """
    if "kind" in body:
        _must_be_of_the_plan(cycle, body["kind"])
    if "held_on" in body:
        must_be_about_the_year(cycle, "held_on", body["held_on"])
        if turnouts(session, [row.id]):
            must_have_happened("held_on", body["held_on"], now)
    amendable(session, row, seen=seen)
    if not body:
        return
    must_be_running(cycle)
    if body.get("kind", row.kind) != row.kind:
        _must_not_be_summarised(session, row)
    with session.no_autoflush:
        for name, value in body.items():
            setattr(row, name, value)
        _must_be_the_only_one(session, cycle, row)
    row.version += 1
    session.flush()


def withdraw_activity(session: Session, cycle: Cycle, row: Activity, *, by: Caller, now: datetime, reason: str) -> None:
    """Take an activity back, as the office; its attendance stops counting.

    Raises Conflict; StageClosed when a branch was summarised with it.
    """
    must_be_running(cycle)
    _must_not_be_summarised(session, row)
    withdraw(row, by=by.staff_no, now=now, reason=reason)
    session.flush()


def kinds_of(cycle: Cycle) -> dict[str, str]:
    """List the kinds of activity of a year with their words: the plan's, and ``other``."""
    return {**cycle.plan["rules"]["activity_kinds"], OTHER: "其他活动"}


def _must_be_of_the_plan(cycle: Cycle, kind: str) -> None:
    """Refuse a kind that the year does not have. Raises Invalid."""
    known = kinds_of(cycle)
    if kind not in known:
        said = "、".join(f"{name}（{zh}）" for name, zh in known.items())
        raise Invalid({"kind": Words(f"应为 {said} 之一", f"must be one of {', '.join(known)}")})


def _must_be_the_only_one(session: Session, cycle: Cycle, row: Activity) -> None:
    """Refuse a second one of the same kind, name and day. Raises Exists.

    The index refuses it too when two are recorded at once.
    """
    same = (Activity.cycle_id == row.cycle_id, Activity.kind == row.kind, Activity.name == row.name, Activity.held_on == row.held_on)
    other = session.scalar(select(Activity.id).where(*same, Activity.counts, true() if row.id is None else Activity.id != row.id))
    if other is not None:
        kind = kinds_of(cycle)[row.kind]
        raise Exists(Words(f"{row.held_on} 的“{row.name}”（{kind}）已经登记", f"{row.name} on {row.held_on} is recorded already"))


def _must_not_be_summarised(session: Session, row: Activity) -> None:
    """Refuse an activity with attendance of a branch that is summarised.

    The material of such a branch must not change any more. Raises StageClosed.
    """
    ids = session.scalars(select(Attendance.process_id).where(Attendance.activity_id == row.id).distinct()).all()
    must_be_collecting((each.branch_name, each.stage) for each in processes(session, ids, lock=Lock.EVIDENCE))


def must_be_collecting(branches: Iterable[tuple[str, Stage]]) -> None:
    """Refuse branches whose assessment has left collecting. Raises StageClosed, naming them."""
    if closed := [name for name, stage in branches if stage is not Stage.COLLECTING]:
        names = "、".join(closed)
        raise StageClosed(Words(f"{names}的考核材料已汇总，先退回再改动", f"the material of {names} is summarised: return it first"))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Turnout:
    """The turnout of an activity (应到), over the whole school or in a branch.

    It counts people who were expected, came, were on leave, and stayed away.
    """

    expected: int = 0
    present: int = 0
    on_leave: int = 0
    absent: int = 0


def activity_of(session: Session, cycle: Cycle, activity_id: int, *, held: bool = False) -> Activity:
    """Find one activity of a year, ``held`` to change it or its attendance. Raises NotFound."""
    statement = select(Activity).where(Activity.cycle_id == cycle.id, Activity.id == activity_id)
    row = session.scalar(statement.with_for_update(key_share=True).execution_options(populate_existing=True) if held else statement)
    if row is None:
        raise NotFound
    return row


def activities_of(session: Session, cycle: Cycle, *, kind: str | None = None, after: int = 0, limit: int = 200) -> Sequence[Activity]:
    """List activities in the order they were recorded, those taken back included.

    Raises Invalid for a kind that the year does not have.
    """
    if kind is not None:
        _must_be_of_the_plan(cycle, kind)
    of_kind = true() if kind is None else Activity.kind == kind
    return session.scalars(
        select(Activity).where(Activity.cycle_id == cycle.id, Activity.id > after, of_kind).order_by(Activity.id).limit(limit)
    ).all()


def _counted(*by: Any) -> Select[Any]:
    """Count lines by presence, grouped by these columns."""
    of_each = (func.count().filter(Attendance.presence == presence).label(presence.value) for presence in Presence)
    return select(*by, func.count().label("expected"), *of_each).select_from(Attendance).group_by(*by)


def turnouts(session: Session, activity_ids: Sequence[int]) -> dict[int, Turnout]:
    """Count the turnout of many activities, in one query; none where no sheet was applied."""
    rows = session.execute(_counted(Attendance.activity_id).where(any_of(Attendance.activity_id, activity_ids)))
    return {activity_id: Turnout(*numbers) for activity_id, *numbers in rows}


def turnouts_of_branches(session: Session, process_ids: Sequence[int]) -> dict[tuple[int, int], Turnout]:
    """Count the turnout of many branches, by assessment and activity, in one query."""
    counted = _counted(Attendance.process_id, Attendance.activity_id).where(any_of(Attendance.process_id, process_ids))
    return {(process_id, activity_id): Turnout(*numbers) for process_id, activity_id, *numbers in session.execute(counted)}


# ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_year(call: Call[object], year: int) -> Cycle:
    """Find the year that an address names. Raises NotFound."""
    return cycle_by_year(call.session, year)


def held_activity(call: Call[object], year: int, record_id: int) -> tuple[Cycle, Activity]:
    """Find and hold an activity, with its year, to change it. Raises NotFound."""
    cycle = cycle_by_year(call.session, year)
    return cycle, activity_of(call.session, cycle, record_id, held=True)


def _amend(call: Call[tuple[Cycle, Activity]], sent: Sent) -> Activity:
    cycle, row = call.on
    amend_activity(call.session, cycle, row, sent, seen=call.seen, now=call.now)
    return row


def _withdraw(call: Call[tuple[Cycle, Activity]], sent: Sent) -> Activity:
    cycle, row = call.on
    withdraw_activity(call.session, cycle, row, by=call.by, now=call.now, reason=sent["reason"])
    return row


RECORD: Act[Cycle, Activity] = Act(
    "record_activity",
    "登记集中活动",
    "record an activity",
    Action.ASSESS,
    lambda call, sent: record_activity(call.session, call.on, sent, by=call.by, now=call.now),
    on=a_year,
    sends=ACTIVITIES,
    link="activities",
)
AMEND: Act[tuple[Cycle, Activity], Activity] = Act(
    "amend_activity",
    "更正集中活动",
    "correct an activity",
    Action.ASSESS,
    _amend,
    on=held_activity,
    sends=ActivitySchema(partial=True),
    wants_version=True,
    link="activities",
)
WITHDRAW: Act[tuple[Cycle, Activity], Activity] = Act(
    "withdraw_activity", "撤回集中活动", "withdraw an activity", Action.ASSESS, _withdraw, on=held_activity, sends=REASON, link="activities"
)
ACTS: tuple[AnyAct, ...] = (RECORD, AMEND, WITHDRAW)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "R4",
    stage=Stage.COLLECTING,
    severity=Severity.SIGN,
    todo_for=Role.OFFICE,
    link="/activities",
    zh="{count} 项集中活动还没有登记出勤：{names}",
    en="no attendance is recorded of {count} activities: {names}",
)
def activities_without_attendance() -> Missing:
    """围绕各支部完成主要工作、参加重要集中活动，重点从以下方面汇总评价"""
    # The first line by its index: "not exists" would read every line of the school to join it away.
    applied = select(Attendance.activity_id).where(Attendance.activity_id == Activity.id).correlate(Activity).order_by(Attendance.staff_no).limit(1)
    return (
        missing(Process.id, subject=Activity.id, name=Activity.name)
        .join(Activity, Activity.cycle_id == Process.cycle_id)
        .where(Activity.counts, Activity.held_on <= TODAY, applied.scalar_subquery().is_(None))
    )


REQUIREMENTS = (activities_without_attendance,)
