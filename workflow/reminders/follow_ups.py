"""Help that was promised in a talk and is due (后续帮助到期): told to who talked and who recorded it, never to whom or what."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.appraisal.talks import Talk, TalkFollowUp
from workflow.calendar import Overrides
from workflow.cycle import Cycle, Participant, Process
from workflow.database import any_of
from workflow.mail import letters
from workflow.mail.letters import FOLLOW_UP
from workflow.mail.outbox import reminder_of
from workflow.people.organisation import Branch, Person
from workflow.reminders.due import Due
from workflow.reminders.when import days_ahead, follow_up_step, reason_of, remark_of
from workflow.vocabulary import SCHOOL_ZONE, CycleStatus, Kind


def of_follow_ups(session: Session, now: datetime, overrides: Overrides, base_url: str) -> list[Due]:
    """One letter for all that is due on a day, to each who talked or recorded it and is still in the branch."""
    steps = {day: step for day in days_ahead(now) if (step := follow_up_step(day, now, overrides)) is not None}
    rows = session.execute(
        select(Participant, Person.email, TalkFollowUp.id.label("follow_up"), TalkFollowUp.due_on, Cycle.id.label("cycle_id"), Cycle.year, Branch)
        .join(Talk, Talk.id == TalkFollowUp.talk_id)
        .join(Process, Process.id == TalkFollowUp.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(Branch, Branch.id == Process.branch_id)
        .join(Participant, Participant.process_id == Process.id)
        .join(Person, Person.id == Participant.person_id)
        .where(
            Cycle.status == CycleStatus.PUBLISHED,
            Talk.counts,
            TalkFollowUp.done_on.is_(None),
            any_of(TalkFollowUp.due_on, list(steps)),
            Participant.staff_no.in_((Talk.talker, TalkFollowUp.recorded_by)),
            Participant.left_on.is_(None),
        )
        .order_by(Participant.process_id, Participant.person_id)
    ).all()
    counted: dict[tuple[int, int, date], set[int]] = {}
    for row in rows:
        counted.setdefault((row.Participant.process_id, row.Participant.person_id, row.due_on), set()).add(row.follow_up)
    told = {(row.Participant.process_id, row.Participant.person_id, row.due_on): row for row in rows}
    return [_of_follow_up(row, steps[key[2]], len(counted[key]), now, overrides, base_url) for key, row in told.items()]


def _of_follow_up(row: Any, step: int, count: int, now: datetime, overrides: Overrides, base_url: str) -> Due:
    recipient: Participant = row.Participant
    follow_up = letters.FollowUpDue(
        recipient=recipient.name,
        today=now.astimezone(SCHOOL_ZONE).date(),
        link=letters.process_link(base_url, Kind.APPRAISAL, row.year, row.Branch.code),
        remark=remark_of(row.due_on.year),
        branch=row.Branch.name,
        due_on=row.due_on,
        count=count,
    )
    return Due(
        kind=f"{FOLLOW_UP}{step}",
        recipient_id=recipient.person_id,
        staff_no=recipient.staff_no,
        recipient_name=recipient.name,
        address=row.email,
        reason=reason_of("后续帮助到期", row.due_on, step, overrides),
        write=partial(letters.render, follow_up),
        cycle_id=row.cycle_id,
        due_on=row.due_on,
        process_id=recipient.process_id,
        branch=row.Branch.name,
    )


def open_follow_ups(session: Session, now: datetime, overrides: Overrides) -> list[str]:
    """What is told now of help that is not given yet, without whom."""
    rows = session.execute(
        select(TalkFollowUp.process_id, TalkFollowUp.due_on)
        .join(Talk, Talk.id == TalkFollowUp.talk_id)
        .where(TalkFollowUp.done_on.is_(None), Talk.counts, any_of(TalkFollowUp.due_on, days_ahead(now)))
        .distinct()
    )
    return [reminder_of(f"{FOLLOW_UP}{follow_up_step(row.due_on, now, overrides)}", process_id=row.process_id, due_on=row.due_on) for row in rows]
