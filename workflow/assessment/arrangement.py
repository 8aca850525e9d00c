"""述职安排 (arrangement): how a secretary gives the duty report to the party.

The plan: 支部书记述职。根据情况，适时采取现场述职或书面述职的方式进行。

It also holds the office's own comment on the branch. One row for each process, which the office
writes. It has no version of its own: it is part of what the assessment shows, and a change of it
raises the version of the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, select, true
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column

from workflow.foundation.database import Base, any_of, notes, word
from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import (
    Answered,
    Day,
    Inner,
    Line,
    LongText,
    Sent,
    Whole,
    about,
    one_of,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Kind, ReportMode, Role, Severity, Stage
from workflow.people.access import Action
from workflow.people.organisation import Branch
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.bulk import bulk, by_code
from workflow.rules.evidence import must_be_open
from workflow.rules.requirement import Missing, blanks, missing, requirement
from workflow.year.cycle import Cycle, Process
from workflow.year.deadlines import change_processes, must_be_about_the_year
from workflow.year.finding import Lock, check_version

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class Arrangement(Base):
    """One branch's way to report, and the office's own words on it (述职安排、党委办公室意见)."""

    __tablename__ = "arrangement"
    __table_args__ = (
        CheckConstraint("mode = 'on_site' or num_nonnulls(held_on, place, position) = 0", name="on_site"),
        CheckConstraint("position >= 1", name="position"),
        Index("uq_arrangement_position", "cycle_id", "held_on", "place", "position", unique=True),
    )

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"), primary_key=True)
    cycle_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    mode: Mapped[ReportMode | None] = mapped_column(word(ReportMode, name="mode"))
    held_on: Mapped[date | None]
    """The day of the session at which this branch reports (现场述职)."""
    place: Mapped[str | None]
    position: Mapped[int | None]
    """The place of the branch in the order of the session, from 1."""
    conduct: Mapped[str | None] = mapped_column(info=notes("S4"))
    """表现: a short comment on how the branch took part."""
    extra: Mapped[str | None]
    """等: anything else that the committee should have before it."""


personal(
    Arrangement,
    Area.ASSESSMENT,
    "述职安排和党委办公室意见",
    Data(
        "conduct 集中活动中的表现, extra 党委会还应知道的",
        "党委会研究决定时参考（S4、R6）",
        Action.READ_ASSESSMENT_PROCESS,
    ),
    of="支部书记，意见说到的人",
    other="mode held_on place position",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class OnSiteSchema(Answered):
    """The session at which a branch reports (现场述职): day, place, and number in its order."""

    held_on = Day(**about("日期", "day", "哪一天现场述职", "the day of the session", example="2025-01-10"))
    place = Line(**about("地点", "place", "在哪里述职", "where it is held", example="行政楼报告厅"))
    order = Whole(at_least=1, at_most=1000, attribute="position", **about("顺序", "order", "第几个述职", "the number in its order", example=1))


class ArrangementSchema(Answered):
    """The office's settings for a branch. A setting that is left out stays."""

    mode = one_of(ReportMode, **about("述职方式", "mode", "现场或书面", "on site or in writing", example="on_site"))
    on_site = Inner(OnSiteSchema, **about("场次", "session", "现场述职的日期、地点、顺序", "of a report on site", example={"order": 1}))
    conduct = LongText(at_most=1000, **about("表现", "conduct", "集中活动中的表现（S4）", "in the activities (S4)", example="活动组织有序"))
    extra = LongText(
        at_most=5000, **about("其他", "extra", "党委会还应知道的（R6）", "what else the committee should know (R6)", example="获评先进集体")
    )


ARRANGEMENT = ArrangementSchema()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def arrangement_of(session: Session, process: Process) -> Arrangement | None:
    """Find the arrangement of a branch, if the office has set anything."""
    return session.get(Arrangement, process.id, populate_existing=True)


def arrangements_of(session: Session, process_ids: Sequence[int]) -> dict[int, Arrangement]:
    """Find the arrangements of many branches, in one query."""
    rows = session.scalars(select(Arrangement).where(any_of(Arrangement.process_id, process_ids)).execution_options(populate_existing=True))
    return {row.process_id: row for row in rows}


def on_site(session: Session, cycle: Cycle) -> Sequence[tuple[Arrangement, Process]]:
    """List the branches that report on site, by day, place and order, in one query."""
    rows = session.execute(
        select(Arrangement, Process)
        .join(Process, Process.id == Arrangement.process_id)
        .join(Process.branch)
        .options(contains_eager(Process.branch))
        .where(Process.ended_at.is_(None), Arrangement.cycle_id == cycle.id, Arrangement.mode == ReportMode.ON_SITE)
        .order_by(Arrangement.held_on, Arrangement.place, Arrangement.position, Branch.code)
    )
    return [(row, process) for row, process in rows]


def arrange(session: Session, process: Process, body: Sent, *, seen: int) -> None:
    """Set how a branch reports, or what the office says of it.

    The caller holds the process by Lock.MOVE. Raises Invalid, Stale, StageClosed, Conflict.
    """
    row = arrangement_of(session, process)
    mode = body.get("mode", row.mode if row else None)
    if "on_site" in body and mode is not ReportMode.ON_SITE:
        raise Invalid({"on_site": Words("只有现场述职才有场次", "only a report on site has a session")})
    if (day := body.get("on_site", {}).get("held_on")) is not None:
        must_be_about_the_year(process.cycle, "on_site.held_on", day)
    check_version(session, process, seen)
    if not body:
        return
    must_be_open(process, Stage.COLLECTING if body.keys() & {"mode", "on_site"} else Stage.SUMMARISED)
    if row is None:
        row = Arrangement(process_id=process.id, cycle_id=process.cycle_id)
        session.add(row)
    row.mode = mode
    for name in ("conduct", "extra"):
        setattr(row, name, body.get(name, getattr(row, name)))
    if mode is ReportMode.WRITTEN:
        row.held_on = row.place = row.position = None
    if "on_site" in body:
        given = body["on_site"]
        row.held_on, row.place, row.position = given.get("held_on"), given.get("place"), given.get("position")
    _must_be_free(session, process, row)
    session.flush()
    change_processes(session, [process], {"version": Process.version + 1})


def _must_be_free(session: Session, process: Process, row: Arrangement) -> None:
    """Refuse a place in the order that another branch has. Raises Conflict, naming it.

    The index refuses it too when two are set at once.
    """
    if None in (row.held_on, row.place, row.position):
        return
    # Without a flush: the index would refuse first, and name nobody.
    with session.no_autoflush:
        other = session.scalar(
            select(Process.branch_name)
            .join(Arrangement, Arrangement.process_id == Process.id)
            .where(
                Arrangement.cycle_id == process.cycle_id,
                Arrangement.held_on == row.held_on,
                Arrangement.place == row.place,
                Arrangement.position == row.position,
                Arrangement.process_id != process.id,
            )
        )
    if other is not None:
        raise Conflict(Words(f"该场次的第 {row.position} 位已安排给{other}", f"number {row.position} of that session is {other} already"))


def _arrange(call: Call[object], sent: Sent) -> Process:
    arrange(call.session, call.process, sent, seen=call.seen)
    return call.process


ARRANGE: Act[Any, Process] = Act(
    "arrange",
    "安排述职、填写意见",
    "set how a branch reports",
    Action.ASSESS_BRANCH,
    _arrange,
    kind=Kind.ASSESSMENT,
    lock=Lock.MOVE,
    sends=ArrangementSchema(partial=True),
    wants_version=True,
)
ARRANGE_MANY = bulk(ARRANGE, code=by_code())
ACTS: tuple[AnyAct, ...] = (ARRANGE, ARRANGE_MANY)

# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────

_asked = partial(requirement, "R2", stage=Stage.COLLECTING, severity=Severity.HARD, todo_for=Role.OFFICE, link="")


@_asked(zh="还没有确定现场述职或者书面述职", en="whether the secretary reports on site or in writing is not set")
def report_mode_not_set() -> Missing:
    """根据情况，适时采取现场述职或书面述职的方式进行。"""
    chosen = select(Arrangement.process_id).where(Arrangement.process_id == Process.id, Arrangement.mode.is_not(None)).correlate(Process).exists()
    return missing(Process.id).where(~chosen)


@_asked(zh="现场述职的场次还缺：{names}", en="the session of the report on site lacks: {names}")
def session_of_the_report_incomplete() -> Missing:
    """根据情况，适时采取现场述职或书面述职的方式进行。"""
    lacks = blanks(
        {
            "held_on": ("日期", Arrangement.held_on.is_(None)),
            "place": ("地点", Arrangement.place.is_(None)),
            "order": ("顺序", Arrangement.position.is_(None)),
        }
    )
    return (
        missing(Arrangement.process_id, subject=lacks.c.field, name=lacks.c.zh)
        .join(lacks, true())
        .where(Arrangement.mode == ReportMode.ON_SITE, lacks.c.blank)
    )


REQUIREMENTS = (report_mode_not_set, session_of_the_report_incomplete)
