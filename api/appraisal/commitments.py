"""Commitments, publications and filings (整改承诺、公开、报备)."""

from __future__ import annotations

from api.frame.address import location
from api.frame.records import single, tag_of
from api.frame.routes import Answer, Routes
from workflow.appraisal.ledger import CommitmentProgress
from workflow.appraisal.rectification.commitments import COMMITMENTS, RECORD_KEEPING
from workflow.appraisal.rectification.progress import PROGRESS
from workflow.appraisal.rectification.publications import FILINGS, RECEIVE, RectificationFiling
from workflow.rules.acts import Call

routes = Routes(tag=tag_of(FILINGS))
commitments = Routes(tag=tag_of(COMMITMENTS))


@routes.post(f"{single(FILINGS)}/receive", RECEIVE)
def receive(call: Call[object], row: RectificationFiling) -> object:
    """Confirm as the office that it has received the measures. It never closes."""
    return FILINGS.seen_by(call)(row)


@commitments.post(f"{single(COMMITMENTS)}/progress", RECORD_KEEPING, status=201)
def add_keeping(call: Call[object], row: CommitmentProgress) -> object:
    """Note how far a commitment is kept. It never closes."""
    return Answer(PROGRESS.shown(row), location=location(single(COMMITMENTS), call.process, record_id=row.commitment_id))
