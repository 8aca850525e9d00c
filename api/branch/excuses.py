"""Excuses of all branches (不参加): the office's list of those that wait, and its decisions."""

from __future__ import annotations

import json

from api.branch.branch import ACTS, RollShape, roll_shape, rolls
from api.frame.address import CYCLE
from api.frame.lists import Page, after_of, listed, natural
from api.frame.routes import Routes
from api.frame.shapes import BranchShape, Items, Listed, branch_shape
from workflow.foundation.fields import Sent, YesNo, about
from workflow.people.access import Action
from workflow.rules.acts import Call, Done
from workflow.year.cycle import Participant
from workflow.year.finding import cycle_by_year
from workflow.year.roll import excuses_of_year

routes = Routes(tag=rolls.tag)


class ExcusesQuery(Page):
    """A page of excuses: ``pending=true`` for those that wait for the office."""

    pending = YesNo(
        load_default=False, **about("待确认", "pending", "true 只要等党委办公室确认的", "true for those that wait for the office", example=True)
    )


class LocatedRollShape(RollShape):
    """An excused person on a roll, with the branch (不参加的人)."""

    branch: BranchShape


def _located(row: Participant) -> LocatedRollShape:
    return {**roll_shape(row), "branch": branch_shape(row.process)}


def _place(text: str) -> tuple[int, str]:
    match json.loads(text):
        case [process_id, str(staff_no)] if type(process_id) is int and 0 <= process_id < 10**18:
            return process_id, natural(staff_no)
    raise ValueError


@routes.get(f"{CYCLE}/excuses", action=Action.READ_SCHOOL, answers=Listed[LocatedRollShape], query=ExcusesQuery(), zh="列出全校不参加的人")
def list_excuses_of_year(call: Call[object], query: Sent, year: int) -> object:
    """List excused people, or with ``pending=true`` those that wait for the office."""
    cycle = cycle_by_year(call.session, year)
    rows = excuses_of_year(call.session, cycle, pending=query["pending"], after=after_of(query, (0, ""), _place), limit=query["limit"] + 1)
    return listed(rows, query, _located, lambda row: json.dumps([row.process_id, row.staff_no]))


@routes.post(f"{CYCLE}/excuses/bulk", ACTS.roll_many["confirm"], answers=Items[LocatedRollShape])
def confirm_many(call: Call[object], done: Done) -> object:
    """Confirm many excuses of any branches as the office, all or none."""
    return {"items": [*map(_located, done.rows)]}
