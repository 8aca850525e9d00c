"""Ratings, their feedback and acknowledgement, the quota, the patterns (评定)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import select
from typing_extensions import TypedDict

from api.appraisal.self_reviews import AttendanceShape, attendance_shape
from api.frame.address import BRANCH
from api.frame.base import Request, Routes
from api.frame.records import BY_STAFF_NO, Collection, collection_routes
from api.frame.shapes import Items, PersonShape, RecordShape, record_shape
from workflow.appraisal.meetings.tallies import band, sees_counts
from workflow.appraisal.rating.patterns import Concerned, patterns_of
from workflow.appraisal.rating.quota import quota_of
from workflow.appraisal.rating.ratings import (
    AcknowledgeBody,
    FeedbackBody,
    Rating,
    RatingBody,
    acknowledge,
    amend_rating,
    give_feedback,
    members_tally,
    record_rating,
    visible_ratings,
)
from workflow.appraisal.self_review.self_reviews import SelfReview, attendance_of
from workflow.foundation.vocabulary import FeedbackWay, Level, Stage
from workflow.people.access import Action
from workflow.rules.evidence import record_of_member
from workflow.year.cycle import Lock


class FeedbackShape(TypedDict):
    """When and how the opinion was told to the member."""

    given_on: date
    way: FeedbackWay


class AcknowledgedShape(TypedDict):
    """When the member confirmed that he was told, and what he added."""

    at: datetime
    remark: str | None


class VotesShape(TypedDict):
    """What the ballot said of a member: votes, or bands (三分之二以上、过半数、未过半数) where few voted."""

    excellent: int | str
    qualified: int | str
    basic: int | str
    unqualified: int | str
    abstain: int | str


class RatingShape(RecordShape):
    """A rating, with what it should be weighed against beside it. The ballot is not for the member himself."""

    staff_no: str
    level: Level | None
    not_rated_reason: str | None
    opinion: str | None
    reason: str | None
    feedback: FeedbackShape | None
    acknowledged: AcknowledgedShape | None
    tally: VotesShape | None
    facts: AttendanceShape
    self_level: Level | None


def rating_shaper(request: Request) -> Callable[[Rating], RatingShape]:
    """Ratings with votes, attendance and self-review, each asked once for all of them."""
    session, process = request.session, request.process
    attendance = cache(lambda: attendance_of(session, process.id))
    votes = cache(lambda: _votes(request))
    levels = cache(lambda: _self_levels(request))

    def shape(row: Rating) -> RatingShape:
        told = None if row.feedback_on is None or row.feedback_way is None else FeedbackShape(given_on=row.feedback_on, way=row.feedback_way)
        return {
            "staff_no": row.staff_no,
            "level": row.level,
            "not_rated_reason": row.not_rated_reason,
            "opinion": row.opinion,
            "reason": row.reason,
            "feedback": told,
            "acknowledged": None if row.acknowledged_at is None else {"at": row.acknowledged_at, "remark": row.remark},
            "tally": votes().get(row.staff_no),
            "facts": attendance_shape(attendance()[row.staff_no]),
            "self_level": levels().get(row.staff_no),
            **record_shape(row),
        }

    return shape


def _votes(request: Request) -> dict[str, Any]:
    """What the ballot said of each member, as far as this reader may know it."""
    tally = None if request.by.plain_member(request.process.branch.code) else members_tally(request.session, request.process.id)
    if tally is None:
        return {}
    if sees_counts(request.by, request.process, tally.valid):
        return dict(tally.figures)
    return {staff_no: {name: band(count, tally.valid) for name, count in votes.items()} for staff_no, votes in tally.figures.items()}


def _self_levels(request: Request) -> dict[str, Level | None]:
    """What each wrote of himself, once he has submitted it."""
    submitted = (SelfReview.process_id == request.process.id, SelfReview.counts, SelfReview.submitted)
    return {row.staff_no: row.level for row in request.session.scalars(select(SelfReview).where(*submitted))}


RATINGS: Collection[Rating] = Collection(
    name="ratings",
    model=Rating,
    stage=Stage.RATING,
    body=RatingBody,
    answers=RatingShape,
    shaper=rating_shaper,
    record=record_rating,
    amend=amend_rating,
    read=Action.READ_RATINGS,
    write=Action.RATE,
    key=BY_STAFF_NO,
    visible=lambda request: visible_ratings(request.by, request.process.branch.code),
)

routes: Routes = collection_routes(RATINGS)


@routes.post(f"{RATINGS.single}/feedback", action=Action.RATE, lock=Lock.EVIDENCE, find=RATINGS.held, body=FeedbackBody, answers=RatingShape)
def tell_member(request: Request, row: Rating, body: dict[str, Any]) -> Any:
    """Note that the opinion was told to the member, on which day and how."""
    give_feedback(request.session, request.process, row, body, by=request.by, now=request.now)
    return RATINGS.answer(request, row)


def _to_acknowledge(request: Request, staff_no: str) -> Rating:
    """A member finds his own here before he was told of it, to learn that he was not yet."""
    own = staff_no == request.by.staff_no
    visible = None if own else visible_ratings(request.by, request.process.branch.code)
    return record_of_member(request.session, Rating, request.process.id, staff_no, visible=visible, held=True)


@routes.post(
    f"{RATINGS.single}/acknowledge",
    action=Action.ACKNOWLEDGE,
    lock=Lock.EVIDENCE,
    find=_to_acknowledge,
    body=AcknowledgeBody,
    answers=RatingShape,
)
def acknowledge_rating(request: Request, row: Rating, body: dict[str, Any]) -> Any:
    """The member confirms that he was told. It never closes."""
    acknowledge(request.session, row, remark=body.get("remark"), by=request.by, now=request.now)
    return RATINGS.answer(request, row)


# ── the quota and the patterns ────────────────────────────────────────────────────────────────────────────────────────


class QuotaShape(TypedDict):
    """How many may be excellent, and how many are."""

    ratio: str
    base: str
    base_count: int
    rounding: str
    allowed: int
    excellent: int
    over: int
    """How many more than the quota allows."""
    approved: int | None
    """How many a reason covers that stands and has what approval it needs."""


@routes.get(f"{BRANCH}/ratings/quota", action=Action.READ_PROCESS, answers=QuotaShape)
def read_quota(request: Request) -> Any:
    """How the branch stands to the quota of the year."""
    quota = quota_of(request.session, request.process)
    return {**asdict(quota), "over": quota.over}


class ConcernedShape(PersonShape):
    """Somebody in a pattern: his level, and the levels that most voted for, unless so few voted that only bands are told."""

    level: Level
    most: list[Level]


class PatternShape(TypedDict):
    """What may look like 好人主义 or 平衡照顾, with the people in it."""

    pattern: str
    name: str
    people: list[ConcernedShape]


def concerned_shape(one: Concerned, *, exact: bool) -> ConcernedShape:
    return {"staff_no": one.staff_no, "name": one.name, "level": one.level, "most": list(one.most) if exact else []}


@routes.get(f"{BRANCH}/ratings/patterns", action=Action.READ_PATTERNS, answers=Items[PatternShape])
def read_patterns(request: Request) -> Any:
    """The patterns of the ratings, for secretary and deputy alone."""
    found, tally = patterns_of(request.session, request.process), members_tally(request.session, request.process.id)
    exact = tally is not None and sees_counts(request.by, request.process, tally.valid)
    return {"items": [{"pattern": each, "name": each.zh, "people": [concerned_shape(one, exact=exact) for one in people]} for each, people in found]}
