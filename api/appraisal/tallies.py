"""What ballots on paper came to, entered by two tellers (计票)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NotRequired, cast

from api.frame.base import Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.meetings.tallies import Tally, TallyBody, amend_tally, band, enter_tally, may_withdraw, sees_counts, visible_tallies
from workflow.foundation.vocabulary import Stage, TallySubject
from workflow.people.access import Action


class TallyShape(RecordShape):
    """What a ballot came to. Numbers are left out for who may not know them yet; with few raters the branch reads bands instead of votes."""

    subject: TallySubject
    issued: NotRequired[int]
    returned: NotRequired[int]
    valid: NotRequired[int]
    void: NotRequired[int]
    counts: NotRequired[dict[str, Any]]
    bands: NotRequired[bool]
    """Whether ``counts`` holds bands: 三分之二以上、过半数、未过半数."""
    tellers: list[str]
    counted_at: datetime | None


def tally_shaper(request: Request) -> Callable[[Tally], TallyShape]:
    def shape(row: Tally) -> TallyShape:
        tellers = [row.recorded_by, *([row.counted_by] if row.counted_by else [])]
        typed_it = request.by.staff_no in tellers
        exact = typed_it or sees_counts(request.by, request.process, row.valid)
        counts: dict[str, Any] = {name: votes if exact else banded(votes, row.valid) for name, votes in row.figures.items()}
        if row.subject is TallySubject.COMMITTEE:
            counts["comments"] = row.comments
        whole: TallyShape = {
            "subject": row.subject,
            "issued": row.issued,
            "returned": row.returned,
            "valid": row.valid,
            "void": row.void,
            "counts": counts,
            "bands": not exact,
            "tellers": tellers,
            "counted_at": row.counted_at,
            **record_shape(row),
        }
        known = row.counted_at is not None or typed_it
        return whole if known else cast(TallyShape, {name: value for name, value in whole.items() if name not in FIGURES})

    return shape


FIGURES = ("issued", "returned", "valid", "void", "counts", "bands")


def banded(votes: Mapping[str, int], valid: int) -> dict[str, str]:
    """Votes as bands."""
    return {name: band(count, valid) for name, count in votes.items()}


TALLIES = Collection(
    name="tallies",
    model=Tally,
    stage=Stage.SELF_REVIEW,
    body=TallyBody,
    answers=TallyShape,
    shaper=tally_shaper,
    record=enter_tally,
    amend=amend_tally,
    read=Action.READ_TALLIES,
    write=Action.ENTER_TALLY,
    visible=lambda request: visible_tallies(request.by, request.process.branch.code),
    may_write=lambda request, row: may_withdraw(request.by, request.process, row),
)

routes: Routes = collection_routes(TALLIES)
