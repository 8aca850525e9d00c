"""Clauses that a plan drops (不要求的条款) are asked nowhere.

A stage without any clause is passed through.
"""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, TODAY, a_branch, an_office, caller, person, the_plan
from tests.support.records.evidence import go, stand_at
from tests.support.situations import a_study, a_talk
from workflow.foundation.errors import Invalid
from workflow.foundation.vocabulary import Kind, Role, Stage, Trigger
from workflow.machine.asked import CLAUSES, passed_through
from workflow.machine.gate import Unmet, blocking, blocking_together, checklist, duties, exceptions, signs, todos, unmet
from workflow.machine.process import moves_from, options
from workflow.rules.moves import Move, moves_around
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of
from workflow.year.opening import open_cycle, publish

STUDY, TALKS = ("E1", "E3", "E4"), ("K1", "K2", "K3", "K4", "K5", "K6", "K7")


def a_year_without(session: Session, *clauses: str, **changed: object) -> Process:
    """Make 张三's branch in a year whose plan does not ask these clauses."""
    an_office(session)
    a_branch(session)
    plan = the_plan().model_copy(update={"not_asked": dict.fromkeys(clauses, "本年度不要求"), **changed})
    publish(session, open_cycle(session, plan, DEADLINES, now=NOW, passed_through=passed_through(plan)), now=NOW)
    return process_of(session, 2024, "D0101", lock=Lock.MOVE)


def clauses_of(rows: list[Unmet]) -> set[str]:
    return {row.requirement.clause for row in rows}


@pytest.mark.parametrize("dropped", ["E1", "E3"])
def test_a_clause_that_is_dropped_is_asked_by_no_reader(session: Session, dropped: str) -> None:
    process = a_year_without(session, dropped)
    asked = {"E1", "E3", "E4"} - {dropped}
    assert clauses_of(unmet(session, process, today=TODAY)) == asked
    assert clauses_of(blocking(session, process)) == asked
    assert clauses_of(blocking_together(session, {process.id: Stage.STUDY}, [process])[process.id]) == asked
    assert clauses_of(checklist(session, process, Stage.STUDY, today=TODAY)) == asked
    for rows in (todos(session, person(session, "张三").id, today=TODAY), exceptions(session, 2024, today=TODAY)):
        assert asked <= clauses_of(rows)
        assert dropped not in clauses_of(rows)
    counted = {name for names in duties(session, [process]).values() for name in names}
    assert ("no_study_with_exchange" in counted, "required_titles_not_read" in counted) == (dropped != "E1", dropped != "E3")


def test_a_branch_of_a_plan_without_reading_studies_what_it_likes(session: Session) -> None:
    process = a_year_without(session, "E3", "E4", required_reading=())
    assert clauses_of(blocking(session, process)) == {"E1"}
    a_study(session, process, titles=["中国共产党章程"])
    assert go(session, Trigger.ADVANCE).target == Stage.TALKS


def test_a_dropped_sign_is_not_shown_beside_the_form(session: Session) -> None:
    process = a_year_without(session, "K3")
    a_talk(session, process, "张三", "王五")
    assert clauses_of(signs(session, process, today=TODAY)) == {"K5", "Q5"}


def test_a_stage_of_which_the_plan_asks_nothing_is_passed_through(session: Session) -> None:
    process = a_year_without(session, *TALKS)
    a_study(session, process)
    assert [(each.move.target, each.allowed) for each in options(session, process, by=caller(session, "张三"), today=TODAY)] == [
        (Stage.SELF_REVIEW, True)
    ]
    change = go(session, Trigger.ADVANCE)
    assert (change.source, change.target, process.stage) == (Stage.STUDY, Stage.SELF_REVIEW, Stage.SELF_REVIEW)
    assert process.due_on == DEADLINES[Stage.SELF_REVIEW]


def test_nobody_is_sent_back_to_a_stage_that_is_passed_through(session: Session) -> None:
    process = a_year_without(session, *TALKS)
    stand_at(session, process, Stage.SELF_REVIEW)
    assert {move.target for move in moves_from(process) if move.trigger in (Trigger.RETURN, Trigger.STEP_BACK)} == {Stage.STUDY}
    with pytest.raises(Invalid, match="不能到“谈心谈话”"):
        go(session, Trigger.RETURN, Stage.TALKS)


def test_a_year_begins_with_the_first_stage_that_is_asked(session: Session) -> None:
    process = a_year_without(session, *STUDY)
    assert (process.stage, process.due_on) == (Stage.TALKS, DEADLINES[Stage.TALKS])


def test_a_stage_is_passed_through_when_all_its_clauses_are_dropped_signs_included() -> None:
    plan = the_plan()
    assert passed_through(plan) == []
    assert passed_through(plan.model_copy(update={"not_asked": dict.fromkeys(TALKS[:-1], "不要求")})) == []
    everything = dict.fromkeys(CLAUSES, "不要求")
    assert {Stage.REPORT, Stage.PROPOSED}.isdisjoint(passed_through(plan.model_copy(update={"not_asked": everything})))
    assert passed_through(plan.model_copy(update={"not_asked": dict.fromkeys((*TALKS, *STUDY), "不要求")})) == [Stage.STUDY, Stage.TALKS]


def test_moves_go_around_two_empty_stages_and_stop_where_another_trigger_leads_on() -> None:
    first, second, third, last = Stage.STUDY, Stage.TALKS, Stage.SELF_REVIEW, Stage.RATING
    declared = (
        Move(Trigger.ADVANCE, first, second, Role.SECRETARY, asks=first),
        Move(Trigger.ADVANCE, second, third, Role.SECRETARY, asks=second),
        Move(Trigger.FILE, third, last, Role.SECRETARY, asks=third),
        Move(Trigger.RETURN, last, second, Role.OFFICE),
    )
    around = moves_around(declared, {second, third})
    assert [(each.trigger, each.source, each.target, each.through) for each in around] == [
        (Trigger.ADVANCE, first, third, (second,)),
        (Trigger.ADVANCE, second, third, ()),
        (Trigger.FILE, third, last, ()),
    ]
    assert moves_around(declared, ()) == declared


def test_the_committees_assessment_passes_a_stage_too(session: Session) -> None:
    a_year_without(session, "R3")
    process = process_of(session, 2024, "D0101", kind=Kind.ASSESSMENT)
    assert {move.target for move in moves_from(process)} == {Stage.PROPOSED}
