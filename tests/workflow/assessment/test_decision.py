"""The committee's decision: entered once, refused whole, final once, published to the branches.

Only another decision corrects it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_branch, a_school, caller
from tests.support.records.assessment import an_assessment
from tests.support.records.evidence import lacking, stand_at, statements
from workflow.assessment.decision import (
    FINAL,
    PUBLISHED,
    Decision,
    DecisionResult,
    decision_of,
    decisions_of,
    enter_decision,
    excellent_by,
    latest_decision,
    must_be_pending,
    result_of,
    results,
)
from workflow.foundation.errors import BranchesLack, Conflict, Exists, Forbidden, Invalid, MoveNotPossible, NotFound
from workflow.foundation.history import History
from workflow.foundation.vocabulary import EndedWhy, Kind, Stage, Trigger
from workflow.machine.committee import enter, make_final, publish_decision
from workflow.machine.process import move, move_together
from workflow.machine.rolls import rolls_follow
from workflow.mail.outbox import Letter
from workflow.roster.ending import end
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Cycle, StageChange
from workflow.year.finding import Lock, cycle_by_year, processes_of
from workflow.year.opening import close_cycle
from workflow.year.roll import roll

ONE, OTHER = "D0101", "D0201"
GOOD = {ONE: "excellent", OTHER: "qualified"}


@pytest.fixture
def cycle(session: Session) -> Cycle:
    """A published 2024 with two branches that have proposals."""
    a_school(session)
    for code in (ONE, OTHER):
        stand_at(session, an_assessment(session, code), Stage.PROPOSED)
    return cycle_by_year(session, 2024)


def a_body(given: Mapping[str, str] = GOOD, **fields: Any) -> dict[str, Any]:
    body = {"held_on": TODAY, "number": "党委会〔2024〕12号", "attendees": ["committee", "auditor"], "due": 3}
    return {**body, "results": {code: {"result": result} for code, result in given.items()}, **fields}


def entered(session: Session, cycle: Cycle, given: Mapping[str, str] = GOOD, **fields: Any) -> Decision:
    return enter_decision(session, cycle, a_body(given, **fields), by=caller(session, "office"), now=NOW)


def confirmed(session: Session, cycle: Cycle, decision: Decision) -> Decision:
    make_final(session, cycle, decision, by=caller(session, "committee"), now=NOW)
    return decision


def published(session: Session, cycle: Cycle) -> None:
    publish_decision(session, cycle, by=caller(session, "office"), now=NOW, base_url="https://zhibu.example")


def stages(session: Session) -> dict[str, Stage]:
    return {code: an_assessment(session, code).stage for code in (ONE, OTHER)}


def in_force(session: Session, cycle: Cycle, holds: Any = FINAL) -> dict[str, str]:
    return {row.process.branch.code: row.result for row in results(session, holds, Decision.cycle_id == cycle.id)}


# ── entering ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_entered_is_kept_and_holds_for_nobody_yet(session: Session, cycle: Cycle) -> None:
    decision = entered(session, cycle)
    assert latest_decision(session, cycle) is decision
    assert (sorted(each.staff_no for each in decision.attendees), decision.due) == (["auditor", "committee"], 3)
    assert in_force(session, cycle) == {}
    assert stages(session) == {ONE: Stage.PROPOSED, OTHER: Stage.PROPOSED}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"results": {}}, ["results"]),
        ({"results": {"D9999": {"result": "excellent"}}}, ["results.D9999"]),
        ({"attendees": ["nobody"]}, ["attendees"]),
        ({"due": 1}, ["attendees"]),
        ({"held_on": TODAY + timedelta(days=1)}, ["held_on"]),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_nothing_is_kept(session: Session, cycle: Cycle, fields: Any, wrong: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        entered(session, cycle, **fields)
    assert list(refused.value.errors) == wrong
    assert session.scalar(select(func.count()).select_from(Decision)) == 0


def test_a_second_one_is_not_entered_while_one_waits_nor_under_the_same_number(session: Session, cycle: Cycle) -> None:
    first = entered(session, cycle)
    with pytest.raises(Exists):
        entered(session, cycle, number="党委会〔2024〕13号")
    confirmed(session, cycle, first)
    with pytest.raises(Exists):
        entered(session, cycle, {ONE: "qualified", OTHER: "excellent"})
    assert entered(session, cycle, {ONE: "qualified", OTHER: "excellent"}, number="党委会〔2024〕13号").id


def test_one_that_was_withdrawn_or_rejected_is_no_decision_and_another_is_entered(session: Session, cycle: Cycle) -> None:
    withdraw(entered(session, cycle), by="office", now=NOW, reason="登记有误")
    reject(entered(session, cycle), by="committee", now=NOW, reason="与纪要不符")
    session.flush()
    with pytest.raises(NotFound):
        latest_decision(session, cycle)
    assert lacking(session, an_assessment(session, ONE), "branch_without_a_result") == [""]
    assert confirmed(session, cycle, entered(session, cycle)).final
    assert [row.counts for row in decisions_of(session, cycle)] == [False, False, True]


def test_in_a_closed_year_nothing_is_entered_and_nothing_decided(session: Session, cycle: Cycle) -> None:
    decision = entered(session, cycle)
    close_cycle(session, cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    with pytest.raises(Conflict):
        confirmed(session, cycle, decision)
    with pytest.raises(Conflict):
        entered(session, cycle, number="党委会〔2024〕13号")


def test_the_committee_is_told_that_one_waits_for_it(session: Session, cycle: Cycle) -> None:
    enter(session, cycle, a_body(), by=caller(session, "office"), now=NOW, base_url="https://zhibu.example")
    (letter,) = session.scalars(select(Letter)).all()
    assert (letter.kind, letter.recipient_name) == ("decision-entered", "学校党委")
    assert "党委会〔2024〕12号" in letter.text
    assert "优秀" not in letter.text


# ── making it final ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_committee_makes_it_final_and_every_branch_is_decided_at_once(session: Session, cycle: Cycle) -> None:
    decision = confirmed(session, cycle, entered(session, cycle))
    assert stages(session) == {ONE: Stage.DECIDED, OTHER: Stage.DECIDED}
    assert in_force(session, cycle) == GOOD
    assert (decision.confirmed_by, decision.confirmed_at) == ("committee", NOW)
    made = session.scalars(select(StageChange).order_by(StageChange.process_id)).all()
    assert [(row.trigger, row.target, row.made_by, row.reason) for row in made] == [
        (Trigger.DECIDE, Stage.DECIDED, "committee", "党委会〔2024〕12号")
    ] * 2


@pytest.mark.parametrize("who", ["office", "张三", "auditor"])
def test_nobody_else_makes_it_final(session: Session, cycle: Cycle, who: str) -> None:
    decision = entered(session, cycle)
    with pytest.raises(Forbidden):
        make_final(session, cycle, decision, by=caller(session, who), now=NOW)
    assert in_force(session, cycle) == {}


def test_who_entered_it_does_not_confirm_it(session: Session, cycle: Cycle) -> None:
    decision = enter_decision(session, cycle, a_body(), by=caller(session, "committee"), now=NOW)
    with pytest.raises(Forbidden):
        confirmed(session, cycle, decision)


def test_no_single_branch_is_decided_or_published(session: Session, cycle: Cycle) -> None:
    entered(session, cycle)
    process = an_assessment(session, ONE)
    with pytest.raises(MoveNotPossible):
        move(session, process, Trigger.DECIDE, by=caller(session, "committee"), now=NOW, seen=None)
    stand_at(session, process, Stage.DECIDED)
    with pytest.raises(MoveNotPossible):
        move(session, process, Trigger.PUBLISH, by=caller(session, "office"), now=NOW, seen=None)


def test_while_one_branch_is_not_proposed_none_is_decided_and_it_is_named(session: Session, cycle: Cycle) -> None:
    stand_at(session, an_assessment(session, OTHER), Stage.COLLECTING)
    decision = entered(session, cycle, {ONE: "excellent"})
    with pytest.raises(MoveNotPossible) as refused:
        confirmed(session, cycle, decision)
    assert f"{OTHER}党支部（述职与材料汇集）" in refused.value.detail.zh
    assert stages(session)[ONE] is Stage.PROPOSED
    assert not decision.final


@pytest.mark.parametrize(
    ("given", "fields", "lacks", "branches"),
    [
        ({ONE: "excellent"}, {}, "branch_without_a_result", [OTHER]),
        (GOOD, {"attendees": ["committee"]}, "decision_without_a_quorum", [ONE, OTHER]),
        (GOOD, {"due": None}, "decision_without_a_quorum", [ONE, OTHER]),
        ({ONE: "qualified", OTHER: "qualified"}, {}, "no_excellent_branch", [ONE, OTHER]),
    ],
)
def test_it_is_refused_whole_with_all_that_is_missing(
    session: Session, cycle: Cycle, given: Any, fields: Any, lacks: str, branches: list[str]
) -> None:
    decision = entered(session, cycle, given, **fields)
    with pytest.raises(BranchesLack) as refused:
        confirmed(session, cycle, decision)
    assert [(each.requirement.name, each.at.branch_code) for each in refused.value.extra["unmet"]] == [(lacks, code) for code in branches]
    assert stages(session) == {ONE: Stage.PROPOSED, OTHER: Stage.PROPOSED}


def test_a_branch_that_was_dissolved_does_not_hold_up_the_others(session: Session, cycle: Cycle) -> None:
    gone = stand_at(session, an_assessment(session, OTHER), Stage.COLLECTING)
    for row in roll(session, gone.id):
        row.left_on = TODAY
    session.flush()
    confirmed(session, cycle, entered(session, cycle, {ONE: "excellent"}))
    assert stages(session) == {ONE: Stage.DECIDED, OTHER: Stage.COLLECTING}


def test_a_branch_that_takes_no_part_does_not_hold_up_the_others(session: Session, cycle: Cycle) -> None:
    left_out = stand_at(session, an_assessment(session, OTHER), Stage.COLLECTING)
    end(session, [left_out], {"why": EndedWhy.NEW, "reason": "今年十月新成立"}, by="office", now=NOW)
    confirmed(session, cycle, entered(session, cycle, {ONE: "excellent"}))
    assert stages(session) == {ONE: Stage.DECIDED, OTHER: Stage.COLLECTING}


def test_half_of_the_committee_is_a_quorum(session: Session, cycle: Cycle) -> None:
    assert confirmed(session, cycle, entered(session, cycle, due=4)).final


def test_more_excellent_branches_than_the_year_allows_are_refused(session: Session, cycle: Cycle) -> None:
    settings = {**cycle.plan["rules"]["settings"], "excellent_branches_at_most": 1}
    cycle.plan = {**cycle.plan, "rules": {**cycle.plan["rules"], "settings": settings}}
    decision = entered(session, cycle, dict.fromkeys(GOOD, "excellent"))
    with pytest.raises(BranchesLack) as refused:
        confirmed(session, cycle, decision)
    assert {each.requirement.name for each in refused.value.extra["unmet"]} == {"more_excellent_branches_than_allowed"}
    withdraw(decision, by="office", now=NOW, reason="超过个数")
    assert confirmed(session, cycle, entered(session, cycle)).final


def test_once_final_it_is_locked(session: Session, cycle: Cycle) -> None:
    decision = confirmed(session, cycle, entered(session, cycle))
    with pytest.raises(Conflict):
        must_be_pending(decision)
    with pytest.raises(Conflict):
        confirmed(session, cycle, decision)
    for stage in (Trigger.ADVANCE, Trigger.RETURN, Trigger.STEP_BACK):
        with pytest.raises((MoveNotPossible, Invalid)):
            move(session, an_assessment(session, ONE), stage, by=caller(session, "office"), now=NOW, seen=None, reason="有误")


def test_what_the_committee_had_before_it_is_kept_whatever_becomes_of_the_records(session: Session, cycle: Cycle) -> None:
    decision = confirmed(session, cycle, entered(session, cycle))
    rows = session.scalars(select(DecisionResult).where(DecisionResult.decision_id == decision.id)).all()
    assert all(row.inputs is not None and "committee_appraisal" in row.inputs for row in rows)


# ── correcting ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after", ["decided", "published"])
def test_another_decision_corrects_only_the_branches_that_it_names(session: Session, cycle: Cycle, after: str) -> None:
    confirmed(session, cycle, entered(session, cycle))
    if after == "published":
        published(session, cycle)
    second = confirmed(session, cycle, entered(session, cycle, {OTHER: "excellent"}, number="党委会〔2024〕13号"))
    assert in_force(session, cycle) == {ONE: "excellent", OTHER: "excellent"}
    assert [row.process.branch.code for row in excellent_by(session, second)] == [ONE, OTHER]
    assert stages(session) == {ONE: Stage(after), OTHER: Stage.DECIDED}


def test_a_correction_is_asked_what_the_first_decision_was(session: Session, cycle: Cycle) -> None:
    confirmed(session, cycle, entered(session, cycle))
    second = entered(session, cycle, {ONE: "qualified"}, number="党委会〔2024〕13号", attendees=["committee"])
    with pytest.raises(BranchesLack) as refused:
        confirmed(session, cycle, second)
    assert {each.requirement.name for each in refused.value.extra["unmet"]} == {"decision_without_a_quorum", "no_excellent_branch"}
    assert in_force(session, cycle) == GOOD


def test_a_branch_that_comes_later_is_decided_by_another_decision(session: Session, cycle: Cycle) -> None:
    confirmed(session, cycle, entered(session, cycle))
    a_branch(session, code="D0301", members=("周九", "冯二"), committee=("周九",))
    rolls_follow(session, now=NOW)
    late = an_assessment(session, "D0301")
    second = entered(session, cycle, {OTHER: "excellent"}, number="党委会〔2024〕13号")
    confirmed(session, cycle, second)
    assert late.stage is Stage.COLLECTING
    stand_at(session, late, Stage.PROPOSED)
    third = entered(session, cycle, {ONE: "excellent"}, number="党委会〔2024〕14号")
    with pytest.raises(BranchesLack) as refused:
        confirmed(session, cycle, third)
    assert [each.at.branch_code for each in refused.value.extra["unmet"]] == ["D0301"]


# ── publishing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_result_is_read_by_the_branches_once_it_is_published(session: Session, cycle: Cycle) -> None:
    confirmed(session, cycle, entered(session, cycle))
    assert in_force(session, cycle, PUBLISHED) == {}
    published(session, cycle)
    assert in_force(session, cycle, PUBLISHED) == GOOD
    assert stages(session) == {ONE: Stage.PUBLISHED, OTHER: Stage.PUBLISHED}
    confirmed(session, cycle, entered(session, cycle, {OTHER: "excellent"}, number="党委会〔2024〕13号"))
    row = result_of(session, an_assessment(session, OTHER), PUBLISHED)
    assert row is not None
    assert row.result == "qualified"


def test_there_is_nothing_to_publish_before_a_decision_is_final_and_after_it_is_published(session: Session, cycle: Cycle) -> None:
    decision = entered(session, cycle)
    with pytest.raises(Conflict):
        published(session, cycle)
    confirmed(session, cycle, decision)
    published(session, cycle)
    with pytest.raises(Conflict):
        published(session, cycle)


def test_secretaries_and_deputies_are_told_and_no_letter_says_the_result(session: Session, cycle: Cycle) -> None:
    confirmed(session, cycle, entered(session, cycle))
    published(session, cycle)
    letters = session.scalars(select(Letter).order_by(Letter.id)).all()
    assert [(letter.kind, letter.recipient_name) for letter in letters] == [("published", "张三"), ("published", "赵六")]
    good, other = letters
    for one, of_other in (("张三", "赵六"), (ONE, OTHER)):
        good.text, good.html = good.text.replace(one, of_other), good.html.replace(one, of_other)
    assert (good.text, good.html) == (other.text, other.html), "which result a branch has is not to be seen"
    confirmed(session, cycle, entered(session, cycle, {ONE: "excellent"}, number="党委会〔2024〕13号"))
    published(session, cycle)
    told = session.scalars(select(Letter.recipient_name).order_by(Letter.id)).all()
    assert told == ["张三", "赵六", "张三"]


# ── one act ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_act_costs_the_same_statements_for_two_branches_as_for_many(shared_engine: Engine, session: Session, cycle: Cycle) -> None:
    def cost(number: str) -> int:
        decision = entered(
            session, cycle, {each.branch.code: "excellent" for each in processes_of(session, cycle, Kind.ASSESSMENT, lock=Lock.NONE)}, number=number
        )
        session.flush()
        with statements(shared_engine) as sent:
            confirmed(session, cycle, decision)
        return len(sent)

    few = cost("党委会〔2024〕12号")
    for number in range(20):
        a_branch(session, code=f"D05{number:02d}", members=(f"p{number}", f"r{number}"), committee=(f"p{number}",))
    rolls_follow(session, now=NOW)
    for process in processes_of(session, cycle, Kind.ASSESSMENT, lock=Lock.NONE):
        stand_at(session, process, Stage.PROPOSED)
    assert cost("党委会〔2024〕13号") == few


def test_an_act_over_many_gives_each_its_change_and_its_version(session: Session, cycle: Cycle) -> None:
    entered(session, cycle)
    both = [an_assessment(session, code) for code in (ONE, OTHER)]
    changes = move_together(session, both, Trigger.DECIDE, by=caller(session, "committee"), now=NOW)
    assert [change.process_id for change in changes] == [process.id for process in both]
    assert [process.version for process in both] == [change.version for change in changes]


def test_the_history_has_the_decision_and_each_result(session: Session, cycle: Cycle) -> None:
    decision = confirmed(session, cycle, entered(session, cycle))
    written = session.scalars(select(History.what).where(History.what.in_(("decision", "decision_result")))).all()
    assert sorted(set(written)) == ["decision", "decision_result"]
    assert decision_of(session, cycle, decision.id) is decision
