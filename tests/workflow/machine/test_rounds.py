"""Rounds: the effect of a return, a withdrawal and a reopening, and their limits.

The cost of a move is tested too.
"""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller
from tests.support.records.assessment import an_assessment
from tests.support.records.evidence import (
    a_make_up,
    a_waiver,
    again,
    all_after_the_talks,
    all_evidence,
    all_talks,
    came_to,
    go,
    leaves,
    stand_at,
    statements,
)
from tests.support.situations import a_study, a_talk, on_roll
from workflow.appraisal.talks.follow_ups import record_follow_up
from workflow.appraisal.talks.requirements import (
    members_nobody_talked_with,
)
from workflow.foundation.database import transaction
from workflow.foundation.errors import StageClosed
from workflow.foundation.vocabulary import Stage, Trigger
from workflow.machine.process import move, moves_made
from workflow.machine.rolls import rolls_follow
from workflow.mail.outbox import Letter
from workflow.year.cycle import Process, StageChange
from workflow.year.finding import Lock, process_of
from workflow.year.roll import roll


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
    assert {letter.process_id for letter in session.scalars(select(Letter))} == {branch.id}


def test_the_return_of_an_assessment_is_told_as_one(session: Session, assessments: list[int]) -> None:
    process = stand_at(session, an_assessment(session, lock=Lock.MOVE), Stage.PROPOSED)
    move(session, process, Trigger.RETURN, by=caller(session, "office"), now=NOW, seen=None, reason="述职报告过于简略")
    letters = session.scalars(select(Letter)).all()
    assert {letter.recipient_name for letter in letters} == {"张三", "孙八"}
    for letter in letters:
        assert "2024年度党委考核支部的述职考核材料退回修改，请从“述职与材料汇集”环节起补充完善。" in letter.text
        assert "民主评议" not in letter.text


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
def test_an_advance_is_five_statements_between_begin_and_commit(engine: Engine, stage: Stage) -> None:
    with transaction(engine, actor="cli") as session:
        all_evidence(session, a_school(session))
        came_to(session, stage)
        secretary = caller(session, "张三")
    with statements(engine) as sent, transaction(engine, actor="z3") as session:
        process = process_of(session, 2024, "D0101", lock=Lock.MOVE)
        move(session, process, Trigger.ADVANCE, by=secretary, now=NOW, seen=process.version)
    beginnings = ["select set_config(", "SELECT ", "select requirement,", "UPDATE process SET ", "INSERT INTO stage_change "]
    assert [statement[: len(start)] for statement, start in zip(sent, beginnings, strict=True)] == beginnings
    assert sent[1].endswith("FOR UPDATE OF process")
    with transaction(engine, actor=None) as session:
        made = session.scalars(select(StageChange).order_by(StageChange.id.desc())).first()
        assert made is not None
        assert (made.source, made.made_by) == (stage, "z3")
