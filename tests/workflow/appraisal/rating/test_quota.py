"""The quota (优秀比例: D5): the allowed number of 优秀, and the number that a reason covers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school
from tests.support.records.evidence import a_waiver, excused, lacking, leaves, stand_at
from tests.support.records.rating import (
    BASIC,
    CAST,
    EXCELLENT,
    QUALIFIED,
    UNQUALIFIED,
    a_branch_of,
    a_counted_ballot,
    a_rating,
    amended,
    present_of,
    ratings,
)
from workflow.appraisal.rating.quota import more_excellent_than_is_ever_allowed, more_excellent_than_the_quota, quota_of
from workflow.appraisal.rating.ratings import Rating
from workflow.foundation.errors import Invalid
from workflow.foundation.vocabulary import Level, Severity, Stage, Waivable
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import unmet
from workflow.machine.waivers import approve
from workflow.rules.evidence import records_of, reject, withdraw
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Process
from workflow.year.finding import process_of

D5, NEVER = more_excellent_than_the_quota.name, more_excellent_than_is_ever_allowed.name


@pytest.fixture
def branch(session: Session) -> Process:
    process = a_school(session)
    a_counted_ballot(session, process)
    return stand_at(session, process, Stage.RATING)


def rule(session: Session, process: Process, **changed: Any) -> None:
    """Put another quota into the year's plan."""
    rules = process.cycle.plan["rules"]
    process.cycle.plan = {**process.cycle.plan, "rules": {**rules, "quota": {**rules["quota"], **changed}}}
    session.flush()


def everybody_is(session: Session, process: Process, level: Level) -> list[str]:
    return [a_rating(session, process, row.staff_no, level).staff_no for row in present_of(session, process)]


def excellent(session: Session, process: Process, how_many: int) -> None:
    """Rate so many members excellent, all others qualified."""
    for number, row in enumerate(present_of(session, process)):
        a_rating(session, process, row.staff_no, EXCELLENT if number < how_many else QUALIFIED)


def the_waiver(session: Session, process: Process) -> Waiver:
    return a_waiver(session, process, D5, reason="青年教师集中，工作突出")


@pytest.mark.parametrize(("members", "allowed"), [(3, 0), (6, 1), (7, 1), (22, 5), (50, 12)])
def test_a_quarter_rounded_down_of_all_sizes_of_branch(session: Session, members: int, allowed: int) -> None:
    process = a_branch_of(session, members)
    a_counted_ballot(session, process)
    everybody_is(session, process, QUALIFIED)
    quota = quota_of(session, process)
    assert (quota.base_count, quota.allowed, quota.excellent, quota.over) == (members, allowed, 0, 0)
    first, *others = present_of(session, process)
    rows = {row.staff_no: row for row in _rows(session, process)}
    for one in [first, *others][:allowed]:
        amended(session, process, rows[one.staff_no], level=EXCELLENT)
    assert lacking(session, process, D5) == []
    amended(session, process, rows[others[-1].staff_no], level=EXCELLENT)
    assert lacking(session, process, D5) == [""]


def _rows(session: Session, process: Process) -> Any:
    return records_of(session, Rating, process.id, after=0, limit=100)


@pytest.mark.parametrize(
    ("rounding", "ratio", "allowed"),
    [
        ("down", "1/4", 1),
        ("up", "1/4", 2),
        ("nearest", "1/4", 1),
        ("nearest", "3/10", 2),
        ("down", "2/5", 2),
        ("up", "2/5", 2),
        ("nearest", "1/2", 3),
        ("down", "1/1", 5),
    ],
)
def test_ratio_and_rounding_are_the_years_own(session: Session, branch: Process, rounding: str, ratio: str, allowed: int) -> None:
    everybody_is(session, branch, QUALIFIED)
    rule(session, branch, rounding=rounding, ratio=ratio)
    quota = quota_of(session, branch)
    assert (quota.ratio, quota.rounding, quota.base_count, quota.allowed) == (ratio, rounding, 5, allowed)


def test_the_base_is_who_is_rated_or_all_full_members(session: Session) -> None:
    process = a_branch_of(session, 8, probationary=["党员7"])
    a_counted_ballot(session, process)
    for name, level in {"张三": EXCELLENT, "党员1": QUALIFIED, "党员2": BASIC, "党员3": UNQUALIFIED}.items():
        a_rating(session, process, name, level)
    a_rating(session, process, "党员4", None, not_rated_reason="长期外派")
    assert (quota_of(session, process).base, quota_of(session, process).base_count) == ("rated", 4)
    rule(session, process, base="full")
    assert quota_of(session, process).base_count == 7
    excused(session, process, "党员5", confirmed=False)
    assert quota_of(session, process).base_count == 7
    excused(session, process, "党员5")
    assert quota_of(session, process).base_count == 6
    leaves(session, "党员6")
    assert quota_of(session, process).base_count == 5


def test_the_first_excellent_is_not_over_a_quota_of_few(session: Session) -> None:
    process = a_branch_of(session, 9)
    a_counted_ballot(session, process)
    for name in ("张三", "党员1"):
        a_rating(session, process, name, EXCELLENT)
    assert (quota_of(session, process).allowed, lacking(session, process, D5)) == (0, []), "seven are still to be rated"
    for name in (f"党员{number}" for number in range(2, 9)):
        a_rating(session, process, name, QUALIFIED)
    assert (quota_of(session, process).base_count, lacking(session, process, D5)) == (9, [])


def test_whoever_left_after_the_rating_stays_in_the_figures_and_before_it_is_in_none(session: Session, branch: Process) -> None:
    rows = ratings(session, branch, {**dict.fromkeys(CAST, QUALIFIED), "张三": EXCELLENT, "王五": EXCELLENT})
    assert lacking(session, branch, D5) == [""]
    leaves(session, "王五")
    assert (quota_of(session, branch).base_count, quota_of(session, branch).excellent) == (5, 2)
    assert lacking(session, branch, D5) == [""]
    withdraw(rows["钱七"], by="z3", now=NOW, reason="有误")
    leaves(session, "钱七")
    assert (quota_of(session, branch).base_count, quota_of(session, branch).excellent) == (4, 2)


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_rating_that_was_taken_back_counts_nowhere(session: Session, branch: Process, take_back: Any) -> None:
    rows = ratings(session, branch, {**dict.fromkeys(CAST, QUALIFIED), "张三": EXCELLENT, "王五": EXCELLENT})
    take_back(rows["王五"], by="office", now=NOW, reason="有误")
    session.flush()
    assert (quota_of(session, branch).base_count, quota_of(session, branch).excellent) == (4, 1)
    assert lacking(session, branch, D5) == []


def test_what_is_over_says_how_many_of_how_many(session: Session, branch: Process) -> None:
    excellent(session, branch, 3)
    (found,) = unmet(session, branch, [BY_NAME[D5]])
    assert [(each.id, each.name, each.amount) for each in found.open] == [("", "优秀 3 名，限额 1 名", 3)]
    assert found.message.zh == "评定为“优秀”的党员超过限额：优秀 3 名，限额 1 名"
    assert quota_of(session, branch).over == 2
    assert (found.requirement.severity, found.requirement.waivable) == (Severity.SOFT, Waivable.WHOLE_WITH_APPROVAL)


def test_another_branchs_ratings_are_its_own(session: Session, branch: Process) -> None:
    excellent(session, branch, 3)
    assert lacking(session, process_of(session, 2024, "D0201"), D5) == []


# ── settings of the plan ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("members", "allowed"), [(3, 1), (5, 1), (7, 1), (8, 2)])
def test_a_plan_may_let_one_be_excellent_in_any_branch(session: Session, members: int, allowed: int) -> None:
    process = a_branch_of(session, members)
    a_counted_ballot(session, process)
    rule(session, process, at_least_one=True)
    assert quota_of(session, process).allowed == 0, "nobody is rated"
    excellent(session, process, allowed)
    assert (quota_of(session, process).allowed, lacking(session, process, D5)) == (allowed, [])
    rule(session, process, at_least_one=False)
    assert quota_of(session, process).allowed == members // 4


def test_a_plan_that_says_never_takes_no_reason(session: Session, branch: Process) -> None:
    excellent(session, branch, 2)
    row = the_waiver(session, branch)
    approve(row, by="office", now=NOW)
    session.flush()
    assert (lacking(session, branch, D5), lacking(session, branch, NEVER)) == ([], [])
    rule(session, branch, never=True)
    assert (lacking(session, branch, D5), lacking(session, branch, NEVER)) == ([], [""])
    (found,) = unmet(session, branch, [BY_NAME[NEVER]])
    assert found.message.zh == "评定为“优秀”的党员超过限额，本年度方案规定不得超过：优秀 2 名，限额 1 名"
    with pytest.raises(Invalid, match="D5 不能以说明理由代替"):
        a_waiver(session, branch, NEVER, reason="工作突出")
    assert quota_of(session, branch).never


def test_a_plan_that_was_kept_before_says_neither(session: Session, branch: Process) -> None:
    rules = branch.cycle.plan["rules"]
    kept = {name: value for name, value in rules["quota"].items() if name not in ("never", "at_least_one")}
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "quota": kept}}
    excellent(session, branch, 2)
    quota = quota_of(session, branch)
    assert (quota.never, quota.at_least_one, quota.allowed) == (False, False, 1)
    assert (lacking(session, branch, D5), lacking(session, branch, NEVER)) == ([""], [])


# ── the reason, and the office's approval ─────────────────────────────────────────────────────────────────────────────


def test_a_reason_over_the_quota_covers_nothing_until_the_office_agrees(session: Session, branch: Process) -> None:
    excellent(session, branch, 2)
    row = the_waiver(session, branch)
    assert (row.covers, row.needs_approval) == ({"": 2}, True)
    assert (lacking(session, branch, D5), quota_of(session, branch).approved) == ([""], None)
    approve(row, by="office", now=NOW)
    session.flush()
    assert (lacking(session, branch, D5), quota_of(session, branch).approved) == ([], 2)
    reject(row, by="office", now=NOW, reason="名额有变")
    session.flush()
    assert (lacking(session, branch, D5), quota_of(session, branch).approved) == ([""], None)


def test_an_approved_number_covers_no_greater_one(session: Session, branch: Process) -> None:
    ratings(session, branch, {**dict.fromkeys(CAST, QUALIFIED), "张三": EXCELLENT, "李四": EXCELLENT})
    approve(the_waiver(session, branch), by="office", now=NOW)
    session.flush()
    rows = {row.staff_no: row for row in _rows(session, branch)}
    amended(session, branch, rows["w5"], level=EXCELLENT)
    assert lacking(session, branch, D5) == [""]
    amended(session, branch, rows["w5"], level=QUALIFIED)
    amended(session, branch, rows["l4"], level=QUALIFIED)
    amended(session, branch, rows["s8"], level=EXCELLENT)
    assert lacking(session, branch, D5) == []


def test_without_that_setting_a_written_reason_is_enough(session: Session, branch: Process) -> None:
    excellent(session, branch, 2)
    rules = branch.cycle.plan["rules"]
    settings = {**rules["settings"], "over_quota_needs_approval": False}
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "settings": settings}}
    session.flush()
    row = the_waiver(session, branch)
    assert row.needs_approval is False
    assert (lacking(session, branch, D5), quota_of(session, branch).approved) == ([], 2)


def test_only_the_quota_asks_for_approval() -> None:
    on = {"over_quota_needs_approval": True}
    assert [each.name for each in BY_NAME.values() if each.needs_approval(on)] == [D5]
