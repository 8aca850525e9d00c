"""Proposals of results (考核结果建议), by the office for a branch.

They are open until the summary is left, and the summary asks for them (R3).
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller, person
from tests.support.records.assessment import a_duty_report, arranged
from tests.support.records.assessment_summary import PROPOSED, SITUATIONS, a_proposal, assessed, propose
from tests.support.records.evidence import lacking, stand_at, statements
from workflow.assessment.proposals import PROPOSAL, Proposal
from workflow.foundation.errors import Conflict, Invalid, RequirementsUnmet, StageClosed, Stale
from workflow.foundation.history import History
from workflow.foundation.vocabulary import STAGES, Kind, Role, Severity, Stage, Trigger, Waivable
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import todos
from workflow.machine.process import move
from workflow.machine.waivers import waive
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import close_cycle

INCOMPLETE = BY_NAME["proposal_incomplete"]


@pytest.fixture
def branch(session: Session) -> Process:
    """The assessment of 张三's branch at the beginning."""
    return assessed(session, a_school(session))


def stated(row: Proposal | None) -> Any:
    return row and (row.result, row.reason, row.version)


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_proposal_is_written_whole(session: Session, branch: Process) -> None:
    assert stated(PROPOSAL.of(session, branch)) is None
    assert stated(a_proposal(session, branch)) == ("excellent", PROPOSED["reason"], 1)
    row = PROPOSAL.of(session, branch)
    propose(session, branch, row, {"result": "qualified"}, seen=1)
    assert stated(row) == ("qualified", None, 2)
    propose(session, branch, row, {}, seen=2)
    assert stated(PROPOSAL.of(session, branch)) == (None, None, 3)


@pytest.mark.parametrize("result", ["excellent", "good", "qualified", "poor", "none"])
def test_each_word_of_the_plan_can_be_proposed(session: Session, branch: Process, result: str) -> None:
    assert a_proposal(session, branch, result=result).result == result


@pytest.mark.parametrize("seen", [None, 0, 2])
def test_who_did_not_see_it_as_it_stands_is_told_and_changes_nothing(session: Session, branch: Process, seen: int | None) -> None:
    row = a_proposal(session, branch)
    with pytest.raises(Stale) as refused:
        propose(session, branch, row, {"result": "poor"}, seen=seen)
    assert (refused.value.extra["version"], stated(row)) == (1, ("excellent", PROPOSED["reason"], 1))


def test_of_two_who_both_find_none_the_slower_one_is_told_what_the_other_wrote(session: Session, branch: Process) -> None:
    propose(session, branch, None, PROPOSED, seen=None)
    with pytest.raises(Stale) as refused:
        propose(session, branch, None, {"result": "poor", "reason": "较差"}, seen=None)
    assert refused.value.extra["version"] == 1
    assert [each["by"] for each in refused.value.extra["changed"]] == ["cli"]
    assert stated(PROPOSAL.of(session, branch)) == ("excellent", PROPOSED["reason"], 1)


@pytest.mark.parametrize("stage", STAGES[Kind.ASSESSMENT])
def test_it_is_open_until_the_summary_is_left(session: Session, branch: Process, stage: Stage) -> None:
    row = a_proposal(session, branch)
    stand_at(session, branch, stage)
    other = stand_at(session, process_of(session, 2024, "D0201", kind=Kind.ASSESSMENT), stage)
    if stage in (Stage.COLLECTING, Stage.SUMMARISED):
        assert propose(session, branch, row, {}, seen=1).version == 2
        assert propose(session, other, None, {}, seen=None).version == 1
        return
    for process, here, seen in ((branch, row, 1), (other, None, None)):
        with pytest.raises(StageClosed):
            propose(session, process, here, {}, seen=seen)
    assert (stated(PROPOSAL.of(session, branch)), stated(PROPOSAL.of(session, other))) == (("excellent", PROPOSED["reason"], 1), None)


def test_in_a_closed_year_nothing_is_proposed(session: Session, branch: Process) -> None:
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    with pytest.raises(Conflict):
        a_proposal(session, branch)


def test_the_proposals_of_many_are_one_query(session: Session, branch: Process, shared_engine: Engine) -> None:
    other = process_of(session, 2024, "D0201", kind=Kind.ASSESSMENT)
    a_proposal(session, branch)
    session.flush()
    with statements(shared_engine) as sent:
        found = PROPOSAL.of_many(session, [branch.id, other.id])
    assert ({key: stated(row) for key, row in found.items()}, len(sent)) == ({branch.id: ("excellent", PROPOSED["reason"], 1)}, 1)


def test_the_history_keeps_what_was_proposed_before(session: Session, branch: Process) -> None:
    a_proposal(session, branch)
    a_proposal(session, branch, result="qualified", reason="更正")
    rows = session.scalars(select(History).where(History.what == "proposal").order_by(History.id)).all()
    assert [(row.old and row.old["result"], row.new and row.new["result"]) for row in rows] == [(None, "excellent"), ("excellent", "qualified")]
    assert {row.process_id for row in rows} == {branch.id}


# ── R3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "lacks"),
    [
        (None, ["reason", "result"]),
        ({"result": None, "reason": None}, ["reason", "result"]),
        ({"result": None}, ["result"]),
        ({"reason": None}, ["reason"]),
        ({}, []),
    ],
)
def test_a_proposal_has_a_result_and_a_reason(session: Session, branch: Process, fields: dict[str, Any] | None, lacks: list[str]) -> None:
    if fields is not None:
        a_proposal(session, branch, **fields)
    assert lacking(session, branch, INCOMPLETE.name) == lacks


def test_what_is_proposed_for_another_branch_is_no_proposal_for_this_one(session: Session, branch: Process) -> None:
    a_proposal(session, process_of(session, 2024, "D0201", kind=Kind.ASSESSMENT))
    assert lacking(session, branch, INCOMPLETE.name) == ["reason", "result"]


def test_the_requirement_has_a_situation_that_lacks_it_and_one_that_meets_it(session: Session, branch: Process) -> None:
    SITUATIONS[INCOMPLETE.name].unmet(session, branch)
    assert lacking(session, branch, INCOMPLETE.name) == ["reason"]
    SITUATIONS[INCOMPLETE.name].met(session, branch)
    assert lacking(session, branch, INCOMPLETE.name) == []


def test_without_it_the_summary_is_not_left_and_no_reason_stands_for_it(session: Session, branch: Process) -> None:
    assert (INCOMPLETE.severity, INCOMPLETE.waivable, INCOMPLETE.stage) == (Severity.HARD, Waivable.NO, Stage.SUMMARISED)
    arranged(session, branch)
    a_duty_report(session, branch)
    by = caller(session, "office")
    move(session, branch, Trigger.ADVANCE, seen=branch.version, by=by, now=NOW)
    with pytest.raises(RequirementsUnmet) as refused:
        move(session, branch, Trigger.ADVANCE, seen=branch.version, by=by, now=NOW)
    assert [(each.requirement.name, each.message.zh) for each in refused.value.extra["unmet"]] == [
        (INCOMPLETE.name, "考核结果建议还缺：理由、建议等次")
    ]
    with pytest.raises(Invalid):
        waive(session, branch, {"requirement": INCOMPLETE.name, "reason": "来不及"}, by="office", now=NOW)
    assert session.scalars(select(Waiver)).all() == []
    a_proposal(session, branch)
    assert move(session, branch, Trigger.ADVANCE, seen=branch.version, by=by, now=NOW).target is Stage.PROPOSED


def test_the_office_alone_is_told_and_only_while_it_summarises(session: Session, branch: Process) -> None:
    told = {}
    for stage in STAGES[Kind.ASSESSMENT]:
        stand_at(session, branch, stage)
        told[stage] = {
            name: [
                each.at.branch_code
                for each in todos(session, person(session, name).id, today=TODAY, school=school)
                if each.requirement is INCOMPLETE and each.at.branch_code == "D0101"
            ]
            for name, school in (("office", [Role.OFFICE]), ("张三", []))
        }
    of_office = {stage: each["office"] for stage, each in told.items()}
    assert of_office == {stage: ["D0101"] if stage is Stage.SUMMARISED else [] for stage in STAGES[Kind.ASSESSMENT]}
    assert all(each["张三"] == [] for each in told.values())
