"""Cycle, process, roll (年度、流程、名册): a year, and the stage of each branch in it.

Publishing a cycle gives every branch its process and its roll. Code that judges a process reads the
roll, never the organisation: last year's form does not change when someone moves.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, notes, word
from workflow.foundation.errors import Conflict, Words
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import (
    STAGES,
    CycleStatus,
    EndedWhy,
    ExcuseKind,
    Kind,
    LeftReason,
    Post,
    Stage,
    Standing,
    Trigger,
    stages_from,
)
from workflow.people.access import Action
from workflow.people.organisation import Branch, Person


@tracked()
class Cycle(Numbered, Base):
    """A year's 党建考核暨组织生活会 (年度). Its plan is copied here and pinned once published."""

    __tablename__ = "cycle"
    __table_args__ = (CheckConstraint("year between 2000 and 2999", name="year"),)

    year: Mapped[int] = mapped_column(unique=True, info=notes("P2"))
    title: Mapped[str]
    theme: Mapped[str]
    status: Mapped[CycleStatus] = mapped_column(word(CycleStatus), default=CycleStatus.DRAFT)
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB, info=notes("P1", "G0", "C7"))
    """``Plan.as_json()``: requirements read ``rules`` and the clauses' sentences from here."""
    deadlines: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Stage to ISO day, the end of that local day, as the office typed them."""
    version: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    status_reason: Mapped[str | None] = mapped_column(sort_order=100)
    """The reason why it was closed with branches still open, or opened again."""

    def deadline(self, stage: Stage) -> date | None:
        """Return the day that the office typed for a stage."""
        day = self.deadlines.get(stage.value)
        return date.fromisoformat(day) if day else None

    def day_giver(self, stage: Stage) -> Stage | None:
        """Find the stage whose day holds for a stage: itself, or the next later one with a day."""
        return next((each for each in stages_from(stage) if self.deadline(each) is not None), None)

    def holds(self, stage: Stage) -> date | None:
        """Return the day by which a branch must be done with a stage, before any extension."""
        giver = self.day_giver(stage)
        return self.deadline(giver) if giver is not None else None

    def asks(self, clause: str) -> bool:
        """Tell whether the plan of this year asks a clause of anybody."""
        return clause not in self.plan.get("not_asked", {})

    @property
    def passed_through(self) -> frozenset[Stage]:
        """Return the stages of which the plan asks nothing: moves to them go on to the next one."""
        return frozenset(map(Stage, self.plan.get("passed_through", ())))

    def sentence(self, clause: str) -> str:
        """Return the plan's own sentence behind a clause."""
        return str(self.plan["clauses"].get(clause, ""))


@tracked()
class Process(Numbered, Base):
    """One branch's way through one cycle (流程)."""

    __tablename__ = "process"
    __table_args__ = (
        UniqueConstraint("cycle_id", "branch_id", "kind"),
        CheckConstraint(
            " or ".join(f"(kind = '{kind.value}' and stage in ({', '.join(repr(s.value) for s in stages)}))" for kind, stages in STAGES.items()),
            name="stage_of_kind",
        ),
        CheckConstraint("round >= 1 and version >= 1", name="counting"),
        CheckConstraint("(ended_at is null) = (ended_why is null) and (ended_at is null) = (ended_by is null)", name="ended"),
        CheckConstraint("(ended_why is not distinct from 'merged') = (ended_into_id is not null)", name="merged"),
        Index("ix_process_board", "cycle_id", "kind", "stage", "due_on"),
        Index("ix_process_branch_id", "branch_id"),
        Index("ix_process_ended", "cycle_id", "kind", postgresql_where="ended_at is not null"),
    )

    cycle_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    branch_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("branch.id"))
    kind: Mapped[Kind] = mapped_column(word(Kind))
    stage: Mapped[Stage] = mapped_column(word(Stage), info=notes("B1"))
    round: Mapped[int] = mapped_column(default=1)
    """Grows by return and reopen only (轮次)."""
    version: Mapped[int] = mapped_column(default=1)
    """Raised by moves and extensions only: the ETag of the process."""
    entered_at: Mapped[datetime]
    round_due_on: Mapped[date | None]
    """The day the office set for the whole round when it returned the process."""
    due_on: Mapped[date | None]
    """The result of ``due_day``; None is never overdue and gets no letters."""
    late: Mapped[bool] = mapped_column(default=False)
    """Filed after its day: a mark, never a block."""
    branch_name: Mapped[str] = mapped_column(sort_order=200)
    """The branch's name in this year: a later renaming changes no filed or closed one."""
    unit_code: Mapped[str] = mapped_column(sort_order=200)
    unit_name: Mapped[str] = mapped_column(sort_order=200)
    ended_at: Mapped[datetime | None] = mapped_column(sort_order=200)
    """The moment at which the office took it out of the year; None while it takes part."""
    ended_by: Mapped[str | None] = mapped_column(sort_order=200)
    ended_why: Mapped[EndedWhy | None] = mapped_column(word(EndedWhy, name="ended_why"), sort_order=200)
    ended_reason: Mapped[str | None] = mapped_column(sort_order=200)
    ended_into_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("branch.id"), sort_order=200)
    """The branch that it was merged into."""
    day_changed_at: Mapped[datetime | None] = mapped_column(sort_order=220)
    """The time at which its day was last changed while the stage stayed."""

    cycle: Mapped[Cycle] = relationship()
    branch: Mapped[Branch] = relationship(foreign_keys=[branch_id])
    ended_into: Mapped[Branch | None] = relationship(foreign_keys=[ended_into_id])

    def overdue(self, today: date) -> bool:
        return self.due_on is not None and self.due_on < today

    def has_left(self, stage: Stage) -> bool:
        """Tell whether the process has gone past a stage, so that its evidence is closed."""
        order = STAGES[self.kind]
        return order.index(self.stage) > order.index(stage)


@tracked()
class Participant(Base):
    """One line of the roll (名册): a person, in the state that this process knows."""

    __tablename__ = "participant"
    __table_args__ = (
        PrimaryKeyConstraint("process_id", "person_id"),
        CheckConstraint("(excused_refused_by is null) = (excused_refused_reason is null)", name="excuse_refused"),
        Index("ix_participant_person", "person_id"),
        Index("ix_participant_excused", "process_id", postgresql_where="excused_reason is not null"),
    )

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    staff_no: Mapped[str]
    name: Mapped[str]
    standing: Mapped[Standing] = mapped_column(word(Standing))
    post: Mapped[Post | None] = mapped_column(word(Post))
    title: Mapped[str | None]
    on_committee: Mapped[bool]
    """False for everybody in a branch without a committee. K1 and D1 read it."""
    leads: Mapped[bool]
    """True for the committee, or else for secretary and deputy. K2, M2–M4 and F1 read it."""
    cadre: Mapped[bool]
    voting: Mapped[bool]
    punished_on: Mapped[date | None]
    """The day of their last punishment; it and the vote come from the person."""
    excused_reason: Mapped[str | None]
    excused_confirmed_by: Mapped[str | None]
    left_on: Mapped[date | None]
    """The day from which a person is out of every requirement."""
    rated_here: Mapped[bool] = mapped_column(default=True)
    """True on one line of a person in a year: they are rated and counted there, once."""
    version: Mapped[int] = mapped_column(default=1)
    left_reason: Mapped[LeftReason | None] = mapped_column(word(LeftReason, name="left_reason"), sort_order=1)
    joined_on: Mapped[date | None] = mapped_column(sort_order=1)
    """The day on which they came to a roll that was there already; None for one of the first."""
    rated_here_by: Mapped[str | None] = mapped_column(sort_order=1)
    """The person of the office who said where they are rated; None where it follows the ballot."""
    excused_kind: Mapped[ExcuseKind | None] = mapped_column(word(ExcuseKind, name="excused_kind"), sort_order=1)
    party_group: Mapped[str | None] = mapped_column(sort_order=110)
    excused_by: Mapped[str | None] = mapped_column(sort_order=119)
    """The person who entered the excuse, and does not decide on it; None for those of before."""
    excused_refused_by: Mapped[str | None] = mapped_column(sort_order=120)
    """The person of the office who refused the excuse; a new reason of the branch clears it."""
    excused_refused_reason: Mapped[str | None] = mapped_column(sort_order=121)

    process: Mapped[Process] = relationship()
    person: Mapped[Person] = relationship()


SENDS_BACK = (Trigger.RETURN, Trigger.REOPEN)
"""The moves by which a branch gets its material back (退回、重新启动)."""


@tracked()
class StageChange(Numbered, Base):
    """A move that was made (环节变动): its maker, its reason, and the version it gave the process."""

    __tablename__ = "stage_change"
    __table_args__ = (Index("ix_stage_change_process", "process_id", "id"),)

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    trigger: Mapped[Trigger] = mapped_column(word(Trigger))
    source: Mapped[Stage] = mapped_column(word(Stage, name="source"))
    target: Mapped[Stage] = mapped_column(word(Stage, name="target"))
    round: Mapped[int]
    version: Mapped[int]
    due_on: Mapped[date | None]
    reason: Mapped[str | None]
    late: Mapped[bool]
    made_by: Mapped[str]
    made_at: Mapped[datetime]

    process: Mapped[Process] = relationship()


@tracked()
class Extension(Numbered, Base):
    """A later day for one branch and one stage, in the round it was given in (延期)."""

    __tablename__ = "extension"
    __table_args__ = (Index("ix_extension_process", "process_id", "stage", "round"),)

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    stage: Mapped[Stage] = mapped_column(word(Stage))
    round: Mapped[int]
    due_on: Mapped[date]
    reason: Mapped[str]
    version: Mapped[int]
    given_by: Mapped[str]
    given_at: Mapped[datetime]


_WHY = Data("status_reason 理由", "没有全部办完即办结，或者重新启动年度，是为什么", Action.READ_CYCLES)
personal(Cycle, Area.YEAR, "年度", _WHY, of="理由说到的人", other="year title theme status plan deadlines changed_at closed_at")
personal(
    Process,
    Area.YEAR,
    "流程",
    Data("ended_by 由谁办理, ended_reason 说明", "为什么不再参加（并入、撤销等）", Action.READ_PROCESS),
    of="办理人，说明里说到的人",
    other=("kind stage round entered_at round_due_on due_on late day_changed_at branch_name unit_code unit_name ended_at ended_why ended_into_id"),
)
personal(
    Participant,
    Area.YEAR,
    "名册",
    Data("person_id 何人, staff_no 学工号, name 姓名", "每一条要求、每一处统计都以名册为准", Action.READ_ROLL),
    Data("standing 人员类别, voting 有无表决权", "谁表决、谁评等次（D1、D5）", Action.READ_PROCESS),
    Data("post 支部职务, title 职务名称", "书记是第一责任人（Q1）", Action.READ_PROCESS),
    Data("on_committee 是否支委, leads 是否主持支部工作", "谁与谁谈话、谁受评议（K1、K2、M3）", Action.READ_PROCESS),
    Data("cadre 是否党员领导干部", "参加所在支部的会（M6）", Action.READ_PROCESS),
    Data("party_group 党小组", "党小组会由谁参加（M1）", Action.READ_PROCESS),
    Data("punished_on 受处分的日期", "一年内受过处分又拟评优秀的，提示（D5）", Action.READ_PROCESS),
    Data(
        "excused_kind 不参加的原因类别, excused_reason 不参加的原因, excused_by 由谁登记, excused_confirmed_by 由谁确认, "
        "excused_refused_by 由谁退回, excused_refused_reason 退回的理由, joined_on 转来的日期, "
        "left_on 离开的日期, left_reason 离开原因, rated_here 是否在本支部评定, rated_here_by 由谁确定",
        "谁不计入应到、谁不再有要求（E4、G2、D3）",
        Action.READ_PROCESS,
    ),
    of="各年度各支部的党员",
)
personal(
    StageChange,
    Area.YEAR,
    "环节变动",
    Data("reason 理由", "各环节何时、由谁、为什么变动（B1、Q1）", Action.READ_PROCESS),
    of="办理人，理由说到的人",
    other="trigger source target round due_on late",
)
personal(
    Extension,
    Area.YEAR,
    "延期",
    Data("reason 理由", "延到哪天、为什么（Q6）", Action.READ_PROCESS),
    of="准许的人，理由说到的人",
    other="stage round due_on",
)


def must_run(process: Process) -> None:
    """Raise Conflict if the year is closed, or the branch takes no part any more."""
    must_be_running(process.cycle)
    if process.ended_why is not None:
        zh, en = f"{process.branch_name}已不再参加本年度（{process.ended_why.zh}），不能改动", f"{process.branch_name} takes no part any more"
        raise Conflict(Words(zh, f"{en} ({process.ended_why.value})"))


def must_be_running(cycle: Cycle) -> None:
    """Raise Conflict if the year is closed."""
    if cycle.status is CycleStatus.CLOSED:
        raise Conflict(Words(f"{cycle.year}年度已办结，不能再改动", f"the cycle {cycle.year} is closed"))
