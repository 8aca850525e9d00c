"""教育帮扶 (help): plans for members rated 基本合格, their reviews, and their end with a result.

The plan: 对评定为“基本合格”的党员，要进行教育帮扶。

No stage closes reviews and the end: the help goes on after the branch has filed and after the year.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from marshmallow import fields
from sqlalchemy.orm import Session

from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan, HelpPlanReview
from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import Body, Day, LongText, Sent, StaffNo, about
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import Act, Call
from workflow.rules.evidence import must_have_happened, must_stand
from workflow.rules.records import EntrySchema, Records, RecordSchema
from workflow.year.cycle import Process
from workflow.year.deadlines import must_not_be_long_before_the_year
from workflow.year.roll import participants

# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class ReviewSchema(EntrySchema):
    """A review of the help (帮扶回访)."""

    on = Day(required=True, attribute="reviewed_on", **about("回访日期", "day", "哪一天回访的", "the day of the review", example="2024-12-20"))
    note = LongText(at_most=2000, **about("情况", "note", "帮扶的情况", "how it went", example="按时参加活动"))
    next_on = Day(
        **about("下次回访", "next on", "下次打算哪一天回访，须晚于这一次", "the day of the next review, after this one", example="2025-06-30")
    )


class ClosingSchema(Body):
    """The end of a help plan or of a disposition case (结束): its day and its result."""

    on = Day(required=True, attribute="ended_on", **about("日期", "day", "哪一天结束的", "the day on which it ended", example="2024-12-20"))
    result = LongText(required=True, at_most=2000, **about("结果", "result", "结果怎样", "what came of it", example="已改正，能按时参加组织生活"))


class HelpPlanSchema(RecordSchema):
    """A help plan (教育帮扶). Only the member is required; the other contents of D7 may follow."""

    staff_no = StaffNo(required=True, **about("帮扶对象", "member", "帮扶谁", "who is helped", example="20160005"))
    helper = StaffNo(**about("帮扶人", "helper", "谁来帮扶，应为另一名党员（D7）", "another member who helps (D7)", example="20160001"))
    first_step = LongText(at_most=2000, **about("第一步", "first step", "第一步做什么（D7）", "what is done first (D7)", example="每月谈心一次"))
    review_on = Day(**about("回访日期", "review on", "打算哪一天回访（D7）", "when it is looked at again (D7)", example="2025-03-31"))
    reviews = fields.List(fields.Nested(ReviewSchema), dump_only=True, **about("回访", "reviews", always=True))
    ended_on = Day(dump_only=True, **about("结束日期", "ended on"))
    result = LongText(dump_only=True, **about("结果", "result"))


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class HelpPlans(Records[HelpPlan]):
    """Help plans (教育帮扶), with their reviews."""

    name, zh, en = "help-plans", "教育帮扶", "help plan"
    model, schema = HelpPlan, HelpPlanSchema()
    stages = (Stage.RATING,)
    read, write = Action.READ_PROCESS, Action.RATE

    def check(self, session: Session, process: Process, row: HelpPlan | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        staff_no = row.staff_no if row else sent["staff_no"]
        must_be_of_the_same(staff_no, sent)
        must_not_be_long_before_the_year(process.cycle, "review_on", sent.get("review_on"))
        helper = {"helper": sent["helper"]} if "helper" in sent else {}
        must_be_on_roll(session, process, {"staff_no": staff_no, **helper})
        if sent.get("helper") == staff_no:
            raise Invalid({"helper": Words("帮扶人应为另一名党员", "the helper is another member")})


HELP_PLANS = HelpPlans()


def record_review(session: Session, process: Process, plan: HelpPlan, sent: Sent, *, by: Caller, now: datetime) -> HelpPlanReview:
    """Note how the help went, and set the day of the next review. No stage closes it.

    Raises Invalid, Conflict.
    """
    must_have_happened("on", sent["reviewed_on"], now)
    must_not_be_long_before_the_year(process.cycle, "on", sent["reviewed_on"])
    next_on: date | None = sent.get("next_on")
    if next_on is not None and next_on <= sent["reviewed_on"]:
        raise Invalid({"next_on": Words(f"应晚于这次回访的 {sent['reviewed_on']}", f"must be after this review of {sent['reviewed_on']}")})
    must_go_on(plan)
    row = HelpPlanReview(
        plan_id=plan.id,
        process_id=process.id,
        reviewed_on=sent["reviewed_on"],
        note=sent.get("note"),
        next_on=next_on,
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    plan.reviews.append(row)
    if next_on is not None:
        plan.review_on = next_on
        plan.version += 1
    session.flush()
    return row


def must_go_on(row: HelpPlan | DispositionCase) -> None:
    """Raise Conflict if a help plan or a case was taken back or is ended."""
    must_stand(row)
    if row.ended_on is not None:
        raise Conflict(Words(f"已于 {row.ended_on} 结束", f"it ended on {row.ended_on}"))


def end(session: Session, row: HelpPlan | DispositionCase, sent: Sent, *, begun_on: date, now: datetime) -> None:
    """End a help plan or a case with its result; said again, it corrects day and result.

    Raises Invalid, Conflict.
    """
    must_have_happened("on", sent["ended_on"], now)
    if sent["ended_on"] < begun_on:
        raise Invalid({"on": Words(f"不能早于已登记的 {begun_on}", f"must not be before what was recorded on {begun_on}")})
    must_stand(row)
    row.ended_on, row.result = sent["ended_on"], sent["result"]
    row.version += 1
    session.flush()


def end_help(session: Session, plan: HelpPlan, sent: Sent, *, now: datetime) -> HelpPlan:
    """End the help with its result, not before its last review. Raises Invalid, Conflict."""
    end(session, plan, sent, begun_on=max((each.reviewed_on for each in plan.reviews), default=date.min), now=now)
    return plan


def _end_help(call: Call[HelpPlan], sent: Sent) -> HelpPlan:
    must_not_be_long_before_the_year(call.process.cycle, "on", sent["ended_on"])
    return end_help(call.session, call.on, sent, now=call.now)


REVIEWS, ENDING = ReviewSchema(), ClosingSchema()
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
END_HELP: Act[HelpPlan, HelpPlan] = HELP_PLANS.act(
    "end_help_plan",
    "结束教育帮扶",
    "end a help plan with its result",
    _end_help,
    action=Action.RATE,
    on=HELP_PLANS.held,
    sends=ENDING,
    shows=HELP_PLANS.schema,
    closes=(),
)
ACTS = (*HELP_PLANS.acts, REVIEW, END_HELP)


# ── of both kinds of aftercare ────────────────────────────────────────────────────────────────────────────────────────


def must_be_on_roll(session: Session, process: Process, named: Mapping[str, str]) -> None:
    """Refuse people who are not, or no longer, on the roll. Raises Invalid."""
    found = participants(session, process.id, {name: [staff_no] for name, staff_no in named.items()})
    if left := {name: found[staff_no].name for name, staff_no in named.items() if found[staff_no].left_on is not None}:
        raise Invalid({name: Words(f"{who} 已不在本支部", f"{who} has left this branch") for name, who in left.items()})


def must_be_of_the_same(staff_no: str, sent: Sent) -> None:
    """Refuse to turn a record into another member's. Raises Invalid."""
    if sent.get("staff_no", staff_no) != staff_no:
        raise Invalid({"staff_no": Words("写错人的，请撤回后重新登记", "withdraw it and enter another")})
