"""One branch's process (党支部流程): where it stands, what is missing, its moves, waivers, extensions, roll and history."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Select
from typing_extensions import TypedDict

from api.address import BRANCH, NUMBER, address_of
from api.base import Answer, Asked, Routes, service
from api.errors import language
from api.lists import Page, listed, natural, number, place
from api.records import ReasonBody
from api.shapes import (
    ChangeShape,
    CheckShape,
    Items,
    Listed,
    MadeShape,
    OptionShape,
    ProcessShape,
    RollShape,
    WaiverShape,
    change_shape,
    option_shape,
    process_shape,
    roll_shape,
    unmet_shape,
    waiver_shape,
)
from workflow.appraisal.talks import visible_history
from workflow.cycle import Extension, Lock, Participant, moves_made, participant, roll, secretaries
from workflow.deadlines import extend, extensions_of
from workflow.evidence import must_be_open, must_be_unaccepted, record_of, records_of, reject, withdraw
from workflow.fields import Body, Day, Text, one_of
from workflow.gate import BY_NAME, checklist
from workflow.history import History, history_of
from workflow.people.access import Action
from workflow.process import move, options
from workflow.requirement import Waiver
from workflow.roll import RollBody, amend_roll, confirm_excuse, withdraw_excuse
from workflow.vocabulary import Role, Stage, Trigger
from workflow.waivers import WaiverBody, approve, tell_decided, waive

routes = Routes()
RECORD = f"<{NUMBER}:record_id>"


class MoveBody(Body):
    """A move as it is sent."""

    trigger = one_of(Trigger, required=True)
    to = one_of(Stage)
    reason = Text(at_most=1000)
    due_on = Day()


class ExtensionBody(Body):
    """A later day for one stage."""

    stage = one_of(Stage, required=True)
    due_on = Day(required=True)
    reason = Text(required=True, at_most=1000)


class StageQuery(Body):
    """Which stage; default: the present one."""

    stage = one_of(Stage)


class HistoryShape(TypedDict):
    """A change of one row."""

    id: int
    at: datetime
    by: str
    on_behalf_of: str | None
    what: str
    key: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    reason: str | None


def history_shape(row: History) -> HistoryShape:
    return {
        "id": row.id,
        "at": row.at,
        "by": row.actor,
        "on_behalf_of": row.on_behalf_of,
        "what": row.what,
        "key": row.row_key,
        "old": row.old,
        "new": row.new,
        "reason": row.reason,
    }


def _process(asked: Asked, status: int = 200) -> Answer:
    process = asked.process
    secretary = secretaries(asked.session, [process.id]).get(process.id)
    return Answer(process_shape(process, secretary, asked.today), status, version=process.version)


@routes.get(BRANCH, action=Action.READ_PROCESS, answers=ProcessShape)
def read_process(asked: Asked) -> Any:
    """Where a branch stands. Its ETag is what a move must send as If-Match."""
    return _process(asked)


@routes.get(f"{BRANCH}/next", action=Action.READ_PROCESS, answers=Items[OptionShape])
def read_next(asked: Asked) -> Any:
    """Every move declared from here, whoever asks, with all that stands in its way."""
    found = options(asked.session, asked.process, by=asked.by)
    return {"items": [option_shape(each, language()) for each in found]}


@routes.get(f"{BRANCH}/requirements", action=Action.READ_PROCESS, answers=Items[CheckShape], query=StageQuery)
def read_requirements(asked: Asked, query: dict[str, Any]) -> Any:
    """The checklist of a stage: each requirement as met, unmet or waived, with people."""
    process = asked.process
    rows = checklist(asked.session, process, query.get("stage", process.stage), today=asked.today)
    waivers = records_of(asked.session, Waiver, process.id, after=0, limit=1000)
    return {
        "items": [
            {
                **unmet_shape(each, language()),
                "state": each.state,
                "waivers": [waiver_shape(row) for row in waivers if row.requirement == each.requirement.name],
            }
            for each in rows
        ]
    }


def _history(asked: Asked, after: int, limit: int) -> Select[History]:
    secretary = secretaries(asked.session, [asked.process.id]).get(asked.process.id)
    visible = visible_history(asked.by, asked.process.branch.code, secretary.staff_no if secretary else None)
    return history_of(asked.process.id, visible, after=after, limit=limit)


@routes.get(f"{BRANCH}/history", action=Action.READ_PROCESS, answers=Listed[HistoryShape], query=Page)
def read_history(asked: Asked, query: dict[str, Any]) -> Any:
    """Who changed what, from what, to what. Fields with readers of their own say only that they changed."""
    rows = asked.session.scalars(_history(asked, place(query, 0, number), query["limit"] + 1)).all()
    return listed(rows, query, history_shape, lambda row: row.id)


@routes.get(f"{BRANCH}/moves", action=Action.READ_PROCESS, answers=Listed[ChangeShape], query=Page)
def list_moves(asked: Asked, query: dict[str, Any]) -> Any:
    """Moves that were made."""
    rows = moves_made(asked.session, asked.process.id, after=place(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, change_shape, lambda row: row.id)


@routes.post(f"{BRANCH}/moves", action=Action.MOVE, answers=MadeShape, lock=Lock.MOVE, body=MoveBody, if_match=True, status=201)
def make_move(asked: Asked, body: dict[str, Any]) -> Any:
    """Move the branch. Refused with everything that is missing, never only the first."""
    change = move(
        asked.session,
        asked.process,
        body["trigger"],
        by=asked.by,
        now=asked.now,
        seen=asked.seen,
        to=body.get("to"),
        reason=body.get("reason"),
        due_on=body.get("due_on"),
        base_url=service().settings.base_url or "",
    )
    process = asked.process
    return Answer(
        {**change_shape(change), "stage": process.stage, "overdue": process.overdue(asked.today)},
        201,
        version=process.version,
        location=f"{address_of(process)}/moves",
    )


# ── extensions ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ExtensionShape(TypedDict):
    """A later day for one branch and stage."""

    id: int
    stage: Stage
    round: int
    due_on: date
    reason: str
    version: int
    by: str
    at: datetime


def extension_shape(row: Extension) -> ExtensionShape:
    return {
        "id": row.id,
        "stage": row.stage,
        "round": row.round,
        "due_on": row.due_on,
        "reason": row.reason,
        "version": row.version,
        "by": row.given_by,
        "at": row.given_at,
    }


@routes.get(f"{BRANCH}/extensions", action=Action.READ_PROCESS, answers=Listed[ExtensionShape], query=Page)
def list_extensions(asked: Asked, query: dict[str, Any]) -> Any:
    """Later days that the office gave this branch."""
    rows = extensions_of(asked.session, asked.process.id, after=place(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, extension_shape, lambda row: row.id)


@routes.post(f"{BRANCH}/extensions", action=Action.EXTEND, answers=ExtensionShape, lock=Lock.MOVE, body=ExtensionBody, status=201)
def give_extension(asked: Asked, body: dict[str, Any]) -> Any:
    """Give this branch a later day for a stage, with a reason."""
    row = extend(asked.session, asked.process, stage=body["stage"], due_on=body["due_on"], reason=body["reason"], by=asked.by.staff_no, now=asked.now)
    return Answer(extension_shape(row), 201, version=asked.process.version, location=f"{address_of(asked.process)}/extensions")


# ── waivers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _waiver(asked: Asked, row: Waiver, status: int = 200) -> Answer:
    location = f"{address_of(asked.process)}/waivers/{row.id}" if status == 201 else None
    return Answer(waiver_shape(row), status, version=row.version, location=location)


@routes.get(f"{BRANCH}/waivers", action=Action.READ_PROCESS, answers=Listed[WaiverShape], query=Page)
def list_waivers(asked: Asked, query: dict[str, Any]) -> Any:
    """Reasons that stand in place of what is missing, those taken back included."""
    rows = records_of(asked.session, Waiver, asked.process.id, after=place(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, waiver_shape, lambda row: row.id)


def _one(asked: Asked, record_id: int) -> Waiver:
    return record_of(asked.session, Waiver, asked.process.id, record_id)


def _held(asked: Asked, record_id: int) -> Waiver:
    return record_of(asked.session, Waiver, asked.process.id, record_id, held=True)


def _tell_decided(asked: Asked, row: Waiver) -> None:
    tell_decided(asked.session, asked.process, row, now=asked.now, base_url=service().settings.base_url or "")


@routes.get(f"{BRANCH}/waivers/{RECORD}", action=Action.READ_PROCESS, answers=WaiverShape, find=_one)
def read_waiver(asked: Asked, row: Waiver) -> Any:
    """One of them."""
    return _waiver(asked, row)


@routes.post(f"{BRANCH}/waivers", action=Action.WAIVE, answers=WaiverShape, lock=Lock.EVIDENCE, body=WaiverBody, status=201)
def give_waiver(asked: Asked, body: dict[str, Any]) -> Any:
    """Give a reason for what is missing, as far as the clause allows one."""
    return _waiver(asked, waive(asked.session, asked.process, body, by=asked.by.staff_no, now=asked.now), 201)


@routes.post(f"{BRANCH}/waivers/{RECORD}/approve", action=Action.DECIDE_WAIVER, answers=WaiverShape, lock=Lock.EVIDENCE, find=_held)
def approve_waiver(asked: Asked, row: Waiver) -> Any:
    """The office agrees to a reason that needs it."""
    must_be_unaccepted(asked.process)
    approve(row, by=asked.by.staff_no, now=asked.now)
    _tell_decided(asked, row)
    return _waiver(asked, row)


@routes.post(f"{BRANCH}/waivers/{RECORD}/reject", action=Action.DECIDE_WAIVER, answers=WaiverShape, lock=Lock.EVIDENCE, find=_held, body=ReasonBody)
def reject_waiver(asked: Asked, row: Waiver, body: dict[str, Any]) -> Any:
    """The office does not accept a reason: it covers nothing any more."""
    must_be_unaccepted(asked.process)
    reject(row, by=asked.by.staff_no, now=asked.now, reason=body["reason"])
    _tell_decided(asked, row)
    return _waiver(asked, row)


@routes.post(f"{BRANCH}/waivers/{RECORD}/withdraw", action=Action.WAIVE, answers=WaiverShape, lock=Lock.EVIDENCE, find=_held, body=ReasonBody)
def withdraw_waiver(asked: Asked, row: Waiver, body: dict[str, Any]) -> Any:
    """The branch takes a reason back."""
    must_be_open(asked.process, BY_NAME[row.requirement].stage)
    withdraw(row, by=asked.by.staff_no, now=asked.now, reason=body["reason"])
    return _waiver(asked, row)


# ── the roll ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _roll_line(asked: Asked, row: Participant) -> RollShape:
    """A plain member reads the roll's names."""
    return roll_shape(row) if set(asked.by_roles) - {Role.MEMBER} else {"staff_no": row.staff_no, "name": row.name}


@routes.get(f"{BRANCH}/roll", action=Action.READ_ROLL, answers=Listed[RollShape], query=Page)
def list_roll(asked: Asked, query: dict[str, Any]) -> Any:
    """Who belongs to this process."""
    rows = roll(asked.session, asked.process.id, after=place(query, "", natural), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: _roll_line(asked, row), lambda row: row.staff_no)


def _line(asked: Asked, staff_no: str) -> Participant:
    return participant(asked.session, asked.process.id, staff_no)


def _held_line(asked: Asked, staff_no: str) -> Participant:
    return participant(asked.session, asked.process.id, staff_no, held=True)


@routes.get(f"{BRANCH}/roll/<staff_no>", action=Action.READ_ROLL, answers=RollShape, find=_line)
def read_roll_line(asked: Asked, row: Participant) -> Any:
    """One line of it."""
    return Answer(_roll_line(asked, row), version=row.version)


@routes.patch(f"{BRANCH}/roll/<staff_no>", action=Action.EDIT_ROLL, answers=RollShape, lock=Lock.EVIDENCE, find=_held_line, body=RollBody)
def change_roll_line(asked: Asked, row: Participant, body: dict[str, Any]) -> Any:
    """Excuse somebody (the branch), or set what the office decides."""
    amend_roll(asked.session, asked.process, row, body, seen=asked.seen, by=asked.by)
    return Answer(roll_shape(row), version=row.version)


@routes.post(f"{BRANCH}/roll/<staff_no>/withdraw", action=Action.EDIT_ROLL, answers=RollShape, lock=Lock.EVIDENCE, find=_held_line)
def withdraw_roll_excuse(asked: Asked, row: Participant) -> Any:
    """Take an excuse back: he attends after all."""
    withdraw_excuse(asked.session, asked.process, row)
    return Answer(roll_shape(row), version=row.version)


@routes.post(f"{BRANCH}/roll/<staff_no>/confirm", action=Action.CONFIRM_EXCUSE, answers=RollShape, lock=Lock.EVIDENCE, find=_held_line)
def confirm_roll_line(asked: Asked, row: Participant) -> Any:
    """The office confirms that somebody need not attend."""
    confirm_excuse(asked.session, asked.process, row, by=asked.by)
    return Answer(roll_shape(row), version=row.version)
