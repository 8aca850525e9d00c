"""Moves: every stage for every trigger for every role, by the plan's table.

Rounds, days, late marks, reasons, and data that a move does not change, are tested too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise, product

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller
from tests.support.records.assessment import an_assessment
from tests.support.records.evidence import (
    again,
    go,
    stand_at,
)
from workflow.foundation.errors import BranchesLack, Conflict, Forbidden, Invalid, MoveNotPossible, RequirementsUnmet, Stale
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind, Role, Stage, Trigger
from workflow.machine.gate import blocking
from workflow.machine.process import MACHINES, MOVES, may_make, move, move_together, moves_from, moves_made, options
from workflow.year.cycle import Process
from workflow.year.deadlines import change_processes, extend
from workflow.year.finding import Lock, process_of, processes
from workflow.year.opening import close_cycle

ALL, WORK = STAGES[Kind.APPRAISAL], WORKING_STAGES[Kind.APPRAISAL]
OURS = MOVES[Kind.APPRAISAL]
WHO = ("office", "committee", "张三", "孙八", "李四", "王五", "赵六", "auditor")
"""The callers: office, school committee, secretary, deputy, committee member, member.

Then the secretary of another branch, and the auditor.
"""
SECRETARIES = ("张三", "孙八")
JUDGES = ("office", "committee")
"""Whoever decides on what a branch handed in: the committee may, in place of the office."""
ROLES = {("office",): Role.OFFICE, JUDGES: Role.OFFICE, ("committee",): Role.COMMITTEE, SECRETARIES: Role.SECRETARY}


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def the_plans_table() -> Iterator[tuple[Trigger, Stage, Stage, tuple[str, ...]]]:
    """Yield trigger, from, to, roles: the design's table, written a second time."""
    yield from ((Trigger.ADVANCE, source, target, SECRETARIES) for source, target in pairwise(WORK))
    yield Trigger.FILE, Stage.REPORT, Stage.FILED, SECRETARIES
    yield Trigger.ACCEPT, Stage.FILED, Stage.ACCEPTED, JUDGES
    yield Trigger.WITHDRAW, Stage.FILED, Stage.REPORT, SECRETARIES
    for source, target in product(ALL, ALL):
        if ALL.index(target) < ALL.index(source):
            if source is not Stage.ACCEPTED:
                yield Trigger.RETURN, source, target, JUDGES
            if source in WORK:
                yield Trigger.STEP_BACK, source, target, SECRETARIES
            if source is Stage.ACCEPTED and target in WORK:
                yield Trigger.REOPEN, source, target, JUDGES


def the_assessments_table() -> Iterator[tuple[Trigger, Stage, Stage, tuple[str, ...]]]:
    """Yield the same for an assessment."""
    office, committee = ("office",), ("committee",)
    yield Trigger.ADVANCE, Stage.COLLECTING, Stage.SUMMARISED, office
    yield Trigger.ADVANCE, Stage.SUMMARISED, Stage.PROPOSED, office
    yield Trigger.RETURN, Stage.SUMMARISED, Stage.COLLECTING, JUDGES
    yield Trigger.RETURN, Stage.PROPOSED, Stage.COLLECTING, JUDGES
    yield Trigger.STEP_BACK, Stage.PROPOSED, Stage.SUMMARISED, office
    yield Trigger.DECIDE, Stage.PROPOSED, Stage.DECIDED, committee
    yield Trigger.DECIDE, Stage.DECIDED, Stage.DECIDED, committee
    yield Trigger.DECIDE, Stage.PUBLISHED, Stage.DECIDED, committee
    yield Trigger.PUBLISH, Stage.DECIDED, Stage.PUBLISHED, office


TABLES = {Kind.APPRAISAL: tuple(the_plans_table()), Kind.ASSESSMENT: tuple(the_assessments_table())}
TOGETHER = (Trigger.DECIDE, Trigger.PUBLISH)


@pytest.mark.parametrize("kind", Kind)
def test_the_declared_moves_are_those_of_the_plans_table(kind: Kind) -> None:
    declared = {(each.trigger, each.source, each.target): each.who for each in MOVES[kind]}
    assert len(declared) == len(MOVES[kind])
    assert declared == {(trigger, source, target): ROLES[who] for trigger, source, target, who in TABLES[kind]}
    assert {(each.trigger, each.source, each.target) for each in MOVES[kind] if each.judges} == {row[:3] for row in TABLES[kind] if row[3] is JUDGES}


@pytest.mark.parametrize("kind", Kind)
def test_what_ends_a_stage_asks_requirements_what_opens_it_anew_opens_a_round_and_going_back_wants_a_reason(kind: Kind) -> None:
    ours = MOVES[kind]
    triggers = {each.trigger for each in ours}
    assert {each.trigger for each in ours if each.asks_requirements} == triggers & {Trigger.ADVANCE, Trigger.FILE, Trigger.DECIDE}
    assert {each.trigger for each in ours if each.opens_round} == triggers & {Trigger.RETURN, Trigger.REOPEN}
    back = {Trigger.RETURN, Trigger.REOPEN, Trigger.STEP_BACK, Trigger.WITHDRAW}
    assert {each.trigger for each in ours if each.asks_reason} == triggers & back
    assert {each.trigger for each in ours if each.together} == triggers & set(TOGETHER)
    for trigger in triggers:
        of_trigger = [each for each in ours if each.trigger is trigger]
        assert len({(each.who, each.asks_requirements, each.asks_reason, each.opens_round, each.together) for each in of_trigger}) == 1


def test_a_move_asks_what_its_stage_asks_and_a_decision_what_the_first_one_asked() -> None:
    asked = {(each.trigger, each.source): each.asks for moves in MOVES.values() for each in moves if each.asks is not None}
    assert {stage for (trigger, _), stage in asked.items() if trigger is Trigger.DECIDE} == {Stage.PROPOSED}
    assert all(stage is source for (trigger, source), stage in asked.items() if trigger is not Trigger.DECIDE)


@pytest.mark.parametrize("kind", Kind)
def test_the_machine_has_the_stages_of_the_vocabulary_and_the_declared_moves(kind: Kind) -> None:
    machine = MACHINES[kind]
    assert list(machine.states) == [stage.value for stage in STAGES[kind]]
    assert set(machine.events) == {each.trigger.value for each in MOVES[kind]}
    drawn = {
        (name, each.source, each.dest) for name, of_trigger in machine.events.items() for rows in of_trigger.transitions.values() for each in rows
    }
    assert drawn == {(each.trigger.value, each.source.value, each.target.value) for each in MOVES[kind]}
    assert machine.models == []


@pytest.mark.parametrize("who", WHO)
def test_every_stage_and_every_trigger_is_open_to_whom_the_table_says_and_to_nobody_else(session: Session, branch: Process, who: str) -> None:
    table = {(trigger, source, target): allowed for trigger, source, target, allowed in the_plans_table()}
    by = caller(session, who)
    moves = sorted({(trigger, target) for trigger, _, target in table})
    for stage in ALL:
        process = stand_at(session, again(session), stage)
        for trigger, target in moves:
            label = f"{who} {trigger} {stage}→{target}"
            reason = "材料不完整" if next(each for each in OURS if each.trigger is trigger).asks_reason else None
            if who in table.get((trigger, stage, target), ()):
                with session.begin_nested() as attempt:
                    made = move(session, process, trigger, to=target, by=by, now=NOW, seen=None, reason=reason)
                    grows = trigger in (Trigger.RETURN, Trigger.REOPEN)
                    assert (process.stage, process.round, process.version) == (target, 2 if grows else 1, 2), label
                    assert (made.trigger, made.source, made.target, made.made_by, made.version) == (trigger, stage, target, by.staff_no, 2), label
                    attempt.rollback()
                process = again(session)
            else:
                ever = any(who in allowed for (each, _, _), allowed in table.items() if each is trigger)
                with pytest.raises(MoveNotPossible if ever else Forbidden):
                    move(session, process, trigger, to=target, by=by, now=NOW, seen=None, reason=reason)
            assert (process.stage, process.version) == (stage, 1), label
    assert moves_made(session, branch.id) == []


@pytest.mark.parametrize("who", WHO)
def test_every_stage_and_trigger_of_an_assessment_is_open_to_whom_the_table_says_and_none_that_goes_together_is_made_singly(
    session: Session, assessments: list[int], who: str
) -> None:
    table = {(trigger, source, target): allowed for trigger, source, target, allowed in TABLES[Kind.ASSESSMENT]}
    by, moves = caller(session, who), sorted({(trigger, target) for trigger, _, target in table})
    before = an_assessment(session).version
    for stage, (trigger, target) in product(STAGES[Kind.ASSESSMENT], moves):
        process = stand_at(session, an_assessment(session, lock=Lock.MOVE), stage)
        label = f"{who} {trigger} {stage}→{target}"
        reason = "材料不完整" if trigger in (Trigger.RETURN, Trigger.STEP_BACK) else None
        if who in table.get((trigger, stage, target), ()) and trigger not in TOGETHER:
            with session.begin_nested() as attempt:
                made = move(session, process, trigger, to=target, by=by, now=NOW, seen=None, reason=reason)
                grows = trigger is Trigger.RETURN
                assert (process.stage, process.round, process.version) == (target, 2 if grows else 1, before + 1), label
                assert (made.trigger, made.source, made.target, made.made_by, made.version) == (trigger, stage, target, by.staff_no, before + 1), (
                    label
                )
                attempt.rollback()
            process = an_assessment(session)
        else:
            ever = any(who in allowed for (each, _, _), allowed in table.items() if each is trigger)
            with pytest.raises(MoveNotPossible if ever else Forbidden):
                move(session, process, trigger, to=target, by=by, now=NOW, seen=None, reason=reason)
        assert (process.stage, process.version) == (stage, before), label
    assert moves_made(session, assessments[0]) == []


@pytest.mark.parametrize("trigger", TOGETHER)
@pytest.mark.parametrize("who", WHO)
def test_all_are_decided_and_published_by_one_act_of_whom_the_table_says(
    session: Session, assessments: list[int], who: str, trigger: Trigger
) -> None:
    table = {source: (target, allowed) for each, source, target, allowed in TABLES[Kind.ASSESSMENT] if each is trigger}
    mine = any(who in allowed for _, allowed in table.values())
    for stage in STAGES[Kind.ASSESSMENT]:
        change_processes(session, processes(session, assessments, lock=Lock.MOVE), {"stage": stage})
        held = processes(session, assessments, lock=Lock.MOVE)
        before = [each.version for each in held]
        with session.begin_nested() as attempt:
            if mine and stage in table:
                target, _ = table[stage]
                made = move_together(session, held, trigger, by=caller(session, who), now=NOW)
                assert [(row.process_id, row.trigger, row.source, row.target) for row in made] == [
                    (number, trigger, stage, target) for number in assessments
                ]
                assert [(each.stage, each.round, each.version) for each in held] == [(target, 1, version + 1) for version in before]
                assert [moves_made(session, number)[-1] for number in assessments] == made
            else:
                with pytest.raises(MoveNotPossible if mine else Forbidden):
                    move_together(session, held, trigger, by=caller(session, who), now=NOW)
                assert [(each.stage, each.version) for each in held] == [(stage, version) for version in before]
            attempt.rollback()


def test_none_is_decided_while_one_is_not_there_and_it_is_named(session: Session, assessments: list[int]) -> None:
    here, there = processes(session, assessments, lock=Lock.MOVE)
    stand_at(session, here, Stage.PROPOSED)
    stand_at(session, there, Stage.SUMMARISED)
    with pytest.raises(MoveNotPossible) as refused:
        move_together(session, [here, there], Trigger.DECIDE, by=caller(session, "committee"), now=NOW)
    assert "D0201党支部（汇总）" in refused.value.detail.zh
    assert "D0101党支部" not in refused.value.detail.zh
    assert [each.stage for each in (here, there)] == [Stage.PROPOSED, Stage.SUMMARISED]
    assert moves_made(session, here.id) == moves_made(session, there.id) == []


def test_one_act_over_many_names_everything_that_any_of_them_lacks(session: Session, branch: Process) -> None:
    both = [an_assessment(session, code, lock=Lock.MOVE) for code in ("D0101", "D0201")]
    with pytest.raises(BranchesLack) as refused:
        move_together(session, both, Trigger.ADVANCE, by=caller(session, "office"), now=NOW)
    lacks = [(each.at.branch_code, each.requirement.name) for each in refused.value.extra["unmet"]]
    assert lacks == [
        (code, each.requirement.name) for code, process in zip(("D0101", "D0201"), both, strict=True) for each in blocking(session, process)
    ]
    assert "D0101党支部：" in refused.value.detail.zh
    assert "D0201党支部：" in refused.value.detail.zh
    assert [(each.stage, each.version) for each in both] == [(Stage.COLLECTING, 1)] * 2


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("who", ["office", "committee", "张三", "王五"])
def test_the_buttons_are_the_moves_of_the_stage_and_say_which_are_mine(
    session: Session, branch: Process, assessments: list[int], who: str, kind: Kind
) -> None:
    by = caller(session, who)
    for stage in STAGES[kind]:
        process = stand_at(session, process_of(session, 2024, "D0101", kind=kind), stage)
        shown = options(session, process, by=by, today=TODAY)
        assert [option.move for option in shown] == moves_from(process) == [each for each in MOVES[kind] if each.source is stage]
        assert [option.allowed for option in shown] == [may_make(option.move, by, process) and not option.move.together for option in shown]
        assert all(option.unmet == [] for option in shown)


def test_a_button_that_lacks_something_is_not_offered_and_says_what(session: Session) -> None:
    process = a_school(session)
    (advance,) = options(session, process, by=caller(session, "张三"), today=TODAY)
    assert not advance.allowed
    assert [each.requirement.clause for each in advance.unmet] == ["E1", "E3", "E4"]


# ── what a move asks ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_move_is_refused_with_everything_that_is_missing_and_changes_nothing(session: Session) -> None:
    a_school(session)
    with pytest.raises(RequirementsUnmet) as refused:
        go(session, Trigger.ADVANCE)
    assert [each.requirement.clause for each in refused.value.extra["unmet"]] == ["E1", "E3", "E4"]
    for name in ("《中国共产党纪律处分条例》", "张三", "李四", "钱七", "王五", "孙八"):
        assert name in refused.value.detail.zh
    assert (again(session).stage, again(session).version) == (Stage.STUDY, 1)


@pytest.mark.parametrize("trigger", [Trigger.RETURN, Trigger.STEP_BACK, Trigger.WITHDRAW, Trigger.REOPEN])
def test_who_goes_back_gives_a_reason(session: Session, branch: Process, trigger: Trigger) -> None:
    declared = next(each for each in OURS if each.trigger is trigger)
    stand_at(session, branch, declared.source)
    with pytest.raises(Invalid) as refused:
        go(session, trigger, declared.target, reason=None)
    assert list(refused.value.errors) == ["reason"]
    assert go(session, trigger, declared.target, reason="材料不完整").reason == "材料不完整"


def test_a_move_with_several_targets_must_name_one_that_it_leads_to(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.RATING)
    with pytest.raises(Invalid) as refused:
        go(session, Trigger.STEP_BACK)
    assert list(refused.value.errors) == ["to"]
    with pytest.raises(Invalid) as refused:
        go(session, Trigger.ADVANCE, Stage.STUDY)
    assert list(refused.value.errors) == ["to"]
    with pytest.raises(MoveNotPossible):
        go(session, Trigger.ADVANCE, Stage.REPORT)
    with pytest.raises(MoveNotPossible):
        go(session, Trigger.STEP_BACK, Stage.RATING)


def test_only_a_move_that_opens_a_round_takes_a_day(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid) as refused:
        go(session, Trigger.ADVANCE, due_on=date(2025, 1, 31))
    assert list(refused.value.errors) == ["due_on"]


def test_whoever_saw_an_older_version_is_told_what_changed_since(session: Session, branch: Process) -> None:
    go(session, Trigger.ADVANCE)
    extend(session, again(session), stage=Stage.RATING, due_on=date(2025, 1, 20), reason="考试周", by="office", now=NOW)
    by = caller(session, "张三")
    with pytest.raises(Stale) as refused:
        move(session, again(session), Trigger.ADVANCE, by=by, now=NOW, seen=1)
    assert refused.value.extra["version"] == 3
    assert [(row.get("trigger"), row.get("extension"), row["by"]) for row in refused.value.extra["changed"]] == [
        ("advance", None, "z3"),
        (None, "rating", "office"),
    ]
    with pytest.raises(Stale) as refused:
        move(session, again(session), Trigger.ADVANCE, by=by, now=NOW, seen=2)
    assert [row["extension"] for row in refused.value.extra["changed"]] == ["rating"]
    assert move(session, again(session), Trigger.ADVANCE, by=by, now=NOW, seen=3).version == 4


def test_who_may_not_move_learns_nothing_of_versions_and_requirements(session: Session) -> None:
    process = a_school(session)
    with pytest.raises(Forbidden):
        move(session, process, Trigger.ADVANCE, by=caller(session, "王五"), now=NOW, seen=7)


def test_in_a_closed_year_nothing_moves(session: Session, branch: Process, assessments: list[int]) -> None:
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    with pytest.raises(Conflict):
        go(session, Trigger.ADVANCE)
    assessment = stand_at(session, an_assessment(session, lock=Lock.MOVE), Stage.DECIDED)
    with pytest.raises(Conflict):
        move_together(session, [assessment], Trigger.PUBLISH, by=caller(session, "office"), now=NOW)


@pytest.mark.parametrize(
    ("kind", "trigger"), [(kind, trigger) for kind in Kind for trigger in Trigger if trigger not in {each.trigger for each in MOVES[kind]}]
)
def test_what_moves_the_other_kind_of_process_is_no_move_of_this_one(session: Session, branch: Process, kind: Kind, trigger: Trigger) -> None:
    process = process_of(session, 2024, "D0101", kind=kind, lock=Lock.MOVE)
    with pytest.raises(Invalid) as refused:
        move(session, process, trigger, by=caller(session, "office"), now=NOW, seen=None)
    assert list(refused.value.errors) == ["trigger"]
