"""Help plans with their reviews, disposition cases with their steps (教育帮扶、组织处置)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import address_of
from api.frame.base import Answer, Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.rating.aftercare import (
    DispositionCase,
    DispositionCaseBody,
    DispositionStep,
    HelpPlan,
    HelpPlanBody,
    HelpPlanReview,
    ReviewBody,
    Step,
    StepBody,
    amend_case,
    amend_help_plan,
    record_case,
    record_help_plan,
    record_review,
    record_step,
)
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action
from workflow.year.cycle import Lock


class ReviewShape(TypedDict):
    """How the help went."""

    id: int
    on: date
    note: str | None
    recorded_by: str
    recorded_at: datetime


class HelpPlanShape(RecordShape):
    """Who helps a member, and how it went."""

    staff_no: str
    helper: str | None
    first_step: str | None
    review_on: date | None
    reviews: list[ReviewShape]


class StepShape(TypedDict):
    """One step of the checklist; without a day it was not taken yet."""

    step: Step
    name: str
    on: date | None
    note: str | None
    recorded_by: str | None
    recorded_at: datetime | None


class DispositionCaseShape(RecordShape):
    """What is proposed for an unqualified member, and every step of the procedure in its order."""

    staff_no: str
    signs: list[int]
    facts: str | None
    proposed_on: date
    steps: list[StepShape]


def review_shape(row: HelpPlanReview) -> ReviewShape:
    return {"id": row.id, "on": row.reviewed_on, "note": row.note, "recorded_by": row.recorded_by, "recorded_at": row.recorded_at}


def help_plan_shape(row: HelpPlan) -> HelpPlanShape:
    return {
        "staff_no": row.staff_no,
        "helper": row.helper,
        "first_step": row.first_step,
        "review_on": row.review_on,
        "reviews": [review_shape(each) for each in row.reviews],
        **record_shape(row),
    }


def step_shape(step: Step, row: DispositionStep | None) -> StepShape:
    if row is None:
        return {"step": step, "name": step.zh, "on": None, "note": None, "recorded_by": None, "recorded_at": None}
    return {
        "step": step,
        "name": step.zh,
        "on": row.taken_on,
        "note": row.note,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
    }


def case_shape(row: DispositionCase) -> DispositionCaseShape:
    taken = {each.step: each for each in row.steps}
    return {
        "staff_no": row.staff_no,
        "signs": row.signs,
        "facts": row.facts,
        "proposed_on": row.proposed_on,
        "steps": [step_shape(step, taken.get(step)) for step in Step],
        **record_shape(row),
    }


HELP_PLANS = Collection(
    name="help-plans",
    model=HelpPlan,
    stage=Stage.RATING,
    body=HelpPlanBody,
    answers=HelpPlanShape,
    shaper=lambda request: help_plan_shape,
    record=record_help_plan,
    amend=amend_help_plan,
    read=Action.READ_PROCESS,
    write=Action.RATE,
)

CASES = Collection(
    name="disposition-cases",
    model=DispositionCase,
    stage=Stage.RATING,
    body=DispositionCaseBody,
    answers=DispositionCaseShape,
    shaper=lambda request: case_shape,
    record=record_case,
    amend=amend_case,
    read=Action.READ_PROCESS,
    write=Action.RATE,
)

routes: Routes = Routes([*collection_routes(HELP_PLANS), *collection_routes(CASES)])


@routes.post(
    f"{HELP_PLANS.single}/reviews",
    action=Action.RATE,
    lock=Lock.EVIDENCE,
    find=HELP_PLANS.held,
    body=ReviewBody,
    answers=ReviewShape,
    status=201,
)
def add_review(request: Request, plan: HelpPlan, body: dict[str, Any]) -> Any:
    """Note how the help went. It never closes."""
    row = record_review(request.session, request.process, plan, body, by=request.by, now=request.now)
    return Answer(review_shape(row), 201, location=f"{address_of(request.process)}/help-plans/{plan.id}")


@routes.post(f"{CASES.single}/steps", action=Action.RATE, lock=Lock.EVIDENCE, find=CASES.held, body=StepBody, answers=StepShape, status=201)
def add_step(request: Request, case: DispositionCase, body: dict[str, Any]) -> Any:
    """Note a step that was taken. It never closes."""
    row = record_step(request.session, request.process, case, body, by=request.by, now=request.now)
    return Answer(step_shape(row.step, row), 201, location=f"{address_of(request.process)}/disposition-cases/{case.id}")
