"""The year and its definition (年度与流程定义)."""

from __future__ import annotations

from functools import cache
from typing import Any

from marshmallow import fields
from sqlalchemy import select

from api.frame.address import BASE, CYCLE
from api.frame.base import Answer, Request, Routes, service
from api.frame.lists import Page, after_of, listed, number
from api.frame.shapes import CycleShape, Listed, cycle_shape, requirement_shape
from workflow.foundation.errors import Invalid, NotFound
from workflow.foundation.fields import Body, Day, Line
from workflow.foundation.vocabulary import STAGES, Kind, Stage
from workflow.machine.gate import CLAUSES, REQUIREMENTS
from workflow.machine.process import MOVES
from workflow.people.access import Action
from workflow.readings.diagram import mermaid, recorded_in
from workflow.year.cycle import Cycle, cycle_by_year
from workflow.year.deadlines import STAGES_WITH_A_DAY, change_deadlines
from workflow.year.opening import close_cycle, open_cycle, publish
from workflow.year.plan import find_plan, read_plan

routes = Routes()

Deadlines: type[Body] = Body.from_dict({stage.value: Day(allow_none=True) for stage in STAGES_WITH_A_DAY}, name="Deadlines")  # type: ignore[assignment]


class OpenBody(Body):
    """Which plan, and the days the office sets: the report's is required."""

    plan = Line(required=True, at_most=32)
    deadlines = fields.Nested(Deadlines, required=True)


class CycleBody(Body):
    """New days. Those left out stay."""

    deadlines = fields.Nested(Deadlines, required=True)


@routes.get("/process", action=Action.READ_DEFINITION, answers=dict[str, Any])
def read_definition(request: Request) -> Any:
    """How a branch moves and what each stage asks, from the code that does it; which clauses are recorded only, and which not yet."""
    kinds = {kind.value: _definition(kind) for kind in MOVES}
    return {"kinds": kinds, **kinds[Kind.APPRAISAL]}


@cache
def _definition(kind: Kind) -> dict[str, Any]:
    request = {each.clause for each in REQUIREMENTS[kind]}
    recorded = recorded_in()
    name, text = find_plan("2024", None)
    sentences = read_plan(text, CLAUSES, name=name).clauses
    return {
        "stages": [{"stage": stage, "name": stage.zh} for stage in STAGES[kind]],
        "moves": [
            {
                "trigger": move.trigger,
                "name": move.trigger.zh,
                "from": move.source,
                "to": move.target,
                "who": move.who,
                "asks_requirements": move.asks_requirements,
                "asks_reason": move.asks_reason,
                "opens_round": move.opens_round,
                "together": move.together,
            }
            for move in MOVES[kind]
        ],
        "requirements": [requirement_shape(each) for each in REQUIREMENTS[kind]],
        "recorded": [{"clause": clause, "sentence": sentences[clause], "where": where} for clause, where in recorded.items() if clause in sentences],
        "not_asked": [
            {"clause": clause, "sentence": sentence} for clause, sentence in sentences.items() if clause not in request and clause not in recorded
        ],
        "diagram": mermaid(kind),
    }


@routes.get("/cycles", action=Action.READ_CYCLES, answers=Listed[CycleShape], query=Page)
def list_cycles(request: Request, query: dict[str, Any]) -> Any:
    """All years."""
    rows = request.session.scalars(select(Cycle).where(Cycle.year > after_of(query, 0, number)).order_by(Cycle.year).limit(query["limit"] + 1)).all()
    return listed(rows, query, cycle_shape, lambda row: row.year)


@routes.post("/cycles", action=Action.WRITE_CYCLES, answers=CycleShape, body=OpenBody, status=201)
def create_cycle(request: Request, body: dict[str, Any]) -> Any:
    """Open a year from a plan, as a draft."""
    try:
        name, text = find_plan(body["plan"], service().settings.data_dir)
    except NotFound as missing:
        raise Invalid({"plan": missing.detail}) from None
    cycle = open_cycle(request.session, read_plan(text, CLAUSES, name=name), _days(body["deadlines"]), now=request.now)
    return Answer(cycle_shape(cycle), 201, version=cycle.version, location=f"{BASE}/cycles/{cycle.year}")


def _days(deadlines: dict[str, Any]) -> dict[Stage, Any]:
    return {Stage(stage): day for stage, day in deadlines.items()}


def _year(request: Request, year: int) -> Cycle:
    return cycle_by_year(request.session, year)


def _held(request: Request, year: int) -> Cycle:
    return cycle_by_year(request.session, year, for_update=True)


@routes.get(CYCLE, action=Action.READ_CYCLES, answers=CycleShape, find=_year)
def read_cycle(request: Request, cycle: Cycle) -> Any:
    """One year: its theme, days and rules."""
    return Answer(cycle_shape(cycle), version=cycle.version)


@routes.patch(CYCLE, action=Action.WRITE_CYCLES, answers=CycleShape, find=_held, body=CycleBody)
def change_cycle(request: Request, cycle: Cycle, body: dict[str, Any]) -> Any:
    """Change the days of a whole year. The plan of a published year is pinned."""
    change_deadlines(request.session, cycle, _days(body.get("deadlines", {})), seen=request.seen, now=request.now)
    return Answer(cycle_shape(cycle), version=cycle.version)


@routes.post(f"{CYCLE}/publish", action=Action.WRITE_CYCLES, answers=CycleShape, find=_held)
def publish_year(request: Request, cycle: Cycle) -> Any:
    """Publish: pins the plan, and gives each branch its process and its roll."""
    publish(request.session, cycle, now=request.now)
    return Answer(cycle_shape(cycle), version=cycle.version)


@routes.post(f"{CYCLE}/close", action=Action.WRITE_CYCLES, answers=CycleShape, find=_held)
def close_year(request: Request, cycle: Cycle) -> Any:
    """Close the year. It stays to be read."""
    close_cycle(request.session, cycle, now=request.now)
    return Answer(cycle_shape(cycle), version=cycle.version)
