"""Commitments, publications and filings (整改承诺、公开、报备)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import BRANCH, NUMBER
from api.frame.base import Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.rectification.commitments import (
    Commitment,
    CommitmentBody,
    amend_commitment,
    may_commit,
    record_commitment,
    visible_commitments,
)
from workflow.appraisal.rectification.publications import (
    FilingBody,
    Publication,
    PublicationBody,
    RectificationFiling,
    amend_filing,
    amend_publication,
    confirm_receipt,
    record_filing,
    record_publication,
)
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action
from workflow.year.cycle import Lock


class CommitmentShape(RecordShape):
    """What a member promises to mend; ``problem`` in his words, or the number of one in the ledger."""

    staff_no: str
    problem: str | int | None
    text: str
    due_on: date | None


_PublicationDays = TypedDict("_PublicationDays", {"from": date, "to": date | None})
"""``from`` is a word of Python's."""


class PublicationShape(_PublicationDays, RecordShape):
    """Where and when the measures are shown."""

    place: str | None


class FilingShape(RecordShape):
    """The measures were sent up, and the receipt."""

    to: str
    sent_on: date
    received_by: str | None
    received_at: datetime | None


def commitment_shape(row: Commitment) -> CommitmentShape:
    problem = row.problem_text if row.problem_id is None else row.problem_id
    return {"staff_no": row.staff_no, "problem": problem, "text": row.text, "due_on": row.due_on, **record_shape(row)}


def publication_shape(row: Publication) -> PublicationShape:
    return {"place": row.place, "from": row.from_on, "to": row.to_on, **record_shape(row)}


def filing_shape(row: RectificationFiling) -> FilingShape:
    return {"to": row.sent_to, "sent_on": row.sent_on, "received_by": row.received_by, "received_at": row.received_at, **record_shape(row)}


COMMITMENTS = Collection(
    name="commitments",
    model=Commitment,
    stage=Stage.RECTIFICATION,
    body=CommitmentBody,
    answers=CommitmentShape,
    shaper=lambda request: commitment_shape,
    record=record_commitment,
    amend=amend_commitment,
    read=Action.READ_COMMITMENTS,
    write=Action.COMMIT,
    visible=lambda request: visible_commitments(request.by, request.process.branch.code),
    may_write=lambda request, row: may_commit(request.session, request.process, request.by, row.staff_no),
)
PUBLICATIONS = Collection(
    name="publications",
    model=Publication,
    stage=Stage.RECTIFICATION,
    body=PublicationBody,
    answers=PublicationShape,
    shaper=lambda request: publication_shape,
    record=record_publication,
    amend=amend_publication,
    read=Action.READ_PROCESS,
    write=Action.RECTIFY,
)
FILINGS = Collection(
    name="rectification-filings",
    model=RectificationFiling,
    stage=Stage.RECTIFICATION,
    body=FilingBody,
    answers=FilingShape,
    shaper=lambda request: filing_shape,
    record=record_filing,
    amend=amend_filing,
    read=Action.READ_PROCESS,
    write=Action.RECTIFY,
)

routes: Routes = Routes([*collection_routes(COMMITMENTS), *collection_routes(PUBLICATIONS), *collection_routes(FILINGS)])


@routes.post(
    f"{BRANCH}/rectification-filings/<{NUMBER}:record_id>/receive",
    action=Action.CONFIRM_RECEIPT,
    lock=Lock.EVIDENCE,
    find=FILINGS.held,
    answers=FilingShape,
)
def receive(request: Request, row: RectificationFiling) -> Any:
    """The office confirms that it has the measures. It never closes."""
    confirm_receipt(request.session, row, by=request.by, now=request.now)
    return FILINGS.answer(request, row)
