"""整改的提示 (signs of rectification): problems, measures and commitments unanswered, overdue or open.

A sign never blocks; owners are still asked after filing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from workflow.appraisal.ledger import Commitment, CommitmentProgress, Measure, MeasureComment, MeasureProblem, MeasureProgress, Problem
from workflow.foundation.vocabulary import MeasureState, Post, Role, Severity, Stage
from workflow.rules.requirement import TODAY, Missing, missing, requirement
from workflow.year.cycle import Participant
from workflow.year.roll import is_gone

NEAR_DAYS = 7
"""Days before the day of a measure from which its owner has it on their list."""


@requirement(
    "F1",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    link="problems",
    zh="有 {count} 个问题还没有整改措施或整改承诺：{names}",
    en="{count} problems are answered by no measure and no commitment: {names}",
)
def problems_without_a_measure() -> Missing:
    """根据查摆出的问题和党员群众的意见建议，制定整改措施、作出整改承诺。"""
    answered = exists().where(MeasureProblem.problem_id == Problem.id, Measure.id == MeasureProblem.measure_id, Measure.counts).correlate(Problem)
    promised = exists().where(Commitment.problem_id == Problem.id, Commitment.counts).correlate(Problem)
    has_left = (
        exists()
        .where(Participant.process_id == Problem.process_id, Participant.staff_no == Problem.about, Participant.left_on.is_not(None))
        .correlate(Problem)
    )
    return missing(Problem.process_id, subject=Problem.id, name=func.left(Problem.text, 30)).where(Problem.counts, ~answered, ~promised, ~has_left)


@requirement(
    "F4",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.MEMBER,
    asked_until=Stage.ACCEPTED,
    after_the_year=True,
    link="measures",
    zh="有 {count} 条整改措施已过完成时限：{names}",
    en="{count} measures are overdue: {names}",
)
def measures_overdue() -> Missing:
    """定一条、做一条、兑现一条（逾期）。"""
    return _of_owners().where(_under_way(), Measure.due_on < TODAY)


@requirement(
    "F4",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.MEMBER,
    asked_until=Stage.ACCEPTED,
    link="measures",
    zh="有 {count} 条整改措施一周内到期（或没有时限），尚未完成：{names}",
    en="{count} measures are due within a week, or without a day, and not done: {names}",
)
def measures_still_open() -> Missing:
    """定一条、做一条、兑现一条。

    (A measure that is being carried out and not due for long lacks nothing: docs/0031.)
    """
    return _of_owners().where(_under_way(), or_(Measure.due_on.is_(None), Measure.due_on.between(TODAY, TODAY + NEAR_DAYS)))


@requirement(
    "F4",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    asked_until=Stage.ACCEPTED,
    link="measures",
    zh="有 {count} 条整改措施已销号但未附佐证材料：{names}",
    en="{count} measures were closed without evidence: {names}",
)
def measures_closed_without_evidence() -> Missing:
    """不放空炮。"""
    shown = exists().where(MeasureProgress.measure_id == Measure.id, MeasureProgress.evidence.is_not(None)).correlate(Measure)
    return missing(Measure.process_id, subject=Measure.id, name=func.left(Measure.text, 30)).where(
        Measure.counts, Measure.state == MeasureState.CLOSED, ~shown
    )


@requirement(
    "F4",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.MEMBER,
    asked_until=Stage.ACCEPTED,
    after_the_year=True,
    link="commitments",
    zh="有 {count} 项整改承诺已过期限，还没有兑现：{names}",
    en="{count} commitments are overdue: {names}",
)
def commitments_overdue() -> Missing:
    """定一条、做一条、兑现一条（承诺逾期）。"""
    under_way = or_(Commitment.state == MeasureState.OPEN, Commitment.state == MeasureState.DOING)
    return _commitments(Participant.person_id).where(under_way, Commitment.due_on < TODAY)


@requirement(
    "F4",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    asked_until=Stage.ACCEPTED,
    link="commitments",
    zh="有 {count} 项整改承诺已销号但未附佐证材料：{names}",
    en="{count} commitments were closed without evidence: {names}",
)
def commitments_closed_without_evidence() -> Missing:
    """不放空炮（承诺）。"""
    shown = exists().where(CommitmentProgress.commitment_id == Commitment.id, CommitmentProgress.evidence.is_not(None)).correlate(Commitment)
    return _commitments().where(Commitment.state == MeasureState.CLOSED, ~shown)


@requirement(
    "F7",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.MEMBER,
    asked_until=Stage.ACCEPTED,
    link="measures",
    zh="有 {count} 条整改措施收到意见后还没有新的进展：{names}",
    en="{count} measures have comments and no progress since: {names}",
)
def comments_not_taken_up() -> Missing:
    """接受各方面监督。"""
    taken_up = (
        exists()
        .where(MeasureProgress.measure_id == MeasureComment.measure_id, MeasureProgress.recorded_at >= MeasureComment.recorded_at)
        .correlate(MeasureComment)
    )
    return _of_owners().where(exists().where(MeasureComment.measure_id == Measure.id, ~taken_up).correlate(Measure))


def _commitments(person: Any = None) -> Missing:
    """Select the commitments that count of members who are still on the roll, and in the branch."""
    theirs = and_(Participant.process_id == Commitment.process_id, Participant.staff_no == Commitment.staff_no, Participant.left_on.is_(None))
    return (
        missing(Commitment.process_id, subject=Commitment.id, name=Participant.name, person=person)
        .join(Participant, theirs)
        .where(Commitment.counts, ~is_gone(Commitment.process_id, Commitment.staff_no))
    )


def _under_way() -> ColumnElement[bool]:
    return or_(Measure.state == MeasureState.OPEN, Measure.state == MeasureState.DOING)


def _of_owners() -> Missing:
    """Select the measures that count, each with its owner, who must act.

    If the owner has left, the secretary must act, who answers for all measures first (F8).
    """
    owner, secretary = aliased(Participant, name="owner"), aliased(Participant, name="secretary")
    first = (
        select(func.min(secretary.person_id))
        .where(secretary.process_id == Measure.process_id, secretary.post == Post.SECRETARY, secretary.left_on.is_(None))
        .correlate(Measure)
        .scalar_subquery()
    )
    someone = func.coalesce(owner.person_id, first)
    return (
        missing(Measure.process_id, subject=Measure.id, name=func.left(Measure.text, 30), person=someone)
        .outerjoin(owner, and_(owner.process_id == Measure.process_id, owner.staff_no == Measure.owner, owner.left_on.is_(None)))
        # With neither, every member would be asked; a measure without an owner blocks the branch
        # already.
        .where(Measure.counts, someone.is_not(None))
    )


REQUIREMENTS = (
    problems_without_a_measure,
    measures_overdue,
    measures_still_open,
    measures_closed_without_evidence,
    commitments_overdue,
    commitments_closed_without_evidence,
    comments_not_taken_up,
)
