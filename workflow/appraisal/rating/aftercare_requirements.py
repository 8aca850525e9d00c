"""教育帮扶与组织处置的要求 (aftercare requirements): what D7, D8 and A7 ask of the branch.

They concern members rated 基本合格 or 不合格 in the fourth stage.

The plan: 对评定为“基本合格”的党员，要进行教育帮扶。对评定为“不合格”的党员，要按规定程序作出相应组织
处置。
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import aliased

from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.ratings import Rating, rated
from workflow.foundation.vocabulary import Level, Role, Severity, Stage
from workflow.rules.requirement import Missing, requirement
from workflow.year.cycle import Participant

_asked = partial(requirement, stage=Stage.RATING, severity=Severity.HARD, todo_for=Role.SECRETARY)


@_asked(
    "D7",
    link="help-plans",
    zh="{count} 名评为“{basic}”的党员还没有帮扶人、第一步措施和回访日期俱全的帮扶计划：{names}",
    en="{count} members rated basic have no help plan with helper, first step and review date: {names}",
)
def basic_without_a_help_plan() -> Missing:
    """对评定为“基本合格”的党员，要进行教育帮扶。"""
    helper = aliased(Participant, name="helper")
    whole = func.num_nulls(HelpPlan.first_step, HelpPlan.review_on) == 0
    planned = (
        select(HelpPlan.id)
        .join(helper, and_(helper.process_id == HelpPlan.process_id, helper.staff_no == HelpPlan.helper, helper.left_on.is_(None)))
        .where(_of(HelpPlan), whole)
        .correlate(Participant)
        .exists()
    )
    return rated(Rating.level == Level.BASIC, ~planned)


@_asked(
    "D8",
    link="disposition-cases",
    zh="{count} 名评为“{unqualified}”的党员还没有提出组织处置：{names}",
    en="no disposition case is opened for {count} members rated unqualified: {names}",
)
def unqualified_without_a_case() -> Missing:
    """对评定为“不合格”的党员，要按规定程序作出相应组织处置。"""
    opened = select(DispositionCase.id).where(_of(DispositionCase)).correlate(Participant).exists()
    return rated(Rating.level == Level.UNQUALIFIED, ~opened)


@_asked(
    "A7",
    link="disposition-cases",
    zh="{count} 名评为“{unqualified}”的党员，处置材料没有写明情形和事实：{names}",
    en="the disposition cases of {count} members rated unqualified lack their signs or facts: {names}",
)
def cases_without_facts() -> Missing:
    """不合格党员。逃避推脱组织安排的任务，思想和行为与学校各项规章制度相违背，与《党章》要求有一定差距，经教育仍自行其是。"""
    bare = or_(DispositionCase.facts.is_(None), func.jsonb_array_length(DispositionCase.signs) == 0)
    return rated(Rating.level == Level.UNQUALIFIED, bare).join(DispositionCase, _of(DispositionCase))


def _of(kind: type[HelpPlan | DispositionCase]) -> Any:
    """Join a line of the roll with its record that counts."""
    return and_(kind.process_id == Participant.process_id, kind.staff_no == Participant.staff_no, kind.counts)


REQUIREMENTS = (cases_without_facts, basic_without_a_help_plan, unqualified_without_a_case)
