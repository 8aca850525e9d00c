"""What the office polls (全校进度): counts, rows, exceptions, letters."""

from __future__ import annotations

import json
from datetime import date, datetime

from flask import request as http
from typing_extensions import TypedDict

from api.frame.address import CYCLE
from api.frame.errors import language
from api.frame.lists import Page, after_of, cursor, listed, natural, number
from api.frame.routes import Answer, Routes
from api.frame.shapes import BranchShape, Listed, LocatedShape, ProcessShape, WaiverShape, branch_shape, located_shape, process_shape, waiver_shape
from api.school.polling import board
from workflow.foundation.errors import Invalid, Words
from workflow.foundation.fields import (
    Body,
    Line,
    Sent,
    StaffNo,
    YesNo,
    one_of,
)
from workflow.foundation.vocabulary import MAIN, STAGES, Kind, LetterState, Stage
from workflow.machine.gate import exceptions, place_in_list
from workflow.machine.waivers import waivers_of_year
from workflow.mail.outbox import Letter
from workflow.people.access import Action
from workflow.readings.ledger import ledger
from workflow.readings.progress import Cursor, branches, changed_branches
from workflow.rules.acts import Call
from workflow.year.cycle import cycle_by_year

routes = Routes()


class ProgressQuery(Body):
    """Of which kind of process: the branches' own year, unless the assessment is asked for."""

    kind = one_of(Kind, load_default=MAIN)


class BranchesQuery(Page):
    """Which rows of the dashboard."""

    stage = one_of(Stage, among=STAGES[MAIN])
    overdue = YesNo()
    unit = Line()
    q = Line(at_most=50)
    changed_since = Line(at_most=500)


class ExceptionsQuery(Page):
    """Which exceptions."""

    clause = Line(at_most=8)
    unit = Line()


class WaiversQuery(Page):
    """Which reasons: ``pending=true`` for those that wait for the office."""

    pending = YesNo(load_default=False)


class LocatedWaiverShape(WaiverShape):
    """A reason, with the branch that gave it."""

    branch: BranchShape


class LettersQuery(Page):
    """Whose letters."""

    branch = Line(at_most=32)
    recipient = StaffNo()


class LetterShape(TypedDict):
    """One line of the ledger: who was told what, and its fate. Never its text."""

    id: int
    kind: str
    branch: str | None
    recipient: str
    staff_no: str
    subject: str
    due_on: date | None
    state: LetterState
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    error: str | None
    """Why it was not sent: the step and the code, never what the mail server wrote."""


def letter_shape(row: Letter, branch: str | None, staff_no: str) -> LetterShape:
    return {
        "id": row.id,
        "kind": row.kind,
        "branch": branch,
        "recipient": row.recipient_name,
        "staff_no": staff_no,
        "subject": row.subject,
        "due_on": row.due_on,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "sent_at": row.sent_at,
        "error": row.error,
    }


class ProgressShape(TypedDict):
    """How many branches stand where."""

    cycle: int
    kind: Kind
    as_of: datetime
    cursor: str
    branches: int
    by_stage: dict[Stage, int]
    overdue: int
    due_soon: int
    returned: int
    late: int


@routes.get(f"{CYCLE}/progress", action=Action.READ_SCHOOL, answers=ProgressShape, query=ProgressQuery())
def read_progress(call: Call[object], query: Sent, year: int) -> object:
    """How many branches stand where: at most half a second old, or with ``Cache-Control: no-cache`` from the database."""
    seen = board().latest(call, year, query["kind"], fresh=bool(http.cache_control.no_cache))
    body: ProgressShape = {
        "cycle": year,
        "kind": query["kind"],
        "as_of": seen.as_of,
        "cursor": cursor(seen.cursor),
        "branches": seen.branches,
        "by_stage": seen.by_stage,
        "overdue": seen.overdue,
        "due_soon": seen.due_soon,
        "returned": seen.returned,
        "late": seen.late,
    }
    return Answer(body, tagged=body)


@routes.get(f"{CYCLE}/branches", action=Action.READ_SCHOOL, answers=Listed[ProcessShape], query=BranchesQuery())
def list_branches(call: Call[object], query: Sent, year: int) -> object:
    """Each branch, with filters; or with ``changed_since`` those whose row has changed, in their present state."""
    cycle = cycle_by_year(call.session, year)
    if "changed_since" in query:
        if beside := [name for name in ("stage", "overdue", "unit", "q", "after") if name in query]:
            raise Invalid({name: Words("不能与 changed_since 同用", "does not go with changed_since") for name in beside})
        (rows, named), following = changed_branches(
            call.session, cycle, after_of(query, Cursor("0", 0), Cursor.read, "changed_since"), limit=query["limit"], today=call.today
        )
        return {"items": [process_shape(row, named.get(row.id), call.today) for row in rows], "next": cursor(following)}
    rows, named = branches(
        call.session,
        cycle,
        today=call.today,
        stage=query.get("stage"),
        overdue=query.get("overdue"),
        unit=query.get("unit"),
        words=query.get("q"),
        after=after_of(query, "", natural),
        limit=query["limit"] + 1,
    )
    page = listed(rows, query, lambda row: process_shape(row, named.get(row.id), call.today), lambda row: row.branch.code)
    return Answer(page, tagged=page)


@routes.get(f"{CYCLE}/exceptions", action=Action.READ_SCHOOL, answers=Listed[LocatedShape], query=ExceptionsQuery())
def list_exceptions(call: Call[object], query: Sent, year: int) -> object:
    """All that is missing school-wide, signs included: the gate's own rows."""
    cycle_by_year(call.session, year)
    after = after_of(query, ("", 0), _exception_place)
    rows = exceptions(call.session, year, today=call.today, clause=query.get("clause"), unit=query.get("unit"), after=after, limit=query["limit"] + 1)
    return listed(rows, query, lambda row: located_shape(row, language()), lambda row: json.dumps(place_in_list(row)))


def _exception_place(text: str) -> tuple[str, int]:
    match json.loads(text):
        case [str(code), int(at)] if type(at) is int and 0 <= at < 1000:
            return natural(code), at
    raise ValueError


@routes.get(f"{CYCLE}/waivers", action=Action.READ_SCHOOL, answers=Listed[LocatedWaiverShape], query=WaiversQuery())
def list_waivers_of_year(call: Call[object], query: Sent, year: int) -> object:
    """The reasons that branches gave in place of what is missing: what the office reads, and what waits for its approval."""
    cycle = cycle_by_year(call.session, year)
    rows = waivers_of_year(call.session, cycle, pending=query["pending"], after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: {**waiver_shape(row[0]), "branch": branch_shape(row[1])}, lambda row: row[0].id)


@routes.get(f"{CYCLE}/letters", action=Action.READ_SCHOOL, answers=Listed[LetterShape], query=LettersQuery())
def list_letters(call: Call[object], query: Sent, year: int) -> object:
    """Who was told what, when, and what became of it."""
    cycle = cycle_by_year(call.session, year)
    rows = ledger(
        call.session,
        cycle,
        branch=query.get("branch"),
        recipient=query.get("recipient"),
        after=after_of(query, 0, number),
        limit=query["limit"] + 1,
    )
    return listed(rows, query, lambda row: letter_shape(row.letter, row.branch, row.staff_no), lambda row: row.letter.id)
