"""后续帮助 (follow-ups): help that was promised in a talk, and its result.

It blocks nothing, and no stage closes it.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from workflow.appraisal.talks.talks import TALKS, FollowUpSchema, Talk, TalkFollowUp, reads_notes
from workflow.foundation.errors import Conflict, Forbidden, Invalid, NotFound, Words
from workflow.foundation.fields import (
    Body,
    Day,
    Sent,
    about,
)
from workflow.people.access import Action, Caller
from workflow.rules.acts import Act, Call
from workflow.rules.evidence import must_have_happened
from workflow.year.cycle import Process


class DoneSchema(Body):
    """The day on which the help was given."""

    on = Day(required=True, **about("办成日期", "day", "哪一天办成的", "the day on which it was done", example="2024-12-19"))


def may_follow_up(session: Session, process: Process, talk: Talk, by: Caller) -> None:
    """Let only readers of the private notes write follow-ups. Raises Forbidden."""
    if not reads_notes(by, talk.talker, talk.partner, process.branch.code, with_secretary=talk.with_secretary):
        raise Forbidden(Words("后续帮助由主谈人或书记登记", "follow-ups are recorded by the talker or the secretary"))


def record_follow_up(session: Session, process: Process, talk: Talk, body: Sent, *, by: Caller, now: datetime) -> TalkFollowUp:
    """Record promised help with its day. Raises Forbidden, Conflict, Invalid."""
    _must_not_be_before(talk, "due_on", body["due_on"])
    may_follow_up(session, process, talk, by)
    if not talk.counts:
        raise Conflict(Words("这次谈话的记录已撤回或退回", "this talk was withdrawn or rejected"))
    row = TalkFollowUp(
        talk_id=talk.id, process_id=process.id, due_on=body["due_on"], what=body["what"], recorded_by=by.staff_no, recorded_at=now, done_on=None
    )
    talk.follow_ups.append(row)
    session.flush()
    return row


def _must_not_be_before(talk: Talk, field: str, day: date) -> None:
    if day < talk.held_on:
        raise Invalid({field: Words(f"不能早于谈话日期 {talk.held_on}", f"must not be before the talk on {talk.held_on}")})


def follow_up_of(talk: Talk, follow_up_id: int) -> TalkFollowUp:
    """Find one follow-up of a talk. Raises NotFound."""
    row = next((each for each in talk.follow_ups if each.id == follow_up_id), None)
    if row is None:
        raise NotFound
    return row


def finish_follow_up(session: Session, process: Process, talk: Talk, row: TalkFollowUp, *, on: date, by: Caller, now: datetime) -> None:
    """Note that the help was given. Raises Forbidden, Invalid."""
    must_have_happened("on", on, now)
    _must_not_be_before(talk, "on", on)
    may_follow_up(session, process, talk, by)
    row.done_on = on
    session.flush()


FOLLOW_UPS = FollowUpSchema()
FOLLOW_UP: Act[Talk, TalkFollowUp] = TALKS.act(
    "record_follow_up",
    "登记谈话后的帮助",
    "promise help",
    lambda call, sent: record_follow_up(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.RECORD_TALK,
    on=TALKS.held,
    sends=FOLLOW_UPS,
    shows=FOLLOW_UPS,
    closes=(),
)


def _found(call: Call[object], record_id: int, follow_up_id: int) -> tuple[Talk, TalkFollowUp]:
    talk = TALKS.held(call, record_id=record_id)
    return talk, follow_up_of(talk, follow_up_id)


def _finish(call: Call[tuple[Talk, TalkFollowUp]], sent: Sent) -> TalkFollowUp:
    talk, row = call.on
    finish_follow_up(call.session, call.process, talk, row, on=sent["on"], by=call.by, now=call.now)
    return row


FINISH_FOLLOW_UP: Act[tuple[Talk, TalkFollowUp], TalkFollowUp] = TALKS.act(
    "finish_follow_up",
    "办成谈话后的帮助",
    "note that help was given",
    _finish,
    action=Action.RECORD_TALK,
    on=_found,
    sends=DoneSchema(),
    shows=FOLLOW_UPS,
    closes=(),
)
ACTS = (FOLLOW_UP, FINISH_FOLLOW_UP)
