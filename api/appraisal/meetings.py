"""Meetings and the confirmation of their minutes (会议记录)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NotRequired

from typing_extensions import TypedDict

from api.frame.address import BRANCH, NUMBER
from api.frame.base import Request, Routes
from api.frame.records import Collection, collection_routes
from api.frame.shapes import RecordShape, record_shape
from workflow.appraisal.meetings.meetings import Meeting, MeetingBody, amend_meeting, confirm_minutes, record_meeting, visible_meetings
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose
from workflow.people.access import Action
from workflow.year.cycle import Lock


class AbsenceShape(TypedDict):
    """Who was not there, and why."""

    staff_no: str
    reason: str | None


class CriticismShape(TypedDict):
    """One line of criticism."""

    speaker: str
    about: str
    matter: str | None
    shown: str | None
    improve: str | None


class VoteShape(TypedDict):
    """The vote of a deciding meeting."""

    yes: int
    no: int
    abstain: int


class ConfirmedShape(TypedDict):
    """When the minutes were confirmed, by each of the two."""

    chair: datetime | None
    recorder: datetime | None


class MeetingShape(RecordShape):
    """A meeting and its minutes."""

    purpose: MeetingPurpose
    form: MeetingForm
    group: str | None
    held_on: date
    place: str | None
    chair: str | None
    recorder: str | None
    theme: str
    agenda: list[str]
    present: list[str]
    absent: list[AbsenceShape]
    criticisms: list[CriticismShape]
    criticised: NotRequired[dict[str, int]]
    """How often each was criticised: for the chair alone (M5)."""
    duty_report: str | None
    rectification_report: str | None
    vote: VoteShape | None
    minutes: str | None
    confirmed: ConfirmedShape


def meeting_shaper(request: Request) -> Callable[[Meeting], MeetingShape]:
    def shape(row: Meeting) -> MeetingShape:
        whole: MeetingShape = {
            "purpose": row.purpose,
            "form": row.form,
            "group": row.group_name,
            "held_on": row.held_on,
            "place": row.place,
            "chair": row.chair,
            "recorder": row.recorder,
            "theme": row.theme,
            "agenda": row.agenda,
            "present": row.present,
            "absent": [{"staff_no": each.staff_no, "reason": each.reason} for each in row.attendance if not each.present],
            "criticisms": [
                {"speaker": each.speaker, "about": each.about, "matter": each.matter, "shown": each.shown, "improve": each.improve}
                for each in row.criticisms
            ],
            "criticised": dict(sorted(Counter(each.about for each in row.criticisms).items())),
            "duty_report": row.duty_report,
            "rectification_report": row.rectification_report,
            "vote": None
            if row.vote_yes is None or row.vote_no is None or row.vote_abstain is None
            else {"yes": row.vote_yes, "no": row.vote_no, "abstain": row.vote_abstain},
            "minutes": row.minutes,
            "confirmed": {"chair": row.chair_confirmed_at, "recorder": row.recorder_confirmed_at},
            **record_shape(row),
        }
        if request.by.staff_no != row.chair:
            del whole["criticised"]
        return whole

    return shape


MEETINGS = Collection(
    name="meetings",
    model=Meeting,
    stage=lambda row: row.stage,
    body=MeetingBody,
    answers=MeetingShape,
    shaper=meeting_shaper,
    record=record_meeting,
    amend=amend_meeting,
    read=Action.READ_MEETINGS,
    write=Action.RECORD_MEETING,
    visible=lambda request: visible_meetings(request.by, request.process.branch.code),
)

routes: Routes = collection_routes(MEETINGS)


@routes.post(
    f"{BRANCH}/meetings/<{NUMBER}:record_id>/confirm",
    action=Action.CONFIRM_MINUTES,
    lock=Lock.EVIDENCE,
    find=MEETINGS.held,
    answers=MeetingShape,
)
def confirm(request: Request, row: Meeting) -> Any:
    """Recorder or chair confirms the minutes, each for himself."""
    confirm_minutes(request.session, request.process, row, by=request.by, now=request.now)
    return MEETINGS.answer(request, row)
