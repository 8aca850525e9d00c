"""What the committee has before it (考核汇总): the sheet of a branch, the school's list of them, and what the office proposes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NotRequired

from typing_extensions import TypedDict

from api.appraisal.tallies import banded
from api.frame.address import ASSESSMENT, CYCLE
from api.frame.base import Answer, Request, Routes
from api.frame.lists import Page, after_of, listed, natural
from api.frame.shapes import BranchShape, Listed, PersonShape, branch_shape, person_shape
from workflow.appraisal.meetings.tallies import band, sees_counts
from workflow.assessment.proposals import Proposal, ProposalBody, proposal_of, propose
from workflow.assessment.sheet import ActivityLine, Attended, Sheet
from workflow.assessment.summary import sheets
from workflow.foundation.errors import NotFound
from workflow.foundation.fields import Line
from workflow.foundation.vocabulary import ActivityKind, Kind, Level, ReportMode, Stage
from workflow.people.access import ACCESS, Action
from workflow.readings.progress import branches
from workflow.year.cycle import Lock, cycle_by_year

routes = Routes(kind=Kind.ASSESSMENT)


class SectionShape(TypedDict):
    """One of the contents that the committee assesses."""

    id: str
    title: str
    text: str | None


class ReportedShape(TypedDict):
    """述职."""

    mode: ReportMode | None
    submitted: bool
    submitted_at: datetime | None
    late: bool
    sections: list[SectionShape]
    rectification: str | None


class MeetingCountShape(TypedDict):
    """三会一课 of one form; ``gap`` is how many are short of what the year expects."""

    held: int | None
    expected: int
    gap: int | None
    recorded: int | None


class CleanShape(TypedDict):
    """党风廉政建设."""

    text: str | None
    issues: bool | None
    checked: bool


class AttendedShape(TypedDict):
    """出勤; ``rate`` in per cent with one decimal."""

    required: int
    attended: int
    on_leave: int
    rate: float | None


class ActivityLineShape(TypedDict):
    """One activity of the year, as far as this branch is concerned."""

    id: int
    kind: ActivityKind
    name: str
    held_on: date
    required: int
    attended: int
    on_leave: int


class AppraisedShape(TypedDict):
    """各支部对本支部委员会的评议结果: a reference. Of small branches their own readers see bands instead of votes, and of the rate too."""

    issued: int
    returned: int
    valid: int
    void: int
    marks: dict[str, dict[str, Any]]
    good_rate: float | str | None
    bands: bool


class ExcellentShape(TypedDict):
    """优秀党员比例, of the base that the quota is a share of."""

    rated: int
    excellent: int
    base_count: int
    allowed: int
    approved: int | None
    rate: float | None


class DoneShape(TypedDict):
    """整改完成率."""

    measures: int
    done: int
    rate: float | None


class FormFilingShape(TypedDict):
    """按时报送."""

    due_on: date | None
    filed: bool
    filed_at: datetime | None
    late: bool | None
    returned: int


class LackingShape(TypedDict):
    """What is not there."""

    id: str
    name: str


class ProposedShape(TypedDict):
    """党办建议等次及理由."""

    result: Level | None
    reason: str | None


class SheetShape(TypedDict):
    """The summary of one branch. People of the branch do not read what is proposed."""

    cycle: int
    branch: BranchShape
    stage: Stage
    secretary: PersonShape | None
    members: int
    on_committee: int
    duty_report: ReportedShape
    main_work: str | None
    three_meetings: dict[str, MeetingCountShape]
    development: dict[str, int | None]
    clean_government: CleanShape
    attendance: dict[str, AttendedShape]
    activities: list[ActivityLineShape]
    conduct: str | None
    extra: str | None
    committee_appraisal: AppraisedShape | None
    excellent: ExcellentShape
    rectification: DoneShape
    form: FormFilingShape
    missing: list[LackingShape]
    proposal: NotRequired[ProposedShape | None]


def _appraised(sheet: Sheet, request: Request) -> AppraisedShape | None:
    ballot = sheet.committee_appraisal
    if ballot is None:
        return None
    exact = sees_counts(request.by, sheet.process, ballot.valid)
    return {
        "issued": ballot.issued,
        "returned": ballot.returned,
        "valid": ballot.valid,
        "void": ballot.void,
        "marks": {item.value: dict(votes) if exact else dict(banded(votes, ballot.valid)) for item, votes in ballot.marks.items()},
        "good_rate": ballot.good_rate if exact else band(ballot.good, ballot.valid),
        "bands": not exact,
    }


def _attended(here: Attended) -> AttendedShape:
    return {"required": here.required, "attended": here.attended, "on_leave": here.on_leave, "rate": here.rate}


def _activity(line: ActivityLine) -> ActivityLineShape:
    here = line.here
    return {
        "id": line.id,
        "kind": line.kind,
        "name": line.name,
        "held_on": line.held_on,
        "required": here.required,
        "attended": here.attended,
        "on_leave": here.on_leave,
    }


def sheet_shape(sheet: Sheet, request: Request) -> SheetShape:
    report, share, rectified, filing = sheet.report, sheet.excellent, sheet.rectified, sheet.filing
    shape: SheetShape = {
        "cycle": sheet.process.cycle.year,
        "branch": branch_shape(sheet.process.branch),
        "stage": sheet.process.stage,
        "secretary": person_shape(sheet.secretary),
        "members": sheet.members,
        "on_committee": sheet.on_committee,
        "duty_report": {
            "mode": report.mode,
            "submitted": report.submitted_at is not None,
            "submitted_at": report.submitted_at,
            "late": report.late,
            "sections": [{"id": each.id, "title": each.title, "text": each.text} for each in report.sections],
            "rectification": report.rectification,
        },
        "main_work": sheet.main_work,
        "three_meetings": {
            name: {"held": each.held, "expected": each.expected, "gap": each.gap, "recorded": each.recorded}
            for name, each in sheet.three_meetings.items()
        },
        "development": dict(sheet.development),
        "clean_government": {"text": sheet.clean_government, "issues": sheet.clean_issues, "checked": sheet.facts_checked},
        "attendance": {kind.value: _attended(here) for kind, here in sheet.attendance.items()},
        "activities": [_activity(line) for line in sheet.activities],
        "conduct": sheet.conduct,
        "extra": sheet.extra,
        "committee_appraisal": _appraised(sheet, request),
        "excellent": {
            "rated": share.rated,
            "excellent": share.excellent,
            "base_count": share.base_count,
            "allowed": share.allowed,
            "approved": share.approved,
            "rate": share.rate,
        },
        "rectification": {"measures": rectified.measures, "done": rectified.done, "rate": rectified.rate},
        "form": {
            "due_on": filing.due_on,
            "filed": filing.filed,
            "filed_at": filing.filed_at,
            "late": filing.late,
            "returned": filing.returned,
        },
        "missing": [{"id": each.id, "name": each.name} for each in sheet.missing],
    }
    if request.by.school & ACCESS[Action.READ_PROPOSAL].keys():
        shape["proposal"] = _proposed(sheet.proposal)
    return shape


def _proposed(row: Proposal | None) -> ProposedShape | None:
    return None if row is None else {"result": row.result, "reason": row.reason}


@routes.get(f"{ASSESSMENT}/summary", action=Action.READ_ASSESSMENT_PROCESS, answers=SheetShape)
def read_summary(request: Request) -> Any:
    """All that the committee has before it of a branch, as the records have it now, and what is not there."""
    (sheet,) = sheets(request.session, [request.process.id])
    return sheet_shape(sheet, request)


class SummaryQuery(Page):
    """Which sheets."""

    unit = Line()
    q = Line(at_most=50)


@routes.get(f"{CYCLE}/summary", action=Action.READ_SCHOOL, answers=Listed[SheetShape], query=SummaryQuery)
def list_summary(request: Request, query: dict[str, Any], year: int) -> Any:
    """The sheet of each branch, by branch code and in no other order."""
    rows, _ = branches(
        request.session,
        cycle_by_year(request.session, year),
        today=request.today,
        unit=query.get("unit"),
        words=query.get("q"),
        after=after_of(query, "", natural),
        limit=query["limit"] + 1,
        kind=Kind.ASSESSMENT,
    )
    found = sheets(request.session, [row.id for row in rows])
    return listed(found, query, lambda sheet: sheet_shape(sheet, request), lambda sheet: sheet.process.branch.code)


# ── what the office proposes ──────────────────────────────────────────────────────────────────────────────────────────


def _proposal(request: Request) -> Proposal:
    row = proposal_of(request.session, request.process)
    if row is None:
        raise NotFound
    return row


def _held_proposal(request: Request) -> Proposal | None:
    return proposal_of(request.session, request.process, held=True)


@routes.get(f"{ASSESSMENT}/proposal", action=Action.READ_PROPOSAL, find=_proposal, answers=ProposedShape)
def read_proposal(request: Request, row: Proposal) -> Any:
    """What the office proposes for a branch."""
    return Answer(_proposed(row), version=row.version)


@routes.put(
    f"{ASSESSMENT}/proposal", action=Action.ASSESS, lock=Lock.EVIDENCE, find=_held_proposal, body=ProposalBody, answers=ProposedShape, if_match=True
)
def put_proposal(request: Request, row: Proposal | None, body: dict[str, Any]) -> Any:
    """Propose a result for a branch with its reason, whole."""
    written = propose(request.session, request.process, row, body, seen=request.if_match)
    return Answer(_proposed(written), version=written.version)
