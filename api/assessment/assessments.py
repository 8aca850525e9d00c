"""The committee's assessment of a branch (党委考核支部): its stage, its duty report, its moves."""

from __future__ import annotations

from datetime import date, datetime

from typing_extensions import TypedDict

from api.branch.process import tag_of_process
from api.frame.address import ASSESSMENT, CYCLE
from api.frame.lists import Page, after_of, listed, natural
from api.frame.routes import Answer, Routes
from api.frame.shapes import (
    BranchShape,
    ChangeShape,
    Items,
    Listed,
    ProcessShape,
    branch_shape,
    change_shape,
    process_shape,
)
from workflow.acts.processes import OF_KIND
from workflow.acts.years import a_year
from workflow.assessment import KIND
from workflow.assessment.arrangement import ARRANGE, ARRANGE_MANY, Arrangement, arrangement_of, arrangements_of, on_site
from workflow.assessment.decision import DecisionResult, final_results, result_for
from workflow.foundation.errors import BranchesLack, MoveNotPossible, NotFound
from workflow.foundation.fields import (
    Line,
    Sent,
    YesNo,
    about,
    one_of,
)
from workflow.foundation.vocabulary import STAGES, Kind, ReportMode, Stage
from workflow.people.access import Action
from workflow.readings.progress import branches
from workflow.rules.acts import Call, Done
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.finding import cycle_by_year
from workflow.year.roll import secretaries

routes = Routes(kind=KIND.kind, tag=tag_of_process(KIND.kind))
ACTS = OF_KIND[KIND.kind]


# ── where it stands ───────────────────────────────────────────────────────────────────────────────────────────────────


class OnSiteShape(TypedDict):
    """The session at which a branch reports (现场述职)."""

    held_on: date | None
    place: str | None
    order: int | None


class OwnResultShape(TypedDict):
    """The decision on one branch, for its people once it is published (本支部考核结果)."""

    result: str
    word: str
    reason: str | None
    number: str
    held_on: date
    published_at: datetime | None


class AnnouncedShape(TypedDict):
    """The published result of a branch, for its plain members (公布的结果)."""

    cycle: int
    kind: Kind
    branch: BranchShape
    result: OwnResultShape


class AssessmentShape(ProcessShape):
    """The stage of a branch's assessment, and the settings of the office (党委考核支部)."""

    result: OwnResultShape | None

    mode: ReportMode | None
    on_site: OnSiteShape | None
    conduct: str | None
    extra: str | None


def result_shape(row: DecisionResult) -> OwnResultShape:
    decision = row.decision
    return {
        "result": row.result,
        "word": row.word,
        "reason": row.reason,
        "number": decision.number,
        "held_on": decision.held_on,
        "published_at": decision.published_at,
    }


def assessment_shape(
    process: Process, secretary: Participant | None, arrangement: Arrangement | None, result: DecisionResult | None, today: date
) -> AssessmentShape:
    reports_there = arrangement is not None and arrangement.mode is ReportMode.ON_SITE
    return {
        **process_shape(process, secretary, today),
        "result": result_shape(result) if result else None,
        "mode": arrangement.mode if arrangement else None,
        "on_site": {"held_on": arrangement.held_on, "place": arrangement.place, "order": arrangement.position}
        if arrangement and reports_there
        else None,
        "conduct": arrangement.conduct if arrangement else None,
        "extra": arrangement.extra if arrangement else None,
    }


class AssessmentsQuery(Page):
    """A page of assessments, by stage, delay, unit or words."""

    stage = one_of(Stage, among=STAGES[KIND.kind], **about("环节", "stage", "只要处于该环节的", "branches at this stage", example="summarised"))
    overdue = YesNo(**about("是否逾期", "overdue", "true 只要逾期的", "true for those past their day", example=True))
    ended = YesNo(**about("不再参加的", "ended", "true 只要不再参加的", "true for those that take no part", example=False))
    unit = Line(**about("单位", "unit", "所在单位的名称或代码", "name or code of the unit", example="物理学院"))
    q = Line(at_most=50, **about("查找", "words", "支部名称或代码里的字", "words in the name or code of the branch", example="物理"))


@routes.get(f"{CYCLE}/assessments", action=Action.READ_SCHOOL, answers=Listed[AssessmentShape], query=AssessmentsQuery(), zh="列出各支部的考核")
def list_assessments(call: Call[object], query: Sent, year: int) -> object:
    """List the assessment of each branch by branch code."""
    rows, named = branches(
        call.session,
        cycle_by_year(call.session, year),
        today=call.today,
        stage=query.get("stage"),
        overdue=query.get("overdue"),
        ended=query.get("ended"),
        unit=query.get("unit"),
        words=query.get("q"),
        after=after_of(query, "", natural),
        limit=query["limit"] + 1,
        kind=KIND.kind,
    )
    ids = [row.id for row in rows]
    set_by_office = arrangements_of(call.session, ids)
    decided = final_results(call.session, ids)
    return listed(
        rows,
        query,
        lambda row: assessment_shape(row, named.get(row.id), set_by_office.get(row.id), decided.get(row.id), call.today),
        lambda row: row.branch.code,
    )


class MovedShape(ChangeShape):
    """A move and its branch (支部的动作)."""

    branch: BranchShape


assert ACTS.advance_many is not None  # noqa: S101  (the kind is declared so)


@routes.post(f"{CYCLE}/assessments/advance", ACTS.advance_many, answers=Items[MovedShape], refuses=(BranchesLack, MoveNotPossible))
def advance_branches(call: Call[object], done: Done) -> object:
    """Advance many branches at once, all or none. A refusal lists all that any of them lacks."""
    return {"items": [{**change_shape(change), "branch": branch_shape(change.process)} for change in done.rows]}


class SlotShape(TypedDict):
    """A branch's place in the order of reports (现场述职安排)."""

    held_on: date | None
    place: str | None
    order: int | None
    branch: BranchShape


@routes.get(f"{CYCLE}/report-sessions", action=Action.READ_SCHOOL, answers=Items[SlotShape], find=a_year, zh="现场述职安排")
def list_sessions(call: Call[object], cycle: Cycle) -> object:
    """List branches that report on site in their order; those without a day come last."""
    rows = on_site(call.session, cycle)
    return {"items": [{"held_on": row.held_on, "place": row.place, "order": row.position, "branch": branch_shape(process)} for row, process in rows]}


def _assessment(call: Call[object]) -> Answer:
    process, session = call.process, call.session
    secretary = secretaries(session, [process.id]).get(process.id)
    result = result_for(session, process, call.by)
    return Answer(assessment_shape(process, secretary, arrangement_of(session, process), result, call.today), version=process.version)


@routes.get(ASSESSMENT, action=Action.READ_ASSESSMENT, answers=AssessmentShape | AnnouncedShape, zh="支部的考核")
def read_assessment(call: Call[object]) -> object:
    """Read where the assessment of a branch stands. Send its ETag as If-Match.

    Plain members read the published result alone.
    """
    process = call.process
    if not call.by.plain_member(process.branch.code):
        return _assessment(call)
    result = result_for(call.session, process, call.by)
    if result is None:
        raise NotFound
    announced: AnnouncedShape = {
        "cycle": process.cycle.year,
        "kind": process.kind,
        "branch": branch_shape(process),
        "result": result_shape(result),
    }
    return announced


@routes.patch(ASSESSMENT, ARRANGE, answers=AssessmentShape)
def change_assessment(call: Call[object], _: Process) -> object:
    """Set how the secretary reports, the session, and the office's words on the branch."""
    return _assessment(call)


@routes.post(f"{CYCLE}/assessments/bulk", ARRANGE_MANY, answers=Items[AssessmentShape])
def change_assessments(call: Call[object], done: Done) -> object:
    """Set how many secretaries report, all or none. Each item names its branch and version."""
    ids = [row.id for row in done.rows]
    named, arranged, decided = secretaries(call.session, ids), arrangements_of(call.session, ids), final_results(call.session, ids)
    shown = [assessment_shape(row, named.get(row.id), arranged.get(row.id), decided.get(row.id), call.today) for row in done.rows]
    return {"items": shown}
