"""The facts of a branch's year (支部年度情况): what the branch tells for the summary, and the office's check."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import ASSESSMENT
from api.frame.base import Answer, Request, Routes
from workflow.assessment.facts import DEVELOPMENT, THREE_MEETINGS, Facts, FactsBody, check_facts, facts_of, state_facts
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Kind
from workflow.people.access import Action
from workflow.year.cycle import Lock

routes = Routes(kind=Kind.ASSESSMENT)


class CleanGovernmentShape(TypedDict):
    text: str | None
    issues: bool | None


class FactsShape(TypedDict):
    """What a branch tells of its year."""

    main_work: str | None
    three_meetings: dict[str, int | None]
    development: dict[str, int | None]
    clean_government: CleanGovernmentShape
    recorded_by: str
    recorded_at: datetime
    checked_by: str | None
    checked_at: datetime | None


def facts_shape(row: Facts) -> FactsShape:
    return {
        "main_work": row.main_work,
        "three_meetings": {name: getattr(row, name) for name in THREE_MEETINGS},
        "development": {name: getattr(row, name) for name in DEVELOPMENT},
        "clean_government": {"text": row.clean_government, "issues": row.clean_issues},
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
        "checked_by": row.checked_by,
        "checked_at": row.checked_at,
    }


def _facts(request: Request) -> Facts:
    row = facts_of(request.session, request.process)
    if row is None:
        raise NotFound
    return row


def _held_facts(request: Request) -> Facts | None:
    return facts_of(request.session, request.process, held=True)


@routes.get(f"{ASSESSMENT}/facts", action=Action.READ_ASSESSMENT_PROCESS, find=_facts, answers=FactsShape)
def read_facts(request: Request, row: Facts) -> Any:
    """What a branch has told of its year."""
    return Answer(facts_shape(row), version=row.version)


@routes.put(f"{ASSESSMENT}/facts", action=Action.STATE_FACTS, lock=Lock.EVIDENCE, find=_held_facts, body=FactsBody, answers=FactsShape, if_match=True)
def put_facts(request: Request, row: Facts | None, body: dict[str, Any]) -> Any:
    """Tell the facts of the year, whole. A change wants a new check by the office."""
    written = state_facts(request.session, request.process, row, body, seen=request.if_match, by=request.by, now=request.now)
    return Answer(facts_shape(written), version=written.version)


@routes.post(f"{ASSESSMENT}/facts/confirm", action=Action.ASSESS, lock=Lock.EVIDENCE, find=_held_facts, answers=FactsShape)
def confirm_facts(request: Request, row: Facts | None) -> Any:
    """The office has checked the facts as they stand."""
    checked = check_facts(request.session, request.process, row, by=request.by, now=request.now)
    return Answer(facts_shape(checked), version=checked.version)
