"""Talks, their follow-ups and the coverage matrix (谈心谈话)."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from api.frame.address import BRANCH, NUMBER, location
from api.frame.records import single
from api.frame.routes import Answer, Routes
from workflow.appraisal.talks.coverage import coverage
from workflow.appraisal.talks.follow_ups import FINISH_FOLLOW_UP, FOLLOW_UP, FOLLOW_UPS
from workflow.appraisal.talks.talks import TALKS, TalkFollowUp
from workflow.foundation.vocabulary import Coverage
from workflow.people.access import Action
from workflow.rules.acts import Call


class CoverageShape(TypedDict):
    """Who has talked with whom, and who is still missing."""

    mode: Coverage
    people: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    missing: list[dict[str, str]]


routes = Routes()


@routes.get(f"{BRANCH}/talks/coverage", action=Action.READ_PROCESS, answers=CoverageShape)
def read_coverage(call: Call[object]) -> object:
    """Who has talked with whom, and who is still missing, in the reading of this year."""
    matrix = coverage(call.session, call.process)
    return {
        "mode": matrix.mode,
        "people": [
            {"staff_no": person.staff_no, "name": person.name, "leads": person.leads, "on_committee": person.on_committee} for person in matrix.people
        ],
        "pairs": [{"a": a, "b": b, "talks": n} for a, b, n in matrix.pairs],
        "missing": [{"a": a, "b": b} for a, b in matrix.missing],
    }


@routes.post(f"{single(TALKS)}/follow-ups", FOLLOW_UP, status=201)
def add_follow_up(call: Call[object], row: TalkFollowUp) -> object:
    """Promise help, with its day. It never closes."""
    return Answer(FOLLOW_UPS.shown(row), location=location(single(TALKS), call.process, record_id=row.talk_id))


@routes.post(f"{single(TALKS)}/follow-ups/<{NUMBER}:follow_up_id>/done", FINISH_FOLLOW_UP)
def end_follow_up(call: Call[object], row: TalkFollowUp) -> object:
    """Note that the help was given."""
    return FOLLOW_UPS.shown(row)
