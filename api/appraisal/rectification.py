"""Problems, measures with their progress and comments, and last year's measures (整改台账)."""

from __future__ import annotations

from typing_extensions import TypedDict

from api.frame.address import BRANCH, location
from api.frame.records import single, tag_of
from api.frame.routes import Answer, Routes
from api.frame.shapes import page_of
from workflow.appraisal.ledger import LastYearsMeasure, MeasureComment, MeasureProgress, last_year
from workflow.appraisal.rectification.carried_over import OpenCase, OpenCommitment, OpenHelp, carried_over
from workflow.appraisal.rectification.handover import HAND_OVER
from workflow.appraisal.rectification.measures import COMMENTS, MEASURES, RECORD_COMMENT, RECORD_PROGRESS
from workflow.appraisal.rectification.progress import PROGRESS
from workflow.people.access import Action
from workflow.rules.acts import Call, Done


class LastYearShape(TypedDict):
    """Last year's measures, words for the duty report, and all else that is open (上年度事项)."""

    items: list[LastYearsMeasure]
    text: str
    help_plans: list[OpenHelp]
    cases: list[OpenCase]
    commitments: list[OpenCommitment]


routes = Routes(tag=tag_of(MEASURES))


@routes.get(f"{BRANCH}/measures/last-year", action=Action.READ_PROCESS, answers=LastYearShape, zh="上年度整改事项和未了事项")
def read_last_year(call: Call[object]) -> object:
    """List last year's measures, and what earlier years left open of help, cases, promises."""
    year, open_ = last_year(call.session, call.process), carried_over(call.session, call.process)
    return {
        "items": year.measures,
        "text": year.text,
        "help_plans": open_.help_plans,
        "cases": open_.cases,
        "commitments": open_.commitments,
    }


@routes.post(f"{BRANCH}/measures/hand-over", HAND_OVER, answers=page_of(MEASURES.schema))
def hand_over_measures(call: Call[object], done: Done) -> object:
    """Give the open measures of a former secretary to the present one. It never closes."""
    return {"items": [MEASURES.seen_by(call)(row) for row in done.rows], "next": None}


@routes.post(f"{single(MEASURES)}/progress", RECORD_PROGRESS, status=201)
def add_progress(call: Call[object], row: MeasureProgress) -> object:
    """Note how far a measure has come. It never closes."""
    return Answer(PROGRESS.shown(row), location=location(single(MEASURES), call.process, record_id=row.measure_id))


@routes.post(f"{single(MEASURES)}/comments", RECORD_COMMENT, status=201)
def add_comment(call: Call[object], row: MeasureComment) -> object:
    """Comment on a measure; the office enters letters this way. It never closes."""
    return Answer(COMMENTS.shown(row), location=location(single(MEASURES), call.process, record_id=row.measure_id))
