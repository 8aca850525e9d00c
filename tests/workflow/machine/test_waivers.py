"""Waivers (情况说明): a reason in place of missing subjects.

It covers what it names, in the amount of its day, as long as it is valid.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import NOW, READING, a_school, person
from tests.support.records.evidence import a_waiver, all_talks, in_situation, lacking, leaves, stand_at
from tests.support.situations import a_study, a_talk
from workflow.appraisal.study.sessions import members_who_have_not_studied, no_study_with_exchange
from workflow.appraisal.talks.requirements import (
    committee_pairs_without_a_talk,
    members_nobody_talked_with,
    secretary_without_a_focus_talk,
)
from workflow.foundation.database import constraint
from workflow.foundation.errors import Conflict, Invalid, StageClosed
from workflow.foundation.vocabulary import Severity, Stage, Waivable
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import blocking, unmet
from workflow.machine.rolls import rolls_follow
from workflow.machine.waivers import approve, waive
from workflow.rules.evidence import reject, withdraw
from workflow.rules.requirement import Requirement, Waiver
from workflow.year.cycle import Process
from workflow.year.finding import process_of

K1, K2, K6 = committee_pairs_without_a_talk.name, members_nobody_talked_with.name, secretary_without_a_focus_talk.name
E4 = members_who_have_not_studied.name
BY_SUBJECT = [each for each in BY_NAME.values() if each.waivable is Waivable.PER_SUBJECT]
WHOLE = [each for each in BY_NAME.values() if each.waivable is Waivable.WHOLE]
NEVER = [each for each in BY_NAME.values() if each.waivable is Waivable.NO]


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch in its talks, with everything missing."""
    return stand_at(session, a_school(session), Stage.TALKS)


def covered(session: Session, process: Process, requirement: str) -> list[str]:
    return [subject.id for each in unmet(session, process, [BY_NAME[requirement]]) for subject in each.waived]


def for_approval(session: Session, process: Process, requirement: str, covers: dict[str, int]) -> Waiver:
    """Make a waiver that needs the office's approval, of any requirement."""
    row = Waiver(
        process_id=process.id,
        requirement=requirement,
        covers=covers,
        names={subject: subject for subject in covers},
        reason="青年教师集中",
        needs_approval=True,
        approved_by=None,
        approved_at=None,
        recorded_by="z3",
        recorded_at=NOW,
    )
    session.add(row)
    session.flush()
    return row


# ── what may be waived, and how far ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("requirement", BY_SUBJECT, ids=lambda each: each.name)
def test_a_hard_clause_is_waived_subject_by_subject_and_never_whole(session: Session, requirement: Requirement) -> None:
    process = in_situation(session, requirement.name, met=False)
    first, *others = lacking(session, process, requirement.name)
    with pytest.raises(Invalid) as refused:
        a_waiver(session, process, requirement.name)
    assert list(refused.value.errors) == ["subjects"]
    a_waiver(session, process, requirement.name, first)
    assert (covered(session, process, requirement.name), lacking(session, process, requirement.name)) == ([first], others)


@pytest.mark.parametrize("requirement", WHOLE, ids=lambda each: each.name)
def test_a_soft_clause_takes_one_reason_for_all_of_it(session: Session, requirement: Requirement) -> None:
    branch = in_situation(session, requirement.name, met=False)
    (missing,) = unmet(session, branch, [requirement])
    open_ = [subject.id for subject in missing.open]
    row = a_waiver(session, branch, requirement.name)
    assert row.covers == {subject.id: subject.amount for subject in missing.open}
    assert (covered(session, branch, requirement.name), lacking(session, branch, requirement.name)) == (open_, [])


def test_no_reason_stands_in_place_of_any_other(session: Session) -> None:
    process = a_school(session)
    a_talk(session, process, "张三", "王五", focus=True)
    assert {each.name: refused_for(session, process, each) for each in NEVER} == {each.name: ["requirement"] for each in NEVER}


def refused_for(session: Session, process: Process, requirement: Requirement) -> list[str] | None:
    """Find the fields for which a waiver is refused; give None if it is taken."""
    try:
        a_waiver(session, process, requirement.name, "")
    except Invalid as refused:
        return list(refused.errors)
    return None


def test_what_does_not_block_and_what_the_plan_gives_no_way_out_of_is_never_waivable() -> None:
    assert all(each.waivable is Waivable.NO for each in BY_NAME.values() if each.severity is Severity.SIGN)
    assert all(each.severity is Severity.HARD for each in BY_SUBJECT)
    assert all(each.severity is Severity.SOFT for each in WHOLE)
    assert all(each.waivable is not Waivable.NO for each in BY_NAME.values() if each.severity is Severity.SOFT)


def test_a_requirement_that_does_not_exist_cannot_be_waived(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid) as refused:
        a_waiver(session, branch, "no_such_requirement", "w5")
    assert list(refused.value.errors) == ["requirement"]


def test_only_what_is_missing_is_waived_and_nothing_twice(session: Session, branch: Process) -> None:
    a_talk(session, branch, "张三", "王五")
    for subjects in (("w5",), ("s8", "w5"), ("z6",), ("",), ("no such",)):
        with pytest.raises(Invalid) as refused:
            a_waiver(session, branch, K2, *subjects)
        assert list(refused.value.errors) == ["subjects"]
    a_waiver(session, branch, K2, "s8")
    with pytest.raises(Conflict):
        a_waiver(session, branch, K2, "s8")


def test_where_nothing_is_missing_no_reason_is_taken(session: Session, branch: Process) -> None:
    all_talks(session, branch)
    with pytest.raises(Conflict, match="K6 现在没有缺项"):
        a_waiver(session, branch, K6)


@pytest.mark.parametrize("stage", [Stage.SELF_REVIEW, Stage.FILED, Stage.ACCEPTED])
def test_no_reason_is_taken_after_the_stage(session: Session, branch: Process, stage: Stage) -> None:
    stand_at(session, branch, stage)
    with pytest.raises(StageClosed):
        a_waiver(session, branch, K2, "w5")


def test_a_reason_may_be_given_ahead_of_the_stage(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.STUDY)
    a_waiver(session, branch, K2, "w5")
    stand_at(session, branch, Stage.TALKS)
    assert "w5" not in lacking(session, branch, K2)


def test_the_record_keeps_names_and_who_gave_the_reason(session: Session, branch: Process) -> None:
    row = waive(session, branch, {"requirement": K1, "subjects": ["l4:z3"], "reason": "李四长期外派"}, by="z3", now=NOW)
    assert (row.covers, row.names) == ({"l4:z3": 1}, {"l4:z3": "李四—张三"})
    assert (row.reason, row.recorded_by, row.recorded_at, row.needs_approval) == ("李四长期外派", "z3", NOW, False)


# ── what it covers ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_waived_requirement_blocks_no_more_and_is_still_shown(session: Session, branch: Process) -> None:
    all_talks(session, branch)
    for each in unmet(session, branch):
        assert not each.blocks
    stand_at(session, branch, Stage.STUDY)
    a_study(session, branch, ("张三",))
    assert [each.requirement.name for each in blocking(session, branch)] == [E4]
    a_waiver(session, branch, E4)
    assert blocking(session, branch) == []
    assert [each.state for each in unmet(session, branch)] == ["waived"]


def test_a_waiver_of_one_requirement_covers_no_other(session: Session, branch: Process) -> None:
    a_waiver(session, branch, K6)
    stand_at(session, branch, Stage.STUDY)
    assert "z3" in lacking(session, branch, E4)
    assert lacking(session, branch, no_study_with_exchange.name) == [""]


def test_a_waiver_of_one_branch_covers_no_other(session: Session, branch: Process) -> None:
    a_waiver(session, branch, K6)
    assert lacking(session, process_of(session, 2024, "D0201"), K6) == ["z6"]


def test_whoever_comes_later_is_not_covered(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.STUDY)
    a_waiver(session, branch, E4)
    a_waiver(session, branch, K2, "s8", "w5")
    person(session, "吴十").branch_id = person(session, "张三").branch_id
    session.flush()
    rolls_follow(session, now=NOW)
    assert lacking(session, branch, E4) == ["w10"]
    assert lacking(session, branch, K2) == ["w10"]


def test_someone_waived_who_leaves_and_comes_back_is_still_covered(session: Session, branch: Process) -> None:
    a_waiver(session, branch, K2, "w5")
    home = person(session, "王五").branch_id
    leaves(session, "王五")
    person(session, "王五").branch_id = home
    session.flush()
    rolls_follow(session, now=NOW)
    assert (covered(session, branch, K2), lacking(session, branch, K2)) == (["w5"], ["s8"])


@pytest.mark.parametrize(("given", "covers"), [(0, False), (1, True), (2, True)])
def test_no_greater_amount_is_covered_than_it_was_given_for(session: Session, branch: Process, given: int, covers: bool) -> None:
    row = a_waiver(session, branch, K2, "w5")
    row.covers = {"w5": given}
    session.flush()
    assert ("w5" in covered(session, branch, K2)) is covers


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_waiver_that_was_taken_back_covers_nothing(session: Session, branch: Process, take_back: Any) -> None:
    row = a_waiver(session, branch, K2, "w5")
    take_back(row, by="office", now=NOW, reason="理由不充分")
    session.flush()
    assert (covered(session, branch, K2), lacking(session, branch, K2)) == ([], ["s8", "w5"])
    assert a_waiver(session, branch, K2, "w5", reason="再次说明").id != row.id


# ── the office's approval ─────────────────────────────────────────────────────────────────────────────────────────────


def test_one_that_needs_approval_covers_nothing_until_it_has_it(session: Session, branch: Process) -> None:
    row = for_approval(session, branch, K2, {"w5": 1})
    assert covered(session, branch, K2) == []
    approve(row, by="office", now=NOW)
    session.flush()
    assert covered(session, branch, K2) == ["w5"]
    assert (row.approved_by, row.approved_at, row.version) == ("office", NOW, 2)


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_an_approved_one_that_is_taken_back_covers_nothing(session: Session, branch: Process, take_back: Any) -> None:
    row = for_approval(session, branch, K2, {"w5": 1})
    approve(row, by="office", now=NOW)
    take_back(row, by="office", now=NOW, reason="名额有变")
    session.flush()
    assert covered(session, branch, K2) == []


def test_only_what_waits_for_approval_is_approved(session: Session, branch: Process) -> None:
    plain = a_waiver(session, branch, K2, "w5")
    with pytest.raises(Conflict):
        approve(plain, by="office", now=NOW)
    row = for_approval(session, branch, K2, {"s8": 1})
    approve(row, by="office", now=NOW)
    with pytest.raises(Conflict):
        approve(row, by="office", now=NOW)
    withdrawn = for_approval(session, branch, K2, {"s8": 1})
    withdraw(withdrawn, by="z3", now=NOW, reason="不再需要")
    with pytest.raises(Conflict):
        approve(withdrawn, by="office", now=NOW)


def test_the_table_refuses_a_waiver_that_covers_no_subjects_by_name(session: Session, branch: Process) -> None:
    row = a_waiver(session, branch, K2, "w5")
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        session.execute(update(Waiver).where(Waiver.id == row.id).values(covers=list(READING)))
    assert constraint(refused.value) == "ck_waiver_covers"
