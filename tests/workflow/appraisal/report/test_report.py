"""Reporting (报送): gaps of the form before it is filed (Q6), its named people and dates (Q1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, TODAY, a_school, person
from tests.support.records.evidence import a_waiver, excused, lacking, leaves, stand_at
from tests.support.records.rating import (
    BASIC,
    EXCELLENT,
    QUALIFIED,
    UNQUALIFIED,
    a_branch_of,
    a_case,
    a_counted_ballot,
    a_help_plan,
    a_rating,
    all_rating,
    amended,
)
from tests.support.records.report import a_form, write_form
from tests.support.records.self_review import tallies
from tests.support.situations import on_roll
from workflow.appraisal.meetings.tallies import Tally
from workflow.appraisal.rating.quota import more_excellent_than_the_quota
from workflow.appraisal.rating.ratings import Rating
from workflow.appraisal.report.figures import CHECKS, figures_of
from workflow.appraisal.report.requirements import form_does_not_add_up, form_not_filled_in, no_secretary_named, stage_overdue
from workflow.foundation.errors import Conflict
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind, Post, Stage, Standing, TallySubject
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import blocking, exceptions, todos, unmet
from workflow.machine.rolls import rolls_follow
from workflow.machine.waivers import approve
from workflow.people.organisation import Person
from workflow.rules.evidence import Evidence, record_of_member, reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of

BLANK, ADDS_UP = form_not_filled_in.name, form_does_not_add_up.name
NAMED, OVERDUE = no_secretary_named.name, stage_overdue.name


@pytest.fixture
def branch(session: Session) -> Process:
    return a_school(session)


@pytest.fixture
def rated(session: Session, branch: Process) -> Process:
    """张三's branch with both ballots counted and everybody rated."""
    tallies(session, branch)
    all_rating(session, branch)
    return branch


def broken(session: Session, process: Process) -> list[str]:
    """Find the checks that fail, and check that the gate names exactly these."""
    failing = [name for name, holds in figures_of(session, process.id).checks.items() if not holds]
    assert sorted(failing) == lacking(session, process, ADDS_UP)
    return failing


def taken_back(session: Session, row: Evidence, *, how: Any = withdraw) -> None:
    how(row, by="office", now=NOW, reason="有误")
    session.flush()


def rating_of(session: Session, process: Process, name: str) -> Rating:
    return record_of_member(session, Rating, process.id, STAFF_NO[name])


def joins(session: Session, process: Process, name: str, *, standing: Standing = Standing.FULL) -> None:
    """Add a person to the branch, and let the roll follow."""
    session.add(Person(staff_no=STAFF_NO[name], name=name, email=None, branch_id=process.branch_id, standing=standing))
    session.flush()
    rolls_follow(session, now=NOW)


# ── what is written on the form ───────────────────────────────────────────────────────────────────────────────────────


def test_the_form_lacks_each_blank_until_it_is_written(session: Session, branch: Process) -> None:
    assert lacking(session, branch, BLANK) == ["phone", "prepared_by"]
    write_form(session, branch, {"prepared_by": "王五"}, seen=0)
    assert lacking(session, branch, BLANK) == ["phone"]
    write_form(session, branch, {"phone": "8888"}, seen=1)
    assert lacking(session, branch, BLANK) == []


def test_a_phone_alone_lacks_who_prepared_it_and_a_remark_is_never_asked_for(session: Session, branch: Process) -> None:
    write_form(session, branch, {"phone": "8888", "remark": "无"}, seen=0)
    (found,) = unmet(session, branch, [BY_NAME[BLANK]])
    assert ([each.id for each in found.open], found.message.zh) == (["prepared_by"], "情况表还没有填写填表人")


def test_another_branchs_form_is_its_own(session: Session, branch: Process) -> None:
    a_form(session, branch)
    assert lacking(session, process_of(session, 2024, "D0201"), BLANK) == ["phone", "prepared_by"]


def test_nothing_of_q6_is_waived(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.REPORT)
    assert {each.requirement.name for each in blocking(session, branch)} == {BLANK, ADDS_UP}
    assert {BY_NAME[name].waivable.value for name in (BLANK, ADDS_UP, NAMED)} == {"no"}


# ── the sums that must agree ──────────────────────────────────────────────────────────────────────────────────────────


def test_every_check_holds_once_everybody_is_rated(session: Session, rated: Process) -> None:
    assert broken(session, rated) == []
    assert list(figures_of(session, rated.id).checks) == [each.name for each in CHECKS]


def test_before_the_rating_the_levels_do_not_make_the_total(session: Session, branch: Process) -> None:
    assert broken(session, branch) == ["levels_make_the_total"]


def test_what_does_not_agree_is_said_in_words(session: Session, branch: Process) -> None:
    (found,) = unmet(session, branch, [BY_NAME[ADDS_UP]])
    assert found.message.zh == "情况表的数字不一致：各等次与不评定等次合计等于党员总数"


def test_a_member_who_joined_after_the_rating_breaks_the_total_until_he_is_accounted_for(session: Session, rated: Process) -> None:
    joins(session, rated, "周九")
    assert broken(session, rated) == ["levels_make_the_total"]
    row = a_rating(session, rated, "周九", None, not_rated_reason="评定后转入")
    assert broken(session, rated) == []
    taken_back(session, row)
    assert broken(session, rated) == ["levels_make_the_total"]


def test_an_opinion_without_a_level_or_a_reason_is_no_level(session: Session, rated: Process) -> None:
    taken_back(session, rating_of(session, rated, "王五"))
    row = a_rating(session, rated, "王五", None)
    assert broken(session, rated) == ["levels_make_the_total"]
    amended(session, rated, row, level=QUALIFIED)
    assert broken(session, rated) == []


def test_who_is_rated_stood_on_the_ballot(session: Session, rated: Process) -> None:
    joins(session, rated, "周九")
    with pytest.raises(Conflict, match="D2"):
        a_rating(session, rated, "周九")
    assert broken(session, rated) == ["levels_make_the_total"]
    a_rating(session, rated, "周九", None, not_rated_reason="测评以后转入")
    assert broken(session, rated) == []
    taken_back(session, session.scalars(select(Tally).where(Tally.subject == TallySubject.MEMBERS)).one())
    assert broken(session, rated) == ["rated_were_on_the_ballot"]
    a_counted_ballot(session, rated)
    assert broken(session, rated) == []


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("tally_of_member set qualified = qualified + :more where staff_no = 'w5'", "votes_make_the_valid_ballots"),
        ("tally_of_item set good = good + :more where item = 'style'", "marks_make_the_valid_ballots"),
    ],
)
@pytest.mark.parametrize("more", [1, -1])
def test_the_votes_of_each_line_make_the_valid_ballots(session: Session, rated: Process, line: str, check: str, more: int) -> None:
    session.execute(text(f"update {line}"), {"more": more})
    assert broken(session, rated) == [check]
    session.execute(text(f"update {line}"), {"more": -more})
    assert broken(session, rated) == []


def test_a_ballot_that_is_not_counted_breaks_no_sum(session: Session, rated: Process) -> None:
    session.execute(text("update tally set counted_at = null, counted_by = null where subject = 'committee'"))
    session.execute(text("update tally_of_item set good = good + 1"))
    assert broken(session, rated) == []


def test_more_excellent_than_the_quota_agree_for_the_approved_number_and_no_greater_one(session: Session, rated: Process) -> None:
    amended(session, rated, rating_of(session, rated, "王五"), level=EXCELLENT)
    assert broken(session, rated) == ["excellent_within_the_quota"]
    row = a_waiver(session, rated, more_excellent_than_the_quota.name)
    assert broken(session, rated) == ["excellent_within_the_quota"]
    approve(row, by="office", now=NOW)
    assert broken(session, rated) == []
    amended(session, rated, rating_of(session, rated, "孙八"), level=EXCELLENT)
    assert broken(session, rated) == ["excellent_within_the_quota"]
    amended(session, rated, rating_of(session, rated, "孙八"), level=QUALIFIED)
    assert broken(session, rated) == []
    taken_back(session, row, how=reject)
    assert broken(session, rated) == ["excellent_within_the_quota"]
    amended(session, rated, rating_of(session, rated, "王五"), level=QUALIFIED)
    assert broken(session, rated) == []


def test_a_year_without_approval_takes_the_written_reason(session: Session, rated: Process) -> None:
    rules = rated.cycle.plan["rules"]
    rated.cycle.plan = {**rated.cycle.plan, "rules": {**rules, "settings": {**rules["settings"], "over_quota_needs_approval": False}}}
    amended(session, rated, rating_of(session, rated, "王五"), level=EXCELLENT)
    a_waiver(session, rated, more_excellent_than_the_quota.name)
    assert broken(session, rated) == []


@pytest.mark.parametrize(
    ("level", "mend", "other", "check"),
    [
        (BASIC, a_help_plan, a_case, "each_basic_is_helped"),
        (UNQUALIFIED, a_case, a_help_plan, "each_unqualified_has_a_case"),
    ],
)
def test_who_is_not_qualified_is_looked_after(session: Session, rated: Process, level: Any, mend: Any, other: Any, check: str) -> None:
    amended(session, rated, rating_of(session, rated, "王五"), level=level)
    other(session, rated, "王五")
    mend(session, rated, "孙八")
    assert broken(session, rated) == [check]
    row = mend(session, rated, "王五")
    assert broken(session, rated) == []
    taken_back(session, row, how=reject)
    assert broken(session, rated) == [check]


def test_who_was_rated_and_has_left_stays_in_the_sums_and_wants_no_help(session: Session, rated: Process) -> None:
    amended(session, rated, rating_of(session, rated, "王五"), level=BASIC)
    assert broken(session, rated) == ["each_basic_is_helped"]
    leaves(session, "王五")
    numbers = figures_of(session, rated.id).numbers
    assert (broken(session, rated), [numbers[name] for name in ("total", "full", "due", "basic")]) == ([], [5, 5, 5, 1])


@pytest.mark.parametrize(("how", "none"), [("excused", 1), ("elsewhere", 0)])
def test_who_is_excused_or_rated_elsewhere_after_he_was_rated_is_counted_once(session: Session, rated: Process, how: str, none: int) -> None:
    if how == "excused":
        excused(session, rated, "王五", confirmed=False)
        assert broken(session, rated) == []
        on_roll(session, rated, "王五").excused_confirmed_by = "office"
    else:
        on_roll(session, rated, "王五").rated_here = False
    assert (broken(session, rated), figures_of(session, rated.id).numbers["none"]) == ([], 0)
    taken_back(session, rating_of(session, rated, "王五"))
    assert (broken(session, rated), figures_of(session, rated.id).numbers["none"]) == ([], none)


def test_a_probationary_member_is_of_the_total_and_has_no_level(session: Session) -> None:
    process = a_branch_of(session, 5, probationary=["党员4"])
    a_counted_ballot(session, process)
    all_rating(session, process)
    numbers = figures_of(session, process.id).numbers
    assert (broken(session, process), numbers["total"], numbers["probationary"], numbers["none"]) == ([], 5, 1, 1)
    a_rating(session, process, "党员4", None)
    assert broken(session, process) == []


# ── who is named, and the day ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_roll_names_its_secretary(session: Session, branch: Process) -> None:
    assert lacking(session, branch, NAMED) == []
    on_roll(session, branch, "张三").post = None
    assert lacking(session, branch, NAMED) == [""]
    on_roll(session, branch, "李四").post = Post.DEPUTY
    assert lacking(session, branch, NAMED) == [""]
    on_roll(session, branch, "李四").post = Post.SECRETARY
    assert lacking(session, branch, NAMED) == []


def test_a_secretary_who_has_left_is_no_longer_named(session: Session, branch: Process) -> None:
    on_roll(session, branch, "张三").left_on = TODAY
    assert lacking(session, branch, NAMED) == [""]


def test_a_secretary_is_asked_for_from_the_first_stage_and_stands_in_the_way_at_the_last(session: Session, branch: Process) -> None:
    on_roll(session, branch, "张三").post = None
    on_roll(session, branch, "李四").post = Post.DEPUTY
    session.flush()
    for stage in WORKING_STAGES[Kind.APPRAISAL]:
        stand_at(session, branch, stage)
        assert NAMED in {row.requirement.name for row in todos(session, person(session, "李四").id, today=TODAY)}, stage
        assert NAMED not in {row.requirement.name for row in todos(session, person(session, "王五").id, today=TODAY)}
        assert NAMED in {row.requirement.name for row in exceptions(session, 2024, today=TODAY, clause="Q1")}
        assert (NAMED in {row.requirement.name for row in blocking(session, branch)}) == (stage is Stage.REPORT)


def test_a_stage_is_past_its_day_from_the_day_after(session: Session, branch: Process) -> None:
    branch.due_on = TODAY
    session.flush()
    found = {day: unmet(session, branch, [BY_NAME[OVERDUE]], today=TODAY + timedelta(days=day)) for day in (-1, 0, 1)}
    assert {day: bool(rows) for day, rows in found.items()} == {-1: False, 0: False, 1: True}
    assert found[1][0].message.zh == f"本环节已过期限：期限 {TODAY}"
    branch.due_on = None
    assert lacking(session, branch, OVERDUE) == []


@pytest.mark.parametrize("stage", STAGES[Kind.APPRAISAL])
def test_only_a_branch_that_has_still_to_file_is_past_its_day(session: Session, branch: Process, stage: Stage) -> None:
    stand_at(session, branch, stage).due_on = TODAY - timedelta(days=1)
    assert lacking(session, branch, OVERDUE) == ([] if stage in (Stage.FILED, Stage.ACCEPTED) else [stage.value])
    assert OVERDUE not in {row.requirement.name for row in blocking(session, branch)}
