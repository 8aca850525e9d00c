"""Years and their plans (年度), and how a branch moves (流程)."""

from __future__ import annotations

from api.frame.address import CYCLE, location
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import CycleShape, Listed, cycle_shape
from workflow.acts.years import (
    CHANGE_DEADLINES,
    CLOSE_YEAR,
    DROP_YEAR,
    OPEN_YEAR,
    PUBLISH_YEAR,
    REOPEN_YEAR,
    REREAD_YEAR,
    a_year,
)
from workflow.foundation.errors import Conflict, PlanInvalid
from workflow.foundation.fields import Sent
from workflow.people.access import Action
from workflow.rules.acts import Call
from workflow.year.cycle import Cycle, cycles_after

routes = Routes(tag=Tag("cycles", "年度", "years and their plans"))


@routes.get("/cycles", action=Action.READ_CYCLES, answers=Listed[CycleShape], query=Page(), zh="列出年度")
def list_cycles(call: Call[object], query: Sent) -> object:
    """List all years."""
    rows = cycles_after(call.session, after_of(query, 0, number), query["limit"] + 1)
    return listed(rows, query, cycle_shape, lambda row: row.year)


@routes.post("/cycles", OPEN_YEAR, answers=CycleShape, status=201, refuses=(PlanInvalid,))
def create_cycle(call: Call[object], cycle: Cycle) -> object:
    """Open a year from a plan, as a draft."""
    return Answer(cycle_shape(cycle), location=location(CYCLE, year=cycle.year))


@routes.get(CYCLE, action=Action.READ_CYCLES, answers=CycleShape, find=a_year, zh="查看年度")
def read_cycle(call: Call[object], cycle: Cycle) -> object:
    """Read a year: its theme, days and rules."""
    return Answer(cycle_shape(cycle), version=cycle.version)


@routes.patch(CYCLE, CHANGE_DEADLINES, answers=CycleShape)
def change_cycle(call: Call[object], cycle: Cycle) -> object:
    """Change the days of a whole year. The plan of a published year stays."""
    return cycle_shape(cycle)


@routes.post(f"{CYCLE}/reread", REREAD_YEAR, answers=CycleShape, refuses=(PlanInvalid, Conflict))
def reread_year(call: Call[object], cycle: Cycle) -> object:
    """Read the plan of a draft again from its file. The days that were typed stay."""
    return cycle_shape(cycle)


@routes.delete(CYCLE, DROP_YEAR, status=204, refuses=(Conflict,))
def drop_year(call: Call[object], dropped: None) -> object:
    """Throw a draft away. A published year stays."""
    return None


@routes.post(f"{CYCLE}/publish", PUBLISH_YEAR, answers=CycleShape)
def publish_year(call: Call[object], cycle: Cycle) -> object:
    """Publish a year. Pins its plan, and gives each branch its process and its roll."""
    return cycle_shape(cycle)


@routes.post(f"{CYCLE}/close", CLOSE_YEAR, answers=CycleShape, refuses=(Conflict,))
def close_year(call: Call[object], cycle: Cycle) -> object:
    """Close a year. While branches are open, it names them and wants a reason to leave them so."""
    return cycle_shape(cycle)


@routes.post(f"{CYCLE}/reopen", REOPEN_YEAR, answers=CycleShape, refuses=(Conflict,))
def reopen_year(call: Call[object], cycle: Cycle) -> object:
    """Open a closed year again, until the next one is published."""
    return cycle_shape(cycle)
