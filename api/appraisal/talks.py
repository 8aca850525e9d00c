"""Talks, their follow-ups and the coverage matrix (谈心谈话)."""

from __future__ import annotations

from typing_extensions import TypedDict

from api.frame.address import BRANCH, NUMBER, location
from api.frame.records import single, tag_of
from api.frame.routes import Answer, Routes
from api.frame.shapes import PersonShape
from workflow.appraisal.talks.coverage import coverage
from workflow.appraisal.talks.follow_ups import FINISH_FOLLOW_UP, FOLLOW_UP, FOLLOW_UPS
from workflow.appraisal.talks.talks import TALKS, TalkFollowUp
from workflow.foundation.vocabulary import Coverage
from workflow.people.access import Action
from workflow.rules.acts import Call


class TalkerShape(PersonShape):
    """Somebody of the matrix (谈话表里的人)."""

    leads: bool
    on_committee: bool


class MissingPairShape(TypedDict):
    """Two people who have not talked yet (没有谈过的一对)."""

    a: str
    b: str


class PairShape(MissingPairShape):
    """Two people who have talked (谈过的一对)."""

    talks: int


class CoverageShape(TypedDict):
    """The matrix of talks (谈话覆盖情况)."""

    mode: Coverage
    people: list[TalkerShape]
    pairs: list[PairShape]
    missing: list[MissingPairShape]


routes = Routes(tag=tag_of(TALKS))


@routes.get(f"{BRANCH}/talks/coverage", action=Action.READ_PROCESS, answers=CoverageShape, zh="谈话覆盖情况")
def read_coverage(call: Call[object]) -> object:
    """List pairs that have talked and pairs still missing, as this year reads the plan."""
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
    """Promise help after a talk, with its day. It never closes."""
    return Answer(FOLLOW_UPS.shown(row), location=location(single(TALKS), call.process, record_id=row.talk_id))


@routes.post(f"{single(TALKS)}/follow-ups/<{NUMBER}:follow_up_id>/done", FINISH_FOLLOW_UP)
def end_follow_up(call: Call[object], row: TalkFollowUp) -> object:
    """Note that the promised help was given."""
    return FOLLOW_UPS.shown(row)
