"""The office's week (每周汇总): the number of branches in each stage, as its overview counts them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import MAIN, CycleStatus, Kind, Role
from workflow.mail.letters import Digest, school_link
from workflow.people.organisation import holders_of
from workflow.readings.progress import overview
from workflow.reminders.due import ReminderSource, TickMoment, Topic
from workflow.reminders.when import digest_of_week, remark_of
from workflow.year.cycle import Cycle

KIND = "digest"


def _derive(session: Session, at: TickMoment) -> Iterator[Topic]:
    monday = digest_of_week(at.now, at.overrides)
    if monday is None:
        return
    office = holders_of(session, Role.OFFICE, at.today)
    published = select(Cycle).where(Cycle.status == CycleStatus.PUBLISHED).order_by(Cycle.id)
    for cycle in session.scalars(published).all():
        topic = Topic(kind=KIND, due_on=monday, reason=Words("每周汇总", "the week's digest"), cycle_id=cycle.id)
        yield topic
        seen = overview(session, cycle, now=at.now)
        beside = [overview(session, cycle, now=at.now, kind=kind) for kind in Kind if kind is not MAIN]
        for to in office:
            compose = partial(
                Digest,
                recipient=to.name,
                today=at.today,
                link=school_link(at.base_url, cycle.year),
                remark=remark_of(monday.year),
                year=cycle.year,
                branches=seen.branches,
                by_stage=tuple(seen.by_stage.items()),
                overdue=seen.overdue,
                due_soon=seen.due_soon,
                returned=seen.returned,
                assessed=tuple(each for other in beside for each in other.by_stage.items() if each[1]),
            )
            yield topic.to(to, to.email, compose)


WEEK = ReminderSource((KIND,), _derive)
