"""Help plans with their reviews, disposition cases with their steps (教育帮扶、组织处置)."""

from __future__ import annotations

from api.frame.address import location
from api.frame.records import single, tag_of
from api.frame.routes import Answer, Routes
from workflow.appraisal.rating.aftercare import CASES, HELP_PLANS, REVIEW, REVIEWS, STEP, STEPS, DispositionStep, HelpPlanReview
from workflow.rules.acts import Call

routes = Routes(tag=tag_of(HELP_PLANS))
cases = Routes(tag=tag_of(CASES))


@routes.post(f"{single(HELP_PLANS)}/reviews", REVIEW, status=201)
def add_review(call: Call[object], row: HelpPlanReview) -> object:
    """Note how the help went. It never closes."""
    return Answer(REVIEWS.shown(row), location=location(single(HELP_PLANS), call.process, record_id=row.plan_id))


@cases.post(f"{single(CASES)}/steps", STEP, status=201)
def add_step(call: Call[object], row: DispositionStep) -> object:
    """Note a step that was taken. It never closes."""
    return Answer(STEPS.shown(row), location=location(single(CASES), call.process, record_id=row.case_id))
