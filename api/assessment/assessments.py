"""The committee's assessment of a branch (党委考核支部): where it stands, how its secretary reports, and its moves."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.branch.process import ProcessEdge, process_routes
from api.frame.address import ASSESSMENT, CYCLE
from api.frame.base import Answer, Request, Routes
from api.frame.lists import Page, after_of, listed, natural
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
from workflow.assessment.arrangement import Arrangement, ArrangementBody, arrange, arrangement_of, arrangements_of, on_site
from workflow.assessment.decision import FINAL, PUBLISHED, DecisionResult, result_of, results
from workflow.foundation.database import any_of
from workflow.foundation.errors import Conflict, Invalid, NotFound, Words
from workflow.foundation.fields import Body, Line, YesNo, many, one_of
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind, Level, ReportMode, Stage, Trigger
from workflow.machine.process import move_together
from workflow.people.access import SCHOOL_READERS, Action
from workflow.readings.progress import branches
from workflow.year.cycle import Cycle, Lock, Participant, Process, cycle_by_year, processes_of, secretaries

routes = Routes(kind=Kind.ASSESSMENT)


# ── where it stands ───────────────────────────────────────────────────────────────────────────────────────────────────


class OnSiteShape(TypedDict):
    """The session at which a branch reports (现场述职)."""

    held_on: date | None
    place: str | None
    order: int | None


class OwnResultShape(TypedDict):
    """What the committee decided on a branch: people of the branch read it once it is published."""

    result: Level
    reason: str | None
    number: str
    held_on: date
    published_at: datetime | None


class AnnouncedShape(TypedDict):
    """What a plain member reads of the assessment of his branch, once it is published."""

    cycle: int
    kind: Kind
    branch: BranchShape
    result: OwnResultShape


class AssessmentShape(ProcessShape):
    """Where the assessment of a branch stands, and what the office has set."""

    result: OwnResultShape | None

    mode: ReportMode | None
    on_site: OnSiteShape | None
    conduct: str | None
    extra: str | None


def result_shape(row: DecisionResult) -> OwnResultShape:
    decision = row.decision
    return {
        "result": row.result,
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


def _year(request: Request, year: int) -> Cycle:
    return cycle_by_year(request.session, year)


class AssessmentsQuery(Page):
    """Which assessments."""

    stage = one_of(Stage, among=STAGES[Kind.ASSESSMENT])
    overdue = YesNo()
    unit = Line()
    q = Line(at_most=50)


@routes.get(f"{CYCLE}/assessments", action=Action.READ_SCHOOL, answers=Listed[AssessmentShape], query=AssessmentsQuery)
def list_assessments(request: Request, query: dict[str, Any], year: int) -> Any:
    """The assessment of each branch, by branch code."""
    rows, named = branches(
        request.session,
        cycle_by_year(request.session, year),
        today=request.today,
        stage=query.get("stage"),
        overdue=query.get("overdue"),
        unit=query.get("unit"),
        words=query.get("q"),
        after=after_of(query, "", natural),
        limit=query["limit"] + 1,
        kind=Kind.ASSESSMENT,
    )
    ids = [row.id for row in rows]
    set_by_office = arrangements_of(request.session, ids)
    decided = {row.process_id: row for row in results(request.session, FINAL, any_of(DecisionResult.process_id, ids))}
    return listed(
        rows,
        query,
        lambda row: assessment_shape(row, named.get(row.id), set_by_office.get(row.id), decided.get(row.id), request.today),
        lambda row: row.branch.code,
    )


class AdvanceBody(Body):
    """To which stage, and which branches: all that stand before it, unless some are named."""

    to = one_of(Stage, among=WORKING_STAGES[Kind.ASSESSMENT][1:], required=True)
    branches = many(Line(at_most=32), at_least=1)


class MovedShape(ChangeShape):
    """A move that was made, and of which branch."""

    branch: BranchShape


@routes.post(f"{CYCLE}/assessments/advance", action=Action.MOVE_ASSESSMENT, answers=Items[MovedShape], find=_year, body=AdvanceBody)
def advance_branches(request: Request, cycle: Cycle, body: dict[str, Any]) -> Any:
    """Advance many branches by one act: all of them move, or none does, with all that any of them lacks."""
    of_year = {each.branch.code: each for each in processes_of(request.session, cycle, Kind.ASSESSMENT, lock=Lock.MOVE)}
    if unknown := [code for code in body.get("branches", []) if code not in of_year]:
        raise Invalid({"branches": [Words(f"本年度没有党支部 {code} 的考核", f"no branch {code} is assessed") for code in unknown]})
    before = WORKING_STAGES[Kind.ASSESSMENT][WORKING_STAGES[Kind.ASSESSMENT].index(body["to"]) - 1]
    wanted = body.get("branches", [code for code, each in of_year.items() if each.stage is before])
    moving = [each for code, each in of_year.items() if code in wanted]
    if not moving:
        raise Conflict(Words(f"没有处于“{before.zh}”的支部", f"no branch stands at {before.value}"))
    changes = move_together(request.session, moving, Trigger.ADVANCE, to=body["to"], by=request.by, now=request.now)
    return {"items": [{**change_shape(change), "branch": branch_shape(each.branch)} for each, change in zip(moving, changes, strict=True)]}


class SlotShape(TypedDict):
    """One branch's place in the order of the sessions (现场述职安排)."""

    held_on: date | None
    place: str | None
    order: int | None
    branch: BranchShape


@routes.get(f"{CYCLE}/report-sessions", action=Action.READ_SCHOOL, answers=Items[SlotShape], find=_year)
def list_sessions(request: Request, cycle: Cycle) -> Any:
    """Which branches report on site, in the order in which they do; those without a day come last."""
    rows = on_site(request.session, cycle)
    return {"items": [{"held_on": row.held_on, "place": row.place, "order": row.position, "branch": branch_shape(branch)} for row, branch in rows]}


def _assessment(request: Request) -> Answer:
    process, session = request.process, request.session
    secretary = secretaries(session, [process.id]).get(process.id)
    result = result_of(session, process, FINAL if request.by.school & SCHOOL_READERS else PUBLISHED)
    return Answer(assessment_shape(process, secretary, arrangement_of(session, process), result, request.today), version=process.version)


@routes.get(ASSESSMENT, action=Action.READ_ASSESSMENT, answers=AssessmentShape | AnnouncedShape)
def read_assessment(request: Request) -> Any:
    """Where the assessment of a branch stands. Its ETag is what a move or a change must send as If-Match. A plain member reads the result alone."""
    process = request.process
    if not request.by.plain_member(process.branch.code):
        return _assessment(request)
    result = result_of(request.session, process, PUBLISHED)
    if result is None:
        raise NotFound
    announced: AnnouncedShape = {
        "cycle": process.cycle.year,
        "kind": process.kind,
        "branch": branch_shape(process.branch),
        "result": result_shape(result),
    }
    return announced


@routes.patch(ASSESSMENT, action=Action.ASSESS, lock=Lock.MOVE, body=ArrangementBody, answers=AssessmentShape)
def change_assessment(request: Request, body: dict[str, Any]) -> Any:
    """Set whether the secretary reports on site or in writing, the session, and the office's words on the branch."""
    arrange(request.session, request.process, body, seen=request.seen)
    return _assessment(request)


def _shown(request: Request, stage: Stage) -> bool:
    """What the office and the committee still lack is theirs to know: a branch sees what it is asked for itself."""
    return stage is Stage.COLLECTING or bool(request.by.school & SCHOOL_READERS)


routes.extend(
    process_routes(
        ProcessEdge(
            Kind.ASSESSMENT,
            ASSESSMENT,
            reads=Action.READ_ASSESSMENT_PROCESS,
            moves=Action.MOVE_ASSESSMENT,
            reads_history=Action.READ_SCHOOL,
            shown=_shown,
        )
    )
)
