"""Help plans with their reviews, disposition cases with their steps (教育帮扶、组织处置)."""

from __future__ import annotations

from api.frame.address import location
from api.frame.records import single, tag_of
from api.frame.routes import Answer, Routes
from workflow.appraisal.rating.aftercare import DispositionCase, DispositionStep, HelpPlan, HelpPlanReview
from workflow.appraisal.rating.aftercare_help import END_HELP, HELP_PLANS, REVIEW, REVIEWS
from workflow.appraisal.rating.aftercare_procedure import AMEND_STEP, CASES, END_CASE, STEP, STEPS, WITHDRAW_STEP
from workflow.rules.acts import Call

routes = Routes(tag=tag_of(HELP_PLANS))
cases = Routes(tag=tag_of(CASES))


@routes.post(f"{single(HELP_PLANS)}/reviews", REVIEW, status=201)
def add_review(call: Call[object], row: HelpPlanReview) -> object:
    """Note how the help went. It never closes."""
    return Answer(REVIEWS.shown(row), location=location(single(HELP_PLANS), call.process, record_id=row.plan_id))


@routes.post(f"{single(HELP_PLANS)}/end", END_HELP)
def end_help(call: Call[object], row: HelpPlan) -> object:
    """End the help with its result. Said again, it corrects day and result."""
    return HELP_PLANS.seen_by(call)(row)


@cases.post(f"{single(CASES)}/steps", STEP, status=201)
def add_step(call: Call[object], row: DispositionStep) -> object:
    """Note a step that was taken. It never closes."""
    return Answer(STEPS.shown(row), location=location(single(CASES), call.process, record_id=row.case_id))


@cases.patch(f"{single(CASES)}/steps/<step>", AMEND_STEP)
def amend_step(call: Call[object], row: DispositionCase) -> object:
    """Correct a step that was recorded wrongly. If-Match is the case's ETag. It never closes."""
    return CASES.seen_by(call)(row)


@cases.post(f"{single(CASES)}/steps/<step>/withdraw", WITHDRAW_STEP)
def withdraw_step(call: Call[object], row: DispositionCase) -> object:
    """Withdraw a step that was not taken after all, the last one first. It never closes."""
    return CASES.seen_by(call)(row)


@cases.post(f"{single(CASES)}/end", END_CASE)
def end_case(call: Call[object], row: DispositionCase) -> object:
    """Close a case with its result, for instance after a correction. Said again, it corrects."""
    return CASES.seen_by(call)(row)
