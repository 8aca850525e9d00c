"""教育帮扶与组织处置 (aftercare): the care for a member who is rated 基本合格 or 不合格.

The plan: 对评定为“基本合格”的党员，要进行教育帮扶。对评定为“不合格”的党员，要按规定程序作出相应组织
处置……不合格党员。逃避推脱组织安排的任务，思想和行为与学校各项规章制度相违背，与《党章》要求有一定差
距，经教育仍自行其是。

Records: a help plan with its reviews; a disposition case with the signs of A7, their facts, and the
steps that the rules want in order. People open both: the software keeps the checklist and never
chooses the measure. No stage closes reviews and steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from marshmallow import fields
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, word
from workflow.foundation.errors import Exists, Invalid, Words
from workflow.foundation.fields import (
    Answered,
    Day,
    Line,
    LongText,
    Moment,
    Sent,
    StaffNo,
    Whole,
    about,
    many,
    one_of,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Stage, Word
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
)
from workflow.rules.evidence import STANDING, OfMember, must_have_happened, must_stand
from workflow.rules.records import EntrySchema, Records, RecordSchema
from workflow.year.cycle import Process
from workflow.year.roll import participants


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


@tracked()
class HelpPlan(OfMember, Base):
    """A plan of help for a member: helper, first step, day of review (教育帮扶)."""

    __tablename__ = "help_plan"
    __table_args__ = (
        CheckConstraint("helper <> staff_no", name="two_people"),
        Index("uq_help_plan_standing", "process_id", "staff_no", unique=True, postgresql_where=STANDING),
    )

    helper: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    first_step: Mapped[str | None]
    review_on: Mapped[date | None]

    reviews: Mapped[list[HelpPlanReview]] = relationship(lazy="selectin", order_by="HelpPlanReview.id")


@tracked()
class HelpPlanReview(Numbered, Base):
    """A review of the help, on a day (帮扶回访)."""

    __tablename__ = "help_plan_review"

    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("help_plan.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    reviewed_on: Mapped[date]
    note: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


@tracked()
class DispositionCase(OfMember, Base):
    """A proposal to the superior for an unqualified member (组织处置)."""

    __tablename__ = "disposition_case"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(signs) = 'array'", name="signs"),
        Index("uq_disposition_case_standing", "process_id", "staff_no", unique=True, postgresql_where=STANDING),
    )

    signs: Mapped[list[int]] = mapped_column(JSONB)
    """The signs of A7 that the member shows, counted from 1 as the plan lists them."""
    facts: Mapped[str | None]
    proposed_on: Mapped[date]

    steps: Mapped[list[DispositionStep]] = relationship(lazy="selectin", order_by="DispositionStep.id")

    @property
    def procedure(self) -> list[DispositionStep]:
        """Every step in the order of the rules; one not taken yet has no day."""
        taken = {each.step: each for each in self.steps}
        return [taken.get(step) or DispositionStep(step=step) for step in Step]


@tracked()
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


class ReviewSchema(EntrySchema):
    """A review of the help (帮扶回访)."""

    on = Day(required=True, attribute="reviewed_on", **about("回访日期", "day", "哪一天回访的", "the day of the review", example="2024-12-20"))
    note = LongText(at_most=2000, **about("情况", "note", "帮扶的情况", "how it went", example="按时参加活动"))


class HelpPlanSchema(RecordSchema):
    """A help plan (教育帮扶). Only the member is required; the other contents of D7 may follow."""

    staff_no = StaffNo(required=True, **about("帮扶对象", "member", "帮扶谁", "who is helped", example="20160005"))
    helper = StaffNo(**about("帮扶人", "helper", "谁来帮扶，应为另一名党员（D7）", "another member who helps (D7)", example="20160001"))
    first_step = LongText(at_most=2000, **about("第一步", "first step", "第一步做什么（D7）", "what is done first (D7)", example="每月谈心一次"))
    review_on = Day(**about("回访日期", "review on", "打算哪一天回访（D7）", "when it is looked at again (D7)", example="2025-03-31"))
    reviews = fields.List(fields.Nested(ReviewSchema), dump_only=True, **about("回访", "reviews", always=True))


class StepSchema(Answered):
    """One step of a disposition that was taken (处置步骤)."""

    step = one_of(Step, required=True, **about("步骤", "step", "办到哪一步", "which step was taken", example="proposal"))
    name = Line(dump_only=True, attribute="step.zh", **about("名称", "name", always=True))
    on = Day(required=True, attribute="taken_on", **about("日期", "day", "哪一天办的", "the day on which it was taken", example="2024-12-20"))
    note = LongText(at_most=2000, **about("情况", "note", "需要写明的情况", "what should be noted of it", example="已报学院党委"))
    recorded_by = StaffNo(dump_only=True, **about("登记人", "recorded by"))
    recorded_at = Moment(dump_only=True, **about("登记时间", "recorded at"))


class ProcedureSchema(StepSchema):
    """One step of the procedure (处置程序); a step without a day was not taken yet."""

    on = Day(dump_only=True, attribute="taken_on", **about("日期", "day"))


class DispositionCaseSchema(RecordSchema):
    """A disposition case (组织处置), with every step of the procedure in its order."""

    staff_no = StaffNo(required=True, **about("何人", "member", "对谁作出处置", "whom it is about", example="20160005"))
    signs = many(
        Whole(at_least=1, at_most=50),
        at_most=50,
        **about(
            "表现",
            "signs",
            "不合格的哪几条表现，按本年度方案的序号（A7）",
            "which signs of A7, by their number in the plan",
            example=[1],
            always=True,
        ),
    )
    facts = LongText(**about("事实", "facts", "有什么事实（A7）", "the facts (A7)", example="两次无故不参加组织安排的任务"))
    proposed_on = Day(required=True, **about("提出日期", "proposed on", "哪一天提出处置建议", "the day of the proposal", example="2024-12-19"))
    steps = fields.List(fields.Nested(ProcedureSchema), dump_only=True, attribute="procedure", **about("步骤", "steps", always=True))


# ── help plans ────────────────────────────────────────────────────────────────────────────────────────────────────────


class HelpPlans(Records[HelpPlan]):
    """Help plans (教育帮扶), with their reviews."""

    name, zh, en = "help-plans", "教育帮扶", "help plan"
    model, schema = HelpPlan, HelpPlanSchema()
    stages = (Stage.RATING,)
    read, write = Action.READ_PROCESS, Action.RATE

    def check(self, session: Session, process: Process, row: HelpPlan | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        staff_no = row.staff_no if row else sent["staff_no"]
        _must_be_of_the_same(staff_no, sent)
        helper = {"helper": sent["helper"]} if "helper" in sent else {}
        _on_roll(session, process, {"staff_no": staff_no, **helper})
        if sent.get("helper") == staff_no:
            raise Invalid({"helper": Words("帮扶人应为另一名党员", "the helper is another member")})


HELP_PLANS = HelpPlans()


def record_review(session: Session, process: Process, plan: HelpPlan, sent: Sent, *, by: Caller, now: datetime) -> HelpPlanReview:
    """Note how the help went. No stage closes it. Raises Invalid, Conflict."""
    must_have_happened("on", sent["reviewed_on"], now)
    must_stand(plan)
    row = HelpPlanReview(
        plan_id=plan.id, process_id=process.id, reviewed_on=sent["reviewed_on"], note=sent.get("note"), recorded_by=by.staff_no, recorded_at=now
    )
    plan.reviews.append(row)
    session.flush()
    return row


REVIEWS = ReviewSchema()
REVIEW: Act[HelpPlan, HelpPlanReview] = HELP_PLANS.act(
    "record_review",
    "登记帮扶回访",
    "record a review of a help plan",
    lambda call, sent: record_review(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.RATE,
    on=HELP_PLANS.held,
    sends=REVIEWS,
    shows=REVIEWS,
    closes=(),
)


# ── disposition cases ─────────────────────────────────────────────────────────────────────────────────────────────────


class DispositionCases(Records[DispositionCase]):
    """Disposition cases (组织处置), with their steps."""

    name, zh, en = "disposition-cases", "组织处置", "disposition case"
    model, schema = DispositionCase, DispositionCaseSchema()
    stages = (Stage.RATING,)
    read, write = Action.READ_PROCESS, Action.RATE

    def check(self, session: Session, process: Process, row: DispositionCase | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if row:
            _must_be_of_the_same(row.staff_no, sent)
        if "proposed_on" in sent:
            must_have_happened("proposed_on", sent["proposed_on"], now)
        known = len(process.cycle.plan["rules"]["warning_signs"]["signs"])
        if wrong := [number for number in sent.get("signs", ()) if number > known]:
            raise Invalid({"signs": Words(f"本年度方案列了 {known} 条表现，没有第 {wrong[0]} 条", f"the plan lists {known} signs")})
        if row is None:
            _on_roll(session, process, {"staff_no": sent["staff_no"]})
        elif "proposed_on" in sent and row.steps and sent["proposed_on"] > (first := min(step.taken_on for step in row.steps)):
            raise Invalid({"proposed_on": Words(f"不能晚于已登记的步骤 {first}", f"must not be after the step taken on {first}")})

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        return {"signs": []}


CASES = DispositionCases()


def record_step(session: Session, process: Process, case: DispositionCase, sent: Sent, *, by: Caller, now: datetime) -> DispositionStep:
    """Note a step that was taken. No stage closes it. Raises Invalid, Conflict, Exists."""
    must_have_happened("on", sent["taken_on"], now)
    if sent["taken_on"] < case.proposed_on:
        raise Invalid({"on": Words(f"不能早于提出处置建议的 {case.proposed_on}", f"must not be before the proposal of {case.proposed_on}")})
    order = list(Step).index
    for each in case.steps:
        earlier, later = (each.taken_on, sent["taken_on"]) if order(each.step) < order(sent["step"]) else (sent["taken_on"], each.taken_on)
        if later < earlier:
            raise Invalid(
                {"on": Words(f"与“{each.step.zh}”的日期 {each.taken_on} 先后不符", f"out of order with {each.step.value} on {each.taken_on}")}
            )
    must_stand(case)
    if any(each.step is sent["step"] for each in case.steps):
        raise Exists(Words(f"“{sent['step'].zh}”已经登记", f"{sent['step'].value} is recorded already"))
    row = DispositionStep(
        case_id=case.id,
        process_id=process.id,
        step=sent["step"],
        taken_on=sent["taken_on"],
        note=sent.get("note"),
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    case.steps.append(row)
    session.flush()
    return row


STEPS = StepSchema()
STEP: Act[DispositionCase, DispositionStep] = CASES.act(
    "record_step",
    "登记处置步骤",
    "record a step of a disposition",
    lambda call, sent: record_step(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.RATE,
    on=CASES.held,
    sends=STEPS,
    shows=STEPS,
    closes=(),
)
ACTS = (*HELP_PLANS.acts, REVIEW, *CASES.acts, STEP)


def _on_roll(session: Session, process: Process, named: Mapping[str, str]) -> None:
    """Refuse people who are not, or no longer, on the roll. Raises Invalid."""
    found = participants(session, process.id, {name: [staff_no] for name, staff_no in named.items()})
    if left := {name: found[staff_no].name for name, staff_no in named.items() if found[staff_no].left_on is not None}:
        raise Invalid({name: Words(f"{who} 已不在本支部", f"{who} has left this branch") for name, who in left.items()})


def _must_be_of_the_same(staff_no: str, sent: Sent) -> None:
    """Refuse to turn a record into another member's. Raises Invalid."""
    if sent.get("staff_no", staff_no) != staff_no:
        raise Invalid({"staff_no": Words("写错人的，请撤回后重新登记", "withdraw it and enter another")})
