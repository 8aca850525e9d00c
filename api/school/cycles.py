"""Years and their plans (年度), and how a branch moves (流程)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from typing_extensions import TypedDict

from api.frame.address import CYCLE, NUMBER, location
from api.frame.changes import AmendmentShape, amendment_shape
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Answer, Preview, Routes, Tag
from api.frame.shapes import BranchShape, CycleShape, Listed, cycle_shapes
from api.frame.words import said
from workflow.acts.years import (
    AMEND_PLAN,
    CHANGE_DEADLINES,
    CLOSE_YEAR,
    DROP_YEAR,
    OPEN_YEAR,
    PUBLISH_YEAR,
    REOPEN_YEAR,
    REREAD_YEAR,
    a_year,
)
from workflow.foundation.errors import Conflict, Exists, PlanInvalid
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import Kind, Stage
from workflow.people.access import Action
from workflow.rules.acts import Call, Done
from workflow.year.amendments import Amendment, amendment_of, amendments_of
from workflow.year.cycle import Cycle
from workflow.year.finding import cycles_after

routes = Routes(tag=Tag("cycles", "年度", "years and their plans"))


def _shown(call: Call[object], cycle: Cycle) -> CycleShape:
    return next(cycle_shapes(call.session, [cycle]))


@routes.get("/cycles", action=Action.READ_CYCLES, answers=Listed[CycleShape], query=Page(), zh="列出年度")
def list_cycles(call: Call[object], query: Sent) -> object:
    """List all years."""
    rows = cycles_after(call.session, after_of(query, 0, number), query["limit"] + 1)
    return listed(list(cycle_shapes(call.session, rows)), query, lambda shape: shape, lambda shape: shape["year"])


@routes.post("/cycles", OPEN_YEAR, answers=CycleShape, status=201, refuses=(PlanInvalid,))
def create_cycle(call: Call[object], cycle: Cycle) -> object:
    """Open a year from a plan, as a draft."""
    return Answer(_shown(call, cycle), location=location(CYCLE, year=cycle.year))


@routes.get(CYCLE, action=Action.READ_CYCLES, answers=CycleShape, find=a_year, zh="查看年度")
def read_cycle(call: Call[object], cycle: Cycle) -> object:
    """Read a year: its theme, days and rules."""
    return Answer(_shown(call, cycle), version=cycle.version)


class ChangedCycleShape(CycleShape):
    """A year after its days were changed (调整期限)."""

    letters: int


@routes.patch(CYCLE, CHANGE_DEADLINES, answers=ChangedCycleShape)
def change_cycle(call: Call[object], done: Done) -> object:
    """Change the days of a whole year, and count the reminders that they bring."""
    return {**_shown(call, done.rows[0]), **done.facts}


@routes.post(f"{CYCLE}/reread", REREAD_YEAR, answers=CycleShape, refuses=(PlanInvalid, Conflict))
def reread_year(call: Call[object], cycle: Cycle) -> object:
    """Read the plan of a draft again from its file. The days that were typed stay."""
    return _shown(call, cycle)


@routes.delete(CYCLE, DROP_YEAR, status=204, refuses=(Conflict,))
def drop_year(call: Call[object], dropped: None) -> object:
    """Throw a draft away. A published year stays."""
    return None


@routes.post(f"{CYCLE}/publish", PUBLISH_YEAR, answers=CycleShape)
def publish_year(call: Call[object], cycle: Cycle) -> object:
    """Publish a year. Pins its plan, and gives each branch its process and its roll."""
    return _shown(call, cycle)


class CountsShape(TypedDict):
    """Numbers of those that an amendment reaches (涉及数)."""

    branches: int
    asked: Annotated[int, said("须学习新增文件的支部", "branches that are asked for the added reading")]
    signs: Annotated[int, said("已过集中学习、只作提示的支部", "branches that have left the study: a sign")]
    days: Annotated[int, said("期限改变的流程", "processes whose day changes")]
    letters: int


class ReachedShape(TypedDict):
    """The meaning of an amendment for one process (涉及的支部)."""

    branch: BranchShape
    kind: Kind
    stage: Stage
    reading: Literal["asked", "sign"] | None
    due_on: date | None
    due_before: date | None


class ReachShape(TypedDict):
    """The reach of an amendment: counts, and the first thousand processes (涉及范围)."""

    counts: CountsShape
    branches: Annotated[list[ReachedShape], said("涉及的支部，最多列一千个", "processes reached, at most a thousand of them")]


class MadeAmendmentShape(AmendmentShape, ReachShape):
    """A new amendment, and what it reaches (新的补充通知)."""


def _would_reach(call: Call[object], done: Done) -> object:
    return done.facts


AMENDMENTS = f"{CYCLE}/amendments"
ONE_AMENDMENT = f"{AMENDMENTS}/<{NUMBER}:record_id>"


@routes.get(AMENDMENTS, action=Action.READ_CYCLES, answers=Listed[AmendmentShape], find=a_year, query=Page(), zh="列出补充通知")
def list_amendments(call: Call[object], cycle: Cycle, query: Sent) -> object:
    """List the notices that add to the plan of a year."""
    rows = amendments_of(call.session, [cycle.id], after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, amendment_shape, lambda row: row.id)


def _one(call: Call[object], year: int, record_id: int) -> Amendment:
    return amendment_of(call.session, a_year(call, year), record_id)


@routes.get(ONE_AMENDMENT, action=Action.READ_CYCLES, answers=AmendmentShape, find=_one, zh="查看补充通知")
def read_amendment(call: Call[object], row: Amendment) -> object:
    """Read one notice: what it adds, and what stood there before."""
    return amendment_shape(row)


@routes.post(AMENDMENTS, AMEND_PLAN, answers=MadeAmendmentShape, status=201, refuses=(Exists, Conflict), preview=Preview(_would_reach, ReachShape))
def amend_plan(call: Call[object], done: Done) -> object:
    """Add reading, later days or words to the plan of a published year.

    Branches in the study, or coming back to it, are asked for added reading; the others get a sign.
    """
    (row,) = done.rows
    return Answer({**amendment_shape(row), **done.facts}, location=location(ONE_AMENDMENT, year=row.cycle.year, record_id=row.id))


@routes.post(f"{CYCLE}/close", CLOSE_YEAR, answers=CycleShape, refuses=(Conflict,))
def close_year(call: Call[object], cycle: Cycle) -> object:
    """Close a year. While branches are open, it names them and wants a reason to leave them so."""
    return _shown(call, cycle)


@routes.post(f"{CYCLE}/reopen", REOPEN_YEAR, answers=CycleShape, refuses=(Conflict,))
def reopen_year(call: Call[object], cycle: Cycle) -> object:
    """Open a closed year again, until the next one is published."""
    return _shown(call, cycle)
