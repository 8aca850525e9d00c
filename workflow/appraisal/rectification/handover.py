"""整改责任的移交 (handover): open measures whose owner is gone, or is the secretary no longer.

The plan: 党支部书记是党支部委员会整改第一责任人。

One act gives them all to the present secretary. No stage closes it: a secretary who comes in spring
takes over the measures of the winter (``docs/0029-follow-through-asks-who-is-there-today.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Measure
from workflow.appraisal.rectification.measures import MEASURES
from workflow.foundation.errors import Conflict, Words
from workflow.foundation.vocabulary import MeasureState, Post, Role, Severity, Stage, local_day
from workflow.people.access import Action
from workflow.people.organisation import Appointment, Person, in_post
from workflow.rules.acts import Act, Done
from workflow.rules.requirement import TODAY, Missing, missing, requirement
from workflow.year.cycle import Participant, Process
from workflow.year.roll import is_gone

# ── verb ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def hand_over(session: Session, process: Process, *, now: datetime) -> Sequence[Measure]:
    """Give the open measures that F8 names to today's secretary; return them.

    Raises Conflict if the branch has no secretary today. A notice that hangs needs no renewal: the
    post that answers for the measure is the same.
    """
    secretary = session.scalar(
        select(Person)
        .join(Appointment, Appointment.person_id == Person.id)
        .where(Appointment.branch_id == process.branch_id, Appointment.post == Post.SECRETARY, *in_post(local_day(now)))
        .order_by(Appointment.starts_on.desc())
        .limit(1)
    )
    if secretary is None:
        raise Conflict(Words("本支部现在没有书记，无人接手", "the branch has no secretary today to take them over"))
    nobody_does_it = or_(~_on_roll(), Measure.as_secretary, is_gone(Measure.process_id, Measure.owner))
    rows = session.scalars(
        select(Measure)
        .where(Measure.process_id == process.id, _open(), or_(Measure.owner.is_(None), and_(Measure.owner != secretary.staff_no, nobody_does_it)))
        .order_by(Measure.id)
        .with_for_update(key_share=True, of=Measure)
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        row.owner, row.as_secretary = secretary.staff_no, True
        row.version += 1
    session.flush()
    return rows


HAND_OVER: Act[object, Done] = MEASURES.act(
    "hand_over_measures",
    "移交整改措施",
    "hand over the measures of a former secretary",
    lambda call, sent: Done(hand_over(call.session, call.process, now=call.now)),
    action=Action.RECTIFY,
    closes=(),
)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "F8",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="有 {count} 条整改措施没有责任人，或责任人已不在名册上、不再担任书记：{names}",
    en="{count} measures have no owner, or one who is no longer on the roll or no longer the secretary: {names}",
)
def measures_without_an_owner_on_the_roll() -> Missing:
    """党支部书记是党支部委员会整改第一责任人。"""
    answers = _on_roll(or_(~Measure.as_secretary, Participant.post == Post.SECRETARY))
    return _measures().where(_open(), ~answers)


@requirement(
    "F8",
    stage=Stage.REPORT,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    asked_until=Stage.ACCEPTED,
    after_the_year=True,
    link="measures",
    zh="有 {count} 条整改措施由前任书记负责，或责任人已不在本支部，还没有移交：{names}",
    en="{count} measures are a former secretary's or of somebody who is gone, and were not handed over: {names}",
)
def measures_of_a_former_secretary() -> Missing:
    """党支部书记是党支部委员会整改第一责任人（人员变动以后）。

    (Until the fifth stage is left, the requirement above asks it by the roll, and blocks. A filed
    roll stands still: who left after it is known by the branch where they are today.)
    """
    holds = (
        exists()
        .where(
            Process.id == Measure.process_id,
            Appointment.branch_id == Process.branch_id,
            Appointment.post == Post.SECRETARY,
            Person.id == Appointment.person_id,
            Person.staff_no == Measure.owner,
            *in_post(TODAY),
        )
        .correlate(Measure)
    )
    return _measures().where(_open(), or_(and_(Measure.as_secretary, ~holds), is_gone(Measure.process_id, Measure.owner)))


def _open() -> ColumnElement[bool]:
    return and_(Measure.counts, Measure.state != MeasureState.CLOSED)


def _on_roll(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Ask whether the owner of a measure is on the roll, as ``which`` says."""
    return (
        exists()
        .where(Participant.process_id == Measure.process_id, Participant.staff_no == Measure.owner, Participant.left_on.is_(None), *which)
        .correlate(Measure)
    )


def _measures() -> Missing:
    return missing(Measure.process_id, subject=Measure.id, name=func.left(Measure.text, 30))


REQUIREMENTS = (measures_without_an_owner_on_the_roll, measures_of_a_former_secretary)
