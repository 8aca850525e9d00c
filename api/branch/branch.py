"""One branch's process (党支部流程): where it stands, its waivers and its roll."""

from __future__ import annotations

from datetime import date
from typing import NotRequired

from typing_extensions import TypedDict

from api.branch.process import tag_of_process, told_of
from api.frame.address import BRANCH, CYCLE, NUMBER, location
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import BranchShape, Items, Listed, MadeShape, ProcessShape, WaiverShape, branch_shape, change_shape, process_shape, waiver_shape
from workflow.acts.processes import OF_KIND
from workflow.appraisal import KIND
from workflow.foundation.errors import BranchesLack, MoveNotPossible
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import ExcuseKind, LeftReason, Post, Role, Standing
from workflow.people.access import Action
from workflow.rules.acts import Call, Done
from workflow.rules.evidence import record_of, records_of
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Participant, StageChange
from workflow.year.roll import participant, roll, secretaries

routes = Routes(tag=tag_of_process(KIND.kind))
reasons = Routes(tag=Tag("waivers", "理由", "reasons in place of what is missing"))
rolls = Routes(tag=Tag("roll", "名册", "the roll of a branch in a year"))
ACTS = OF_KIND[KIND.kind]
WAIVER = f"{BRANCH}/waivers/<{NUMBER}:record_id>"


@routes.get(BRANCH, action=Action.READ_PROCESS, answers=ProcessShape, zh="支部所在环节")
def read_process(call: Call[object]) -> object:
    """Read where a branch stands. Send its ETag as If-Match with a move."""
    process = call.process
    secretary = secretaries(call.session, [process.id]).get(process.id)
    return Answer(process_shape(process, secretary, call.today), version=process.version)


class MovedBranchShape(MadeShape):
    """A move of a branch among those of many (支部的动作)."""

    branch: BranchShape


assert ACTS.move_many is not None  # noqa: S101  (the kind is declared so)


@routes.post(
    f"{CYCLE}/moves/bulk", ACTS.move_many, answers=Items[MovedBranchShape], refuses=(BranchesLack, MoveNotPossible), more=told_of(KIND.moves)
)
def move_many(call: Call[object], done: Done) -> object:
    """Move many branches at once, such as their acceptance, all or none.

    Each item names its branch and the version of its process.
    """
    return {"items": [_moved(call, row) for row in done.rows]}


def _moved(call: Call[object], row: StageChange) -> MovedBranchShape:
    overdue = row.due_on is not None and row.due_on < call.today
    return {**change_shape(row), "stage": row.target, "overdue": overdue, "branch": branch_shape(row.process)}


# ── waivers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@reasons.get(f"{BRANCH}/waivers", action=Action.READ_PROCESS, answers=Listed[WaiverShape], query=Page(), zh="列出理由")
def list_waivers(call: Call[object], query: Sent) -> object:
    """List reasons in place of what is missing, withdrawn and rejected ones included."""
    rows = records_of(call.session, Waiver, call.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, waiver_shape, lambda row: row.id)


@reasons.get(WAIVER, action=Action.READ_PROCESS, answers=WaiverShape, zh="查看理由")
def read_waiver(call: Call[object], record_id: int) -> object:
    """Read one reason."""
    row = record_of(call.session, Waiver, call.process.id, record_id)
    return Answer(waiver_shape(row), version=row.version)


@reasons.post(f"{BRANCH}/waivers", ACTS.waivers["give"], answers=WaiverShape, status=201)
def give_waiver(call: Call[object], row: Waiver) -> object:
    """Give a reason for what is missing, as far as the clause allows one."""
    return Answer(waiver_shape(row), location=location(WAIVER, call.process, record_id=row.id))


@reasons.post(f"{WAIVER}/approve", ACTS.waivers["approve"], answers=WaiverShape)
def approve_waiver(call: Call[object], row: Waiver) -> object:
    """Approve a reason as the office, where it needs approval."""
    return waiver_shape(row)


@reasons.post(f"{WAIVER}/reject", ACTS.waivers["reject"], answers=WaiverShape)
def reject_waiver(call: Call[object], row: Waiver) -> object:
    """Reject a reason as the office. It covers nothing any more."""
    return waiver_shape(row)


@reasons.post(f"{WAIVER}/withdraw", ACTS.waivers["withdraw"], answers=WaiverShape)
def withdraw_waiver(call: Call[object], row: Waiver) -> object:
    """Withdraw a reason as the branch."""
    return waiver_shape(row)


# ── the roll ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class RollShape(TypedDict):
    """A line of a roll; plain members read the names alone (名册一行)."""

    staff_no: str
    name: str
    standing: NotRequired[Standing]
    post: NotRequired[Post | None]
    title: NotRequired[str | None]
    on_committee: NotRequired[bool]
    leads: NotRequired[bool]
    cadre: NotRequired[bool]
    voting: NotRequired[bool]
    punished_on: NotRequired[date | None]
    excused_kind: NotRequired[ExcuseKind | None]
    excused_reason: NotRequired[str | None]
    excused_by: NotRequired[str | None]
    excused_confirmed_by: NotRequired[str | None]
    excused_refused_by: NotRequired[str | None]
    excused_refused_reason: NotRequired[str | None]
    joined_on: NotRequired[date | None]
    left_on: NotRequired[date | None]
    left_reason: NotRequired[LeftReason | None]
    rated_here: NotRequired[bool]
    group: NotRequired[str | None]
    has_address: NotRequired[bool]
    """False: letters do not reach them, tell them in person."""
    version: NotRequired[int]


def roll_shape(row: Participant) -> RollShape:
    return {
        "staff_no": row.staff_no,
        "name": row.name,
        "standing": row.standing,
        "post": row.post,
        "title": row.title,
        "on_committee": row.on_committee,
        "leads": row.leads,
        "cadre": row.cadre,
        "voting": row.voting,
        "punished_on": row.punished_on,
        "excused_kind": row.excused_kind,
        "excused_reason": row.excused_reason,
        "excused_by": row.excused_by,
        "excused_confirmed_by": row.excused_confirmed_by,
        "excused_refused_by": row.excused_refused_by,
        "excused_refused_reason": row.excused_refused_reason,
        "joined_on": row.joined_on,
        "left_on": row.left_on,
        "left_reason": row.left_reason,
        "rated_here": row.rated_here,
        "group": row.party_group,
        "has_address": row.person.email is not None,
        "version": row.version,
    }


def _roll_line(call: Call[object], row: Participant) -> RollShape:
    """Show a line of the roll; plain members read the names alone."""
    return roll_shape(row) if set(call.by_roles) - {Role.MEMBER} else {"staff_no": row.staff_no, "name": row.name}


@rolls.get(f"{BRANCH}/roll", action=Action.READ_ROLL, answers=Listed[RollShape], query=Page(), zh="列出名册")
def list_roll(call: Call[object], query: Sent) -> object:
    """List the people of this process."""
    rows = roll(call.session, call.process.id, after=after_of(query, "", natural), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: _roll_line(call, row), lambda row: row.staff_no)


@rolls.get(f"{BRANCH}/roll/<staff_no>", action=Action.READ_ROLL, answers=RollShape, zh="查看名册一行")
def read_roll_line(call: Call[object], staff_no: str) -> object:
    """Read one person of the roll."""
    row = participant(call.session, call.process.id, staff_no)
    return Answer(_roll_line(call, row), version=row.version)


@rolls.patch(f"{BRANCH}/roll/<staff_no>", ACTS.roll["change"], answers=RollShape)
def change_roll_line(call: Call[object], row: Participant) -> object:
    """Excuse somebody as the branch, or set what the office decides."""
    return roll_shape(row)


@rolls.post(f"{BRANCH}/roll/bulk", ACTS.roll_many["change"], answers=Items[RollShape])
def change_roll_lines(call: Call[object], done: Done) -> object:
    """Excuse many people at once, all or none. Each item names a person and the line's version."""
    return {"items": [*map(roll_shape, done.rows)]}


@rolls.post(f"{BRANCH}/roll/<staff_no>/withdraw", ACTS.roll["withdraw"], answers=RollShape)
def withdraw_roll_excuse(call: Call[object], row: Participant) -> object:
    """Take an excuse back: the person attends after all."""
    return roll_shape(row)


@rolls.post(f"{BRANCH}/roll/<staff_no>/confirm", ACTS.roll["confirm"], answers=RollShape)
def confirm_roll_line(call: Call[object], row: Participant) -> object:
    """Confirm as the office that somebody need not attend.

    It may cover K2 and D6 of that person too, which an excuse alone does not waive.
    """
    return roll_shape(row)


@rolls.post(f"{BRANCH}/roll/<staff_no>/refuse", ACTS.roll["refuse"], answers=RollShape)
def refuse_roll_excuse(call: Call[object], row: Participant) -> object:
    """Refuse an excuse as the office, with a reason. A new reason of the branch replaces both."""
    return roll_shape(row)
