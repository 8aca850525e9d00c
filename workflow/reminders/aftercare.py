"""Help, dispositions and commitments whose day is near or over (后续事项): letters, no content.

Also after the branch has filed, and after the year is closed. Letters go to people as they are in
post today (``docs/0029-follow-through-asks-who-is-there-today.md``). They never say whom it is
about, what was found, or what was promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import Select, SelectBase, and_, func, select, union_all
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import UNDER_WAY, Commitment
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.aftercare_signs import correction_is_open, decided, help_is_open, procedure_is_open, still_on
from workflow.foundation.database import any_of
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import CycleStatus, Post
from workflow.mail.letters import CaseStill, CommitmentDue, CorrectionOver, Counted, HelpDue, kind_link, reminder_kind
from workflow.people.organisation import Appointment, Branch, Person, in_post
from workflow.reminders.due import STANDING, ProcessState, ReminderSource, TickMoment, Topic
from workflow.reminders.when import reason_of, remark_of
from workflow.year.cycle import Cycle, Process
from workflow.year.roll import is_gone

HELP, CASE, CORRECTION, COMMITMENT = "help-", "case-", "correction-", "commitment-"
"""The beginnings of the kinds: ``help-due-7`` …; ``help-overdue-1`` once the day is over."""

_COMMITMENT_DAYS = 29
"""The days after its day for which a member is reminded of a commitment: four letters."""

# What goes on goes on when its year is closed too.
_TOLD = (CycleStatus.PUBLISHED, CycleStatus.CLOSED)


def by_day(
    session: Session,
    at: TickMoment,
    letter: type[Counted],
    *,
    what: Words,
    kind: str,
    rows: SelectBase,
    step_of: Callable[[date, int], int | None] | None = None,
) -> Iterator[Topic]:
    """Derive one letter for all matters of a branch and a day, to each person; one query.

    ``rows`` selects ``process_id``, ``day``, ``person_id`` and ``id``; ``step_of`` takes a day and
    its cycle, and says which reminder of it has come.
    """
    those = rows.subquery("those")
    found = session.execute(
        select(*STANDING, Process.kind, Process.cycle_id, Cycle.year, Branch.code, Branch.name.label("branch"), Person)
        .add_columns(those.c.day, func.count(those.c.id.distinct()).label("number"))
        .select_from(those)
        .join(Process, Process.id == those.c.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(Branch, Branch.id == Process.branch_id)
        .join(Person, Person.id == those.c.person_id)
        .where(any_of(Cycle.status, _TOLD))
        .group_by(Process.id, Cycle.id, Branch.id, Person.id, those.c.day)
        .order_by(Process.id, Person.id, those.c.day)
    )
    for row in found:
        step = (step_of or at.step)(row.day, row.cycle_id)
        if step is None:
            continue
        topic = Topic(
            kind=f"{kind}{reminder_kind(step)}",
            due_on=row.day,
            reason=reason_of(what, row.day, step, at.overrides),
            cycle_id=row.cycle_id,
            standing=ProcessState(*row[: len(STANDING)]),
            branch=row.branch,
        )
        compose = partial(
            letter,
            recipient=row.Person.name,
            today=at.today,
            link=f"{kind_link(at.base_url, row.kind, row.year)}/{row.code}",
            remark=remark_of(row.day.year),
            branch=row.branch,
            due_on=row.day,
            count=row.number,
        )
        yield topic
        yield topic.to(row.Person, row.Person.email, compose)


def _of_leaders(record: Any, day: Any, today: date) -> Select[Any]:
    """Select such records for today's secretary and deputy of their branch."""
    leads = and_(Appointment.branch_id == Process.branch_id, any_of(Appointment.post, (Post.SECRETARY, Post.DEPUTY)), *in_post(today))
    return (
        select(record.process_id, day.label("day"), Appointment.person_id, record.id)
        .join(Process, Process.id == record.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(Appointment, leads)
        .where(~is_gone(record.process_id, record.staff_no))
    )


def _help(session: Session, at: TickMoment) -> Iterator[Topic]:
    """Tell the helper and the branch's leaders of the day of a review."""
    open_ = (help_is_open(), at.is_near(HelpPlan.review_on))
    helpers = (
        select(HelpPlan.process_id, HelpPlan.review_on.label("day"), Person.id.label("person_id"), HelpPlan.id)
        .join(Person, Person.staff_no == HelpPlan.helper)
        .where(*open_, ~is_gone(HelpPlan.process_id, HelpPlan.helper), ~is_gone(HelpPlan.process_id, HelpPlan.staff_no))
    )
    rows: SelectBase = union_all(helpers, _of_leaders(HelpPlan, HelpPlan.review_on, at.today).where(*open_))
    return by_day(session, at, HelpDue, what=Words("帮扶回访", "the review of a help plan"), kind=HELP, rows=rows)


def _cases(session: Session, at: TickMoment) -> Iterator[Topic]:
    """Tell the branch's leaders of cases that stand still, and of corrections that end."""
    still = _of_leaders(DispositionCase, still_on(), at.today).where(procedure_is_open())
    ends = _of_leaders(DispositionCase, decided("until"), at.today).where(correction_is_open(), decided("until").is_not(None))

    def over(day: date, cycle_id: int) -> int | None:
        step = at.step(day, cycle_id)
        # Until that day nothing stands still.
        return step if step is not None and step < 0 else None

    yield from by_day(session, at, CaseStill, what=Words("处置停滞", "a disposition stands still"), kind=CASE, rows=still, step_of=over)
    yield from by_day(session, at, CorrectionOver, what=Words("改正期满", "the end of a correction"), kind=CORRECTION, rows=ends)


def _commitments(session: Session, at: TickMoment) -> Iterator[Topic]:
    """Tell members of the day of their own commitments."""
    under_way = any_of(Commitment.state, UNDER_WAY)
    rows = (
        select(Commitment.process_id, Commitment.due_on.label("day"), Person.id.label("person_id"), Commitment.id)
        .join(Person, Person.staff_no == Commitment.staff_no)
        .where(Commitment.counts, under_way, at.is_near(Commitment.due_on), ~is_gone(Commitment.process_id, Commitment.staff_no))
    )

    def for_a_month(day: date, cycle_id: int) -> int | None:
        step = at.step(day, cycle_id)
        # Then the sign stays with the secretary: a letter a week for years teaches nobody.
        return step if step is not None and step > -_COMMITMENT_DAYS else None

    what = Words("承诺期限", "the day of the commitment")
    return by_day(session, at, CommitmentDue, what=what, kind=COMMITMENT, rows=rows, step_of=for_a_month)


def _derive(session: Session, at: TickMoment) -> Iterator[Topic]:
    yield from _help(session, at)
    yield from _cases(session, at)
    yield from _commitments(session, at)


AFTERCARE = ReminderSource((HELP, CASE, CORRECTION, COMMITMENT), _derive)
