"""教育帮扶与组织处置 (aftercare): what follows for a member who is rated 基本合格 or 不合格.

The plan: 对评定为“基本合格”的党员，要进行教育帮扶。对评定为“不合格”的党员，要按规定程序作出相应组织处置……不合格党员。逃避推脱组织安排的
任务，思想和行为与学校各项规章制度相违背，与《党章》要求有一定差距，经教育仍自行其是。

Records: a help plan with its reviews; a disposition case with the signs of A7, their facts, and the steps that the rules want in order. Both are
opened by people: the software keeps the checklist and never chooses the measure. Reviews and steps are follow-through and never close.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, and_, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from workflow.appraisal.rating.ratings import Rating, rated
from workflow.foundation.database import Base, Numbered, word
from workflow.foundation.errors import Exists, Invalid, Words
from workflow.foundation.fields import Body, Day, LongText, StaffNo, Whole, many, one_of
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Level, Role, Severity, Stage, Word
from workflow.people.access import Action, Caller
from workflow.rules.evidence import OfMember, amendable, must_be_open, must_have_happened, must_stand
from workflow.rules.requirement import Missing, requirement
from workflow.year.cycle import Participant, Process, participants


class Step(Word):
    """The steps of a disposition, in the order of the rules (处置程序)."""

    PROPOSAL = "proposal", "提出处置建议"
    SUPERIOR_FILING = "superior_filing", "报上级党组织预审"
    INVESTIGATION = "investigation", "调查核实"
    TALK = "talk", "两名正式党员同本人谈话"
    GENERAL_MEETING = "general_meeting", "党员大会讨论决定"
    APPROVAL = "approval", "上级批准"
    TOLD = "told", "告知本人"


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class HelpPlan(OfMember, Base):
    """Who helps a member, how it begins, and when it is looked at again (教育帮扶)."""

    __tablename__ = "help_plan"
    __table_args__ = (
        CheckConstraint("helper <> staff_no", name="two_people"),
        Index("uq_help_plan_standing", "process_id", "staff_no", unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"),
    )

    helper: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    first_step: Mapped[str | None]
    review_on: Mapped[date | None]

    reviews: Mapped[list[HelpPlanReview]] = relationship(lazy="selectin", order_by="HelpPlanReview.id")


class HelpPlanReview(Numbered, Base):
    """How the help went, seen on a day (帮扶回访)."""

    __tablename__ = "help_plan_review"

    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("help_plan.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    reviewed_on: Mapped[date]
    note: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


class DispositionCase(OfMember, Base):
    """What is proposed to the superior for an unqualified member (组织处置)."""

    __tablename__ = "disposition_case"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(signs) = 'array'", name="signs"),
        Index("uq_disposition_case_standing", "process_id", "staff_no", unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"),
    )

    signs: Mapped[list[int]] = mapped_column(JSONB)
    """Which of the three signs of A7 he shows, counted from 1."""
    facts: Mapped[str | None]
    proposed_on: Mapped[date]

    steps: Mapped[list[DispositionStep]] = relationship(lazy="selectin", order_by="DispositionStep.id")


class DispositionStep(Numbered, Base):
    """One step that was taken, once (处置步骤)."""

    __tablename__ = "disposition_step"
    __table_args__ = (UniqueConstraint("case_id", "step"),)

    case_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("disposition_case.id"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    step: Mapped[Step] = mapped_column(word(Step))
    taken_on: Mapped[date]
    note: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


for _table in (HelpPlan, HelpPlanReview, DispositionCase, DispositionStep):
    track(_table.__table__)  # type: ignore[arg-type]
personal(
    HelpPlan,
    Area.APPRAISAL,
    "教育帮扶",
    Data(
        "staff_no 帮扶谁, helper 帮扶人, first_step 第一步, review_on 回访日期",
        "教育帮扶（D7）",
        Action.READ_PROCESS,
    ),
    of="基本合格的党员，帮扶人",
)
personal(
    HelpPlanReview,
    Area.APPRAISAL,
    "帮扶回访",
    Data("reviewed_on 回访日期, note 情况", "教育帮扶（D7）", Action.READ_PROCESS),
    of="受帮扶的党员",
)
personal(
    DispositionCase,
    Area.APPRAISAL,
    "组织处置",
    Data(
        "staff_no 何人, signs 哪几条表现, facts 事实, proposed_on 提出日期",
        "按程序作出组织处置（A7、D8）",
        Action.READ_PROCESS,
    ),
    of="不合格的党员",
)
personal(
    DispositionStep,
    Area.APPRAISAL,
    "处置步骤",
    Data("step 步骤, taken_on 日期, note 情况", "按程序作出组织处置（D8）", Action.READ_PROCESS),
    of="不合格的党员",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class HelpPlanBody(Body):
    """A help plan as it is sent; what D7 wants beyond the member may follow."""

    staff_no = StaffNo(required=True)
    helper = StaffNo()
    first_step = LongText(at_most=2000)
    review_on = Day()


class ReviewBody(Body):
    """When the help was looked at, and how it went."""

    on = Day(required=True)
    note = LongText(at_most=2000)


class DispositionCaseBody(Body):
    """A disposition case as it is sent."""

    staff_no = StaffNo(required=True)
    signs = many(Whole(at_least=1, at_most=3), at_most=3)
    facts = LongText()
    proposed_on = Day(required=True)


class StepBody(Body):
    """A step that was taken."""

    step = one_of(Step, required=True)
    on = Day(required=True)
    note = LongText(at_most=2000)


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_help_plan(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> HelpPlan:
    """Enter who helps a member. Raises Invalid, StageClosed."""
    _check_plan(session, process, body)
    must_be_open(process, Stage.RATING)
    row = HelpPlan(
        process_id=process.id,
        recorded_by=by.staff_no,
        recorded_at=now,
        **{name: body.get(name) for name in ("staff_no", "helper", "first_step", "review_on")},
    )
    session.add(row)
    session.flush()
    return row


def amend_help_plan(session: Session, process: Process, row: HelpPlan, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a help plan. Raises Invalid, Stale, Conflict, StageClosed."""
    _must_be_of_the_same(row.staff_no, body)
    _check_plan(session, process, {"staff_no": row.staff_no, **body})
    _amend(session, process, row, body, seen=seen)


def record_review(session: Session, process: Process, plan: HelpPlan, body: Mapping[str, Any], *, by: Caller, now: datetime) -> HelpPlanReview:
    """Note how the help went. It never closes. Raises Invalid, Conflict."""
    must_have_happened("on", body["on"], now)
    must_stand(plan)
    row = HelpPlanReview(
        plan_id=plan.id, process_id=process.id, reviewed_on=body["on"], note=body.get("note"), recorded_by=by.staff_no, recorded_at=now
    )
    plan.reviews.append(row)
    session.flush()
    return row


def record_case(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> DispositionCase:
    """Open a disposition case. Raises Invalid, StageClosed."""
    must_have_happened("proposed_on", body["proposed_on"], now)
    _on_roll(session, process, {"staff_no": body["staff_no"]})
    must_be_open(process, Stage.RATING)
    row = DispositionCase(
        process_id=process.id,
        staff_no=body["staff_no"],
        signs=body.get("signs", []),
        facts=body.get("facts"),
        proposed_on=body["proposed_on"],
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    session.add(row)
    session.flush()
    return row


def amend_case(session: Session, process: Process, row: DispositionCase, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a disposition case. Raises Invalid, Stale, Conflict, StageClosed."""
    _must_be_of_the_same(row.staff_no, body)
    if "proposed_on" in body:
        must_have_happened("proposed_on", body["proposed_on"], now)
        if (first := min((step.taken_on for step in row.steps), default=None)) is not None and body["proposed_on"] > first:
            raise Invalid({"proposed_on": Words(f"不能晚于已登记的步骤 {first}", f"must not be after the step taken on {first}")})
    _amend(session, process, row, body, seen=seen)


def record_step(session: Session, process: Process, case: DispositionCase, body: Mapping[str, Any], *, by: Caller, now: datetime) -> DispositionStep:
    """Note a step that was taken. It never closes. Raises Invalid, Conflict, Exists."""
    must_have_happened("on", body["on"], now)
    if body["on"] < case.proposed_on:
        raise Invalid({"on": Words(f"不能早于提出处置建议的 {case.proposed_on}", f"must not be before the proposal of {case.proposed_on}")})
    order = list(Step).index
    for each in case.steps:
        earlier, later = (each.taken_on, body["on"]) if order(each.step) < order(body["step"]) else (body["on"], each.taken_on)
        if later < earlier:
            raise Invalid(
                {"on": Words(f"与“{each.step.zh}”的日期 {each.taken_on} 先后不符", f"out of order with {each.step.value} on {each.taken_on}")}
            )
    must_stand(case)
    if any(each.step is body["step"] for each in case.steps):
        raise Exists(Words(f"“{body['step'].zh}”已经登记", f"{body['step'].value} is recorded already"))
    row = DispositionStep(
        case_id=case.id,
        process_id=process.id,
        step=body["step"],
        taken_on=body["on"],
        note=body.get("note"),
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    case.steps.append(row)
    session.flush()
    return row


def _amend(session: Session, process: Process, row: HelpPlan | DispositionCase, body: Mapping[str, Any], *, seen: int) -> None:
    amendable(session, row, seen=seen)
    must_be_open(process, Stage.RATING)
    for name, value in body.items():
        setattr(row, name, value)
    row.version += 1
    session.flush()


def _check_plan(session: Session, process: Process, body: Mapping[str, Any]) -> None:
    _on_roll(session, process, {name: body[name] for name in ("staff_no", "helper") if name in body})
    if body["staff_no"] == body.get("helper"):
        raise Invalid({"helper": Words("帮扶人应为另一名党员", "somebody else helps him")})


def _on_roll(session: Session, process: Process, named: Mapping[str, str]) -> None:
    """Raises Invalid for who is not, or no more, on the roll."""
    found = participants(session, process.id, {name: [staff_no] for name, staff_no in named.items()})
    if left := {name: found[staff_no].name for name, staff_no in named.items() if found[staff_no].left_on is not None}:
        raise Invalid({name: Words(f"{who} 已不在本支部", f"{who} has left this branch") for name, who in left.items()})


def _must_be_of_the_same(staff_no: str, body: Mapping[str, Any]) -> None:
    if body.get("staff_no", staff_no) != staff_no:
        raise Invalid({"staff_no": Words("写错人的，请撤回后重新登记", "withdraw it and enter another")})


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────

_asked = partial(requirement, stage=Stage.RATING, severity=Severity.HARD, todo_for=Role.SECRETARY)


@_asked(
    "D7",
    link="help-plans",
    zh="{count} 名评为“基本合格”的党员还没有帮扶人、第一步措施和回访日期俱全的帮扶计划：{names}",
    en="{count} members rated basic have no help plan with helper, first step and review date: {names}",
)
def basic_without_a_help_plan() -> Missing:
    """对评定为“基本合格”的党员，要进行教育帮扶。"""
    helper = aliased(Participant, name="helper")
    whole = func.num_nulls(HelpPlan.first_step, HelpPlan.review_on) == 0
    planned = (
        select(HelpPlan.id)
        .join(helper, and_(helper.process_id == HelpPlan.process_id, helper.staff_no == HelpPlan.helper, helper.left_on.is_(None)))
        .where(_of(HelpPlan), whole)
        .correlate(Participant)
        .exists()
    )
    return rated(Rating.level == Level.BASIC, ~planned)


@_asked(
    "D8",
    link="disposition-cases",
    zh="{count} 名评为“不合格”的党员还没有提出组织处置：{names}",
    en="no disposition case is opened for {count} members rated unqualified: {names}",
)
def unqualified_without_a_case() -> Missing:
    """对评定为“不合格”的党员，要按规定程序作出相应组织处置。"""
    opened = select(DispositionCase.id).where(_of(DispositionCase)).correlate(Participant).exists()
    return rated(Rating.level == Level.UNQUALIFIED, ~opened)


@_asked(
    "A7",
    link="disposition-cases",
    zh="{count} 名评为“不合格”的党员，处置材料没有写明情形和事实：{names}",
    en="the disposition cases of {count} members rated unqualified lack their signs or facts: {names}",
)
def cases_without_facts() -> Missing:
    """不合格党员。逃避推脱组织安排的任务，思想和行为与学校各项规章制度相违背，与《党章》要求有一定差距，经教育仍自行其是。"""
    bare = or_(DispositionCase.facts.is_(None), func.jsonb_array_length(DispositionCase.signs) == 0)
    return rated(Rating.level == Level.UNQUALIFIED, bare).join(DispositionCase, _of(DispositionCase))


def _of(kind: type[HelpPlan | DispositionCase]) -> Any:
    """The record of this line of the roll that counts."""
    return and_(kind.process_id == Participant.process_id, kind.staff_no == Participant.staff_no, kind.counts)


REQUIREMENTS = (cases_without_facts, basic_without_a_help_plan, unqualified_without_a_case)
