"""Moves: every stage × every trigger × every role as the plan's table says; rounds, days, late marks, reasons, and what a move leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise, product

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.builders import NOW, a_school, caller
from tests.evidence import a_make_up, a_waiver, again, all_after_the_talks, all_evidence, all_talks, came_to, go, leaves, stand_at, statements
from tests.situations import a_study, a_talk, on_roll
from workflow.appraisal.talks import members_nobody_talked_with, record_follow_up
from workflow.cycle import Lock, Process, StageChange, moves_made, process_of, roll
from workflow.database import transaction
from workflow.deadlines import extend
from workflow.errors import Conflict, Forbidden, Invalid, MoveNotPossible, RequirementsUnmet, StageClosed, Stale
from workflow.mail.outbox import Letter
from workflow.opening import close_cycle
from workflow.process import MACHINES, MOVES, may_make, move, moves_from, options
from workflow.roll import rolls_follow
from workflow.roster.posts import appoint
from workflow.vocabulary import STAGES, WORKING_STAGES, Kind, Post, Role, Stage, Trigger

ALL, WORK = STAGES[Kind.APPRAISAL], WORKING_STAGES[Kind.APPRAISAL]
OURS = MOVES[Kind.APPRAISAL]
WHO = ("office", "张三", "孙八", "李四", "王五", "赵六", "auditor")
"""Office, secretary, deputy, committee member, member, the secretary of another branch, auditor."""
SECRETARIES = ("张三", "孙八")


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning, with all the evidence it will need, and 孙八 its deputy."""
    process = a_school(session)
    appoint(session, {"staff_no": "s8", "branch": "D0101", "post": Post.DEPUTY, "starts_on": date(2024, 3, 1)}, now=NOW)
    all_evidence(session, process)
    return process


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def the_plans_table() -> Iterator[tuple[Trigger, Stage, Stage, tuple[str, ...]]]:
    """Trigger, from, to, who may: written down a second time, as the design says it."""
    yield from ((Trigger.ADVANCE, source, target, SECRETARIES) for source, target in pairwise(WORK))
    yield Trigger.FILE, Stage.REPORT, Stage.FILED, SECRETARIES
    yield Trigger.ACCEPT, Stage.FILED, Stage.ACCEPTED, ("office",)
    yield Trigger.WITHDRAW, Stage.FILED, Stage.REPORT, SECRETARIES
    for source, target in product(ALL, ALL):
        if ALL.index(target) < ALL.index(source):
            if source is not Stage.ACCEPTED:
                yield Trigger.RETURN, source, target, ("office",)
            if source in WORK:
                yield Trigger.STEP_BACK, source, target, SECRETARIES
            if source is Stage.ACCEPTED and target in WORK:
                yield Trigger.REOPEN, source, target, ("office",)


def test_the_declared_moves_are_those_of_the_plans_table() -> None:
    declared = {(each.trigger, each.source, each.target): each.who for each in OURS}
    assert len(declared) == len(OURS)
    assert declared == {(t, a, b): Role.OFFICE if who == ("office",) else Role.SECRETARY for t, a, b, who in the_plans_table()}


def test_only_advance_and_file_ask_requirements_only_return_and_reopen_open_a_round_and_going_back_wants_a_reason() -> None:
    assert {each.trigger for each in OURS if each.asks_requirements} == {Trigger.ADVANCE, Trigger.FILE}
    assert {each.trigger for each in OURS if each.opens_round} == {Trigger.RETURN, Trigger.REOPEN}
    assert {each.trigger for each in OURS if each.asks_reason} == {Trigger.RETURN, Trigger.REOPEN, Trigger.STEP_BACK, Trigger.WITHDRAW}
    for trigger in Trigger:
        of_trigger = [each for each in OURS if each.trigger is trigger]
        assert len({(each.who, each.asks_requirements, each.asks_reason, each.opens_round) for each in of_trigger}) == 1


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


@pytest.mark.parametrize("who", ["office", "张三", "王五"])
def test_the_buttons_are_the_moves_of_the_stage_and_say_which_are_mine(session: Session, branch: Process, who: str) -> None:
    by = caller(session, who)
    for stage in ALL:
        process = stand_at(session, branch, stage)
        shown = options(session, process, by=by)
        assert [option.move for option in shown] == moves_from(process) == [each for each in OURS if each.source is stage]
        assert [option.allowed for option in shown] == [may_make(option.move, by, process) for option in shown]
        assert all(option.unmet == [] for option in shown)


def test_a_button_that_lacks_something_is_not_offered_and_says_what(session: Session) -> None:
    process = a_school(session)
    (advance,) = options(session, process, by=caller(session, "张三"))
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


def test_in_a_closed_year_nothing_moves(session: Session, branch: Process) -> None:
    close_cycle(session, branch.cycle, now=NOW)
    with pytest.raises(Conflict):
        go(session, Trigger.ADVANCE)


# ── rounds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rounds_grow_by_return_and_reopen_only(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    go(session, Trigger.WITHDRAW)
    go(session, Trigger.STEP_BACK, Stage.RATING)
    assert again(session).round == 1
    came_to(session, Stage.FILED)
    go(session, Trigger.RETURN, Stage.TALKS)
    assert again(session).round == 2
    came_to(session, Stage.ACCEPTED)
    go(session, Trigger.REOPEN, Stage.REPORT)
    assert again(session).round == 3
    rounds = [(row.trigger, row.round) for row in moves_made(session, branch.id) if row.trigger in (Trigger.RETURN, Trigger.REOPEN)]
    assert rounds == [(Trigger.RETURN, 2), (Trigger.REOPEN, 3)]
    versions = [row.version for row in moves_made(session, branch.id)]
    assert versions == list(range(2, 2 + len(versions)))


def test_a_return_tells_secretary_and_deputy_and_another_move_tells_nobody(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    assert session.scalar(select(func.count()).select_from(Letter)) == 0
    go(session, Trigger.RETURN, Stage.TALKS)
    assert set(session.scalars(select(Letter.recipient_name))) == {"张三", "孙八"}


def test_waivers_and_evidence_survive_a_return(session: Session) -> None:
    process = a_school(session)
    a_study(session, process)
    for name in ("李四", "钱七"):
        a_talk(session, process, "张三", name, focus=True, focus_reason="分工调整")
    a_talk(session, process, "李四", "钱七")
    a_talk(session, process, "李四", "王五")
    a_waiver(session, process, members_nobody_talked_with.name, "s8")
    came_to(session, Stage.SELF_REVIEW)
    go(session, Trigger.RETURN, Stage.STUDY)
    assert came_to(session, Stage.SELF_REVIEW).round == 2


@pytest.mark.parametrize(("trigger", "target"), [(Trigger.RETURN, Stage.TALKS), (Trigger.STEP_BACK, Stage.TALKS), (Trigger.STEP_BACK, Stage.STUDY)])
def test_evidence_closes_with_its_stage_and_opens_again_when_the_branch_goes_back(
    session: Session, branch: Process, trigger: Trigger, target: Stage
) -> None:
    came_to(session, Stage.SELF_REVIEW)
    with pytest.raises(StageClosed):
        a_talk(session, again(session), "张三", "王五")
    with pytest.raises(StageClosed):
        a_study(session, again(session))
    go(session, trigger, target)
    assert a_talk(session, again(session), "张三", "王五").id
    if target is Stage.STUDY:
        assert a_study(session, again(session)).id
    else:
        with pytest.raises(StageClosed):
            a_study(session, again(session))


@pytest.mark.parametrize(("through", "trigger"), [(Stage.FILED, Trigger.WITHDRAW), (Stage.ACCEPTED, Trigger.REOPEN)])
def test_withdraw_and_reopen_open_only_what_belongs_to_where_they_lead(session: Session, branch: Process, through: Stage, trigger: Trigger) -> None:
    came_to(session, through)
    go(session, trigger, Stage.REPORT)
    assert not again(session).has_left(Stage.REPORT)
    with pytest.raises(StageClosed):
        a_talk(session, again(session), "张三", "王五")


def test_make_ups_and_follow_ups_never_close(session: Session) -> None:
    process = a_school(session)
    study = a_study(session, process)
    missed = a_study(session, process, ("张三",))
    all_talks(session, process)
    talk = a_talk(session, process, "张三", "王五")
    all_after_the_talks(session, process)
    came_to(session, Stage.ACCEPTED)
    assert a_make_up(session, again(session), missed, "王五").session_id == missed.id != study.id
    body = {"due_on": date(2025, 3, 1), "what": "联系工会帮助"}
    assert record_follow_up(session, again(session), talk, body, by=caller(session, "张三"), now=NOW).id


def test_a_filed_roll_stays_as_it_is_until_a_return_brings_it_into_step(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    leaves(session, "王五")
    assert on_roll(session, branch, "王五").left_on is None
    go(session, Trigger.RETURN, Stage.REPORT)
    assert on_roll(session, branch, "王五").left_on == NOW.date()


def test_a_roll_that_was_withdrawn_from_filing_follows_the_roster_again(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    leaves(session, "王五")
    go(session, Trigger.WITHDRAW)
    rolls_follow(session, now=NOW)
    assert on_roll(session, branch, "王五").left_on == NOW.date()


def test_a_roll_that_was_withdrawn_from_filing_is_in_step_at_once(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    leaves(session, "王五")
    go(session, Trigger.WITHDRAW)
    assert on_roll(session, branch, "王五").left_on == NOW.date()


def test_a_reopened_roll_is_brought_into_step(session: Session, branch: Process) -> None:
    came_to(session, Stage.ACCEPTED)
    leaves(session, "王五")
    assert len([row for row in roll(session, branch.id) if row.left_on is None]) == 5
    go(session, Trigger.REOPEN, Stage.RATING)
    assert len([row for row in roll(session, branch.id) if row.left_on is None]) == 4


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stage", [Stage.STUDY, Stage.TALKS])
def test_an_advance_is_six_statements_between_begin_and_commit(engine: Engine, stage: Stage) -> None:
    with transaction(engine, actor="cli") as session:
        all_evidence(session, a_school(session))
        came_to(session, stage)
        secretary = caller(session, "张三")
    with statements(engine) as sent, transaction(engine, actor="z3") as session:
        process = process_of(session, 2024, "D0101", lock=Lock.MOVE)
        move(session, process, Trigger.ADVANCE, by=secretary, now=NOW, seen=process.version)
    beginnings = ["select set_config(", "SELECT ", "select requirement,", "UPDATE process SET ", "INSERT INTO stage_change ", "UPDATE letter SET "]
    assert [statement[: len(start)] for statement, start in zip(sent, beginnings, strict=True)] == beginnings
    assert sent[1].endswith("FOR UPDATE OF process")
    with transaction(engine, actor=None) as session:
        made = session.scalars(select(StageChange).order_by(StageChange.id.desc())).first()
        assert made is not None
        assert (made.source, made.made_by) == (stage, "z3")
