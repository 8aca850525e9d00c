"""整改 (rectification), the fifth stage: the measures, how far they have come, and what is said of them.

The plan: 根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施……整改措施和整改承诺要对着问题去，落在具体实事上，实打实、可操作，
定一条、做一条、兑现一条，不放空炮，不搞大而全……整改措施要向党员群众公开，向上级党组织报备，接受各方面监督。党支部书记是党支部委员会整改第一责任人。

The records stand in the ledger, below; problems, commitments, publications and filings have rooms of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Measure, MeasureComment, MeasureProblem, MeasureProgress, Problem, problems_named
from workflow.appraisal.rectification.publications import Publication, published, shown
from workflow.foundation.database import act_as
from workflow.foundation.errors import Conflict, Forbidden, Words
from workflow.foundation.fields import Body, Day, LongText, StaffNo, Whole, many, one_of
from workflow.foundation.vocabulary import MeasureState, ProblemSource, Role, Severity, Stage, Waivable
from workflow.people.access import Caller
from workflow.rules.evidence import amendable, must_be_open, must_stand
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Cycle, Participant, Process, participants, secretaries

# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class MeasureBody(Body):
    """A measure as it is sent. Without an owner it is the secretary's."""

    problems = many(Whole(at_least=1), at_most=50)
    text = LongText(required=True)
    owner = StaffNo()
    due_on = Day()


class ProgressBody(Body):
    """How far a measure has come, as it is sent."""

    state = one_of(MeasureState, required=True)
    evidence = LongText()


class CommentBody(Body):
    """What is said of a measure."""

    text = LongText(required=True, at_most=2000)


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible_measures(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """Which measures of a branch this reader knows of: a plain member those he owns, and all that count once they are published."""
    if not reader.plain_member(branch_code):
        return true()
    hangs = exists().where(Publication.process_id == Measure.process_id, shown()).correlate(Measure)
    return or_(Measure.owner == reader.staff_no, and_(Measure.counts, hangs))


def problems_shown(reader: Caller, row: Measure, branch_code: str) -> list[int]:
    """The numbers of the problems that a reader sees behind a measure: what is public says nothing of a person, nor of what was said in a talk."""
    whole = row.owner == reader.staff_no or not reader.plain_member(branch_code)
    return [each.problem_id for each in row.answers if whole or (each.problem.about is None and each.problem.source is not ProblemSource.TALK)]


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_measure(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Measure:
    """Record a measure. Raises StageClosed, Invalid."""
    problems = _check(session, process, body)
    must_be_open(process, Stage.RECTIFICATION)
    row = Measure(process_id=process.id, owner=None, due_on=None, state=MeasureState.OPEN, recorded_by=by.staff_no, recorded_at=now)
    if "owner" not in body:
        secretary = secretaries(session, [process.id]).get(process.id)
        row.owner = secretary.staff_no if secretary else None
    _fill(row, body, problems)
    session.add(row)
    session.flush()
    return row


def amend_measure(session: Session, process: Process, row: Measure, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a measure; the old values stay in the history. Raises StageClosed, Stale, Conflict, Invalid."""
    problems = _check(session, process, body)
    amendable(session, row, seen=seen)
    must_be_open(process, Stage.RECTIFICATION)
    _fill(row, body, problems)
    row.version += 1
    session.flush()


def _check(session: Session, process: Process, body: Mapping[str, Any]) -> Mapping[int, Problem]:
    if "owner" in body:
        participants(session, process.id, {"owner": [body["owner"]]})
    return {row.id: row for row in problems_named(session, process.id, "problems", body.get("problems", ()))}


def _fill(row: Measure, body: Mapping[str, Any], problems: Mapping[int, Problem]) -> None:
    for name in ("text", "owner", "due_on"):
        if name in body:
            setattr(row, name, body[name])
    if "problems" in body:
        there = {each.problem_id: each for each in row.answers}
        row.answers = [
            there.get(number) or MeasureProblem(problem=problem, process_id=row.process_id) for number, problem in sorted(problems.items())
        ]


def record_progress(session: Session, process: Process, row: Measure, body: Mapping[str, Any], *, by: Caller, now: datetime) -> MeasureProgress:
    """Note how far a measure has come: by its owner or the secretary, who alone closes it (销号). Raises Forbidden, Conflict.

    It goes on after the branch has filed and after the year is closed: the next year's duty report tells of it.
    """
    leads, owns = Role.SECRETARY in by.roles_in(process.branch.code), row.owner == by.staff_no
    if not (leads or owns):
        raise Forbidden(Words("整改进展由责任人或书记登记", "progress is recorded by the owner or the secretary"))
    if body["state"] is MeasureState.CLOSED and not leads:
        raise Forbidden(Words("销号由书记确认", "a measure is closed by the secretary"))
    if row.state is MeasureState.CLOSED and not leads:
        raise Forbidden(Words("已经销号，由书记重新打开", "it was closed; the secretary opens it again"))
    must_stand(row)
    if owns and body["state"] is not MeasureState.CLOSED and process.branch.code in by.stands_for:
        # He tells of his own work; only what is closed is closed for the secretary whose substitute he is.
        act_as(session, actor=by.staff_no)
    progress = MeasureProgress(
        measure_id=row.id,
        process_id=process.id,
        state=body["state"],
        evidence=body.get("evidence"),
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    row.progress.append(progress)
    row.state = progress.state
    session.flush()
    return progress


def record_comment(session: Session, process: Process, row: Measure, body: Mapping[str, Any], *, by: Caller, now: datetime) -> MeasureComment:
    """Say something of a measure; the office enters letters so. A plain member only once it is published. Raises Conflict."""
    if not row.counts:
        raise Conflict(Words("这条整改措施已撤回或退回", "this measure was withdrawn or rejected"))
    if by.plain_member(process.branch.code) and not published(session, process.id):
        raise Conflict(Words("整改措施公开后方可提出意见", "comments are taken once the measures are published"))
    comment = MeasureComment(measure_id=row.id, process_id=process.id, text=body["text"], recorded_by=by.staff_no, recorded_at=now)
    row.comments.append(comment)
    session.flush()
    return comment


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "F1",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="支委会还没有制定整改措施",
    en="the committee has no measure yet",
)
def no_measure_of_the_committee() -> Missing:
    """根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施。"""
    made = exists().where(Measure.process_id == Process.id, Measure.counts).correlate(Process)
    return missing(Process.id).where(~made)


@requirement(
    "F1",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="有 {count} 条整改措施没有对应查摆出的问题：{names}",
    en="{count} measures answer no problem: {names}",
)
def measures_without_a_problem() -> Missing:
    """根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施（逐条对应问题）。"""
    answers = exists().where(MeasureProblem.measure_id == Measure.id, Problem.id == MeasureProblem.problem_id, Problem.counts).correlate(Measure)
    return _measures().where(~answers)


@requirement(
    "F3",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="有 {count} 条整改措施没有完成时限：{names}",
    en="{count} measures have no due date: {names}",
)
def measures_not_to_the_point() -> Missing:
    """整改措施要对着问题去，落在具体实事上，实打实、可操作。"""
    return _measures().where(Measure.due_on.is_(None))


@requirement(
    "F4",
    stage=Stage.RECTIFICATION,
    severity=Severity.SOFT,
    todo_for=Role.SECRETARY,
    waivable=Waivable.WHOLE,
    link="measures",
    zh="整改措施的条数多于方案所定（{names}），请说明理由",
    en="more measures than the plan allows ({names}); a reason is asked for",
)
def more_measures_than_the_plan_allows() -> Missing:
    """定一条、做一条、兑现一条，不放空炮，不搞大而全。"""
    number = select(func.count()).where(Measure.process_id == Process.id, Measure.counts).correlate(Process).scalar_subquery()
    at_most = Cycle.plan["rules"]["settings"]["measures_at_most"].as_integer()
    return (
        missing(Process.id, name=func.concat(number, "/", at_most), amount=number).join(Cycle, Cycle.id == Process.cycle_id).where(number > at_most)
    )


@requirement(
    "F8",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="有 {count} 条整改措施没有责任人，或责任人已不在名册上：{names}",
    en="{count} measures have no owner, or one who is no longer on the roll: {names}",
)
def measures_without_an_owner_on_the_roll() -> Missing:
    """党支部书记是党支部委员会整改第一责任人。"""
    on_roll = (
        exists()
        .where(Participant.process_id == Measure.process_id, Participant.staff_no == Measure.owner, Participant.left_on.is_(None))
        .correlate(Measure)
    )
    return _measures().where(Measure.state != MeasureState.CLOSED, ~on_roll)


def _measures() -> Missing:
    """Measures that count, each named by how its text begins."""
    return missing(Measure.process_id, subject=Measure.id, name=func.left(Measure.text, 30)).where(Measure.counts)


REQUIREMENTS = (
    no_measure_of_the_committee,
    measures_without_a_problem,
    measures_not_to_the_point,
    more_measures_than_the_plan_allows,
    measures_without_an_owner_on_the_roll,
)
