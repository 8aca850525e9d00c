"""帮扶与处置的提示 (signs of aftercare): help that waits for its review, cases that stand still.

They are shown to the branch and to the office until the end, after filing and after the year too.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, Text, and_, case, cast, func, literal, null, or_, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased

from workflow.appraisal.rating.aftercare import DECIDING, Disposition, DispositionCase, DispositionStep, HelpPlan, Step
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.rules.requirement import TODAY, Missing, missing, requirement
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.plan import PlanSettings
from workflow.year.roll import is_gone

_asked = partial(requirement, stage=Stage.RATING, severity=Severity.SIGN, todo_for=Role.SECRETARY, asked_until=Stage.ACCEPTED)


# ── what is open, and by which day it must move ───────────────────────────────────────────────────────────────────────


def help_is_open() -> ColumnElement[bool]:
    """Ask whether a help plan counts and is not ended."""
    return and_(HelpPlan.counts, HelpPlan.ended_on.is_(None))


def procedure_is_open() -> ColumnElement[bool]:
    """Ask whether a case still waits for a step: it counts, is not ended, and nobody was told."""
    return and_(DispositionCase.counts, DispositionCase.ended_on.is_(None), ~_taken(Step.TOLD))


def correction_is_open() -> ColumnElement[bool]:
    """Ask whether a case is through all steps and its correction is not judged yet."""
    return and_(DispositionCase.counts, DispositionCase.ended_on.is_(None), _taken(Step.TOLD), decided("measure") == Disposition.CORRECTION)


def case_is_open() -> ColumnElement[bool]:
    """Ask whether a case waits for a step, or for the judgement on a correction."""
    return or_(procedure_is_open(), correction_is_open())


def still_on() -> ColumnElement[Any]:
    """Return the day from which a case counts as standing still (停滞), as its plan says.

    To be joined with its cycle.
    """
    last = select(func.max(DispositionStep.taken_on)).where(_of_case(DispositionStep)).correlate(DispositionCase).scalar_subquery()
    kept = Cycle.plan["rules"]["settings"]["case_still_after_days"].as_integer()
    days = func.coalesce(kept, PlanSettings.model_fields["case_still_after_days"].default)
    return cast(func.greatest(DispositionCase.proposed_on, last).op("+")(cast(days, Integer)), Date)


def decided(column: str) -> Any:
    """Return a column of the step whose measure stands: the approval's, or else the meeting's."""
    step = aliased(DispositionStep, name="deciding")
    first = case({each.value: number for number, each in enumerate(DECIDING)}, value=cast(step.step, Text), else_=len(DECIDING))
    return (
        select(getattr(step, column))
        .where(_of_case(step), step.measure.is_not(None))
        .order_by(first)
        .limit(1)
        .correlate(DispositionCase)
        .scalar_subquery()
    )


def _taken(which: Step) -> ColumnElement[bool]:
    found = select(DispositionStep.id).where(_of_case(DispositionStep), DispositionStep.step == which)
    # Not EXISTS: in an OR it would be hashed, and every step of the school read for one branch.
    return found.limit(1).correlate(DispositionCase).scalar_subquery().is_not(None)


def _of_case(step: Any) -> ColumnElement[bool]:
    """Join a case with its steps that stand."""
    return and_(step.case_id == DispositionCase.id, step.withdrawn_at.is_(None))


def next_step() -> ColumnElement[str]:
    """Return the Chinese name of the step that a case waits for; 限期改正 after the last."""
    order, names = [each.value for each in Step], [*(each.zh for each in Step), Disposition.CORRECTION.zh]
    place = func.max(func.array_position(array([literal(each) for each in order]), cast(DispositionStep.step, Text)))
    last = select(place).where(_of_case(DispositionStep)).correlate(DispositionCase).scalar_subquery()
    # The case itself is the proposal, so the first step that it waits for is the second.
    return case(dict(enumerate(names[1:], 1)), value=func.coalesce(last, 1))


# ── D7 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@_asked(
    "D7",
    link="help-plans",
    after_the_year=True,
    zh="有 {count} 名党员的帮扶已过回访日期，还没有结束，也没有定下次回访：{names}",
    en="the review of the help for {count} members is over, with neither an end nor a next day: {names}",
)
def help_waits_for_a_review() -> Missing:
    """对评定为“基本合格”的党员，要进行教育帮扶（回访）。"""
    return _of_member(HelpPlan, Participant.name).where(help_is_open(), HelpPlan.review_on < TODAY)


# ── D8 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@_asked(
    "D8",
    link="disposition-cases",
    after_the_year=True,
    zh="有 {count} 件组织处置停滞，等待办理：{names}",
    en="{count} disposition cases stand still and wait for: {names}",
)
def cases_standing_still() -> Missing:
    """对评定为“不合格”的党员，要按规定程序作出相应组织处置（停滞）。"""
    waits_for = func.concat(Participant.name, "（", next_step(), "）")
    return (
        _of_member(DispositionCase, waits_for)
        .join(Process, Process.id == DispositionCase.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(or_(and_(procedure_is_open(), still_on() < TODAY), and_(correction_is_open(), decided("until") < TODAY)))
    )


@_asked(
    "D8",
    link="disposition-cases",
    zh="有 {count} 个处置步骤没有写全：{names}",
    en="{count} steps of a disposition lack something: {names}",
)
def steps_that_lack_something() -> Missing:
    """对评定为“不合格”的党员，要按规定程序作出相应组织处置（谈话人、表决、本人申辩、文号、措施）。"""
    step = DispositionStep
    lacks = func.concat_ws(
        "、",
        _said(and_(step.step == Step.TALK, func.coalesce(func.jsonb_array_length(step.talkers), 0) < 2), "两名谈话人"),
        _said(and_(step.step == Step.GENERAL_MEETING, step.vote_yes.is_(None)), "表决"),
        _said(and_(step.step == Step.GENERAL_MEETING, step.statement.is_(None)), "本人申辩"),
        _said(and_(step.step == Step.GENERAL_MEETING, step.measure.is_(None)), "处置措施"),
        _said(and_(step.step == Step.APPROVAL, step.number.is_(None)), "文号"),
    )
    return _of_step(func.concat(Participant.name, "（", lacks, "）")).where(lacks != "")


@_asked(
    "D8",
    link="disposition-cases",
    zh="有 {count} 个处置步骤在前一步没有办的情况下办理，已写明原因：{names}",
    en="{count} steps of a disposition were taken without the one before, with a reason: {names}",
)
def steps_without_the_one_before() -> Missing:
    """对评定为“不合格”的党员，要按规定程序作出相应组织处置（先后）。"""
    zh = case({each.value: each.zh for each in Step}, value=cast(DispositionStep.step, Text))
    return _of_step(func.concat(Participant.name, "（", zh, "）")).where(DispositionStep.why_without.is_not(None))


def _said(lacks: ColumnElement[bool], what: str) -> ColumnElement[str | None]:
    return case((lacks, literal(what)), else_=cast(null(), Text))


def _of_member(kind: type[HelpPlan] | type[DispositionCase], name: Any) -> Missing:
    """Select such records of members who are still on the roll, and in the branch."""
    mine = and_(Participant.process_id == kind.process_id, Participant.staff_no == kind.staff_no, Participant.left_on.is_(None))
    return missing(kind.process_id, subject=kind.id, name=name).join(Participant, mine).where(~is_gone(kind.process_id, kind.staff_no))


def _of_step(name: Any) -> Missing:
    """Select the steps that stand of cases that count, each with the member it is about."""
    member = and_(Participant.process_id == DispositionCase.process_id, Participant.staff_no == DispositionCase.staff_no)
    return (
        missing(DispositionCase.process_id, subject=DispositionStep.id, name=name)
        .join(DispositionStep, _of_case(DispositionStep))
        .join(Participant, member)
        .where(DispositionCase.counts, Participant.left_on.is_(None))
    )


REQUIREMENTS = (help_waits_for_a_review, cases_standing_still, steps_that_lack_something, steps_without_the_one_before)
