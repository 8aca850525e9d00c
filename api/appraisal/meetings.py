"""Meetings and the confirmation of their minutes (会议记录)."""

from __future__ import annotations

from api.frame.records import single, tag_of
from api.frame.routes import Routes
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.recording import CONFIRM, MEETINGS
from workflow.rules.acts import Call

routes = Routes(tag=tag_of(MEETINGS))


@routes.post(f"{single(MEETINGS)}/confirm", CONFIRM, answers=MEETINGS.schema)
def confirm(call: Call[object], row: Meeting) -> object:
    """Confirm the minutes as their recorder or as their chair."""
    return MEETINGS.seen_by(call)(row)
