"""Days of the office's own (党办的期限): one letter for all branches it must bring on by then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from sqlalchemy.orm import Session

from workflow.foundation.vocabulary import STAGES, Role
from workflow.machine.asked import BY_NAME
from workflow.mail import letters
from workflow.mail.letters import kind_link
from workflow.people.organisation import holders_of
from workflow.reminders.deadlines import DutyCounts, Near, duties_of, is_for_the_secretary
from workflow.reminders.due import Due, TickMoment, Topic
from workflow.reminders.when import remark_of


def days_of_the_office(near: Sequence[Near]) -> Mapping[Topic, Sequence[Near]]:
    """Group the processes that no secretary moves on, by year and day."""
    found: dict[Topic, list[Near]] = {}
    for each in near:
        if not is_for_the_secretary(each.process):
            topic = Topic(
                kind=each.topic.kind,
                due_on=each.topic.due_on,
                reason=each.topic.reason,
                cycle_id=each.topic.cycle_id,
            )
            found.setdefault(topic, []).append(each)
    return found


def of_the_office(
    session: Session,
    days: Mapping[Topic, Sequence[Near]],
    missing: DutyCounts,
    at: TickMoment,
) -> Iterator[Due]:
    """Derive a letter of each such day for each person of the office.

    It counts the branches in each stage, and the duties of the office itself by clause.
    """
    office = holders_of(session, Role.OFFICE, at.today) if days else []
    for topic, here in days.items():
        for person in office:
            compose = partial(_compose, topic, here, missing, person.name, at)
            yield topic.to(person, person.email, compose)


def _compose(
    topic: Topic,
    here: Sequence[Near],
    missing: DutyCounts,
    name: str,
    at: TickMoment,
) -> letters.OfficeReminder:
    process = here[0].process
    stages = Counter(each.process.stage for each in here)
    owed = Counter[str]()
    for near in here:
        counts = missing.get((near.process.id, None), {})
        owed.update(each for each in counts if BY_NAME[each].todo_for is Role.OFFICE)
    return letters.OfficeReminder(
        recipient=name,
        today=at.today,
        link=kind_link(at.base_url, process.kind, process.cycle.year),
        remark=remark_of(topic.due_on.year),
        year=process.cycle.year,
        kind=process.kind,
        due_on=topic.due_on,
        by_stage=tuple((stage, stages[stage]) for stage in STAGES[process.kind] if stage in stages),
        duties=duties_of(process.cycle, owed, branches=True),
    )
