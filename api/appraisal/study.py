"""Study sessions and make-ups (集中学习)."""

from __future__ import annotations

from api.frame.address import location
from api.frame.records import single, tag_of
from api.frame.routes import Answer, Routes
from api.frame.shapes import whole_of
from workflow.appraisal.study.sessions import MAKE_UP, MAKE_UP_MANY, MAKE_UPS, SESSIONS, StudyMakeUp
from workflow.rules.acts import Call, Done

routes = Routes(tag=tag_of(SESSIONS))


@routes.post(f"{single(SESSIONS)}/make-ups", MAKE_UP, status=201)
def make_up(call: Call[object], row: StudyMakeUp) -> object:
    """Record that somebody who was absent has made the session up. It never closes."""
    return Answer(MAKE_UPS.shown(row), location=location(single(SESSIONS), call.process, record_id=row.session_id))


@routes.post(f"{single(SESSIONS)}/make-ups/bulk", MAKE_UP_MANY, answers=whole_of(MAKE_UPS))
def make_up_many(call: Call[object], done: Done) -> object:
    """Record that many who were absent have made the session up, all or none."""
    return {"items": [*map(MAKE_UPS.shown, done.rows)]}
