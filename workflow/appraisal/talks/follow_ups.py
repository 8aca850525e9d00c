"""后续帮助 (follow-ups): help that was promised in a talk, and what became of it. It gates nothing and never closes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.appraisal.talks.talks import Talk, TalkFollowUp, _reads_notes
from workflow.foundation.errors import Conflict, Forbidden, Invalid, NotFound, Words
from workflow.foundation.fields import Body, Day, LongText
from workflow.people.access import Caller
from workflow.rules.evidence import must_have_happened
from workflow.year.cycle import Process


class FollowUpBody(Body):
    """A follow-up as it is sent."""

    due_on = Day(required=True)
    what = LongText(required=True, at_most=2000)


def may_follow_up(session: Session, process: Process, talk: Talk, by: Caller) -> None:
    """Follow-ups are for who reads them. Raises Forbidden."""
    if not _reads_notes(session, process, by, talk.talker, talk.partner):
        raise Forbidden(Words("后续帮助由主谈人或书记登记", "follow-ups are recorded by the talker or the secretary"))


def record_follow_up(session: Session, process: Process, talk: Talk, body: Mapping[str, Any], *, by: Caller, now: datetime) -> TalkFollowUp:
    """Promise help with a day. Raises Forbidden, Conflict, Invalid."""
    if body["due_on"] < talk.held_on:
        raise Invalid({"due_on": Words(f"不能早于谈话日期 {talk.held_on}", f"must not be before the talk on {talk.held_on}")})
    may_follow_up(session, process, talk, by)
    if not talk.counts:
        raise Conflict(Words("这次谈话的记录已撤回或退回", "this talk was withdrawn or rejected"))
    row = TalkFollowUp(
        talk_id=talk.id, process_id=process.id, due_on=body["due_on"], what=body["what"], recorded_by=by.staff_no, recorded_at=now, done_on=None
    )
    talk.follow_ups.append(row)
    session.flush()
    return row


def follow_up_of(talk: Talk, follow_up_id: int) -> TalkFollowUp:
    """One follow-up of a talk. Raises NotFound."""
    row = next((each for each in talk.follow_ups if each.id == follow_up_id), None)
    if row is None:
        raise NotFound
    return row


def finish_follow_up(session: Session, process: Process, talk: Talk, row: TalkFollowUp, *, on: date, by: Caller, now: datetime) -> None:
    """Note that the help was given. Raises Forbidden, Invalid."""
    must_have_happened("on", on, now)
    may_follow_up(session, process, talk, by)
    row.done_on = on
    session.flush()
