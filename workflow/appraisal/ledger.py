"""整改台账 (the ledger of rectification): problems that were found, measures and commitments.

Both have their progress with them. The ledger stands below all stages, because this year's duty
report tells what came of last year's (F9), and problems come up in talks and meetings. The rooms of
the fifth stage say who may write it and what the plan asks of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, and_, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, any_of, word
from workflow.foundation.errors import Invalid, Words
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Kind, MeasureState, ProblemSource
from workflow.people.access import Action
from workflow.rules.evidence import STANDING, Evidence
from workflow.year.cycle import Cycle, Participant, Process

COMMITTEE = "committee"
"""The word in the place of a 学工号 for a problem that is about no person."""
NOTHING_LAST_YEAR = "上年度无整改事项"

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class Problem(Evidence, Base):
    """A problem that came to light (查摆出的问题)."""

    __tablename__ = "problem"

    source: Mapped[ProblemSource] = mapped_column(word(ProblemSource, name="source"))
    about: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    """The person whose problem it is; None means the committee."""
    text: Mapped[str]

    @property
    def whose(self) -> str:
        """A 学工号, or ``committee``."""
        return self.about or COMMITTEE


@tracked()
class Measure(Evidence, Base):
    """A measure of the committee (整改措施)."""

    __tablename__ = "measure"
    __table_args__ = (Index("ix_measure_due_on", "due_on", postgresql_where=STANDING),)

    text: Mapped[str]
    owner: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    """责任人, the secretary unless another is named (F8)."""
    due_on: Mapped[date | None]
    state: Mapped[MeasureState] = mapped_column(word(MeasureState, name="state"), default=MeasureState.OPEN)
    """The state in the latest progress."""
    as_secretary: Mapped[bool] = mapped_column(default=False, sort_order=100)
    """True if the owner was the secretary when they were given it: it follows the post (F8)."""
    changed_at: Mapped[datetime] = mapped_column(sort_order=101)
    """The time since which it reads as it does; what was published before reads otherwise."""

    answers: Mapped[list[MeasureProblem]] = relationship(lazy="selectin", order_by="MeasureProblem.problem_id", cascade="all, delete-orphan")
    progress: Mapped[list[MeasureProgress]] = relationship(lazy="selectin", order_by="MeasureProgress.id")
    comments: Mapped[list[MeasureComment]] = relationship(lazy="selectin", order_by="MeasureComment.id")

    @property
    def problems(self) -> list[int]:
        """The numbers of the problems that it answers."""
        return [each.problem_id for each in self.answers]


@tracked()
class MeasureProblem(Base):
    """The link between a measure and a problem that it answers (对应问题)."""

    __tablename__ = "measure_problem"
    __table_args__ = (PrimaryKeyConstraint("measure_id", "problem_id"), Index("ix_measure_problem_problem_id", "problem_id"))

    measure_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("measure.id"))
    problem_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("problem.id"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))

    problem: Mapped[Problem] = relationship(lazy="joined")


@tracked()
class MeasureProgress(Numbered, Base):
    """One step of progress of a measure, with its evidence (整改进展、佐证). No stage closes it."""

    __tablename__ = "measure_progress"

    measure_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("measure.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    state: Mapped[MeasureState] = mapped_column(word(MeasureState, name="state"))
    evidence: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


@tracked()
class MeasureComment(Numbered, Base):
    """A comment on a measure (群众意见). No stage closes it."""

    __tablename__ = "measure_comment"

    measure_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("measure.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    text: Mapped[str]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


@tracked()
class Commitment(Evidence, Base):
    """A promise of a member to mend something (整改承诺)."""

    __tablename__ = "commitment"
    __table_args__ = (
        CheckConstraint("problem_id is null or problem_text is null", name="one_problem"),
        Index("ix_commitment_problem_id", "problem_id"),
        Index("ix_commitment_due_on", "due_on", postgresql_where=f"{STANDING} and state in ('open', 'doing')"),
    )

    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    problem_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("problem.id"))
    """The problem, if it is one of the ledger."""
    problem_text: Mapped[str | None]
    """The problem in the member's words, if it is not."""
    text: Mapped[str]
    due_on: Mapped[date | None]
    state: Mapped[MeasureState] = mapped_column(word(MeasureState, name="state"), default=MeasureState.OPEN, sort_order=100)
    """The state in the latest progress."""

    progress: Mapped[list[CommitmentProgress]] = relationship(lazy="selectin", order_by="CommitmentProgress.id")

    @property
    def problem(self) -> str | int | None:
        """The problem in the member's words, or its number in the ledger."""
        return self.problem_text if self.problem_id is None else self.problem_id


@tracked()
class CommitmentProgress(Numbered, Base):
    """One step of progress of a commitment, with its evidence (兑现情况). No stage closes it."""

    __tablename__ = "commitment_progress"

    commitment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("commitment.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    state: Mapped[MeasureState] = mapped_column(word(MeasureState, name="state"))
    evidence: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


UNDER_WAY = (MeasureState.OPEN, MeasureState.DOING)
"""The states in which a measure or a commitment is still to be kept."""

personal(
    Problem,
    Area.APPRAISAL,
    "查摆的问题",
    Data("about 是谁的问题, text 问题", "整改措施对着问题去（F1）", Action.READ_PROCESS),
    of="有问题的党员，支委会",
    other="source",
)
personal(
    Measure,
    Area.APPRAISAL,
    "整改措施",
    Data("owner 责任人, text 措施", "谁办成什么（F3、F8）；公开以后党员都能看", Action.READ_MEASURES),
    of="责任人",
    other="due_on state as_secretary changed_at",
)
personal(MeasureProblem, Area.APPRAISAL, "措施对应的问题")
personal(
    MeasureProgress,
    Area.APPRAISAL,
    "整改进展",
    Data("evidence 佐证", "兑现没有（F4）", Action.READ_MEASURES),
    of="责任人",
    other="state",
)
personal(
    MeasureComment,
    Area.APPRAISAL,
    "对措施的意见",
    Data("text 意见", "接受监督（F7）", Action.READ_MEASURES),
    of="提意见的人",
)


personal(
    Commitment,
    Area.APPRAISAL,
    "整改承诺",
    Data(
        "staff_no 何人, problem_text 存在的问题, text 承诺, due_on 期限, state 兑现情况",
        "党员作出整改承诺（F2）",
        Action.READ_COMMITMENTS,
    ),
    of="每名党员",
)
personal(
    CommitmentProgress,
    Area.APPRAISAL,
    "承诺兑现情况",
    Data("state 到哪一步, evidence 佐证", "兑现没有（F4）", Action.READ_COMMITMENTS),
    of="每名党员",
)


# ── what the rooms of the stage share ─────────────────────────────────────────────────────────────────────────────────


def problems_named(session: Session, process_id: int, field: str, ids: Collection[int]) -> Sequence[Problem]:
    """Find the problems with these numbers.

    Raises Invalid for numbers that are not of this branch or no longer count.
    """
    found = session.scalars(select(Problem).where(any_of(Problem.id, ids), Problem.process_id == process_id, Problem.counts)).all() if ids else []
    if wrong := sorted(set(ids) - {row.id for row in found}):
        raise Invalid({field: [Words(f"台账中没有编号为 {number} 的有效问题", f"there is no problem {number} that counts") for number in wrong]})
    return found


# ── what the next year tells of it (F9) ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class LastYearsMeasure:
    """A measure of the last cycle, with its present state (上年度整改事项)."""

    text: str
    owner: str | None
    """The owner's name."""
    due_on: date | None
    state: MeasureState


@dataclass(frozen=True)
class LastYear:
    """The measures and commitments of the last cycle, as they stand today (上年度整改事项)."""

    measures: Sequence[LastYearsMeasure]
    commitments: int
    """The number of commitments that count."""
    kept: int
    """The number of commitments that were kept (已完成、已销号)."""

    @property
    def nothing(self) -> bool:
        """True if there is nothing to report."""
        return not (self.measures or self.commitments)

    @property
    def text(self) -> str:
        """The beginning of a duty report: a line for each measure, one for all commitments.

        Whose commitments they are is nobody's business but theirs and the secretary's.
        """
        lines = [f"{number}. {_line(row)}" for number, row in enumerate(self.measures, 1)]
        if self.commitments:
            lines.append(f"党员整改承诺{self.commitments}项，已兑现{self.kept}项，尚在进行{self.commitments - self.kept}项。")
        return "\n".join(lines) or NOTHING_LAST_YEAR


def last_year(session: Session, process: Process) -> LastYear:
    """Read what counts in the branch's most recent earlier cycle; nothing if there was none."""
    last = (
        select(Process.id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(Process.branch_id == process.branch_id, Process.kind == Kind.APPRAISAL, Cycle.year < process.cycle.year)
        .order_by(Cycle.year.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Measure.text, Participant.name, Measure.due_on, Measure.state)
        .outerjoin(Participant, and_(Participant.process_id == Measure.process_id, Participant.staff_no == Measure.owner))
        .where(Measure.process_id == last, Measure.counts)
        .order_by(Measure.id)
    )
    measures = [LastYearsMeasure(text, name, due_on, state) for text, name, due_on, state in rows]
    kept = func.count().filter(or_(Commitment.state == MeasureState.DONE, Commitment.state == MeasureState.CLOSED))
    promised = session.execute(select(func.count(), kept).where(Commitment.process_id == last, Commitment.counts)).one()
    return LastYear(measures, *promised)


def _line(row: LastYearsMeasure) -> str:
    owner = f"（责任人：{row.owner}）" if row.owner else ""
    return f"{' '.join(row.text.split())}{owner}：{row.state.zh}"
