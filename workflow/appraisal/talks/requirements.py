"""谁还没有谈 (who has not been talked with): what the stage asks of the talks.

The plan: 党支部委员之间、党支部委员与党员之间普遍进行一次谈心谈话。

The plan of the year says which of the two readings of K2 holds.
"""

from __future__ import annotations

from typing import Any
from typing import cast as typed

from sqlalchemy import ColumnElement, exists, func, or_, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased

from workflow.appraisal.talks.talks import Talk
from workflow.foundation.vocabulary import Coverage, Post, Role, Severity, Stage, Waivable
from workflow.rules.requirement import Missing, in_a_former_branch, missing, present, requirement
from workflow.year.cycle import Cycle, Participant, Process

# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "K1",
    stage=Stage.TALKS,
    severity=Severity.HARD,
    todo_for=Role.COMMITTEE_MEMBER,
    waivable=Waivable.PER_SUBJECT,
    link="talks",
    zh="支部委员之间还有 {count} 对没有谈心谈话记录：{names}",
    en="{count} pairs of committee members have not talked with each other: {names}",
)
def committee_pairs_without_a_talk() -> Missing:
    """党支部委员之间普遍进行一次谈心谈话。"""
    return _pairs_without_a_talk(lambda one, other: (one.on_committee, other.on_committee, one.staff_no.collate("C") < other.staff_no.collate("C")))


@requirement(
    "K2",
    stage=Stage.TALKS,
    severity=Severity.HARD,
    todo_for=Role.COMMITTEE_MEMBER,
    waivable=Waivable.PER_SUBJECT,
    link="talks",
    zh="还有 {count} 名党员没有谈心谈话记录：{names}",
    en="{count} members have not been talked with: {names}",
)
def members_nobody_talked_with() -> Missing:
    """党支部委员与党员之间普遍进行一次谈心谈话。"""

    def talked(line: type[Participant]) -> ColumnElement[bool]:
        return exists().where(Talk.with_a_leader(line)).correlate(line)

    with_a_leader = or_(talked(Participant), in_a_former_branch(Participant, talked))
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name)
        .join(Process, Process.id == Participant.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(_mode(Coverage.DEFAULT), ~Participant.leads, *present(excused_count=True), ~with_a_leader)
    )


@requirement(
    "K2",
    stage=Stage.TALKS,
    severity=Severity.HARD,
    todo_for=Role.COMMITTEE_MEMBER,
    waivable=Waivable.PER_SUBJECT,
    link="talks",
    zh="委员与党员之间还有 {count} 对没有谈心谈话记录：{names}",
    en="{count} pairs of a committee member and a member have not talked: {names}",
)
def leaders_and_members_without_a_talk() -> Missing:
    """党支部委员与党员之间普遍进行一次谈心谈话（每名委员同每名党员）。"""
    return _pairs_without_a_talk(lambda one, other: (one.leads, ~other.leads, _mode(Coverage.STRICT)), only_first=True)


def _mode(mode: Coverage) -> ColumnElement[bool]:
    return typed(ColumnElement[bool], Cycle.plan["rules"]["coverage"].as_string() == mode.value)


def _pairs_without_a_talk(which: Any, *, only_first: bool = False) -> Missing:
    """Select the pairs of the roll that have no talk.

    Either of two leaders may act, so their pair has a row for each. With ``only_first`` the first
    of the pair, the leader, acts alone.
    """
    one, other = aliased(Participant, name="one"), aliased(Participant, name="other")
    low, high = (
        func.least(one.staff_no.collate("C"), other.staff_no.collate("C")),
        func.greatest(one.staff_no.collate("C"), other.staff_no.collate("C")),
    )
    talked = exists().where(Talk.between(one, other)).correlate(one, other)
    who = func.unnest(array([one.person_id] if only_first else [one.person_id, other.person_id])).column_valued("who")
    return (
        missing(one.process_id, subject=func.concat(low, ":", high), name=func.concat(one.name, "—", other.name), person=who)
        .select_from(one)
        .join(other, other.process_id == one.process_id)
        .join(Process, Process.id == one.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(who.scalar_alias, true())
        .where(*which(one, other), one.left_on.is_(None), other.left_on.is_(None), ~talked)
    )


@requirement(
    "K6",
    stage=Stage.TALKS,
    severity=Severity.SOFT,
    todo_for=Role.SECRETARY,
    waivable=Waivable.WHOLE,
    link="talks",
    zh="书记尚未登记重点谈心（须写明缘由）：{names}",
    en="the secretary has no focus talk with a reason: {names}",
)
def secretary_without_a_focus_talk() -> Missing:
    """党支部委员特别是支部书记要有所侧重地重点谈。"""
    focused = (
        exists()
        .where(
            Talk.process_id == Participant.process_id, Talk.counts, Talk.talker == Participant.staff_no, Talk.focus, Talk.focus_reason.is_not(None)
        )
        .correlate(Participant)
    )
    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=Participant.person_id).where(
        Participant.post == Post.SECRETARY, *present(excused_count=True), ~focused
    )


REQUIREMENTS = (
    committee_pairs_without_a_talk,
    members_nobody_talked_with,
    leaders_and_members_without_a_talk,
    secretary_without_a_focus_talk,
)
