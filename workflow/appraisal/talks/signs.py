"""谈心谈话的提示 (signs of the talks): the plan's words on the substance of a talk.

A sign never blocks; it is shown beside the form.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_
from sqlalchemy.orm import aliased

from workflow.appraisal.talks.talks import Talk, TalkFollowUp
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Participant


@requirement(
    "K3",
    stage=Stage.TALKS,
    severity=Severity.SIGN,
    todo_for=Role.COMMITTEE_MEMBER,
    link="talks",
    zh="{count} 次谈话没有记对支部工作、班子成员的意见建议，也没有注明无意见：{names}",
    en="{count} talks record no opinions on the branch's work or its committee, nor that there were none: {names}",
)
def talks_without_opinions() -> Missing:
    """谈心谈话要诚恳听取党员对支部工作和班子成员的意见建议。"""
    return _talks().where(~asked_for_opinions())


def asked_for_opinions() -> ColumnElement[bool]:
    """Ask whether a talk heard opinions: on the branch's work, on its committee, or that none."""
    return or_(Talk.opinions_branch.is_not(None), Talk.opinions_committee.is_not(None), Talk.no_opinions)


@requirement(
    "K5",
    stage=Stage.TALKS,
    severity=Severity.SIGN,
    todo_for=Role.COMMITTEE_MEMBER,
    link="talks",
    zh="{count} 次谈话没有记肯定成绩、指出不足、交换意见中的任何一项：{names}",
    en="{count} talks record nothing affirmed, nothing that fell short and nothing exchanged: {names}",
)
def talks_without_substance() -> Missing:
    """肯定成绩、指出不足，沟通思想、交换意见。"""
    return _talks().where(Talk.affirmed.is_(None), Talk.shortcomings.is_(None), Talk.exchange.is_(None))


@requirement(
    "K7",
    stage=Stage.TALKS,
    severity=Severity.SIGN,
    todo_for=Role.COMMITTEE_MEMBER,
    link="talks",
    zh="{count} 次重点谈话没有约定后续帮助：{names}",
    en="{count} focus talks have no follow-up: {names}",
)
def focus_talks_without_a_follow_up() -> Missing:
    """表达组织关怀，做好心理疏导，针对思想实际给予帮助和引导。"""
    followed = exists().where(TalkFollowUp.talk_id == Talk.id).correlate(Talk)
    # The partner is not named: no public list tells which members the branch cares for.
    return _talks(name=lambda talker: func.concat(Talk.held_on, " ", talker.name)).where(Talk.focus, ~followed)


def _talks(name: Any = None) -> Missing:
    """Select the talks that count, each with its talker, who must act.

    Both people must still be on the roll.
    """
    talker, partner = aliased(Participant, name="talker"), aliased(Participant, name="partner")
    return (
        missing(
            Talk.process_id,
            subject=Talk.id,
            name=func.concat(Talk.held_on, " ", talker.name, "—", partner.name) if name is None else name(talker),
            person=talker.person_id,
        )
        .join(talker, and_(talker.process_id == Talk.process_id, talker.staff_no == Talk.talker))
        .join(partner, and_(partner.process_id == Talk.process_id, partner.staff_no == Talk.partner))
        .where(Talk.counts, talker.left_on.is_(None), partner.left_on.is_(None))
    )


REQUIREMENTS = (
    talks_without_opinions,
    talks_without_substance,
    focus_talks_without_a_follow_up,
)
