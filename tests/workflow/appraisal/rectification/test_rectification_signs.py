"""Signs on measures (定一条、做一条、兑现一条).

Too many, overdue, still open, closed without evidence, commented and not answered.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, person
from tests.support.records.evidence import a_waiver, lacking, leaves, stand_at
from tests.support.records.rectification import (
    DUE_ON,
    TakeBack,
    a_comment,
    a_publication,
    actors,
    by_rejection,
    by_withdrawal,
    mine,
    progress,
    taken_back,
    whole,
)
from tests.support.situations import on_roll
from workflow.appraisal.rectification.handover import hand_over
from workflow.foundation.errors import Conflict
from workflow.foundation.vocabulary import MeasureState, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import exceptions, unmet
from workflow.machine.rolls import rolls_follow
from workflow.year.cycle import Process
from workflow.year.finding import process_of

OPEN, DOING, DONE, CLOSED = MeasureState
YESTERDAY, NEAR = TODAY - timedelta(days=1), TODAY + timedelta(days=7)


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


# ── F4: one by one ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_more_measures_than_the_plan_allows_ask_for_a_reason_that_covers_so_many(session: Session, branch: Process) -> None:
    rows = [whole(session, branch) for _ in range(10)]
    assert lacking(session, branch, "more_measures_than_the_plan_allows") == []
    rows.append(whole(session, branch))
    (found,) = unmet(session, branch, [BY_NAME["more_measures_than_the_plan_allows"]])
    assert [(subject.id, subject.amount) for subject in found.open] == [("", 11)]
    assert found.blocks
    assert "11/10" in found.message.zh
    a_waiver(session, branch, "more_measures_than_the_plan_allows", reason="问题较多")
    assert lacking(session, branch, "more_measures_than_the_plan_allows") == []
    rows.append(whole(session, branch))
    assert lacking(session, branch, "more_measures_than_the_plan_allows") == [""]
    by_withdrawal(rows[0])
    assert lacking(session, branch, "more_measures_than_the_plan_allows") == []


def test_how_many_are_too_many_is_the_plans_to_say(session: Session, branch: Process) -> None:
    whole(session, branch)
    whole(session, branch)
    rules = branch.cycle.plan["rules"]
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "settings": {**rules["settings"], "measures_at_most": 1}}}
    session.flush()
    assert lacking(session, branch, "more_measures_than_the_plan_allows") == [""]


@pytest.mark.parametrize(
    ("state", "due_on", "overdue", "still_open"),
    [
        (OPEN, YESTERDAY, True, False),
        (DOING, YESTERDAY, True, False),
        (DONE, YESTERDAY, False, False),
        (CLOSED, YESTERDAY, False, False),
        (OPEN, TODAY, False, True),
        (DOING, NEAR, False, True),
        (DOING, TODAY, False, True),
        (DOING, NEAR + timedelta(days=1), False, False),
        (OPEN, DUE_ON, False, False),
        (OPEN, None, False, True),
        (DONE, DUE_ON, False, False),
        (CLOSED, None, False, False),
    ],
)
def test_a_measure_is_overdue_or_still_open_or_done(
    session: Session, branch: Process, state: MeasureState, due_on: date | None, overdue: bool, still_open: bool
) -> None:
    measure = whole(session, branch, owner="王五", due_on=due_on)
    progress(session, branch, measure, state)
    assert lacking(session, branch, "measures_overdue") == ([str(measure.id)] if overdue else [])
    assert lacking(session, branch, "measures_still_open") == ([str(measure.id)] if still_open else [])


@taken_back
@pytest.mark.parametrize("name", ["measures_overdue", "measures_still_open"])
def test_a_measure_that_was_taken_back_is_nobodys_to_do(session: Session, branch: Process, take_back: TakeBack, name: str) -> None:
    measure = whole(session, branch, due_on=YESTERDAY if name == "measures_overdue" else NEAR)
    assert lacking(session, branch, name) == [str(measure.id)]
    take_back(measure)
    assert lacking(session, branch, name) == []


@pytest.mark.parametrize("stage", [Stage.RECTIFICATION, Stage.REPORT, Stage.FILED, Stage.ACCEPTED])
def test_an_owner_has_his_measures_on_his_list_until_the_end_and_nobody_else_has(session: Session, branch: Process, stage: Stage) -> None:
    late, open_ = whole(session, branch, owner="王五", due_on=YESTERDAY), whole(session, branch, owner="王五", due_on=NEAR)
    stand_at(session, branch, stage)
    assert mine(session, "王五", "measures_overdue") == [str(late.id)]
    assert mine(session, "王五", "measures_still_open") == [str(open_.id)]
    for other in ("张三", "李四", "孙八"):
        assert mine(session, other, "measures_overdue") == mine(session, other, "measures_still_open") == []
    assert {"measures_overdue", "measures_still_open"} <= {row.requirement.name for row in exceptions(session, 2024, today=TODAY)}


def test_what_an_owner_leaves_behind_is_the_secretarys(session: Session, branch: Process) -> None:
    measure = whole(session, branch, owner="王五", due_on=NEAR)
    stand_at(session, branch, Stage.RECTIFICATION)
    leaves(session, "王五")
    assert mine(session, "张三", "measures_still_open") == [str(measure.id)]
    assert mine(session, "孙八", "measures_still_open") == mine(session, "王五", "measures_still_open") == []


def test_what_belongs_to_nobody_is_not_asked_of_everybody(session: Session, branch: Process) -> None:
    whole(session, branch, owner="王五", due_on=NEAR)
    stand_at(session, branch, Stage.RECTIFICATION)
    for name in ("王五", "张三"):
        leaves(session, name)
    assert mine(session, "孙八", "measures_still_open") == []
    assert len(lacking(session, branch, "measures_without_an_owner_on_the_roll")) == 1


@pytest.mark.parametrize("where", ["another branch", "nowhere"])
def test_an_owner_who_leaves_after_the_report_has_it_handed_over(session: Session, branch: Process, where: str) -> None:
    measure, kept = whole(session, branch, owner="王五"), whole(session, branch, owner="孙八")
    closed = whole(session, branch, owner="王五")
    progress(session, branch, closed, CLOSED, "会议记录")
    stand_at(session, branch, Stage.ACCEPTED)
    assert lacking(session, branch, "measures_of_a_former_secretary") == []
    person(session, "王五").branch_id = process_of(session, 2024, "D0201").branch_id if where == "another branch" else None
    session.flush()
    rolls_follow(session, now=NOW)
    assert on_roll(session, branch, "王五").left_on is None, "a filed roll stands still"
    assert lacking(session, branch, "measures_of_a_former_secretary") == [str(measure.id)]
    assert mine(session, "张三", "measures_of_a_former_secretary") == [str(measure.id)]
    assert hand_over(session, branch, now=NOW) == [measure]
    assert [row.owner for row in (measure, kept, closed)] == ["z3", "s8", "w5"]
    assert lacking(session, branch, "measures_of_a_former_secretary") == []


def test_a_measure_is_closed_with_evidence(session: Session, branch: Process) -> None:
    measure = whole(session, branch)
    progress(session, branch, measure, CLOSED)
    assert lacking(session, branch, "measures_closed_without_evidence") == [str(measure.id)]
    progress(session, branch, measure, CLOSED, "会议记录、签到表")
    assert lacking(session, branch, "measures_closed_without_evidence") == []
    another = whole(session, branch)
    progress(session, branch, another, DONE)
    assert lacking(session, branch, "measures_closed_without_evidence") == []
    progress(session, branch, another, CLOSED)
    assert lacking(session, branch, "measures_closed_without_evidence") == [str(another.id)]
    by_withdrawal(another)
    assert lacking(session, branch, "measures_closed_without_evidence") == []


# ── F7: comments ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_comment_asks_its_owner_for_progress(session: Session, branch: Process) -> None:
    measure = whole(session, branch, owner="王五")
    progress(session, branch, measure, DOING)
    assert lacking(session, branch, "comments_not_taken_up") == []
    a_comment(session, branch, measure, now=NOW + timedelta(hours=1))
    assert lacking(session, branch, "comments_not_taken_up") == [str(measure.id)]
    assert actors(session, "comments_not_taken_up") == {person(session, "王五").id}
    progress(session, branch, measure, DOING, now=NOW + timedelta(hours=2))
    assert lacking(session, branch, "comments_not_taken_up") == []
    a_comment(session, branch, measure, now=NOW + timedelta(hours=3))
    assert lacking(session, branch, "comments_not_taken_up") == [str(measure.id)]
    by_rejection(measure)
    assert lacking(session, branch, "comments_not_taken_up") == []


def test_progress_of_another_measure_takes_no_comment_up(session: Session, branch: Process) -> None:
    one, other = whole(session, branch), whole(session, branch)
    a_comment(session, branch, one)
    progress(session, branch, other, DOING, now=NOW + timedelta(hours=1))
    assert lacking(session, branch, "comments_not_taken_up") == [str(one.id)]


def test_a_plain_member_comments_once_it_is_published_and_the_office_at_any_time(session: Session, branch: Process) -> None:
    measure = whole(session, branch, owner="王五")
    for who in ("王五", "孙八"):
        with pytest.raises(Conflict):
            a_comment(session, branch, measure, by=who)
    a_comment(session, branch, measure, by="office")
    shown = a_publication(session, branch)
    a_comment(session, branch, measure, by="孙八")
    by_withdrawal(shown)
    with pytest.raises(Conflict):
        a_comment(session, branch, measure, by="孙八")
    by_withdrawal(measure)
    with pytest.raises(Conflict):
        a_comment(session, branch, measure, by="office")
