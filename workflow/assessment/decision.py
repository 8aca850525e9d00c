"""党委会研究决定 (decision): the school committee's decision on the branches.

The office enters it, and the committee makes it final.

The plan: 党委会议研究决定。校党委综合以上述职、参加活动和各支部对本支部委员会的评议结果等情况，研究
确定优秀党支部。

Records: a decision with its meeting and a result for each branch that it names. It is never
amended. One that is not final yet may be withdrawn or rejected and entered anew. A final one is
corrected by another decision, which need name only the branches that it changes. Making a decision
final moves all its branches at once: that act stands in ``workflow.machine.committee``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Select,
    String,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column, relationship, selectinload

from workflow.appraisal.meetings.meetings import Vote, VoteSchema
from workflow.assessment.proposals import wrong_result
from workflow.foundation.database import Base, any_of, notes
from workflow.foundation.errors import Conflict, Exists, Invalid, NotFound, Words
from workflow.foundation.fields import (
    Body,
    ByName,
    Day,
    Inner,
    Line,
    LongText,
    Sent,
    StaffNo,
    Whole,
    about,
    many,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Kind
from workflow.people.access import SCHOOL_READERS, Action, Caller
from workflow.people.organisation import Person
from workflow.rules.evidence import STANDING, Retractable, must_have_happened
from workflow.year.cycle import Cycle, Process, must_be_running
from workflow.year.deadlines import must_be_about_the_year
from workflow.year.finding import Lock, processes_of
from workflow.year.plan import EXCELLENT, NO_RESULT, branch_result_word

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class Decision(Retractable, Base):
    """A decision of the school committee (党委会决定)."""

    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint("(confirmed_by is null) = (confirmed_at is null)", name="confirmed"),
        CheckConstraint("confirmed_at is null or withdrawn_at is null and rejected_at is null", name="final"),
        CheckConstraint("published_at is null or confirmed_at is not null", name="published"),
        CheckConstraint("due >= 1", name="due"),
        CheckConstraint("num_nulls(vote_yes, vote_no, vote_abstain) in (0, 3)", name="vote_whole"),
        Index("uq_decision_number", "cycle_id", "number", unique=True, postgresql_where=STANDING),
        Index(
            "uq_decision_pending",
            "cycle_id",
            unique=True,
            postgresql_where="confirmed_at is null and withdrawn_at is null and rejected_at is null",
        ),
    )

    cycle_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    held_on: Mapped[date]
    number: Mapped[str]
    """The number of the minutes (文号)."""
    due: Mapped[int | None]
    """应到: the number of members of the committee."""
    confirmed_by: Mapped[str | None]
    """The person of the committee who made it final; nothing of it changes any more."""
    confirmed_at: Mapped[datetime | None]
    published_by: Mapped[str | None]
    published_at: Mapped[datetime | None]
    vote_yes: Mapped[int | None] = mapped_column(sort_order=100)
    vote_no: Mapped[int | None] = mapped_column(sort_order=101)
    vote_abstain: Mapped[int | None] = mapped_column(sort_order=102)

    cycle: Mapped[Cycle] = relationship()
    attendees: Mapped[list[DecisionAttendee]] = relationship(order_by="DecisionAttendee.staff_no")
    results: Mapped[list[DecisionResult]] = relationship(order_by="DecisionResult.process_id", back_populates="decision")

    @property
    def vote(self) -> Vote | None:
        """The vote of the committee (表决); None if it is not recorded."""
        if self.vote_yes is None or self.vote_no is None or self.vote_abstain is None:
            return None
        return Vote(self.vote_yes, self.vote_no, self.vote_abstain)

    @property
    def final(self) -> bool:
        return self.confirmed_at is not None


@tracked()
class DecisionAttendee(Base):
    """A person's presence at the meeting (到会)."""

    __tablename__ = "decision_attendee"
    __table_args__ = (PrimaryKeyConstraint("decision_id", "staff_no"),)

    decision_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("decision.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))


@tracked()
class DecisionResult(Base):
    """The result of one branch (考核结果), by the key of the plan's ``branch_results``."""

    __tablename__ = "decision_result"
    __table_args__ = (PrimaryKeyConstraint("decision_id", "process_id"), Index("ix_decision_result_process", "process_id", "decision_id"))

    decision_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("decision.id"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    result: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str | None]
    inputs: Mapped[dict[str, Any] | None] = mapped_column(JSONB, info=notes("D9"))
    """The material that the committee had when it made this final: records may change later.

    The members' appraisal of their committee is part of it.
    """

    decision: Mapped[Decision] = relationship(back_populates="results")
    process: Mapped[Process] = relationship()

    @property
    def word(self) -> str:
        """The word of the year's plan."""
        return branch_result_word(self.decision.cycle.plan, self.result)


personal(Decision, Area.ASSESSMENT, "党委会决定", other="held_on number due vote_yes vote_no vote_abstain")
personal(
    DecisionAttendee,
    Area.ASSESSMENT,
    "党委会到会",
    Data("staff_no 何人", "到会够不够（R5）", Action.READ_SCHOOL),
    of="到会的党委委员",
)
personal(
    DecisionResult,
    Area.ASSESSMENT,
    "考核结果",
    Data("reason 理由", "确定优秀党支部（R7）", Action.READ_ASSESSMENT),
    Data("inputs 当时的述职、出勤、评议和党委办公室建议", "党委会据以决定的（R6、D9）", Action.READ_SCHOOL),
    of="理由说到的人",
    other="result",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class ResultSchema(Body):
    """The result of one branch."""

    result = Line(
        required=True, at_most=32, **about("考核结果", "result", "方案列出的等次，按代号", "as the plan has it, by its key", example="excellent")
    )
    reason = LongText(at_most=2000, **about("理由", "reason", "不定等次的必须写", "required without a result", example="组织生活严格规范"))


class DecisionSchema(Body):
    """A decision as it is entered from the minutes."""

    held_on = Day(required=True, **about("会议日期", "day", "党委会的日期", "the day of the meeting", example="2025-01-20"))
    number = Line(required=True, at_most=100, **about("文号", "number", "会议纪要的文号", "of the minutes", example="党委会〔2025〕3号"))
    attendees = many(StaffNo(), **about("到会", "attendees", "到会委员的学工号", "staff numbers of those present", example=["10000001"]))
    vote = Inner(VoteSchema, **about("表决", "vote", "党委会的表决情况（R5）", "the vote of the committee (R5)", example={"yes": 1}))
    due = Whole(at_least=1, at_most=1000, **about("应到", "due", "应到会的委员人数", "members of the committee", example=11))
    results = ByName(
        at_most=2000,
        keys=Line(at_most=32),
        values=Inner(ResultSchema),
        required=True,
        **about("各支部结果", "results", "按党支部代码填写", "by the code of the branch", example={"D0101": {"result": "excellent"}}),
    )


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def enter_decision(session: Session, cycle: Cycle, body: Sent, *, by: Caller, now: datetime) -> Decision:
    """Enter a decision from the committee's minutes.

    Nothing of it holds before the committee has made it final. Raises Invalid; Exists while another
    one waits, or when the number is taken; Conflict unless the year runs.
    """
    of_year = {process.branch.code: process for process in processes_of(session, cycle, Kind.ASSESSMENT, lock=Lock.EVIDENCE)}
    attendees, due, vote = body.get("attendees", []), body.get("due"), body.get("vote", {})
    errors: dict[str, Words | list[Words]] = {
        f"results.{code}": Words("本年度没有这个党支部的考核", "no such branch is assessed in this year")
        for code in body["results"]
        if code not in of_year
    }
    if not body["results"]:
        errors["results"] = Words("请写明各支部的考核结果", "give the result of each branch")
    known = set(session.scalars(select(Person.staff_no).where(any_of(Person.staff_no, attendees))))
    if unknown := [staff_no for staff_no in attendees if staff_no not in known]:
        errors["attendees"] = [Words(f"没有学工号为 {staff_no} 的人员", f"nobody has the number {staff_no}") for staff_no in unknown]
    elif due is not None and len(attendees) > due:
        errors["attendees"] = Words(f"到会 {len(attendees)} 人，多于应到 {due} 人", f"{len(attendees)} came, more than the {due} due")
    if attendees and (given := sum(vote.values())) > len(attendees):
        errors["vote"] = Words(
            f"赞成、反对、弃权合计 {given} 票，多于到会的 {len(attendees)} 人（R5）", f"{given} votes by {len(attendees)} who came (R5)"
        )
    for code, given in body["results"].items():
        errors |= _faults(cycle, code, given)
    if errors:
        raise Invalid(errors)
    must_have_happened("held_on", body["held_on"], now)
    must_be_about_the_year(cycle, "held_on", body["held_on"])
    must_be_running(cycle)
    _must_be_the_only_one(session, cycle, body["number"])
    row = Decision(
        cycle_id=cycle.id,
        held_on=body["held_on"],
        number=body["number"],
        due=due,
        vote_yes=vote.get("yes"),
        vote_no=vote.get("no"),
        vote_abstain=vote.get("abstain"),
        recorded_by=by.staff_no,
        recorded_at=now,
        attendees=[DecisionAttendee(staff_no=staff_no) for staff_no in attendees],
        results=[
            DecisionResult(process=of_year[code], result=given["result"], reason=given.get("reason")) for code, given in body["results"].items()
        ],
    )
    session.add(row)
    session.flush()
    return row


def _faults(cycle: Cycle, code: str, given: Sent) -> dict[str, Words | list[Words]]:
    """List what is wrong with the result of one branch, by field."""
    if fault := wrong_result(cycle, given["result"]):
        return {f"results.{code}.result": fault}
    if given["result"] == NO_RESULT and given.get("reason") is None:
        return {f"results.{code}.reason": Words("不定等次的，须写明理由", "give the reason for no result")}
    return {}


def _must_be_the_only_one(session: Session, cycle: Cycle, number: str) -> None:
    """Refuse a decision while one waits, or with a number that is taken. Raises Exists.

    The indexes refuse it too when two are entered at once.
    """
    for other in session.scalars(select(Decision).where(Decision.cycle_id == cycle.id, Decision.counts)):
        if not other.final:
            raise Exists(Words(f"“{other.number}”还待党委确认，请先确认、撤回或退回", f"{other.number} still waits for the committee"))
        if other.number == number:
            raise Exists(Words(f"文号“{number}”的决定已经登记", f"the decision {number} is entered already"))


def must_be_pending(decision: Decision) -> None:
    """Refuse a decision that is final or taken back, or in a closed year. Raises Conflict."""
    must_be_running(decision.cycle)
    if decision.final:
        raise Conflict(Words("党委已确认，不能再改动；如需更正，请由党委另作决定", "it is final: only another decision corrects it"))
    if not decision.counts:
        raise Conflict(Words("该决定已撤回或已退回", "this decision was withdrawn or rejected"))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def whole_decisions(cycle: Cycle) -> Select[Decision]:
    """Select decisions of a year with the branches that they name.

    The queries are the same few for any number of decisions.
    """
    of_branch = selectinload(Decision.results).joinedload(DecisionResult.process).joinedload(Process.branch)
    return select(Decision).where(Decision.cycle_id == cycle.id).options(of_branch, selectinload(Decision.attendees))


def decision_of(session: Session, cycle: Cycle, decision_id: int, *, held: bool = False) -> Decision:
    """Find one decision of a year, ``held`` to change it. Raises NotFound."""
    statement = whole_decisions(cycle).where(Decision.id == decision_id)
    row = session.scalar(statement.with_for_update(key_share=True, of=Decision).execution_options(populate_existing=True) if held else statement)
    if row is None:
        raise NotFound
    return row


def decisions_of(session: Session, cycle: Cycle, *, after: int = 0, limit: int = 200) -> Sequence[Decision]:
    """List decisions in the order they were entered, those taken back included."""
    return session.scalars(whole_decisions(cycle).where(Decision.id > after).order_by(Decision.id).limit(limit)).all()


def latest_decision(session: Session, cycle: Cycle) -> Decision:
    """Find the last decision that stands, final or not. Raises NotFound."""
    row = session.scalar(whole_decisions(cycle).where(Decision.counts).order_by(Decision.id.desc()).limit(1))
    if row is None:
        raise NotFound(Words("还没有登记党委会的决定", "no decision is entered"))
    return row


FINAL, PUBLISHED = Decision.confirmed_at.is_not(None), Decision.published_at.is_not(None)


def results(session: Session, holds: ColumnElement[bool], *which: ColumnElement[bool]) -> Sequence[DecisionResult]:
    """Find the result of each branch by the last decision that ``holds`` and names it.

    ``holds`` is a condition on decisions, such as FINAL or PUBLISHED; ``which`` narrows the
    decisions or the processes. By branch code, in one query.
    """
    rows = session.scalars(
        select(DecisionResult)
        .join(DecisionResult.decision)
        .join(DecisionResult.process)
        .options(contains_eager(DecisionResult.decision), contains_eager(DecisionResult.process).joinedload(Process.branch))
        .where(holds, *which)
        .ext(distinct_on(DecisionResult.process_id))
        .order_by(DecisionResult.process_id, DecisionResult.decision_id.desc())
    ).all()
    return sorted(rows, key=lambda row: row.process.branch.code)


def result_of(session: Session, process: Process, holds: ColumnElement[bool]) -> DecisionResult | None:
    """Find the result of one branch, as ``results`` does for many."""
    return next(iter(results(session, holds, DecisionResult.process_id == process.id)), None)


def excellent_by(session: Session, decision: Decision) -> Sequence[DecisionResult]:
    """List the 优秀党支部 as a decision leaves them.

    Each branch counts by the last decision that names it: this one, or a final one before it.
    """
    so_far = or_(FINAL, Decision.id == decision.id)
    here = results(session, so_far, Decision.cycle_id == decision.cycle_id, Decision.id <= decision.id)
    return [row for row in here if row.result == EXCELLENT]


def final_results(session: Session, process_ids: Sequence[int]) -> dict[int, DecisionResult]:
    """Find the final result of each of many branches, by process, in one query."""
    return {row.process_id: row for row in results(session, FINAL, any_of(DecisionResult.process_id, process_ids))}


def result_for(session: Session, process: Process, reader: Caller) -> DecisionResult | None:
    """Find the result of one branch, as far as a reader may know it.

    Before it is published, only the school's readers may.
    """
    return result_of(session, process, FINAL if reader.school & SCHOOL_READERS else PUBLISHED)


@dataclass(frozen=True)
class Announcement:
    """The latest published decision, and the 优秀党支部 of the year (公布的结果)."""

    decision: Decision
    excellent: Sequence[Process]


def announcement(session: Session, cycle: Cycle) -> Announcement:
    """Read what every branch may know of a year. Raises NotFound before anything is published."""
    held = results(session, PUBLISHED, Decision.cycle_id == cycle.id)
    if not held:
        raise NotFound
    last = max((row.decision for row in held), key=lambda decision: decision.id)
    return Announcement(last, [row.process for row in held if row.result == EXCELLENT])
