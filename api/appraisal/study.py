"""Study sessions and make-ups (集中学习)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import BRANCH, NUMBER, address_of
from api.frame.base import Answer, Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.study.sessions import (
    MakeUpBody,
    StudyMakeUp,
    StudySession,
    StudySessionBody,
    amend_study_session,
    record_make_up,
    record_study_session,
)
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action
from workflow.year.cycle import Lock


class MakeUpShape(TypedDict):
    """Somebody has made a session up."""

    id: int
    staff_no: str
    on: date
    how: str | None
    recorded_by: str
    recorded_at: datetime


class StudySessionShape(RecordShape):
    """A session, with who was there and who has made it up."""

    held_on: date
    form: str | None
    titles: list[str]
    present: list[str]
    exchange: str | None
    make_ups: list[MakeUpShape]


def make_up_shape(row: StudyMakeUp) -> MakeUpShape:
    return {
        "id": row.id,
        "staff_no": row.staff_no,
        "on": row.made_up_on,
        "how": row.how,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
    }


def session_shape(row: StudySession) -> StudySessionShape:
    return {
        "held_on": row.held_on,
        "form": row.form,
        "titles": row.titles,
        "present": [each.staff_no for each in row.attendance],
        "exchange": row.exchange,
        "make_ups": [make_up_shape(each) for each in row.make_ups],
        **record_shape(row),
    }


SESSIONS = Collection(
    name="study-sessions",
    model=StudySession,
    stage=Stage.STUDY,
    body=StudySessionBody,
    answers=StudySessionShape,
    shaper=lambda request: session_shape,
    record=record_study_session,
    amend=amend_study_session,
    read=Action.READ_PROCESS,
    write=Action.RECORD_STUDY,
)

routes: Routes = collection_routes(SESSIONS)


@routes.post(
    f"{BRANCH}/study-sessions/<{NUMBER}:record_id>/make-ups",
    action=Action.RECORD_STUDY,
    lock=Lock.EVIDENCE,
    find=SESSIONS.held,
    body=MakeUpBody,
    answers=MakeUpShape,
    status=201,
)
def make_up(request: Request, session: StudySession, body: dict[str, Any]) -> Any:
    """Record that somebody who was not there has made this session up. It never closes."""
    row = record_make_up(request.session, request.process, session, body, by=request.by, now=request.now)
    return Answer(make_up_shape(row), 201, location=f"{address_of(request.process)}/study-sessions/{session.id}")
