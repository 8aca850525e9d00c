"""The committee's decision (党委会决定): entered by the office, made final by the committee, published to the branches."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import BASE, CYCLE, NUMBER
from api.frame.base import Answer, Request, Routes, service
from api.frame.lists import Page, after_of, listed, number
from api.frame.records import ReasonBody
from api.frame.shapes import BranchShape, Listed, RecordShape, branch_shape, record_shape
from workflow.assessment.decision import (
    PUBLISHED,
    Decision,
    DecisionBody,
    decision_of,
    decisions_of,
    excellent_by,
    latest_decision,
    must_be_pending,
    results,
)
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Level
from workflow.machine.committee import enter, make_final, publish_decision
from workflow.people.access import Action, Scope
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Cycle, cycle_by_year

routes = Routes()
ONE = f"{CYCLE}/decisions/<{NUMBER}:decision_id>"


class ResultShape(TypedDict):
    """What was decided on one branch; ``inputs`` is what the committee had before it, kept when the decision was made final."""

    name: str
    result: Level
    reason: str | None
    inputs: dict[str, Any] | None


class DecisionShape(RecordShape):
    """A decision of the committee."""

    cycle: int
    held_on: date
    number: str
    attendees: list[str]
    due: int | None
    results: dict[str, ResultShape]
    confirmed_by: str | None
    confirmed_at: datetime | None
    published_by: str | None
    published_at: datetime | None


class ListingShape(DecisionShape):
    """A decision with the list of 优秀党支部 as it leaves it."""

    excellent: list[BranchShape]


class AnnouncementShape(TypedDict):
    """What every branch reads once it is published: which branches are 优秀党支部."""

    cycle: int
    held_on: date
    number: str
    excellent: list[BranchShape]
    published_at: datetime | None


def decision_shape(year: int, row: Decision) -> DecisionShape:
    return {
        "cycle": year,
        "held_on": row.held_on,
        "number": row.number,
        "attendees": [each.staff_no for each in row.attendees],
        "due": row.due,
        "results": {
            each.process.branch.code: {"name": each.process.branch.name, "result": each.result, "reason": each.reason, "inputs": each.inputs}
            for each in row.results
        },
        "confirmed_by": row.confirmed_by,
        "confirmed_at": row.confirmed_at,
        "published_by": row.published_by,
        "published_at": row.published_at,
        **record_shape(row),
    }


def _answer(request: Request, row: Decision, status: int = 200) -> Answer:
    year = request.session.get_one(Cycle, row.cycle_id).year
    location = f"{BASE}/cycles/{year}/decisions/{row.id}" if status == 201 else None
    body: ListingShape = {
        **decision_shape(year, row),
        "excellent": [branch_shape(each.process.branch) for each in excellent_by(request.session, row)],
    }
    return Answer(body, status, version=row.version, location=location)


def _year(request: Request, year: int) -> Cycle:
    return cycle_by_year(request.session, year)


def _base_url() -> str:
    return service().settings.base_url or ""


@routes.get(f"{CYCLE}/decision", action=Action.READ_DECISION, answers=ListingShape | AnnouncementShape)
def read_decision(request: Request, year: int) -> Any:
    """The decision that was entered last; for people of the branches which branches are 优秀党支部, once it is published."""
    cycle = cycle_by_year(request.session, year)
    if Scope.ALL in request.by_roles.values():
        return _answer(request, latest_decision(request.session, cycle))
    held = results(request.session, PUBLISHED, Decision.cycle_id == cycle.id)
    if not held:
        raise NotFound
    last = max((row.decision for row in held), key=lambda decision: decision.id)
    announced: AnnouncementShape = {
        "cycle": year,
        "held_on": last.held_on,
        "number": last.number,
        "excellent": [branch_shape(row.process.branch) for row in held if row.result is Level.EXCELLENT],
        "published_at": last.published_at,
    }
    return announced


@routes.get(f"{CYCLE}/decisions", action=Action.READ_SCHOOL, answers=Listed[DecisionShape], query=Page)
def list_decisions(request: Request, query: dict[str, Any], year: int) -> Any:
    """Decisions of a year in the order they were entered, those taken back included."""
    rows = decisions_of(request.session, cycle_by_year(request.session, year), after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: decision_shape(year, row), lambda row: row.id)


@routes.post(f"{CYCLE}/decision", action=Action.ASSESS, answers=ListingShape, body=DecisionBody, find=_year, status=201)
def enter_decision(request: Request, cycle: Cycle, body: dict[str, Any]) -> Any:
    """Enter what the committee's minutes say: its meeting, and the result of each branch. It waits for the committee then."""
    return _answer(request, enter(request.session, cycle, body, by=request.by, now=request.now, base_url=_base_url()), 201)


@routes.post(f"{CYCLE}/decision/publish", action=Action.ASSESS, answers=ListingShape, find=_year)
def publish(request: Request, cycle: Cycle) -> Any:
    """Publish what is final to the branches; secretaries and deputies are told by mail."""
    *_, last = publish_decision(request.session, cycle, by=request.by, now=request.now, base_url=_base_url())
    return _answer(request, last)


def _one(request: Request, year: int, decision_id: int) -> Decision:
    return decision_of(request.session, cycle_by_year(request.session, year), decision_id)


def _held(request: Request, year: int, decision_id: int) -> Decision:
    return decision_of(request.session, cycle_by_year(request.session, year), decision_id, held=True)


@routes.get(ONE, action=Action.READ_SCHOOL, answers=ListingShape, find=_one)
def read_one_decision(request: Request, row: Decision) -> Any:
    """One decision."""
    return _answer(request, row)


@routes.post(f"{ONE}/confirm", action=Action.CONFIRM_DECISION, answers=ListingShape, find=_one)
def confirm_decision(request: Request, row: Decision) -> Any:
    """The committee makes a decision final: each branch that it names is decided, or none is, with all that is missing."""
    make_final(request.session, request.session.get_one(Cycle, row.cycle_id), row, by=request.by, now=request.now)
    return _answer(request, row)


@routes.post(f"{ONE}/reject", action=Action.CONFIRM_DECISION, answers=ListingShape, find=_held, body=ReasonBody)
def reject_decision(request: Request, row: Decision, body: dict[str, Any]) -> Any:
    """The committee does not recognise what was entered, with a reason; the office enters it anew."""
    must_be_pending(row)
    reject(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
    return _answer(request, row)


@routes.post(f"{ONE}/withdraw", action=Action.ASSESS, answers=ListingShape, find=_held, body=ReasonBody)
def withdraw_decision(request: Request, row: Decision, body: dict[str, Any]) -> Any:
    """The office takes back what it entered, with a reason, while it is not final."""
    must_be_pending(row)
    withdraw(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
    return _answer(request, row)
