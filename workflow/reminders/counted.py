"""Letters that count the duties of a person in a branch by a day, without their content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from workflow.foundation.errors import Words
from workflow.mail.letters import Counted, kind_link
from workflow.people.organisation import Branch, Person
from workflow.reminders.due import STANDING, ProcessState, TickMoment, Topic
from workflow.reminders.when import reason_of, remark_of
from workflow.year.cycle import Cycle, Participant, Process


def counted(
    session: Session,
    at: TickMoment,
    letter: type[Counted],
    *,
    what: Words,
    kind: Callable[[int], str],
    step_of: Callable[[date, int], int | None],
    record: Any,
    day: InstrumentedAttribute[Any],
    owner: ColumnElement[bool],
    where: Sequence[Any],
    source: Any = None,
) -> Iterator[Topic]:
    """Derive one letter for all of a day, to each owner still in the branch; one query.

    ``record`` has a ``process_id``; ``source`` is its join; ``step_of`` takes a day and its cycle.
    """
    branch = (Branch.code, Process.branch_name.label("branch"))
    theirs = and_(owner, Participant.left_on.is_(None))
    number = func.count(record.id.distinct()).label("number")
    rows = session.execute(
        select(*STANDING, Participant, Person.email, Process.cycle_id, Cycle.year, *branch)
        .add_columns(Process.kind, day.label("day"), number)
        .select_from(record if source is None else source)
        .join(Process, Process.id == record.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(Branch, Branch.id == Process.branch_id)
        .outerjoin(Participant, and_(Participant.process_id == Process.id, theirs))
        .outerjoin(Person, Person.id == Participant.person_id)
        .where(*where, Process.ended_at.is_(None))
        .group_by(Process.id, Cycle.id, Branch.id, day)
        .group_by(Participant.process_id, Participant.person_id, Person.id)
        .order_by(Process.id, Participant.person_id, day)
    ).all()
    steps = {each: step_of(*each) for each in {(row.day, row.cycle_id) for row in rows}}
    for row, step in ((row, steps[row.day, row.cycle_id]) for row in rows):
        if step is None:
            continue
        topic = Topic(
            kind=kind(step),
            due_on=row.day,
            reason=reason_of(what, row.day, step, at.overrides),
            cycle_id=row.cycle_id,
            standing=ProcessState(*row[: len(STANDING)]),
            branch=row.branch,
        )
        yield topic
        if (to := row.Participant) is not None:
            compose = partial(
                letter,
                recipient=to.name,
                today=at.today,
                link=f"{kind_link(at.base_url, row.kind, row.year)}/{row.code}",
                remark=remark_of(row.day.year),
                branch=row.branch,
                due_on=row.day,
                count=row.number,
            )
            yield topic.to(to, row.email, compose)
