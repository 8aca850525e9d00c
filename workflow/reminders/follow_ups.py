"""Help that was promised in a talk and is due (后续帮助到期).

The people who talked or recorded it are told, never to whom it was promised or what it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session, join

from workflow.appraisal.talks.talks import Talk, TalkFollowUp
from workflow.foundation.database import any_of
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import CycleStatus
from workflow.mail.letters import FollowUpDue
from workflow.reminders.counted import counted
from workflow.reminders.due import ReminderSource, TickMoment, Topic
from workflow.reminders.when import days_ahead, follow_up_step
from workflow.year.cycle import Cycle, Participant

KIND = "follow-up-"


def _derive(session: Session, at: TickMoment) -> Iterator[Topic]:
    published = Cycle.status == CycleStatus.PUBLISHED
    ahead = days_ahead(at.now)
    days = [day for day in ahead if follow_up_step(day, at.now, at.overrides) is not None]
    near = any_of(TalkFollowUp.due_on, days)
    return counted(
        session,
        at,
        FollowUpDue,
        what=Words("后续帮助到期", "promised help is due"),
        kind=lambda step: f"{KIND}{step}",
        step_of=lambda day, cycle_id: follow_up_step(day, at.now, at.overrides),
        record=TalkFollowUp,
        day=TalkFollowUp.due_on,
        owner=Participant.staff_no.in_((Talk.talker, TalkFollowUp.recorded_by)),
        where=(published, Talk.counts, TalkFollowUp.done_on.is_(None), near),
        source=join(TalkFollowUp, Talk, Talk.id == TalkFollowUp.talk_id),
    )


FOLLOW_UPS = ReminderSource((KIND,), _derive)
