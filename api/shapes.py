"""What the API answers with: one function per shape of the contract, plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from api.address import branch_address
from workflow.cycle import Cycle, Participant, Process, StageChange
from workflow.evidence import Retractable
from workflow.gate import BY_NAME, Subject, Unmet
from workflow.history import History
from workflow.mail.outbox import Letter
from workflow.people.access import Caller
from workflow.people.organisation import Appointment
from workflow.process import Option
from workflow.requirement import Requirement, Waiver
from workflow.roster.imports import RosterImport
from workflow.vocabulary import WORKING_STAGES, Kind

Shape = dict[str, Any]


def person_shape(row: Participant | None) -> Shape | None:
    return None if row is None else {"staff_no": row.staff_no, "name": row.name}


def process_shape(process: Process, secretary: Participant | None, today: date) -> Shape:
    branch = process.branch
    return {
        "cycle": process.cycle.year,
        "kind": process.kind,
        "branch": {"code": branch.code, "name": branch.name, "unit": branch.unit_name},
        "stage": process.stage,
        "round": process.round,
        "version": process.version,
        "entered_at": process.entered_at,
        "due_on": process.due_on,
        "overdue": process.overdue(today),
        "late": process.late,
        "secretary": person_shape(secretary),
    }


def cycle_shape(cycle: Cycle) -> Shape:
    plan = cycle.plan
    return {
        "year": cycle.year,
        "title": cycle.title,
        "theme": cycle.theme,
        "status": cycle.status,
        "version": cycle.version,
        "deadlines": {stage.value: cycle.deadlines.get(stage.value) for stage in WORKING_STAGES[Kind.APPRAISAL]},
        "rules": plan["rules"],
        **{name: plan.get(name) for name in ("guiding_text", "basis", "notice", "form", "stages", "clauses")},
        "published_at": cycle.published_at,
        "closed_at": cycle.closed_at,
    }


def requirement_shape(requirement: Requirement) -> Shape:
    return {
        "clause": requirement.clause,
        "requirement": requirement.name,
        "stage": requirement.stage,
        "severity": requirement.severity,
        "waivable": requirement.waivable,
        "sentence": requirement.sentence,
    }


def subject_shapes(subjects: Iterable[Subject]) -> list[Shape]:
    return [{"id": subject.id, "name": subject.name} for subject in subjects]


def unmet_shape(unmet: Unmet, speech: str) -> Shape:
    requirement, at = unmet.requirement, unmet.at
    return {
        "clause": requirement.clause,
        "requirement": requirement.name,
        "stage": requirement.stage,
        "severity": requirement.severity,
        "message": unmet.message.speak(speech),
        "sentence": unmet.sentence,
        "count": len(unmet.open),
        "subjects": subject_shapes(unmet.open),
        "waivable": requirement.waivable,
        "link": f"{branch_address(at.year, at.branch_code)}/{requirement.link}",
    }


def located_shape(unmet: Unmet, speech: str) -> Shape:
    """An unmet requirement among those of many branches."""
    at = unmet.at
    branch = {"code": at.branch_code, "name": at.branch_name, "unit": at.unit}
    return {"cycle": at.year, "branch": branch, "due_on": at.due_on, **unmet_shape(unmet, speech)}


def option_shape(option: Option, speech: str) -> Shape:
    return {
        "trigger": option.move.trigger,
        "to": option.move.target,
        "allowed": option.allowed,
        "unmet": [unmet_shape(each, speech) for each in option.unmet],
    }


def change_shape(row: StageChange) -> Shape:
    return {
        "id": row.id,
        "trigger": row.trigger,
        "from": row.source,
        "to": row.target,
        "round": row.round,
        "version": row.version,
        "due_on": row.due_on,
        "reason": row.reason,
        "late": row.late,
        "by": row.made_by,
        "at": row.made_at,
    }


def roll_shape(row: Participant) -> Shape:
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
        "excused_reason": row.excused_reason,
        "excused_confirmed_by": row.excused_confirmed_by,
        "left_on": row.left_on,
        "rated_here": row.rated_here,
        "version": row.version,
    }


def record_shape(row: Retractable) -> Shape:
    """What every record answers besides what it was sent."""
    return {
        "id": row.id,
        "version": row.version,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
        "withdrawn": row.retraction("withdrawn"),
        "rejected": row.retraction("rejected"),
    }


def waiver_shape(row: Waiver) -> Shape:
    requirement = BY_NAME.get(row.requirement)
    return {
        "requirement": row.requirement,
        "clause": requirement.clause if requirement else None,
        "subjects": [{"id": subject, "name": row.names.get(subject, subject), "amount": amount} for subject, amount in row.covers.items()],
        "amount": sum(row.covers.values()),
        "reason": row.reason,
        "needs_approval": row.needs_approval,
        "approved_by": row.approved_by,
        "approved_at": row.approved_at,
        **record_shape(row),
    }


def history_shape(row: History) -> Shape:
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


def appointment_shape(row: Appointment) -> Shape:
    return {
        "id": row.id,
        "staff_no": row.person.staff_no,
        "name": row.person.name,
        "branch": row.branch.code if row.branch is not None else None,
        "post": row.post,
        "role": row.role,
        "title": row.title,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
    }


def import_shape(row: RosterImport) -> Shape:
    return {
        "id": row.id,
        "file_name": row.file_name,
        "problems": row.problems,
        "summary": row.summary,
        "applicable": row.applicable,
        "applied_at": row.applied_at,
        "recorded_at": row.recorded_at,
    }


def letter_shape(row: Letter, branch: str | None) -> Shape:
    """One line of the ledger: who was told what, and its fate. Never its text."""
    return {
        "id": row.id,
        "kind": row.kind,
        "branch": branch,
        "recipient": row.recipient_name,
        "subject": row.subject,
        "due_on": row.due_on,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "sent_at": row.sent_at,
    }


def caller_shape(caller: Caller) -> Shape:
    return {
        "staff_no": caller.staff_no,
        "name": caller.name,
        "roles": sorted(caller.roles),
        "branches": [{"code": code, "roles": sorted(roles)} for code, roles in sorted(caller.branches.items())],
    }
