"""The office's view of the whole school (全校进度): counts, rows, exceptions, letters."""

from __future__ import annotations

import json
from datetime import date, datetime

from flask import request as http
from typing_extensions import TypedDict

from api.frame.address import CYCLE
from api.frame.errors import language
from api.frame.lists import Page, after_of, cursor, listed, natural, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import BranchShape, Listed, LocatedShape, ProcessShape, WaiverShape, branch_shape, located_shape, process_shape, waiver_shape
from api.school.polling import board
from workflow.foundation.errors import Invalid, Words
from workflow.foundation.fields import (
    Body,
    Line,
    Sent,
    StaffNo,
    YesNo,
    about,
    one_of,
)
from workflow.foundation.vocabulary import MAIN, STAGES, Kind, LetterState, Stage
from workflow.machine.gate import exceptions, place_in_list
from workflow.machine.waivers import waivers_of_year
from workflow.people.access import Action
from workflow.readings.burn_up import burn_up
from workflow.readings.ledger import LedgerLine, ledger
from workflow.readings.progress import Cursor, branches, changed_branches
from workflow.rules.acts import Call
from workflow.year.finding import cycle_by_year

routes = Routes(tag=Tag("progress", "全校进度", "the whole school at a glance"))


class ProgressQuery(Body):
    """The kind of process: the branches' own year, unless the assessment is asked for."""

    kind = one_of(Kind, load_default=MAIN, **about("流程种类", "kind of process"))


class BranchesQuery(Page):
    """A page of the dashboard, by stage, delay, unit or words, or by changes since a cursor."""

    stage = one_of(Stage, among=STAGES[MAIN], **about("环节", "stage", "只要处于该环节的", "branches at this stage", example="talks"))
    overdue = YesNo(**about("是否逾期", "overdue", "true 只要逾期的", "true for those past their day", example=True))
    ended = YesNo(**about("不再参加的", "ended", "true 只要不再参加的", "true for those that take no part", example=False))
    unit = Line(**about("单位", "unit", "所在单位的名称或代码", "name or code of the unit", example="物理学院"))
    q = Line(at_most=50, **about("查找", "words", "支部名称或代码里的字", "words in the name or code of the branch", example="物理"))
    changed_since = Line(
        at_most=500,
        **about(
            "增量标记",
            "changes since",
            "全校进度的 cursor 或上一次的 next，只要此后变化的；不能与其他筛选同用",
            "cursor of the progress, or next of the answer before; takes no other filter",
        ),
    )


class ExceptionsQuery(Page):
    """A page of exceptions, by clause or unit."""

    clause = Line(at_most=8, **about("条款", "clause", "方案条款编号", "number of the plan's clause", example="K2"))
    unit = Line(**about("单位", "unit", "所在单位的名称或代码", "name or code of the unit", example="物理学院"))


class WaiversQuery(Page):
    """A page of reasons: ``pending=true`` for those that wait for the office."""

    pending = YesNo(
        load_default=False, **about("待批准", "pending", "true 只要等党委办公室批准的", "true for those that wait for the office", example=True)
    )


class LocatedWaiverShape(WaiverShape):
    """A reason with the branch that gave it (支部的理由)."""

    branch: BranchShape


class LettersQuery(Page):
    """A page of letters, by branch or recipient."""

    branch = Line(at_most=32, **about("党支部", "branch", "党支部代码", "code of the branch", example="D0101"))
    recipient = StaffNo(**about("收信人", "recipient", "收信人学工号", "staff number of the recipient", example="20160001"))


class LetterItemShape(TypedDict):
    """A thing of which a letter reminds (提醒事项)."""

    kind: str
    branch: str | None
    due_on: date | None
    left_out: bool
    """True if it was not true any more when the letter was written."""


class LetterShape(TypedDict):
    """A line of the ledger of letters, never their text (通知邮件登记)."""

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
    items: list[LetterItemShape]
    """The things of which a letter reminds; none in a letter of an act."""


def letter_shape(line: LedgerLine) -> LetterShape:
    row = line.letter
    return {
        "id": row.id,
        "kind": row.kind,
        "branch": line.branch,
        "recipient": row.recipient_name,
        "staff_no": line.staff_no,
        "subject": row.subject,
        "due_on": row.due_on,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "sent_at": row.sent_at,
        "error": row.error,
        "items": [{"kind": each.item.kind, "branch": each.branch, "due_on": each.item.due_on, "left_out": each.item.left_out} for each in line.items],
    }


class ProgressShape(TypedDict):
    """Numbers of branches by stage (全校进度)."""

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
    ended: int


@routes.get(f"{CYCLE}/progress", action=Action.READ_SCHOOL, answers=ProgressShape, query=ProgressQuery(), zh="全校进度", polled=True)
def read_progress(call: Call[object], query: Sent, year: int) -> object:
    """Count branches by stage.

    At most half a second old; ``Cache-Control: no-cache`` asks the database.
    """
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
        "ended": seen.ended,
    }
    return Answer(body, tagged=body)


class DayEndShape(TypedDict):
    """The state of the school at the end of a day (当日累计)."""

    day: date
    filed: int
    """Branches that had filed and not been sent back, the accepted ones among them."""
    accepted: int
    """Branches that had been accepted."""


class BurnUpShape(TypedDict):
    """Branches filed and accepted by day, beside the day that is due (报送曲线)."""

    cycle: int
    branches: int
    due_on: date | None
    items: list[DayEndShape]


@routes.get(f"{CYCLE}/burn-up", action=Action.READ_SCHOOL, answers=BurnUpShape, zh="报送曲线")
def read_burn_up(call: Call[object], year: int) -> object:
    """Count branches filed and accepted at the end of each day, up to today."""
    seen = burn_up(call.session, cycle_by_year(call.session, year), today=call.today)
    days: list[DayEndShape] = [{"day": each.day, "filed": each.filed, "accepted": each.accepted} for each in seen.days]
    body: BurnUpShape = {"cycle": year, "branches": seen.branches, "due_on": seen.due_on, "items": days}
    return body


@routes.get(f"{CYCLE}/branches", action=Action.READ_SCHOOL, answers=Listed[ProcessShape], query=BranchesQuery(), zh="列出各支部", polled=True)
def list_branches(call: Call[object], query: Sent, year: int) -> object:
    """List branches with filters.

    With ``changed_since`` list those that changed; ``next`` is then never null: send it as the next
    ``changed_since``.
    """
    cycle = cycle_by_year(call.session, year)
    if "changed_since" in query:
        if beside := [name for name in ("stage", "overdue", "ended", "unit", "q", "after") if name in query]:
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
        ended=query.get("ended"),
        unit=query.get("unit"),
        words=query.get("q"),
        after=after_of(query, "", natural),
        limit=query["limit"] + 1,
    )
    page = listed(rows, query, lambda row: process_shape(row, named.get(row.id), call.today), lambda row: row.branch.code)
    return Answer(page, tagged=page)


@routes.get(f"{CYCLE}/exceptions", action=Action.READ_SCHOOL, answers=Listed[LocatedShape], query=ExceptionsQuery(), zh="列出全校所缺")
def list_exceptions(call: Call[object], query: Sent, year: int) -> object:
    """List all that is missing in the school, signs included."""
    cycle_by_year(call.session, year)
    after = after_of(query, ("", 0), _exception_place)
    rows = exceptions(call.session, year, today=call.today, clause=query.get("clause"), unit=query.get("unit"), after=after, limit=query["limit"] + 1)
    return listed(rows, query, lambda row: located_shape(row, language()), lambda row: json.dumps(place_in_list(row)))


def _exception_place(text: str) -> tuple[str, int]:
    match json.loads(text):
        case [str(code), int(at)] if type(at) is int and 0 <= at < 1000:
            return natural(code), at
    raise ValueError


@routes.get(f"{CYCLE}/waivers", action=Action.READ_SCHOOL, answers=Listed[LocatedWaiverShape], query=WaiversQuery(), zh="列出全校理由")
def list_waivers_of_year(call: Call[object], query: Sent, year: int) -> object:
    """List reasons that branches gave, or with ``pending=true`` those that wait for the office."""
    cycle = cycle_by_year(call.session, year)
    rows = waivers_of_year(call.session, cycle, pending=query["pending"], after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: {**waiver_shape(row[0]), "branch": branch_shape(row[1])}, lambda row: row[0].id)


@routes.get(f"{CYCLE}/letters", action=Action.READ_SCHOOL, answers=Listed[LetterShape], query=LettersQuery(), zh="列出通知邮件")
def list_letters(call: Call[object], query: Sent, year: int) -> object:
    """List letters: to whom, about what, and whether they were sent."""
    cycle = cycle_by_year(call.session, year)
    rows = ledger(
        call.session,
        cycle,
        branch=query.get("branch"),
        recipient=query.get("recipient"),
        after=after_of(query, 0, number),
        limit=query["limit"] + 1,
    )
    return listed(rows, query, letter_shape, lambda row: row.letter.id)
