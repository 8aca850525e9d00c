"""Answers of the API: the shapes of the contract as types, from which OpenAPI is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from typing_extensions import TypedDict

from api.frame.address import page_address, place_of
from api.frame.changes import AmendmentShape, amendment_shape
from workflow.foundation.database import Session
from workflow.foundation.fields import Body
from workflow.foundation.vocabulary import CycleStatus, EndedWhy, Kind, Severity, Stage, Trigger, Waivable
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import Subject, Unmet
from workflow.machine.process import Option
from workflow.rules.evidence import Retractable
from workflow.rules.requirement import Waiver
from workflow.year.amendments import amendments_of
from workflow.year.cycle import Cycle, Participant, Process, StageChange
from workflow.year.deadlines import STAGES_WITH_A_DAY

T = TypeVar("T")


class Listed(TypedDict, Generic[T]):
    """A page of a list (一页)."""

    items: list[T]
    next: str | None


class Items(TypedDict, Generic[T]):
    """A whole list (全部列出)."""

    items: list[T]


@dataclass(frozen=True)
class PageOf:
    """A page of records, for the description: its rows are shown by their schema."""

    schema: Body


def page_of(schema: Body) -> PageOf:
    return PageOf(schema)


@dataclass(frozen=True)
class WholeOf:
    """A whole list of records, for the description: its rows are shown by their schema."""

    schema: Body


def whole_of(schema: Body) -> WholeOf:
    return WholeOf(schema)


class PersonShape(TypedDict):
    """A person, by staff number and name (人员)."""

    staff_no: str
    name: str


class BranchShape(TypedDict):
    """A branch (党支部)."""

    code: str
    name: str
    unit: str


class EndedShape(TypedDict):
    """The reason for which a branch takes no part any more (不再参加)."""

    at: datetime
    by: str
    why: EndedWhy
    into: str | None
    reason: str | None


class ProcessShape(TypedDict):
    """The stage of one branch, with its days (支部所在环节)."""

    cycle: int
    kind: Kind
    branch: BranchShape
    stage: Stage
    round: int
    version: int
    entered_at: datetime
    due_on: date | None
    overdue: bool
    late: bool
    ended: EndedShape | None
    secretary: PersonShape | None


def person_shape(row: Participant | None) -> PersonShape | None:
    return None if row is None else {"staff_no": row.staff_no, "name": row.name}


def branch_shape(process: Process) -> BranchShape:
    """Show the branch of a process by its names of that year."""
    return {"code": process.branch.code, "name": process.branch_name, "unit": process.unit_name}


def ended_shape(process: Process) -> EndedShape | None:
    if process.ended_at is None or process.ended_by is None or process.ended_why is None:
        return None
    into = process.ended_into.code if process.ended_into is not None else None
    return {"at": process.ended_at, "by": process.ended_by, "why": process.ended_why, "into": into, "reason": process.ended_reason}


def process_shape(process: Process, secretary: Participant | None, today: date) -> ProcessShape:
    return {
        "cycle": process.cycle.year,
        "kind": process.kind,
        "branch": branch_shape(process),
        "stage": process.stage,
        "round": process.round,
        "version": process.version,
        "entered_at": process.entered_at,
        "due_on": process.due_on,
        "overdue": process.overdue(today),
        "late": process.late,
        "ended": ended_shape(process),
        "secretary": person_shape(secretary),
    }


class HoldingDayShape(TypedDict):
    """The day that holds for a stage, and the stage that it was typed for (实际期限)."""

    day: date | None
    typed_for: Stage | None


class CycleShape(TypedDict):
    """A year with its plan (年度)."""

    year: int
    title: str
    theme: str
    status: CycleStatus
    version: int
    deadlines: dict[str, str | None]
    days: dict[str, HoldingDayShape]
    rules: dict[str, Any]
    guiding_text: str
    basis: list[dict[str, Any]]
    notice: dict[str, Any]
    form: dict[str, Any]
    stages: list[dict[str, Any]]
    clauses: dict[str, str]
    not_asked: dict[str, str]
    passed_through: list[Stage]
    published_at: datetime | None
    closed_at: datetime | None
    status_reason: str | None
    amendments: list[AmendmentShape]


def cycle_shapes(session: Session, cycles: Sequence[Cycle]) -> Iterator[CycleShape]:
    """Show years with their amendments; one query for all of them."""
    found: dict[int, list[AmendmentShape]] = {}
    for row in amendments_of(session, [cycle.id for cycle in cycles]):
        found.setdefault(row.cycle_id, []).append(amendment_shape(row))
    return (_cycle_shape(cycle, found.get(cycle.id, [])) for cycle in cycles)


def _cycle_shape(cycle: Cycle, amendments: list[AmendmentShape]) -> CycleShape:
    plan = cycle.plan
    return {
        "year": cycle.year,
        "title": cycle.title,
        "theme": cycle.theme,
        "status": cycle.status,
        "version": cycle.version,
        "deadlines": {stage.value: cycle.deadlines.get(stage.value) for stage in STAGES_WITH_A_DAY},
        "days": {stage.value: {"day": cycle.holds(stage), "typed_for": cycle.day_giver(stage)} for stage in STAGES_WITH_A_DAY},
        "rules": plan["rules"],
        "guiding_text": plan["guiding_text"],
        "basis": plan["basis"],
        "notice": plan["notice"],
        "form": plan["form"],
        "stages": plan["stages"],
        "clauses": plan["clauses"],
        "not_asked": plan.get("not_asked", {}),
        "passed_through": sorted(cycle.passed_through, key=tuple(Stage).index),
        "published_at": cycle.published_at,
        "closed_at": cycle.closed_at,
        "status_reason": cycle.status_reason,
        "amendments": amendments,
    }


class SubjectShape(TypedDict):
    """A person or thing that a requirement concerns (涉及的人或事)."""

    id: str
    name: str


def subject_shapes(subjects: Iterable[Subject]) -> list[SubjectShape]:
    return [{"id": subject.id, "name": subject.name} for subject in subjects]


class UnmetShape(TypedDict):
    """A requirement with what it lacks (未满足的要求)."""

    clause: str
    requirement: str
    stage: Stage
    severity: Severity
    message: str
    sentence: str
    count: int
    subjects: list[SubjectShape]
    waivable: Waivable
    link: str
    href: str


def unmet_shape(unmet: Unmet, speech: str) -> UnmetShape:
    requirement, at = unmet.requirement, unmet.at
    href = place_of(at.kind, at.year, at.branch_code, requirement.link)
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
        "link": page_address(href),
        "href": href,
    }


class LocatedShape(UnmetShape):
    """An unmet requirement among those of many branches (各支部未满足的要求)."""

    kind: Kind
    cycle: int
    branch: BranchShape
    due_on: date | None


def located_shape(unmet: Unmet, speech: str) -> LocatedShape:
    at = unmet.at
    branch: BranchShape = {"code": at.branch_code, "name": at.branch_name, "unit": at.unit}
    return {"kind": at.kind, "cycle": at.year, "branch": branch, "due_on": at.due_on, **unmet_shape(unmet, speech)}


class OptionShape(TypedDict):
    """A move that is declared from this stage (现在的动作)."""

    trigger: Trigger
    to: Stage
    allowed: bool
    unmet: list[UnmetShape]
    signs: list[UnmetShape]


def option_shape(option: Option, speech: str) -> OptionShape:
    return {
        "trigger": option.move.trigger,
        "to": option.move.target,
        "allowed": option.allowed,
        "unmet": [unmet_shape(each, speech) for each in option.unmet],
        "signs": [unmet_shape(each, speech) for each in option.signs],
    }


ChangeShape = TypedDict(
    "ChangeShape",
    {
        "id": int,
        "trigger": Trigger,
        "from": Stage,
        "to": Stage,
        "round": int,
        "version": int,
        "due_on": date | None,
        "reason": str | None,
        "late": bool,
        "by": str,
        "at": datetime,
    },
)
ChangeShape.__doc__ = "A move that was made (已办的动作)."


class MadeShape(ChangeShape):
    """A move just made, with the stage that it led to (刚办的动作)."""

    stage: Stage
    overdue: bool


def change_shape(row: StageChange) -> ChangeShape:
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


class RetractionShape(TypedDict):
    """Withdrawal or rejection of a record (撤回或退回)."""

    by: str
    at: datetime
    reason: str


class RecordShape(TypedDict):
    """The common part of a record in answers (记录的共同部分)."""

    id: int
    version: int
    recorded_by: str
    recorded_at: datetime
    withdrawn: RetractionShape | None
    rejected: RetractionShape | None


def record_shape(row: Retractable) -> RecordShape:
    return {
        "id": row.id,
        "version": row.version,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
        "withdrawn": _retraction(row.withdrawn_by, row.withdrawn_at, row.withdrawn_reason),
        "rejected": _retraction(row.rejected_by, row.rejected_at, row.rejected_reason),
    }


def _retraction(by: str | None, at: datetime | None, reason: str | None) -> RetractionShape | None:
    return None if by is None or at is None or reason is None else {"by": by, "at": at, "reason": reason}


class CoveredShape(SubjectShape):
    """A person or thing that a reason covers (理由涉及的人或事)."""

    amount: int


class WaiverShape(RecordShape):
    """A reason that stands in place of what is missing (理由)."""

    requirement: str
    clause: str | None
    subjects: list[CoveredShape]
    amount: int
    reason: str
    needs_approval: bool
    approved_by: str | None
    approved_at: datetime | None


def waiver_shape(row: Waiver) -> WaiverShape:
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


class CheckShape(UnmetShape):
    """A line of a stage's checklist (清单一项)."""

    state: str
    waivers: list[WaiverShape]
