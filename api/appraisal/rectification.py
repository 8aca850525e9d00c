"""Problems, measures with their progress and comments, and last year's measures (整改台账)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import BRANCH, NUMBER, address_of
from api.frame.base import Answer, Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.ledger import (
    COMMITTEE,
    Measure,
    MeasureComment,
    MeasureProgress,
    Problem,
    last_years_measures,
    rectification_text,
)
from workflow.appraisal.rectification.measures import (
    CommentBody,
    MeasureBody,
    ProgressBody,
    amend_measure,
    problems_shown,
    record_comment,
    record_measure,
    record_progress,
    visible_measures,
)
from workflow.appraisal.rectification.problems import ProblemBody, amend_problem, record_problem
from workflow.foundation.vocabulary import MeasureState, ProblemSource, Stage
from workflow.people.access import Action
from workflow.year.cycle import Lock


class ProblemShape(RecordShape):
    """A problem; ``about`` is a 学工号 or ``committee``."""

    source: ProblemSource
    about: str
    text: str


class MeasureProgressShape(TypedDict):
    """How far a measure had come."""

    id: int
    state: MeasureState
    evidence: str | None
    recorded_by: str
    recorded_at: datetime


class CommentShape(TypedDict):
    """What somebody said of a measure."""

    id: int
    text: str
    recorded_by: str
    recorded_at: datetime


class MeasureShape(RecordShape):
    """A measure with all that became of it; ``problems`` are those that its reader may know of."""

    problems: list[int]
    text: str
    owner: str | None
    due_on: date | None
    state: MeasureState
    progress: list[MeasureProgressShape]
    comments: list[CommentShape]


class LastYearsMeasureShape(TypedDict):
    """A measure of last year; ``owner`` is his name."""

    text: str
    owner: str | None
    due_on: date | None
    state: MeasureState


class LastYearShape(TypedDict):
    """Last year's measures, and the words with which a duty report begins to tell of them."""

    items: list[LastYearsMeasureShape]
    text: str


def problem_shape(row: Problem) -> ProblemShape:
    return {"source": row.source, "about": row.about or COMMITTEE, "text": row.text, **record_shape(row)}


def progress_shape(row: MeasureProgress) -> MeasureProgressShape:
    return {"id": row.id, "state": row.state, "evidence": row.evidence, "recorded_by": row.recorded_by, "recorded_at": row.recorded_at}


def comment_shape(row: MeasureComment) -> CommentShape:
    return {"id": row.id, "text": row.text, "recorded_by": row.recorded_by, "recorded_at": row.recorded_at}


def measure_shaper(request: Request) -> Callable[[Measure], MeasureShape]:
    """Measures without the problems that this reader does not see."""

    def shape(row: Measure) -> MeasureShape:
        return {
            "problems": problems_shown(request.by, row, request.process.branch.code),
            "text": row.text,
            "owner": row.owner,
            "due_on": row.due_on,
            "state": row.state,
            "progress": [progress_shape(each) for each in row.progress],
            "comments": [comment_shape(each) for each in row.comments],
            **record_shape(row),
        }

    return shape


PROBLEMS = Collection(
    name="problems",
    model=Problem,
    stage=Stage.RECTIFICATION,
    body=ProblemBody,
    answers=ProblemShape,
    shaper=lambda request: problem_shape,
    record=record_problem,
    amend=amend_problem,
    read=Action.READ_PROCESS,
    write=Action.RECORD_PROBLEM,
)
MEASURES = Collection(
    name="measures",
    model=Measure,
    stage=Stage.RECTIFICATION,
    body=MeasureBody,
    answers=MeasureShape,
    shaper=measure_shaper,
    record=record_measure,
    amend=amend_measure,
    read=Action.READ_MEASURES,
    write=Action.RECTIFY,
    visible=lambda request: visible_measures(request.by, request.process.branch.code),
)
ONE = f"{BRANCH}/measures/<{NUMBER}:record_id>"

routes: Routes = Routes([*collection_routes(PROBLEMS), *collection_routes(MEASURES)])


@routes.get(f"{BRANCH}/measures/last-year", action=Action.READ_PROCESS, answers=LastYearShape)
def read_last_year(request: Request) -> Any:
    """The measures of the year before, as they stand today, and the words that a duty report begins with."""
    rows = last_years_measures(request.session, request.process)
    items = [{"text": row.text, "owner": row.owner, "due_on": row.due_on, "state": row.state} for row in rows]
    return {"items": items, "text": rectification_text(rows)}


@routes.post(
    f"{ONE}/progress",
    action=Action.PROGRESS_MEASURE,
    lock=Lock.EVIDENCE,
    find=MEASURES.held,
    body=ProgressBody,
    answers=MeasureProgressShape,
    status=201,
)
def add_progress(request: Request, measure: Measure, body: dict[str, Any]) -> Any:
    """Note how far a measure has come. It never closes."""
    row = record_progress(request.session, request.process, measure, body, by=request.by, now=request.now)
    return Answer(progress_shape(row), 201, location=f"{address_of(request.process)}/measures/{measure.id}")


@routes.post(
    f"{ONE}/comments", action=Action.COMMENT_MEASURE, lock=Lock.EVIDENCE, find=MEASURES.held, body=CommentBody, answers=CommentShape, status=201
)
def add_comment(request: Request, measure: Measure, body: dict[str, Any]) -> Any:
    """Say something of a measure; the office enters letters so. It never closes."""
    row = record_comment(request.session, request.process, measure, body, by=request.by, now=request.now)
    return Answer(comment_shape(row), 201, location=f"{address_of(request.process)}/measures/{measure.id}")
