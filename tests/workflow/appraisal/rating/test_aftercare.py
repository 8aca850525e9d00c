"""Help and disposition (教育帮扶与组织处置: A7, D7, D8): plans and cases, and their gaps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller
from tests.support.records.evidence import a_waiver, excused, lacking, leaves, stand_at
from tests.support.records.rating import BASIC, PROPOSED_ON, QUALIFIED, UNQUALIFIED, a_case, a_counted_ballot, a_help_plan, a_rating, a_step, amended
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan, Step
from workflow.appraisal.rating.aftercare_help import HELP_PLANS, record_review
from workflow.appraisal.rating.aftercare_procedure import CASES
from workflow.appraisal.rating.aftercare_requirements import (
    basic_without_a_help_plan,
    cases_without_facts,
    unqualified_without_a_case,
)
from workflow.foundation.database import constraint
from workflow.foundation.errors import Conflict, Exists, Invalid, StageClosed, Stale
from workflow.foundation.vocabulary import Level, Stage
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process

A7, D7, D8 = cases_without_facts.name, basic_without_a_help_plan.name, unqualified_without_a_case.name


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch with a counted ballot."""
    process = a_school(session)
    a_counted_ballot(session, process)
    return stand_at(session, process, Stage.RATING)


def faults(act: Callable[[], Any]) -> set[str]:
    with pytest.raises(Invalid) as refused:
        act()
    return set(refused.value.errors)


def plan_amended(session: Session, process: Process, row: HelpPlan, **fields: Any) -> HelpPlan:
    HELP_PLANS.amend(session, process, row, fields, seen=row.version, by=caller(session, "张三"), now=NOW)
    return row


def case_amended(session: Session, process: Process, row: DispositionCase, **fields: Any) -> DispositionCase:
    CASES.amend(session, process, row, fields, seen=row.version, by=caller(session, "张三"), now=NOW)
    return row


def missing(session: Session, process: Process) -> dict[str, list[str]]:
    return {clause: open_ for clause, name in (("A7", A7), ("D7", D7), ("D8", D8)) if (open_ := lacking(session, process, name))}


# ── D7: the help plan ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_rated_basic_has_a_whole_help_plan(session: Session, branch: Process) -> None:
    a_rating(session, branch, "王五", BASIC)
    a_rating(session, branch, "孙八", QUALIFIED)
    assert missing(session, branch) == {"D7": ["w5"]}
    a_help_plan(session, branch, "孙八")
    assert missing(session, branch) == {"D7": ["w5"]}
    a_help_plan(session, branch, "王五")
    assert missing(session, branch) == {}


@pytest.mark.parametrize(("gap", "value"), [("helper", "l4"), ("first_step", "每月谈心"), ("review_on", date(2025, 3, 1))])
def test_a_plan_that_leaves_something_out_may_be_entered_and_is_still_missing(session: Session, branch: Process, gap: str, value: Any) -> None:
    a_rating(session, branch, "王五", BASIC)
    row = a_help_plan(session, branch, "王五", **{gap: None})
    assert missing(session, branch) == {"D7": ["w5"]}
    plan_amended(session, branch, row, **{gap: value})
    assert missing(session, branch) == {}


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_plan_that_was_taken_back_helps_nobody(session: Session, branch: Process, take_back: Any) -> None:
    a_rating(session, branch, "王五", BASIC)
    take_back(a_help_plan(session, branch, "王五"), by="office", now=NOW, reason="有误")
    session.flush()
    assert missing(session, branch) == {"D7": ["w5"]}
    a_help_plan(session, branch, "王五")
    assert missing(session, branch) == {}


def test_helper_and_member_are_two_people_of_the_roll(session: Session, branch: Process) -> None:
    assert faults(lambda: a_help_plan(session, branch, "王五", helper="w5")) == {"helper"}
    assert faults(lambda: a_help_plan(session, branch, "王五", helper="z6")) == {"helper"}
    assert faults(lambda: a_help_plan(session, branch, "赵六")) == {"staff_no"}
    row = a_help_plan(session, branch, "王五")
    assert faults(lambda: plan_amended(session, branch, row, helper="w5")) == {"helper"}
    assert faults(lambda: plan_amended(session, branch, row, staff_no="s8")) == {"staff_no"}
    leaves(session, "孙八")
    assert faults(lambda: plan_amended(session, branch, row, helper="s8")) == {"helper"}
    assert faults(lambda: a_help_plan(session, branch, "孙八")) == {"staff_no"}


def test_each_member_has_one_plan(session: Session, branch: Process) -> None:
    a_help_plan(session, branch, "王五")
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        a_help_plan(session, branch, "王五")
    assert constraint(refused.value) == "uq_help_plan_standing"


def test_reviews_never_close_but_belong_to_a_plan_that_stands(session: Session, branch: Process) -> None:
    row, by = a_help_plan(session, branch, "王五"), caller(session, "张三")
    stand_at(session, branch, Stage.ACCEPTED)
    record_review(session, branch, row, {"reviewed_on": TODAY, "note": "按时参加活动"}, by=by, now=NOW)
    record_review(session, branch, row, {"reviewed_on": TODAY}, by=by, now=NOW)
    assert [(each.reviewed_on, each.note) for each in row.reviews] == [(TODAY, "按时参加活动"), (TODAY, None)]
    assert faults(lambda: record_review(session, branch, row, {"reviewed_on": date(2024, 12, 21)}, by=by, now=NOW)) == {"on"}
    withdraw(row, by="z3", now=NOW, reason="有误")
    with pytest.raises(Conflict):
        record_review(session, branch, row, {"reviewed_on": TODAY}, by=by, now=NOW)


# ── D8 and A7: the disposition case ───────────────────────────────────────────────────────────────────────────────────


def test_who_is_rated_unqualified_has_a_case_with_its_sign_and_facts(session: Session, branch: Process) -> None:
    a_rating(session, branch, "王五", UNQUALIFIED)
    assert missing(session, branch) == {"D8": ["w5"]}
    row = a_case(session, branch, "王五", facts=None)
    assert missing(session, branch) == {"A7": ["w5"]}
    case_amended(session, branch, row, facts="无故缺席")
    assert missing(session, branch) == {}
    case_amended(session, branch, row, signs=[])
    assert missing(session, branch) == {"A7": ["w5"]}
    case_amended(session, branch, row, signs=[1, 3])
    assert missing(session, branch) == {}


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_case_that_was_taken_back_is_none(session: Session, branch: Process, take_back: Any) -> None:
    a_rating(session, branch, "王五", UNQUALIFIED)
    take_back(a_case(session, branch, "王五", facts=None), by="office", now=NOW, reason="有误")
    session.flush()
    assert missing(session, branch) == {"D8": ["w5"]}


@pytest.mark.parametrize("level", [QUALIFIED, BASIC, None])
def test_a_case_of_somebody_who_is_not_rated_unqualified_is_asked_for_no_facts(session: Session, branch: Process, level: Level | None) -> None:
    a_help_plan(session, branch, "王五")
    a_rating(session, branch, "王五", level, not_rated_reason=None if level else "另案处理")
    a_case(session, branch, "王五", facts=None, signs=None)
    assert missing(session, branch) == {}


def test_a_rating_that_was_taken_back_or_changed_asks_for_nothing(session: Session, branch: Process) -> None:
    row, other = a_rating(session, branch, "王五", UNQUALIFIED), a_rating(session, branch, "孙八", BASIC)
    assert missing(session, branch) == {"D7": ["s8"], "D8": ["w5"]}
    amended(session, branch, other, level=QUALIFIED)
    withdraw(row, by="z3", now=NOW, reason="重定")
    session.flush()
    assert missing(session, branch) == {}


def test_who_has_left_is_asked_for_nothing_and_an_excuse_spares_nobody(session: Session, branch: Process) -> None:
    a_rating(session, branch, "王五", UNQUALIFIED)
    a_rating(session, branch, "孙八", BASIC)
    a_rating(session, branch, "李四", UNQUALIFIED)
    a_case(session, branch, "李四", facts=None)
    for name in ("王五", "孙八", "李四"):
        excused(session, branch, name)
    assert missing(session, branch) == {"A7": ["l4"], "D7": ["s8"], "D8": ["w5"]}
    for name in ("王五", "孙八", "李四"):
        leaves(session, name)
    assert missing(session, branch) == {}


@pytest.mark.parametrize("name", [A7, D7, D8])
def test_no_reason_stands_in_their_place(session: Session, branch: Process, name: str) -> None:
    with pytest.raises(Invalid):
        a_waiver(session, branch, name, "w5")


def test_a_case_is_of_one_member_of_the_roll_and_was_proposed_before_now(session: Session, branch: Process) -> None:
    assert faults(lambda: a_case(session, branch, "赵六")) == {"staff_no"}
    assert faults(lambda: a_case(session, branch, "王五", proposed_on=date(2024, 12, 21))) == {"proposed_on"}
    row = a_case(session, branch, "王五")
    assert faults(lambda: case_amended(session, branch, row, staff_no="s8")) == {"staff_no"}
    assert faults(lambda: case_amended(session, branch, row, proposed_on=date(2024, 12, 21))) == {"proposed_on"}
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        a_case(session, branch, "王五")
    assert constraint(refused.value) == "uq_disposition_case_standing"
    leaves(session, "孙八")
    assert faults(lambda: a_case(session, branch, "孙八")) == {"staff_no"}


def test_steps_are_taken_once_after_the_proposal_and_never_close(session: Session, branch: Process) -> None:
    case = a_case(session, branch, "王五")
    stand_at(session, branch, Stage.ACCEPTED)
    for step in Step:
        a_step(session, branch, case, step)
    assert [each.step for each in case.steps] == list(Step)
    with pytest.raises(Exists):
        a_step(session, branch, case, Step.TALK)


def test_a_step_is_neither_before_the_proposal_nor_still_to_come(session: Session, branch: Process) -> None:
    case = a_case(session, branch, "王五")
    assert faults(lambda: a_step(session, branch, case, Step.SUPERIOR_FILING, date(2024, 12, 18))) == {"on"}
    assert faults(lambda: a_step(session, branch, case, Step.SUPERIOR_FILING, date(2024, 12, 21))) == {"on"}
    a_step(session, branch, case, Step.SUPERIOR_FILING, PROPOSED_ON)
    assert faults(lambda: case_amended(session, branch, case, proposed_on=TODAY)) == {"proposed_on"}
    case_amended(session, branch, case, proposed_on=date(2024, 12, 1))
    withdraw(case, by="z3", now=NOW, reason="有误")
    with pytest.raises(Conflict):
        a_step(session, branch, case, Step.TOLD)


# ── both ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_both_close_with_the_stage_and_are_corrected_at_the_version_that_was_seen(session: Session, branch: Process) -> None:
    plan, case, by = a_help_plan(session, branch, "王五"), a_case(session, branch, "孙八"), caller(session, "张三")
    assert (plan_amended(session, branch, plan, first_step="先谈一次").version, case_amended(session, branch, case, facts="缺席").version) == (2, 2)
    with pytest.raises(Stale):
        HELP_PLANS.amend(session, branch, plan, {"first_step": "x"}, seen=1, by=by, now=NOW)
    with pytest.raises(Stale):
        CASES.amend(session, branch, case, {"facts": "x"}, seen=1, by=by, now=NOW)
    stand_at(session, branch, Stage.RECTIFICATION)
    acts: list[Callable[[], object]] = [
        lambda: plan_amended(session, branch, plan, first_step="x"),
        lambda: case_amended(session, branch, case, facts="x"),
        lambda: a_help_plan(session, branch, "李四"),
        lambda: a_case(session, branch, "李四"),
    ]
    for act in acts:
        with pytest.raises(StageClosed):
            act()
