"""Self-reviews (个人自评)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from typing_extensions import TypedDict

from api.frame.base import Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.self_review.self_reviews import (
    Participation,
    SelfReview,
    SelfReviewBody,
    amend_self_review,
    attendance_of,
    may_write,
    record_self_review,
    visible_self_reviews,
)
from workflow.foundation.vocabulary import Level, Stage
from workflow.people.access import Action


class AttendanceShape(TypedDict):
    """How often somebody took part in what his branch held."""

    studies: int
    studied: int
    made_up: int
    meetings: int
    attended: int


class SelfReviewShape(RecordShape):
    """A self-review, with the member's own attendance beside aspect A6."""

    staff_no: str
    aspects: dict[str, str]
    level: Level | None
    submitted: bool
    attendance: AttendanceShape


def attendance_shape(row: Participation) -> AttendanceShape:
    return {"studies": row.studies, "studied": row.studied, "made_up": row.made_up, "meetings": row.meetings, "attended": row.attended}


def self_review_shaper(request: Request) -> Callable[[SelfReview], SelfReviewShape]:
    attendance = cache(lambda: attendance_of(request.session, request.process.id))

    def shape(row: SelfReview) -> SelfReviewShape:
        return {
            "staff_no": row.staff_no,
            "aspects": row.aspects,
            "level": row.level,
            "submitted": row.submitted,
            "attendance": attendance_shape(attendance()[row.staff_no]),
            **record_shape(row),
        }

    return shape


SELF_REVIEWS: Collection[Any] = Collection(
    name="self-reviews",
    model=SelfReview,
    stage=Stage.SELF_REVIEW,
    body=SelfReviewBody,
    answers=SelfReviewShape,
    shaper=self_review_shaper,
    record=record_self_review,
    amend=amend_self_review,
    read=Action.READ_SELF_REVIEWS,
    write=Action.RECORD_SELF_REVIEW,
    visible=lambda request: visible_self_reviews(request.by, request.process.branch.code),
    may_write=lambda request, row: may_write(request.by, request.process, row.staff_no),
)

routes: Routes = collection_routes(SELF_REVIEWS)
