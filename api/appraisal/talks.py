"""Talks, their follow-ups and the coverage matrix (谈心谈话)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NotRequired, cast

from typing_extensions import TypedDict

from api.frame.address import BRANCH, NUMBER, address_of
from api.frame.base import Answer, Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.talks.coverage import coverage
from workflow.appraisal.talks.follow_ups import FollowUpBody, finish_follow_up, follow_up_of, record_follow_up
from workflow.appraisal.talks.talks import Talk, TalkBody, TalkFollowUp, amend_talk, hidden_from, may_write, record_talk, visible_talks
from workflow.foundation.fields import Body, Day
from workflow.foundation.vocabulary import Coverage, Stage, TalkWay
from workflow.people.access import Action
from workflow.year.cycle import Lock, secretaries


class DoneBody(Body):
    """When the help was given."""

    on = Day(required=True)


class FollowUpShape(TypedDict):
    """Help that was promised."""

    id: int
    due_on: date
    what: str
    done_on: date | None
    recorded_by: str
    recorded_at: datetime


class TalkShape(RecordShape):
    """A talk. What a reader does not see is left out."""

    held_on: date
    talker: str
    partner: str
    way: TalkWay
    place: str | None
    focus: bool
    focus_reason: NotRequired[str | None]
    opinions_branch: NotRequired[str | None]
    opinions_committee: NotRequired[str | None]
    affirmed: NotRequired[str | None]
    shortcomings: NotRequired[str | None]
    exchange: NotRequired[str | None]
    private_notes: NotRequired[str | None]
    follow_ups: NotRequired[list[FollowUpShape]]


class CoverageShape(TypedDict):
    """Who has talked with whom, and who is still missing."""

    mode: Coverage
    people: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    missing: list[dict[str, str]]


def follow_up_shape(row: TalkFollowUp) -> FollowUpShape:
    return {
        "id": row.id,
        "due_on": row.due_on,
        "what": row.what,
        "done_on": row.done_on,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
    }


def talk_shaper(request: Request) -> Callable[[Talk], TalkShape]:
    """Talks without the fields that this reader does not see."""
    secretary = secretaries(request.session, [request.process.id]).get(request.process.id)

    def shape(row: Talk) -> TalkShape:
        hidden = hidden_from(request.by, row, request.process.branch.code, secretary.staff_no if secretary else None)
        whole: TalkShape = {
            "held_on": row.held_on,
            "talker": row.talker,
            "partner": row.partner,
            "way": row.way,
            "place": row.place,
            "focus": row.focus,
            "focus_reason": row.focus_reason,
            "opinions_branch": row.opinions_branch,
            "opinions_committee": row.opinions_committee,
            "affirmed": row.affirmed,
            "shortcomings": row.shortcomings,
            "exchange": row.exchange,
            "private_notes": row.private_notes,
            "follow_ups": [follow_up_shape(each) for each in row.follow_ups],
            **record_shape(row),
        }
        return cast(TalkShape, {name: value for name, value in whole.items() if name not in hidden})

    return shape


TALKS = Collection(
    name="talks",
    model=Talk,
    stage=Stage.TALKS,
    body=TalkBody,
    answers=TalkShape,
    shaper=talk_shaper,
    record=record_talk,
    amend=amend_talk,
    read=Action.READ_TALKS,
    write=Action.RECORD_TALK,
    visible=lambda request: visible_talks(request.by, request.process.branch.code),
    may_write=lambda request, row: may_write(request.by, request.process, row.talker),
)
ONE = f"{BRANCH}/talks/<{NUMBER}:record_id>"

routes: Routes = collection_routes(TALKS)


@routes.get(f"{BRANCH}/talks/coverage", action=Action.READ_PROCESS, answers=CoverageShape)
def read_coverage(request: Request) -> Any:
    """Who has talked with whom, and who is still missing, in the reading of this year."""
    matrix = coverage(request.session, request.process)
    return {
        "mode": matrix.mode,
        "people": [
            {"staff_no": person.staff_no, "name": person.name, "leads": person.leads, "on_committee": person.on_committee} for person in matrix.people
        ],
        "pairs": [{"a": a, "b": b, "talks": n} for a, b, n in matrix.pairs],
        "missing": [{"a": a, "b": b} for a, b in matrix.missing],
    }


@routes.post(
    f"{ONE}/follow-ups", action=Action.RECORD_TALK, lock=Lock.EVIDENCE, find=TALKS.held, body=FollowUpBody, answers=FollowUpShape, status=201
)
def add_follow_up(request: Request, talk: Talk, body: dict[str, Any]) -> Any:
    """Promise help, with its day. It never closes."""
    row = record_follow_up(request.session, request.process, talk, body, by=request.by, now=request.now)
    return Answer(follow_up_shape(row), 201, location=f"{address_of(request.process)}/talks/{talk.id}")


def _follow_up(request: Request, record_id: int, follow_up_id: int) -> tuple[Talk, TalkFollowUp]:
    talk = TALKS.held(request, record_id=record_id)
    return talk, follow_up_of(talk, follow_up_id)


@routes.post(
    f"{ONE}/follow-ups/<{NUMBER}:follow_up_id>/done",
    action=Action.RECORD_TALK,
    lock=Lock.EVIDENCE,
    find=_follow_up,
    body=DoneBody,
    answers=FollowUpShape,
)
def end_follow_up(request: Request, found: tuple[Talk, TalkFollowUp], body: dict[str, Any]) -> Any:
    """Note that the help was given."""
    talk, row = found
    finish_follow_up(request.session, request.process, talk, row, on=body["on"], by=request.by, now=request.now)
    return follow_up_shape(row)
