"""One branch's process (党支部流程): where it stands, its waivers and its roll."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

from api.branch.process import ProcessEdge, process_routes
from api.frame.address import BRANCH, NUMBER, address_of
from api.frame.base import Answer, Request, Routes, service
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.records import ReasonBody
from api.frame.shapes import Listed, ProcessShape, RollShape, WaiverShape, process_shape, roll_shape, waiver_shape
from workflow.appraisal.talks.talks import visible_history
from workflow.foundation.vocabulary import Kind, Role
from workflow.machine.gate import BY_NAME
from workflow.machine.waivers import WaiverBody, approve, tell_decided, waive
from workflow.people.access import Action
from workflow.rules.evidence import must_be_open, must_be_unaccepted, record_of, records_of, reject, withdraw
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Lock, Participant, participant, roll, secretaries
from workflow.year.roll import RollBody, amend_roll, confirm_excuse, withdraw_excuse

RECORD = f"<{NUMBER}:record_id>"


def _visible(request: Request) -> ColumnElement[bool]:
    secretary = secretaries(request.session, [request.process.id]).get(request.process.id)
    return visible_history(request.by, request.process.branch.code, secretary.staff_no if secretary else None)


routes = Routes()


@routes.get(BRANCH, action=Action.READ_PROCESS, answers=ProcessShape)
def read_process(request: Request) -> Any:
    """Where a branch stands. Its ETag is what a move must send as If-Match."""
    process = request.process
    secretary = secretaries(request.session, [process.id]).get(process.id)
    return Answer(process_shape(process, secretary, request.today), version=process.version)


routes.extend(
    process_routes(
        ProcessEdge(Kind.APPRAISAL, BRANCH, reads=Action.READ_PROCESS, moves=Action.MOVE, reads_history=Action.READ_PROCESS, visible=_visible)
    )
)


# ── waivers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _waiver(request: Request, row: Waiver, status: int = 200) -> Answer:
    location = f"{address_of(request.process)}/waivers/{row.id}" if status == 201 else None
    return Answer(waiver_shape(row), status, version=row.version, location=location)


@routes.get(f"{BRANCH}/waivers", action=Action.READ_PROCESS, answers=Listed[WaiverShape], query=Page)
def list_waivers(request: Request, query: dict[str, Any]) -> Any:
    """Reasons that stand in place of what is missing, those taken back included."""
    rows = records_of(request.session, Waiver, request.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, waiver_shape, lambda row: row.id)


def _one(request: Request, record_id: int) -> Waiver:
    return record_of(request.session, Waiver, request.process.id, record_id)


def _held(request: Request, record_id: int) -> Waiver:
    return record_of(request.session, Waiver, request.process.id, record_id, held=True)


def _tell_decided(request: Request, row: Waiver) -> None:
    tell_decided(request.session, request.process, row, now=request.now, base_url=service().settings.base_url or "")


@routes.get(f"{BRANCH}/waivers/{RECORD}", action=Action.READ_PROCESS, answers=WaiverShape, find=_one)
def read_waiver(request: Request, row: Waiver) -> Any:
    """One of them."""
    return _waiver(request, row)


@routes.post(f"{BRANCH}/waivers", action=Action.WAIVE, answers=WaiverShape, lock=Lock.EVIDENCE, body=WaiverBody, status=201)
def give_waiver(request: Request, body: dict[str, Any]) -> Any:
    """Give a reason for what is missing, as far as the clause allows one."""
    return _waiver(request, waive(request.session, request.process, body, by=request.by.staff_no, now=request.now), 201)


@routes.post(f"{BRANCH}/waivers/{RECORD}/approve", action=Action.DECIDE_WAIVER, answers=WaiverShape, lock=Lock.EVIDENCE, find=_held)
def approve_waiver(request: Request, row: Waiver) -> Any:
    """The office agrees to a reason that needs it."""
    must_be_unaccepted(request.process)
    approve(row, by=request.by.staff_no, now=request.now)
    _tell_decided(request, row)
    return _waiver(request, row)


@routes.post(f"{BRANCH}/waivers/{RECORD}/reject", action=Action.DECIDE_WAIVER, answers=WaiverShape, lock=Lock.EVIDENCE, find=_held, body=ReasonBody)
def reject_waiver(request: Request, row: Waiver, body: dict[str, Any]) -> Any:
    """The office does not accept a reason: it covers nothing any more."""
    must_be_unaccepted(request.process)
    reject(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
    _tell_decided(request, row)
    return _waiver(request, row)


@routes.post(f"{BRANCH}/waivers/{RECORD}/withdraw", action=Action.WAIVE, answers=WaiverShape, lock=Lock.EVIDENCE, find=_held, body=ReasonBody)
def withdraw_waiver(request: Request, row: Waiver, body: dict[str, Any]) -> Any:
    """The branch takes a reason back."""
    must_be_open(request.process, BY_NAME[row.requirement].stage)
    withdraw(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
    return _waiver(request, row)


# ── the roll ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _roll_line(request: Request, row: Participant) -> RollShape:
    """A plain member reads the roll's names."""
    return roll_shape(row) if set(request.by_roles) - {Role.MEMBER} else {"staff_no": row.staff_no, "name": row.name}


@routes.get(f"{BRANCH}/roll", action=Action.READ_ROLL, answers=Listed[RollShape], query=Page)
def list_roll(request: Request, query: dict[str, Any]) -> Any:
    """Who belongs to this process."""
    rows = roll(request.session, request.process.id, after=after_of(query, "", natural), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: _roll_line(request, row), lambda row: row.staff_no)


def _line(request: Request, staff_no: str) -> Participant:
    return participant(request.session, request.process.id, staff_no)


def _held_line(request: Request, staff_no: str) -> Participant:
    return participant(request.session, request.process.id, staff_no, held=True)


@routes.get(f"{BRANCH}/roll/<staff_no>", action=Action.READ_ROLL, answers=RollShape, find=_line)
def read_roll_line(request: Request, row: Participant) -> Any:
    """One line of it."""
    return Answer(_roll_line(request, row), version=row.version)


@routes.patch(f"{BRANCH}/roll/<staff_no>", action=Action.EDIT_ROLL, answers=RollShape, lock=Lock.EVIDENCE, find=_held_line, body=RollBody)
def change_roll_line(request: Request, row: Participant, body: dict[str, Any]) -> Any:
    """Excuse somebody (the branch), or set what the office decides."""
    amend_roll(request.session, request.process, row, body, seen=request.seen, by=request.by)
    return Answer(roll_shape(row), version=row.version)


@routes.post(f"{BRANCH}/roll/<staff_no>/withdraw", action=Action.EDIT_ROLL, answers=RollShape, lock=Lock.EVIDENCE, find=_held_line)
def withdraw_roll_excuse(request: Request, row: Participant) -> Any:
    """Take an excuse back: he attends after all."""
    withdraw_excuse(request.session, request.process, row)
    return Answer(roll_shape(row), version=row.version)


@routes.post(f"{BRANCH}/roll/<staff_no>/confirm", action=Action.CONFIRM_EXCUSE, answers=RollShape, lock=Lock.EVIDENCE, find=_held_line)
def confirm_roll_line(request: Request, row: Participant) -> Any:
    """The office confirms that somebody need not attend."""
    confirm_excuse(request.session, request.process, row, by=request.by)
    return Answer(roll_shape(row), version=row.version)
