"""The summary for the committee (考核汇总): each branch's sheet, the school's list, the proposals.

The office proposes; the committee decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NotRequired

from typing_extensions import TypedDict

from api.frame.address import ASSESSMENT, CYCLE
from api.frame.lists import Page, after_of, listed, natural
from api.frame.routes import Routes, Tag
from api.frame.shapes import BranchShape, Listed, PersonShape, branch_shape, person_shape, whole_of
from api.frame.single import single_routes
from workflow.assessment import KIND
from workflow.assessment.proposals import PROPOSAL, PROPOSE_MANY, reads_proposals
from workflow.assessment.sheet import ActivityLine, AppraisalReading, Attended, Filing, Lacking, Section, Sheet
from workflow.assessment.summary import sheets
from workflow.foundation.fields import (
    Line,
    Sent,
    about,
)
from workflow.foundation.vocabulary import ReportMode, Stage
from workflow.people.access import Action
from workflow.readings.progress import branches
from workflow.rules.acts import Call, Done
from workflow.year.finding import cycle_by_year

proposal: Routes = single_routes(PROPOSAL)


@proposal.post(f"{CYCLE}/assessments/proposals/bulk", PROPOSE_MANY, answers=whole_of(PROPOSAL.schema))
def propose_many(call: Call[object], done: Done) -> object:
    """Write proposals for many branches, all or none, in the order of the items."""
    return {"items": [*map(PROPOSAL.seen_by(call), done.rows)]}


routes = Routes(kind=KIND.kind, tag=Tag("summary", "考核汇总", "what the committee has before it"))


class ReportedShape(TypedDict):
    """The duty report in the summary (述职)."""

    mode: ReportMode | None
    submitted: bool
    submitted_at: datetime | None
    late: bool
    sections: Sequence[Section]
    rectification: str | None


class MeetingCountShape(TypedDict):
    """Meetings of one form; gap counts those short of what the year expects (三会一课的次数)."""

    held: int | None
    expected: int | None
    gap: int | None
    recorded: int | None


class CleanShape(TypedDict):
    """Clean government (党风廉政建设)."""

    text: str | None
    issues: bool | None
    checked: bool


class AttendedShape(TypedDict):
    """Attendance (出勤)."""

    required: int
    attended: int
    on_leave: int
    rate: float | None


class ActivityLineShape(TypedDict):
    """An activity as far as this branch is concerned (活动出勤)."""

    id: int
    kind: str
    name: str
    held_on: date
    required: int
    attended: int
    on_leave: int


class ExcellentShape(TypedDict):
    """Share of excellent members, by the base of the quota (优秀党员比例)."""

    rated: int
    excellent: int
    base_count: int
    allowed: int
    approved: int | None
    rate: float | None


class DoneShape(TypedDict):
    """Share of measures that are done (整改完成率)."""

    measures: int
    done: int
    rate: float | None


class ProposedShape(TypedDict):
    """Level and reason that the office proposes (党委办公室建议等次及理由)."""

    result: str | None
    reason: str | None
    version: int


class SheetShape(TypedDict):
    """The summary of one branch; people of the branch do not read the proposal (考核汇总)."""

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
    aspects: list[dict[str, str]]
    attendance: dict[str, AttendedShape]
    activities: list[ActivityLineShape]
    conduct: str | None
    extra: str | None
    committee_appraisal: AppraisalReading | None
    excellent: ExcellentShape
    rectification: DoneShape
    form: Filing
    missing: Sequence[Lacking]
    proposal: NotRequired[ProposedShape | None]


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


def sheet_shape(sheet: Sheet, call: Call[object]) -> SheetShape:
    report, share, rectified, ballot = sheet.report, sheet.excellent, sheet.rectified, sheet.committee_appraisal
    shape: SheetShape = {
        "cycle": sheet.process.cycle.year,
        "branch": branch_shape(sheet.process),
        "stage": sheet.process.stage,
        "secretary": person_shape(sheet.secretary),
        "members": sheet.members,
        "on_committee": sheet.on_committee,
        "duty_report": {
            "mode": report.mode,
            "submitted": report.submitted_at is not None,
            "submitted_at": report.submitted_at,
            "late": report.late,
            "sections": report.sections,
            "rectification": report.rectification,
        },
        "main_work": sheet.main_work,
        "three_meetings": {
            name: {"held": each.held, "expected": each.expected, "gap": each.gap, "recorded": each.recorded}
            for name, each in sheet.three_meetings.items()
        },
        "development": dict(sheet.development),
        "clean_government": {"text": sheet.clean_government, "issues": sheet.clean_issues, "checked": sheet.facts_checked},
        "aspects": sheet.process.cycle.plan["rules"]["summary_aspects"],
        "attendance": {kind: _attended(here) for kind, here in sheet.attendance.items()},
        "activities": [_activity(line) for line in sheet.activities],
        "conduct": sheet.conduct,
        "extra": sheet.extra,
        "committee_appraisal": None if ballot is None else ballot.seen_by(call.by, sheet.process),
        "excellent": {
            "rated": share.rated,
            "excellent": share.excellent,
            "base_count": share.base_count,
            "allowed": share.allowed,
            "approved": share.approved,
            "rate": share.rate,
        },
        "rectification": {"measures": rectified.measures, "done": rectified.done, "rate": rectified.rate},
        "form": sheet.filing,
        "missing": sheet.missing,
    }
    if reads_proposals(call.by):
        row = sheet.proposal
        shape["proposal"] = None if row is None else {"result": row.result, "reason": row.reason, "version": row.version}
    return shape


@routes.get(f"{ASSESSMENT}/summary", action=Action.READ_ASSESSMENT_PROCESS, answers=SheetShape, zh="支部考核汇总")
def read_summary(call: Call[object]) -> object:
    """Read the summary of a branch for the committee, and what is missing in it."""
    (sheet,) = sheets(call.session, [call.process.id])
    return sheet_shape(sheet, call)


class SummaryQuery(Page):
    """A page of sheets, by unit or words."""

    unit = Line(**about("单位", "unit", "所在单位的名称或代码", "name or code of the unit", example="物理学院"))
    q = Line(at_most=50, **about("查找", "words", "支部名称或代码里的字", "words in the name or code of the branch", example="物理"))


@routes.get(f"{CYCLE}/summary", action=Action.READ_SCHOOL, answers=Listed[SheetShape], query=SummaryQuery(), zh="全校考核汇总")
def list_summary(call: Call[object], query: Sent, year: int) -> object:
    """List the summary of each branch by branch code."""
    rows, _ = branches(
        call.session,
        cycle_by_year(call.session, year),
        today=call.today,
        unit=query.get("unit"),
        words=query.get("q"),
        after=after_of(query, "", natural),
        limit=query["limit"] + 1,
        kind=KIND.kind,
    )
    found = sheets(call.session, [row.id for row in rows])
    return listed(found, query, lambda sheet: sheet_shape(sheet, call), lambda sheet: sheet.process.branch.code)
