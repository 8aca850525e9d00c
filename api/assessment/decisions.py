"""The committee's decision (党委会决定), in three steps.

The office enters it, the committee makes it final, the office publishes it to the branches.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import CYCLE, NUMBER, location
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import BranchShape, Listed, RecordShape, branch_shape, record_shape
from workflow.assessment.decision import Decision, announcement, decision_of, decisions_of, excellent_by, latest_decision
from workflow.foundation.errors import BranchesLack, MoveNotPossible
from workflow.foundation.fields import Sent
from workflow.machine import committee
from workflow.people.access import Action, Scope
from workflow.rules.acts import Call
from workflow.year.finding import cycle_by_year

routes = Routes(tag=Tag("decisions", "党委会决定", "decisions of the committee"))
ONE = f"{CYCLE}/decisions/<{NUMBER}:decision_id>"


class ResultShape(TypedDict):
    """The decision on one branch, with what the committee had before it (一个支部的决定)."""

    name: str
    result: str
    word: str
    reason: str | None
    inputs: dict[str, Any] | None


class VoteShape(TypedDict):
    """The vote of the committee (表决)."""

    yes: int
    no: int
    abstain: int


class DecisionShape(RecordShape):
    """A decision of the committee (党委会决定)."""

    cycle: int
    held_on: date
    number: str
    attendees: list[str]
    due: int | None
    vote: VoteShape | None
    results: dict[str, ResultShape]
    confirmed_by: str | None
    confirmed_at: datetime | None
    published_by: str | None
    published_at: datetime | None


class ListingShape(DecisionShape):
    """A decision with the branches that are 优秀党支部 (决定和优秀党支部名单)."""

    excellent: list[BranchShape]


class AnnouncementShape(TypedDict):
    """The published list of 优秀党支部 (优秀党支部名单)."""

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
        "vote": None if row.vote is None else {"yes": row.vote.yes, "no": row.vote.no, "abstain": row.vote.abstain},
        "results": {
            each.process.branch.code: {
                "name": each.process.branch_name,
                "result": each.result,
                "word": each.word,
                "reason": each.reason,
                "inputs": each.inputs,
            }
            for each in row.results
        },
        "confirmed_by": row.confirmed_by,
        "confirmed_at": row.confirmed_at,
        "published_by": row.published_by,
        "published_at": row.published_at,
        **record_shape(row),
    }


def _shown(call: Call[object], row: Decision) -> ListingShape:
    """Show a decision with the 优秀党支部 that follow from it."""
    return {
        **decision_shape(row.cycle.year, row),
        "excellent": [branch_shape(each.process) for each in excellent_by(call.session, row)],
    }


@routes.get(f"{CYCLE}/decision", action=Action.READ_DECISION, answers=ListingShape | AnnouncementShape, zh="最近一次决定")
def read_decision(call: Call[object], year: int) -> object:
    """Read the last decision.

    People of the branches read the list of 优秀党支部 once it is published.
    """
    cycle = cycle_by_year(call.session, year)
    if Scope.ALL in call.by_roles.values():
        row = latest_decision(call.session, cycle)
        return Answer(_shown(call, row), version=row.version)
    found = announcement(call.session, cycle)
    announced: AnnouncementShape = {
        "cycle": year,
        "held_on": found.decision.held_on,
        "number": found.decision.number,
        "excellent": [branch_shape(each) for each in found.excellent],
        "published_at": found.decision.published_at,
    }
    return announced


@routes.get(f"{CYCLE}/decisions", action=Action.READ_SCHOOL, answers=Listed[DecisionShape], query=Page(), zh="列出决定")
def list_decisions(call: Call[object], query: Sent, year: int) -> object:
    """List decisions of a year as they were entered, withdrawn and rejected ones included."""
    rows = decisions_of(call.session, cycle_by_year(call.session, year), after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: decision_shape(year, row), lambda row: row.id)


@routes.post(f"{CYCLE}/decision", committee.ENTER, answers=ListingShape, status=201)
def enter_decision(call: Call[object], row: Decision) -> object:
    """Enter a decision from the minutes: the meeting and the result of each branch.

    The committee confirms it.
    """
    return Answer(_shown(call, row), location=location(ONE, year=row.cycle.year, decision_id=row.id))


@routes.post(f"{CYCLE}/decision/publish", committee.PUBLISH, answers=ListingShape, refuses=(BranchesLack, MoveNotPossible))
def publish(call: Call[object], last: Decision) -> object:
    """Publish the final decision. Secretaries and deputies get a letter."""
    return _shown(call, last)


@routes.get(ONE, action=Action.READ_SCHOOL, answers=ListingShape, zh="查看决定")
def read_one_decision(call: Call[object], year: int, decision_id: int) -> object:
    """Read one decision."""
    row = decision_of(call.session, cycle_by_year(call.session, year), decision_id)
    return Answer(_shown(call, row), version=row.version)


@routes.post(f"{ONE}/confirm", committee.CONFIRM, answers=ListingShape, refuses=(BranchesLack, MoveNotPossible))
def confirm_decision(call: Call[object], row: Decision) -> object:
    """Make a decision final as the committee. Each branch that it names is decided, or none is."""
    return _shown(call, row)


@routes.post(f"{ONE}/reject", committee.REJECT, answers=ListingShape)
def reject_decision(call: Call[object], row: Decision) -> object:
    """Reject what the office entered, with a reason. The office enters it anew."""
    return _shown(call, row)


@routes.post(f"{ONE}/withdraw", committee.WITHDRAW, answers=ListingShape)
def withdraw_decision(call: Call[object], row: Decision) -> object:
    """Withdraw a decision as the office, with a reason, while it is not final."""
    return _shown(call, row)
