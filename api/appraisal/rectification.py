"""Problems, measures with their progress and comments, and last year's measures (整改台账)."""

from __future__ import annotations

from typing_extensions import TypedDict

from api.frame.address import BRANCH, location
from api.frame.records import single, tag_of
from api.frame.routes import Answer, Routes
from workflow.appraisal.ledger import LastYearsMeasure, MeasureComment, MeasureProgress, last_years_measures, rectification_text
from workflow.appraisal.rectification.measures import COMMENTS, MEASURES, PROGRESS, RECORD_COMMENT, RECORD_PROGRESS
from workflow.people.access import Action
from workflow.rules.acts import Call


class LastYearShape(TypedDict):
    """Last year's measures, and words for the duty report (上年度整改事项)."""

    items: list[LastYearsMeasure]
    text: str


routes = Routes(tag=tag_of(MEASURES))


@routes.get(f"{BRANCH}/measures/last-year", action=Action.READ_PROCESS, answers=LastYearShape, zh="上年度整改事项")
def read_last_year(call: Call[object]) -> object:
    """List last year's measures as they stand today, with words for the duty report."""
    rows = last_years_measures(call.session, call.process)
    return {"items": rows, "text": rectification_text(rows)}


@routes.post(f"{single(MEASURES)}/progress", RECORD_PROGRESS, status=201)
def add_progress(call: Call[object], row: MeasureProgress) -> object:
    """Note how far a measure has come. It never closes."""
    return Answer(PROGRESS.shown(row), location=location(single(MEASURES), call.process, record_id=row.measure_id))


@routes.post(f"{single(MEASURES)}/comments", RECORD_COMMENT, status=201)
def add_comment(call: Call[object], row: MeasureComment) -> object:
    """Comment on a measure; the office enters letters this way. It never closes."""
    return Answer(COMMENTS.shown(row), location=location(single(MEASURES), call.process, record_id=row.measure_id))
