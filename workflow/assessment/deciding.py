"""决定的要求 (requirements of a decision): its results, its quorum, and the number of 优秀.

The plan: 党委会议研究决定……研究确定优秀党支部。

Each branch has a result, the committee was able to decide, and no more branches are 优秀 than the
plan allows.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import (
    ColumnElement,
    Subquery,
    Text,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.orm import aliased

from workflow.appraisal.rating.deciding import reaches
from workflow.assessment.decision import Decision, DecisionAttendee, DecisionResult
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Cycle, Process
from workflow.year.plan import EXCELLENT

# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────

_asked = partial(requirement, stage=Stage.PROPOSED, severity=Severity.HARD, todo_for=Role.OFFICE, link="/decision")


@_asked("R5", zh="党委会还没有作出对本支部的决定", en="the committee has decided nothing on this branch")
def branch_without_a_result() -> Missing:
    """党委会议研究决定。"""
    decided = (
        select(DecisionResult.decision_id)
        .join(Decision, Decision.id == DecisionResult.decision_id)
        .where(DecisionResult.process_id == Process.id, Decision.counts)
        .correlate(Process)
        .exists()
    )
    return missing(Process.id).where(~decided)


def _excellent_after() -> ColumnElement[int]:
    """Count the branches that are 优秀 once a decision is final.

    The last decision that names a branch counts for it.
    """
    named, by, later, later_by = aliased(DecisionResult), aliased(Decision), aliased(DecisionResult), aliased(Decision)
    overtaken = (
        select(later.decision_id)
        .join(later_by, later_by.id == later.decision_id)
        .where(later.process_id == named.process_id, later.decision_id > named.decision_id, later_by.counts)
        .correlate(named)
        .exists()
    )
    return (
        select(func.count())
        .select_from(named)
        .join(by, by.id == named.decision_id)
        .where(by.cycle_id == Decision.cycle_id, by.counts, named.result == EXCELLENT, ~overtaken)
        .correlate(Decision)
        .scalar_subquery()
    )


def _pending() -> Subquery:
    """Select a row for each decision that waits for the committee.

    It is grouped, so that nothing is counted again for every branch that a decision names.
    """
    settings = Cycle.plan["rules"]["settings"]
    return (
        select(
            Decision.id,
            Decision.number,
            Decision.due,
            Decision.vote_yes,
            func.count(DecisionAttendee.staff_no).label("came"),
            settings["votes"]["committee_quorum"].as_string().label("quorum"),
            settings["excellent_branches_at_most"].as_integer().label("at_most"),
            _excellent_after().label("excellent"),
        )
        .join(Cycle, Cycle.id == Decision.cycle_id)
        .outerjoin(DecisionAttendee, DecisionAttendee.decision_id == Decision.id)
        .where(Decision.counts, Decision.confirmed_at.is_(None))
        .group_by(Decision.id, Cycle.id)
        .subquery("pending")
    )


def _named_by(pending: Subquery, *, name: object, amount: object = 1) -> Missing:
    """Select a row for each branch that such a decision names."""
    here = missing(DecisionResult.process_id, subject=pending.c.id, name=name, amount=amount)
    return here.join(pending, pending.c.id == DecisionResult.decision_id)


@_asked("R5", zh="党委会到会人数不足：{names}", en="too few of the committee were there: {names}")
def decision_without_a_quorum() -> Missing:
    """党委会议研究决定。"""
    pending = _pending()
    came, due = pending.c.came, pending.c.due
    name = func.concat("应到 ", func.coalesce(cast(due, Text), "未填"), "，实到 ", came)
    return _named_by(pending, name=name).where(~func.coalesce(reaches(came, due, pending.c.quorum), literal(False)))


@_asked("R5", severity=Severity.SIGN, zh="党委会的决定没有记录表决情况：{names}", en="the decision does not record its vote: {names}")
def decision_without_its_vote() -> Missing:
    """党委会议研究决定。"""
    pending = _pending()
    return _named_by(pending, name=pending.c.number).where(pending.c.vote_yes.is_(None))


@_asked("R7", zh="决定中没有确定{excellent_branch}党支部：{names}", en="the decision names no excellent branch: {names}")
def no_excellent_branch() -> Missing:
    """研究确定优秀党支部。"""
    pending = _pending()
    return _named_by(pending, name=pending.c.number).where(pending.c.excellent == 0)


@_asked("R7", zh="{excellent_branch}党支部超过本年度规定的个数：{names}", en="more branches are excellent than the year allows: {names}")
def more_excellent_branches_than_allowed() -> Missing:
    """研究确定优秀党支部。"""
    pending = _pending()
    number, at_most = pending.c.excellent, pending.c.at_most
    return _named_by(pending, name=func.concat("确定 ", number, " 个，不超过 ", at_most, " 个"), amount=number).where(number > at_most)


@requirement(
    "R5",
    stage=Stage.PROPOSED,
    severity=Severity.SIGN,
    todo_for=Role.COMMITTEE,
    asked_from=Stage.COLLECTING,
    asked_until=Stage.PUBLISHED,
    link="/decision",
    zh="党委会决定待党委确认：{names}",
    en="a decision waits for the committee: {names}",
)
def decision_to_confirm() -> Missing:
    """党委会议研究决定。

    (Once for the whole decision, at the first of the branches that it names.)
    """
    first = func.min(DecisionResult.process_id)
    name = func.concat(Decision.number, "（", func.count(), " 个党支部）")
    return (
        missing(first, subject=Decision.id, name=name)
        .join(Decision, Decision.id == DecisionResult.decision_id)
        .join(Process, Process.id == DecisionResult.process_id)
        .where(Decision.counts, Decision.confirmed_at.is_(None), Process.ended_at.is_(None))
        .group_by(Decision.id)
    )


WAITING = (decision_to_confirm,)
REQUIREMENTS = (
    branch_without_a_result,
    decision_without_a_quorum,
    decision_without_its_vote,
    no_excellent_branch,
    more_excellent_branches_than_allowed,
)
