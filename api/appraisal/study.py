"""Study sessions and make-ups (集中学习)."""

from __future__ import annotations

from api.frame.address import location
from api.frame.records import single
from api.frame.routes import Answer, Routes
from workflow.appraisal.study.sessions import MAKE_UP, MAKE_UPS, SESSIONS, StudyMakeUp
from workflow.rules.acts import Call

routes = Routes()


@routes.post(f"{single(SESSIONS)}/make-ups", MAKE_UP, status=201)
def make_up(call: Call[object], row: StudyMakeUp) -> object:
    """Record that somebody who was not there has made this session up. It never closes."""
    return Answer(MAKE_UPS.shown(row), location=location(single(SESSIONS), call.process, record_id=row.session_id))
