"""Commitments, publications and filings (整改承诺、公开、报备)."""

from __future__ import annotations

from api.frame.records import single, tag_of
from api.frame.routes import Routes
from workflow.appraisal.rectification.publications import FILINGS, RECEIVE, RectificationFiling
from workflow.rules.acts import Call

routes = Routes(tag=tag_of(FILINGS))


@routes.post(f"{single(FILINGS)}/receive", RECEIVE)
def receive(call: Call[object], row: RectificationFiling) -> object:
    """Confirm as the office that it has received the measures. It never closes."""
    return FILINGS.seen_by(call)(row)
