"""One branch's process (党支部流程): where it stands, its waivers and its roll."""

from __future__ import annotations

from api.frame.address import BRANCH, NUMBER, location
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.routes import Answer, Routes
from api.frame.shapes import Listed, ProcessShape, RollShape, WaiverShape, process_shape, roll_shape, waiver_shape
from workflow.acts.processes import OF_KIND
from workflow.appraisal import KIND
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import Role
from workflow.people.access import Action
from workflow.rules.acts import Call
from workflow.rules.evidence import record_of, records_of
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Participant, participant, roll, secretaries

routes = Routes()
ACTS = OF_KIND[KIND.kind]
WAIVER = f"{BRANCH}/waivers/<{NUMBER}:record_id>"


@routes.get(BRANCH, action=Action.READ_PROCESS, answers=ProcessShape)
def read_process(call: Call[object]) -> object:
    """Where a branch stands. Its ETag is what a move must send as If-Match."""
    process = call.process
    secretary = secretaries(call.session, [process.id]).get(process.id)
    return Answer(process_shape(process, secretary, call.today), version=process.version)


# ── waivers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.get(f"{BRANCH}/waivers", action=Action.READ_PROCESS, answers=Listed[WaiverShape], query=Page())
def list_waivers(call: Call[object], query: Sent) -> object:
    """Reasons that stand in place of what is missing, those taken back included."""
    rows = records_of(call.session, Waiver, call.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, waiver_shape, lambda row: row.id)


@routes.get(WAIVER, action=Action.READ_PROCESS, answers=WaiverShape)
def read_waiver(call: Call[object], record_id: int) -> object:
    """One of them."""
    row = record_of(call.session, Waiver, call.process.id, record_id)
    return Answer(waiver_shape(row), version=row.version)


@routes.post(f"{BRANCH}/waivers", ACTS.waivers["give"], answers=WaiverShape, status=201)
def give_waiver(call: Call[object], row: Waiver) -> object:
    """Give a reason for what is missing, as far as the clause allows one."""
    return Answer(waiver_shape(row), location=location(WAIVER, call.process, record_id=row.id))


@routes.post(f"{WAIVER}/approve", ACTS.waivers["approve"], answers=WaiverShape)
def approve_waiver(call: Call[object], row: Waiver) -> object:
    """The office agrees to a reason that needs it."""
    return waiver_shape(row)


@routes.post(f"{WAIVER}/reject", ACTS.waivers["reject"], answers=WaiverShape)
def reject_waiver(call: Call[object], row: Waiver) -> object:
    """The office does not accept a reason: it covers nothing any more."""
    return waiver_shape(row)


@routes.post(f"{WAIVER}/withdraw", ACTS.waivers["withdraw"], answers=WaiverShape)
def withdraw_waiver(call: Call[object], row: Waiver) -> object:
    """The branch takes a reason back."""
    return waiver_shape(row)


# ── the roll ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _roll_line(call: Call[object], row: Participant) -> RollShape:
    """A plain member reads the roll's names."""
    return roll_shape(row) if set(call.by_roles) - {Role.MEMBER} else {"staff_no": row.staff_no, "name": row.name}


@routes.get(f"{BRANCH}/roll", action=Action.READ_ROLL, answers=Listed[RollShape], query=Page())
def list_roll(call: Call[object], query: Sent) -> object:
    """Who belongs to this process."""
    rows = roll(call.session, call.process.id, after=after_of(query, "", natural), limit=query["limit"] + 1)
    return listed(rows, query, lambda row: _roll_line(call, row), lambda row: row.staff_no)


@routes.get(f"{BRANCH}/roll/<staff_no>", action=Action.READ_ROLL, answers=RollShape)
def read_roll_line(call: Call[object], staff_no: str) -> object:
    """One line of it."""
    row = participant(call.session, call.process.id, staff_no)
    return Answer(_roll_line(call, row), version=row.version)


@routes.patch(f"{BRANCH}/roll/<staff_no>", ACTS.roll["change"], answers=RollShape)
def change_roll_line(call: Call[object], row: Participant) -> object:
    """Excuse somebody (the branch), or set what the office decides."""
    return roll_shape(row)


@routes.post(f"{BRANCH}/roll/<staff_no>/withdraw", ACTS.roll["withdraw"], answers=RollShape)
def withdraw_roll_excuse(call: Call[object], row: Participant) -> object:
    """Take an excuse back: he attends after all."""
    return roll_shape(row)


@routes.post(f"{BRANCH}/roll/<staff_no>/confirm", ACTS.roll["confirm"], answers=RollShape)
def confirm_roll_line(call: Call[object], row: Participant) -> object:
    """The office confirms that somebody need not attend."""
    return roll_shape(row)
