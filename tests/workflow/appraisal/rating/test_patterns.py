"""Ratings that please everybody or take turns (不搞好人主义，不搞平衡照顾: D4, Q3).

Some patterns ask the branch for a reason, others are signs for the office.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, TODAY, a_school, caller, the_plan
from tests.support.records.evidence import a_waiver, lacking, leaves, stand_at
from tests.support.records.rating import (
    BASIC,
    CAST,
    EXCELLENT,
    FOUR_AND_ONE,
    QUALIFIED,
    UNQUALIFIED,
    a_branch_of,
    a_counted_ballot,
    a_rating,
    amended,
    ratings,
)
from tests.support.situations import on_roll
from workflow.appraisal.rating.patterns import excellent_though_punished, patterns_of, patterns_without_a_reason
from workflow.appraisal.rating.ratings import Rating
from workflow.foundation.vocabulary import Level, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import todos, unmet
from workflow.rules.evidence import record_of_member, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import close_cycle, open_cycle, publish

D4, PUNISHED = patterns_without_a_reason.name, excellent_though_punished.name


@pytest.fixture
def branch(session: Session) -> Process:
    process = a_school(session)
    a_counted_ballot(session, process, {"张三": {"excellent": 4, "abstain": 1}})
    return stand_at(session, process, Stage.RATING)


def shown(session: Session, process: Process) -> dict[str, int]:
    return {subject.id: subject.amount for each in unmet(session, process, [BY_NAME[D4]]) for subject in each.open}


def setting(session: Session, process: Process, **changed: Any) -> None:
    rules = process.cycle.plan["rules"]
    process.cycle.plan = {**process.cycle.plan, "rules": {**rules, "settings": {**rules["settings"], **changed}}}
    session.flush()


# ── all alike ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("levels", "same"),
    [
        (dict.fromkeys(CAST, QUALIFIED), 5),
        (dict.fromkeys(CAST[1:], QUALIFIED), 4),
        (dict.fromkeys(CAST[2:], QUALIFIED), None),
        (dict.fromkeys(CAST[2:], BASIC), 3),
        (dict.fromkeys(CAST[3:], BASIC), None),
        (FOUR_AND_ONE, None),
    ],
    ids=["five", "four", "three of whom none may be excellent", "three basic", "two", "one other"],
)
def test_three_or_more_all_at_one_level_ask_for_a_reason_unless_nothing_else_was_left(
    session: Session, branch: Process, levels: Mapping[str, Level], same: int | None
) -> None:
    ratings(session, branch, levels, reason="说明")
    assert shown(session, branch).get("same") == same


def test_who_has_left_does_not_make_the_others_less_alike(session: Session, branch: Process) -> None:
    ratings(session, branch, {**dict.fromkeys(CAST, QUALIFIED), "王五": BASIC}, reason="说明")
    assert shown(session, branch) == {}
    leaves(session, "王五")
    assert shown(session, branch) == {"same": 4}


def test_who_has_left_does_not_make_three_of_two(session: Session, branch: Process) -> None:
    ratings(session, branch, dict.fromkeys(CAST[2:], BASIC), reason="说明")
    assert shown(session, branch).get("same") == 3
    leaves(session, CAST[2])
    assert shown(session, branch).get("same") is None


def test_a_rating_without_a_level_or_taken_back_is_no_level(session: Session, branch: Process) -> None:
    rows = ratings(session, branch, {**dict.fromkeys(CAST[1:], QUALIFIED), "王五": BASIC}, reason="说明")
    a_rating(session, branch, "张三", None, not_rated_reason="长期外派")
    withdraw(rows["王五"], by="z3", now=NOW, reason="重定")
    session.flush()
    assert shown(session, branch) == {}  # three 合格 of whom none may be excellent
    a_rating(session, branch, "王五", QUALIFIED)
    assert shown(session, branch) == {"same": 4}


# ── last year's names in turn ─────────────────────────────────────────────────────────────────────────────────────────


def two_years(session: Session, before: Mapping[str, Level], now: Mapping[str, Level]) -> Process:
    """Make the same branch of eight in 2024 and, after 2024 was closed, in 2025."""
    last = a_branch_of(session, 8)
    a_counted_ballot(session, last)
    ratings(session, last, before)
    close_cycle(session, last.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    plan = the_plan().model_copy(update={"year": 2025})
    publish(session, open_cycle(session, plan, {stage: day.replace(year=day.year + 1) for stage, day in DEADLINES.items()}, now=NOW), now=NOW)
    this = process_of(session, 2025, "D0101")
    a_counted_ballot(session, this)
    ratings(session, this, {"党员7": QUALIFIED, **now}, reason="说明")
    return this


A, B, C, D = ("党员1", "党员2", "党员3", "党员4")


@pytest.mark.parametrize(
    ("before", "now", "rotated"),
    [
        ((A, B), (C, D), 2),
        ((A, B), (C, D, "张三"), 3),
        ((A, B), (B, C), None),
        ((A,), (C, D), None),
        ((A, B), (C,), None),
        ((), (C, D), None),
    ],
)
def test_a_list_of_quite_other_names_than_last_years_asks_for_a_reason(
    session: Session, before: tuple[str, ...], now: tuple[str, ...], rotated: int | None
) -> None:
    this = two_years(session, dict.fromkeys(before, EXCELLENT) | {"党员6": QUALIFIED}, dict.fromkeys(now, EXCELLENT))
    assert shown(session, this).get("rotated") == rotated


def test_a_rating_of_last_year_that_was_taken_back_is_not_of_that_list(session: Session) -> None:
    this = two_years(session, dict.fromkeys((A, B), EXCELLENT), dict.fromkeys((C, D), EXCELLENT))
    assert "rotated" in shown(session, this)
    last = process_of(session, 2024, "D0101")
    withdraw(record_of_member(session, Rating, last.id, "m01"), by="z3", now=NOW, reason="有误")
    session.flush()
    assert "rotated" not in shown(session, this)
    assert "rotated" not in shown(session, last)


# ── better than the ballot ────────────────────────────────────────────────────────────────────────────────────────────


def of_twelve(session: Session, votes: Mapping[str, Mapping[str, int]]) -> Process:
    """Make a branch of twelve voters, who see counts, with a counted ballot."""
    process = a_branch_of(session, 12)
    a_counted_ballot(session, process, votes)
    return process


def for_excellent(votes: int, *, basic: int = 0) -> dict[str, int]:
    return {"excellent": votes, "qualified": 11 - votes - basic, "basic": basic, "abstain": 1}


def test_with_the_best_of_a_ballot_at_the_quota_everybody_else_below_it_is_asked_nothing(session: Session) -> None:
    votes = {name: for_excellent(11 - place) for place, name in enumerate(("张三", A, B, C, D))}
    process = of_twelve(session, votes)
    ratings(session, process, dict.fromkeys(("张三", A, B), EXCELLENT) | dict.fromkeys((C, D, "党员5"), QUALIFIED))
    assert shown(session, process) == {}


def test_fewer_votes_for_excellent_than_somebody_who_is_not_ask_for_a_reason(session: Session) -> None:
    process = of_twelve(session, {A: for_excellent(9), B: for_excellent(8), C: for_excellent(8)})
    rows = ratings(session, process, {A: QUALIFIED, B: EXCELLENT, C: QUALIFIED, "张三": QUALIFIED})
    assert shown(session, process) == {"passed_over": 1}
    amended(session, process, rows[B], reason="承担了全部支教任务")
    assert shown(session, process) == {}
    amended(session, process, rows[C], level=EXCELLENT)
    assert shown(session, process) == {"passed_over": 1}
    amended(session, process, rows[A], reason="去年已评为优秀")
    assert shown(session, process) == {}


def test_only_who_has_a_level_here_can_be_passed_over(session: Session) -> None:
    process = of_twelve(session, {A: for_excellent(11), B: for_excellent(8), C: for_excellent(9)})
    ratings(session, process, {B: EXCELLENT, C: QUALIFIED, D: QUALIFIED})
    a_rating(session, process, A, None, not_rated_reason="长期外派")
    assert shown(session, process) == {"passed_over": 1}
    leaves(session, C)
    assert shown(session, process) == {}


@pytest.mark.parametrize(
    ("votes", "level", "far"),
    [
        ({"excellent": 5, "qualified": 6, "abstain": 1}, EXCELLENT, 1),
        ({"excellent": 5, "qualified": 5, "abstain": 2}, EXCELLENT, None),
        ({"excellent": 5, "qualified": 3, "basic": 3, "abstain": 1}, EXCELLENT, 1),
        ({"excellent": 2, "qualified": 3, "abstain": 7}, EXCELLENT, 1),
        ({"excellent": 11, "abstain": 1}, QUALIFIED, None),
        ({"qualified": 11, "abstain": 1}, BASIC, None),
        ({"qualified": 5, "basic": 3, "unqualified": 3, "abstain": 1}, QUALIFIED, 1),
        ({"unqualified": 6, "basic": 5, "abstain": 1}, BASIC, 1),
        ({"unqualified": 11, "abstain": 1}, UNQUALIFIED, None),
        ({"abstain": 12}, EXCELLENT, None),
    ],
)
def test_a_level_above_what_more_than_half_voted_for_asks_for_a_reason(
    session: Session, votes: Mapping[str, int], level: Level, far: int | None
) -> None:
    process = of_twelve(session, {A: {"qualified": 0, **votes}})
    row = a_rating(session, process, A, level)
    assert shown(session, process).get("far") == far
    amended(session, process, row, reason="长期不参加组织生活")
    assert shown(session, process) == {}


@pytest.mark.parametrize(
    ("lesi", "wangwu", "patterns"),
    [
        ({"excellent": 2, "qualified": 2}, {"excellent": 1, "qualified": 1, "basic": 2}, {}),
        ({"excellent": 3, "qualified": 1}, {"excellent": 2, "qualified": 2}, {"passed_over": 1}),
        ({"excellent": 4}, {"excellent": 3, "qualified": 1}, {"passed_over": 1}),
        ({"qualified": 4}, {"excellent": 1, "qualified": 3}, {"far": 1}),
    ],
    ids=["every band 未过半数", "过半数", "三分之二以上", "most for less"],
)
def test_below_ten_voters_a_pattern_tells_no_more_than_the_bands(
    session: Session, lesi: Mapping[str, int], wangwu: Mapping[str, int], patterns: Mapping[str, int]
) -> None:
    process = a_school(session)
    a_counted_ballot(session, process, {"李四": {**lesi, "abstain": 1}, "王五": {**wangwu, "abstain": 1}})
    ratings(session, process, {"李四": QUALIFIED, "王五": EXCELLENT})
    assert shown(session, process) == patterns


def test_who_has_left_is_above_nothing_and_a_year_may_do_without_the_question(session: Session) -> None:
    process = of_twelve(session, {name: {"qualified": 0, "basic": 11, "abstain": 1} for name in (A, B)})
    ratings(session, process, {A: QUALIFIED, B: QUALIFIED, C: BASIC})
    assert shown(session, process) == {"far": 2}
    leaves(session, A)
    assert shown(session, process) == {"far": 1}
    setting(session, process, reason_when_far_from_tally=False)
    assert shown(session, process) == {}


# ── one reason for each, and who knows whom it concerns ───────────────────────────────────────────────────────────────


def test_one_reason_covers_what_there_is_and_no_more_people(session: Session, branch: Process) -> None:
    a_rating(session, branch, "王五", EXCELLENT)
    a_rating(session, branch, "钱七", QUALIFIED)
    a_waiver(session, branch, D4, reason="日常表现与测评不同")
    assert lacking(session, branch, D4) == []
    a_rating(session, branch, "孙八", EXCELLENT)
    assert lacking(session, branch, D4) == ["far"]


def test_what_everybody_reads_names_nobody(session: Session, branch: Process) -> None:
    ratings(session, branch, dict.fromkeys(CAST, EXCELLENT))
    (found,) = unmet(session, branch, [BY_NAME[D4]])
    assert {subject.id: subject.name for subject in found.open} == {"same": "全部评为同一等次", "far": "等次高于民主测评中多数人的意见"}
    assert not [name for name in (*CAST, "w5", "z3") if name in found.message.zh]
    assert D4 in [each.requirement.name for each in todos(session, caller(session, "张三").person_id, today=TODAY)]
    assert D4 not in [each.requirement.name for each in todos(session, caller(session, "李四").person_id, today=TODAY)]


def test_the_secretary_sees_who_is_concerned_with_level_and_ballot(session: Session) -> None:
    process = of_twelve(session, {A: for_excellent(9), B: for_excellent(8), C: for_excellent(2)})
    assert patterns_of(session, process) == []
    ratings(session, process, {A: QUALIFIED, B: EXCELLENT, C: EXCELLENT, "张三": QUALIFIED})
    found = {pattern.value: [(one.name, one.level, list(one.most)) for one in people] for pattern, people in patterns_of(session, process)}
    of_c = (C, EXCELLENT, [QUALIFIED])
    assert found == {"far": [of_c], "passed_over": [(B, EXCELLENT, [EXCELLENT]), of_c]}


def test_of_a_list_in_turn_the_secretary_sees_this_years_names(session: Session) -> None:
    this = two_years(session, dict.fromkeys((A, B), EXCELLENT), dict.fromkeys((C, D), EXCELLENT))
    assert [(pattern.value, [one.name for one in people]) for pattern, people in patterns_of(session, this)] == [("rotated", [C, D])]


# ── signs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("punished_on", "level", "sign"),
    [
        (date(2024, 12, 1), EXCELLENT, ["w5"]),
        (date(2023, 12, 20), EXCELLENT, ["w5"]),
        (date(2023, 12, 19), EXCELLENT, []),
        (date(2024, 12, 1), QUALIFIED, []),
        (None, EXCELLENT, []),
    ],
)
def test_excellent_within_a_year_of_a_punishment_is_a_sign(
    session: Session, branch: Process, punished_on: date | None, level: Level, sign: list[str]
) -> None:
    on_roll(session, branch, "王五").punished_on = punished_on
    a_rating(session, branch, "王五", level)
    found = [subject for each in unmet(session, branch, [BY_NAME[PUNISHED]], today=TODAY) for subject in each.open]
    assert [(subject.id, subject.name) for subject in found] == [(each, "王五") for each in sign]
    setting(session, branch, punished_within_months=24)
    assert bool(lacking(session, branch, PUNISHED)) == (punished_on is not None and level is EXCELLENT)


def test_who_has_left_is_no_sign(session: Session, branch: Process) -> None:
    on_roll(session, branch, "王五").punished_on = TODAY
    a_rating(session, branch, "王五", EXCELLENT)
    leaves(session, "王五")
    assert lacking(session, branch, PUNISHED) == []
