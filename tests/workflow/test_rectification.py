"""整改: problems, measures, commitments, publication and filing; what blocks, what is only shown, and what the next year tells of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import NOW, STAFF_NO, TODAY, a_branch, a_cycle, a_school, an_office, caller, person
from tests.evidence import a_small_branch, a_waiver, came_to, excused, lacking, leaves, stand_at
from tests.rectification import (
    DUE_ON,
    a_comment,
    a_commitment,
    a_filing,
    a_measure,
    a_problem,
    a_publication,
    all_commitments,
    all_rectification,
    progress,
    received,
    the_year_after,
)
from tests.situations import on_roll
from workflow.appraisal import commitments, publications, rectification, rectification_signs
from workflow.appraisal.commitments import amend_commitment
from workflow.appraisal.ledger import LastYearsMeasure, Measure, last_years_measures, rectification_text
from workflow.appraisal.problems import amend_problem
from workflow.appraisal.publications import amend_filing, amend_publication, confirm_receipt
from workflow.appraisal.rectification import amend_measure
from workflow.cycle import Process, process_of
from workflow.errors import Conflict, Forbidden, Invalid, StageClosed, Stale
from workflow.evidence import Retractable, reject, withdraw
from workflow.gate import BY_NAME, blocking, exceptions, todos, unmet
from workflow.opening import close_cycle, publish
from workflow.vocabulary import MeasureState, Post, ProblemSource, Stage

OPEN, DOING, DONE, CLOSED = MeasureState
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


def by_withdrawal(row: Retractable) -> None:
    withdraw(row, by="z3", now=NOW, reason="重复")


def by_rejection(row: Retractable) -> None:
    reject(row, by="office", now=NOW, reason="不实")


taken_back = pytest.mark.parametrize("take_back", [by_withdrawal, by_rejection])
TakeBack = Callable[[Retractable], None]


def whole(session: Session, process: Process, **fields: Any) -> Measure:
    """A measure against a problem of its own."""
    return a_measure(session, process, a_problem(session, process), **fields)


def ids(*rows: Retractable) -> list[str]:
    """As ``lacking`` has them: text, in the order of text."""
    return sorted(str(row.id) for row in rows)


def actors(session: Session, name: str) -> set[int | None]:
    """Who must act on the rows of a requirement."""
    rows = BY_NAME[name].query().subquery()
    return set(session.scalars(select(rows.c.person_id)))


def mine(session: Session, who: str, name: str) -> list[str]:
    return [s.id for row in todos(session, person(session, who).id, today=TODAY) if row.requirement.name == name for s in row.open]


# ── the stage as a whole ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_branch_that_has_done_all_of_it_goes_on(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.RECTIFICATION)
    assert {row.requirement.clause for row in blocking(session, branch)} == {"F1", "F2", "F5", "F6"}
    all_rectification(session, branch)
    assert blocking(session, branch) == []
    assert came_to(session, Stage.REPORT).stage is Stage.REPORT


def test_what_is_missing_is_named(session: Session, branch: Process) -> None:
    a_measure(session, branch, text="完善“三会一课”制度，" * 10)
    a_commitment(session, branch, "王五")
    said = {row.requirement.name: row.message.zh for row in unmet(session, branch, list(BY_NAME.values()), today=TODAY)}
    assert said["measures_without_a_problem"] == f"有 1 条整改措施没有对应查摆出的问题：{('完善“三会一课”制度，' * 10)[:30]}"
    assert said["members_without_a_commitment"].startswith("还有 4 名党员没有作出整改承诺：")


def test_every_requirement_of_the_stage_is_of_one_of_its_rooms() -> None:
    rooms = (rectification, commitments, publications, rectification_signs)
    assert [each.name for each in BY_NAME.values() if each.stage is Stage.RECTIFICATION] == [
        each.name for room in rooms for each in room.REQUIREMENTS
    ]


# ── F1: measures against problems ─────────────────────────────────────────────────────────────────────────────────────


@taken_back
def test_the_committee_has_a_measure_that_counts(session: Session, branch: Process, take_back: TakeBack) -> None:
    assert lacking(session, branch, "no_measure_of_the_committee") == [""]
    measure = a_measure(session, branch)
    assert lacking(session, branch, "no_measure_of_the_committee") == []
    take_back(measure)
    assert lacking(session, branch, "no_measure_of_the_committee") == [""]


@taken_back
def test_each_measure_answers_a_problem_that_counts(session: Session, branch: Process, take_back: TakeBack) -> None:
    bare, problem = a_measure(session, branch), a_problem(session, branch)
    bound = a_measure(session, branch, problem, a_problem(session, branch))
    only = a_measure(session, branch, problem)
    assert lacking(session, branch, "measures_without_a_problem") == [str(bare.id)]
    take_back(problem)
    assert lacking(session, branch, "measures_without_a_problem") == ids(bare, only)
    take_back(bare)
    assert lacking(session, branch, "measures_without_a_problem") == [str(only.id)]
    assert str(bound.id) not in lacking(session, branch, "measures_without_a_problem")


@taken_back
def test_a_problem_is_answered_by_a_measure_or_a_commitment(session: Session, branch: Process, take_back: TakeBack) -> None:
    first, second, third = (a_problem(session, branch) for _ in range(3))
    measure = a_measure(session, branch, first)
    promise = a_commitment(session, branch, "王五", problem=second.id)
    assert lacking(session, branch, "problems_without_a_measure") == [str(third.id)]
    take_back(third)
    assert lacking(session, branch, "problems_without_a_measure") == []
    take_back(measure)
    take_back(promise)
    assert lacking(session, branch, "problems_without_a_measure") == ids(first, second)


def test_a_problem_of_someone_who_has_left_asks_for_nothing(session: Session, branch: Process) -> None:
    a_problem(session, branch, about="w5")
    of_the_committee = a_problem(session, branch)
    leaves(session, "王五")
    assert lacking(session, branch, "problems_without_a_measure") == [str(of_the_committee.id)]


def test_problems_and_measures_of_another_branch_answer_nothing_here(session: Session, branch: Process) -> None:
    there = process_of(session, 2024, "D0201")
    a_measure(session, there, a_problem(session, there))
    assert lacking(session, branch, "no_measure_of_the_committee") == [""]
    with pytest.raises(Invalid) as refused:
        a_measure(session, branch, a_problem(session, there), a_problem(session, branch))
    assert set(refused.value.errors) == {"problems"}
    assert len(refused.value.errors["problems"]) == 1


@taken_back
def test_a_measure_is_bound_to_no_problem_that_was_taken_back(session: Session, branch: Process, take_back: TakeBack) -> None:
    problem = a_problem(session, branch)
    measure = a_measure(session, branch, problem)
    take_back(problem)
    with pytest.raises(Invalid):
        a_measure(session, branch, problem)
    # What is not sent is not judged again.
    amend_measure(session, branch, measure, {"text": "完善议事规则"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert [each.problem_id for each in measure.answers] == [problem.id]


def test_the_problems_of_a_measure_are_replaced_by_what_is_sent(session: Session, branch: Process) -> None:
    first, second = a_problem(session, branch), a_problem(session, branch)
    measure = a_measure(session, branch, first)
    amend_measure(session, branch, measure, {"problems": [second.id]}, seen=1, by=caller(session, "张三"), now=NOW)
    assert [each.problem_id for each in measure.answers] == [second.id]
    assert lacking(session, branch, "problems_without_a_measure") == [str(first.id)]


# ── F2: commitments ───────────────────────────────────────────────────────────────────────────────────────────────────


@taken_back
def test_each_member_makes_a_commitment_that_counts(session: Session, branch: Process, take_back: TakeBack) -> None:
    promise = a_commitment(session, branch, "王五")
    assert lacking(session, branch, "members_without_a_commitment") == ["l4", "q7", "s8", "z3"]
    take_back(promise)
    assert lacking(session, branch, "members_without_a_commitment") == ["l4", "q7", "s8", "w5", "z3"]


def test_probationary_members_make_one_too_and_who_is_excused_or_has_left_does_not(session: Session) -> None:
    an_office(session)
    a_branch(session, probationary=("孙八",))
    publish(session, a_cycle(session), now=NOW)
    process = process_of(session, 2024, "D0101")
    excused(session, process, "王五", confirmed=False)
    assert lacking(session, process, "members_without_a_commitment") == ["l4", "q7", "s8", "w5", "z3"]
    excused(session, process, "钱七")
    leaves(session, "李四")
    assert lacking(session, process, "members_without_a_commitment") == ["s8", "w5", "z3"]


def test_a_reason_covers_one_member(session: Session, branch: Process) -> None:
    a_waiver(session, branch, "members_without_a_commitment", "w5")
    assert lacking(session, branch, "members_without_a_commitment") == ["l4", "q7", "s8", "z3"]
    with pytest.raises(Invalid):
        a_waiver(session, branch, "members_without_a_commitment")


def test_each_is_asked_for_his_own(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.RECTIFICATION)
    assert mine(session, "王五", "members_without_a_commitment") == ["w5"]
    assert mine(session, "张三", "members_without_a_commitment") == ["z3"]


# ── F3: to the point ──────────────────────────────────────────────────────────────────────────────────────────────────


@taken_back
def test_a_measure_has_its_day(session: Session, branch: Process, take_back: TakeBack) -> None:
    whole(session, branch)
    bare = whole(session, branch, due_on=None)
    assert lacking(session, branch, "measures_not_to_the_point") == [str(bare.id)]
    take_back(bare)
    assert lacking(session, branch, "measures_not_to_the_point") == []


def test_a_commitment_says_which_problem_and_until_when(session: Session, branch: Process) -> None:
    problem = a_problem(session, branch)
    a_commitment(session, branch, "王五")
    a_commitment(session, branch, "张三", problem=problem.id)
    no_day = a_commitment(session, branch, "李四", due_on=None)
    no_problem = a_commitment(session, branch, "孙八", problem=None)
    assert lacking(session, branch, "commitments_not_to_the_point") == ids(no_day, no_problem)
    assert actors(session, "commitments_not_to_the_point") == {person(session, "李四").id, person(session, "孙八").id}
    by_withdrawal(no_day)
    by_rejection(no_problem)
    assert lacking(session, branch, "commitments_not_to_the_point") == []


def test_a_commitment_to_a_problem_that_was_taken_back_goes_to_none(session: Session, branch: Process) -> None:
    problem = a_problem(session, branch)
    promise = a_commitment(session, branch, "王五", problem=problem.id)
    by_withdrawal(problem)
    assert lacking(session, branch, "commitments_not_to_the_point") == [str(promise.id)]
    with pytest.raises(Invalid):
        a_commitment(session, branch, "孙八", problem=problem.id)
    amend_commitment(session, branch, promise, {"problem": "学习不够"}, seen=1, by=caller(session, "王五"), now=NOW)
    assert (promise.problem_id, promise.problem_text) == (None, "学习不够")
    assert lacking(session, branch, "commitments_not_to_the_point") == []


def test_of_someone_who_has_left_no_commitment_is_mended(session: Session, branch: Process) -> None:
    a_commitment(session, branch, "王五", due_on=None)
    leaves(session, "王五")
    assert lacking(session, branch, "commitments_not_to_the_point") == []


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
        (DOING, DUE_ON, False, True),
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
    measure = whole(session, branch, due_on=YESTERDAY if name == "measures_overdue" else DUE_ON)
    assert lacking(session, branch, name) == [str(measure.id)]
    take_back(measure)
    assert lacking(session, branch, name) == []


@pytest.mark.parametrize("stage", [Stage.RECTIFICATION, Stage.REPORT, Stage.FILED, Stage.ACCEPTED])
def test_an_owner_has_his_measures_on_his_list_until_the_end_and_nobody_else_has(session: Session, branch: Process, stage: Stage) -> None:
    late, open_ = whole(session, branch, owner="王五", due_on=YESTERDAY), whole(session, branch, owner="王五")
    stand_at(session, branch, stage)
    assert mine(session, "王五", "measures_overdue") == [str(late.id)]
    assert mine(session, "王五", "measures_still_open") == [str(open_.id)]
    for other in ("张三", "李四", "孙八"):
        assert mine(session, other, "measures_overdue") == mine(session, other, "measures_still_open") == []
    assert {"measures_overdue", "measures_still_open"} <= {row.requirement.name for row in exceptions(session, 2024, today=TODAY)}


def test_what_an_owner_leaves_behind_is_the_secretarys(session: Session, branch: Process) -> None:
    measure = whole(session, branch, owner="王五")
    stand_at(session, branch, Stage.RECTIFICATION)
    leaves(session, "王五")
    assert mine(session, "张三", "measures_still_open") == [str(measure.id)]
    assert mine(session, "孙八", "measures_still_open") == mine(session, "王五", "measures_still_open") == []


def test_what_belongs_to_nobody_is_not_asked_of_everybody(session: Session, branch: Process) -> None:
    whole(session, branch, owner="王五")
    stand_at(session, branch, Stage.RECTIFICATION)
    for name in ("王五", "张三"):
        leaves(session, name)
    assert mine(session, "孙八", "measures_still_open") == []
    assert len(lacking(session, branch, "measures_without_an_owner_on_the_roll")) == 1


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


# ── F5, F6: shown and sent up ─────────────────────────────────────────────────────────────────────────────────────────


@taken_back
def test_the_measures_are_published_with_place_and_days(session: Session, branch: Process, take_back: TakeBack) -> None:
    a_publication(session, branch, place=None)
    a_publication(session, branch, to=None)
    assert lacking(session, branch, "measures_not_published") == [""]
    shown = a_publication(session, branch)
    assert lacking(session, branch, "measures_not_published") == []
    take_back(shown)
    assert lacking(session, branch, "measures_not_published") == [""]


def test_a_publication_does_not_end_before_it_begins(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid) as refused:
        a_publication(session, branch, to=date(2024, 12, 19))
    assert set(refused.value.errors) == {"to"}
    shown, by = a_publication(session, branch), caller(session, "张三")
    for change in ({"from": date(2024, 12, 28)}, {"to": date(2024, 12, 19)}):
        with pytest.raises(Invalid):
            amend_publication(session, branch, shown, change, seen=1, by=by, now=NOW)
    amend_publication(session, branch, shown, {"from": date(2024, 12, 28), "to": date(2024, 12, 28)}, seen=1, by=by, now=NOW)
    assert (shown.place, shown.from_on, shown.to_on, shown.version) == ("学院公示栏", date(2024, 12, 28), date(2024, 12, 28), 2)


@taken_back
def test_the_measures_are_sent_up_and_the_receipt_blocks_nothing(session: Session, branch: Process, take_back: TakeBack) -> None:
    assert lacking(session, branch, "measures_not_sent_up") == [""]
    sent = a_filing(session, branch)
    assert lacking(session, branch, "measures_not_sent_up") == []
    assert lacking(session, branch, "filings_without_a_receipt") == [str(sent.id)]
    assert not BY_NAME["filings_without_a_receipt"].blocks
    take_back(sent)
    assert lacking(session, branch, "measures_not_sent_up") == [""]
    assert lacking(session, branch, "filings_without_a_receipt") == []
    with pytest.raises(Conflict):
        confirm_receipt(session, sent, by=caller(session, "office"), now=NOW)


def test_the_office_confirms_once_also_after_the_branch_has_filed_and_the_year_is_closed(session: Session, branch: Process) -> None:
    sent = a_filing(session, branch)
    stand_at(session, branch, Stage.ACCEPTED)
    assert mine(session, "张三", "filings_without_a_receipt") == [str(sent.id)]
    close_cycle(session, branch.cycle, now=NOW)
    confirm_receipt(session, sent, by=caller(session, "office"), now=NOW)
    assert (sent.received_by, sent.received_at, sent.version) == ("office", NOW, 2)
    assert lacking(session, branch, "filings_without_a_receipt") == []
    with pytest.raises(Conflict):
        confirm_receipt(session, sent, by=caller(session, "office"), now=NOW)


def test_a_filing_tells_what_was_done(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid) as refused:
        a_filing(session, branch, sent_on=TODAY + timedelta(days=1))
    assert set(refused.value.errors) == {"sent_on"}
    sent = a_filing(session, branch)
    amend_filing(session, branch, sent, {"to": "机关党委"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert (sent.sent_to, sent.sent_on) == ("机关党委", TODAY)


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


# ── F8: the secretary first ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_measure_without_an_owner_is_the_secretarys(session: Session, branch: Process) -> None:
    assert (a_measure(session, branch).owner, a_measure(session, branch, owner="王五").owner) == ("z3", "w5")
    with pytest.raises(Invalid) as refused:
        a_measure(session, branch, owner="赵六")
    assert set(refused.value.errors) == {"owner"}


def test_a_branch_without_a_secretary_must_name_an_owner(session: Session) -> None:
    process = a_small_branch(session)
    on_roll(session, process, "张三").post = Post.DEPUTY
    session.flush()
    body = {"text": "完善制度", "due_on": DUE_ON}
    measure = rectification.record_measure(session, process, body, by=caller(session, "张三"), now=NOW)
    assert measure.owner is None
    assert lacking(session, process, "measures_without_an_owner_on_the_roll") == [str(measure.id)]
    amend_measure(session, process, measure, {"owner": "w5"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert lacking(session, process, "measures_without_an_owner_on_the_roll") == []


def test_who_has_left_owns_nothing_that_is_still_to_do(session: Session, branch: Process) -> None:
    measures = [whole(session, branch, owner="王五") for _ in range(5)]
    for measure, state in zip(measures, MeasureState, strict=False):
        progress(session, branch, measure, state)
    assert lacking(session, branch, "measures_without_an_owner_on_the_roll") == []
    by_withdrawal(measures[4])
    leaves(session, "王五")
    assert lacking(session, branch, "measures_without_an_owner_on_the_roll") == ids(*measures[:3])


def test_an_excused_owner_still_owns(session: Session, branch: Process) -> None:
    whole(session, branch, owner="王五")
    excused(session, branch, "王五")
    assert lacking(session, branch, "measures_without_an_owner_on_the_roll") == []


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_measure_stands_where_the_last_progress_put_it(session: Session, branch: Process) -> None:
    measure = whole(session, branch, owner="王五")
    assert measure.state is OPEN
    for state in (CLOSED, DOING, OPEN, DONE):
        progress(session, branch, measure, state)
        assert measure.state is state
    assert [each.state for each in measure.progress] == [CLOSED, DOING, OPEN, DONE]
    assert measure.version == 1


@pytest.mark.parametrize(
    ("who", "state", "may"),
    [
        ("王五", DOING, True),
        ("王五", DONE, True),
        ("王五", CLOSED, False),
        ("张三", CLOSED, True),
        ("李四", DOING, False),
        ("孙八", DOING, False),
    ],
)
def test_progress_is_the_owners_and_the_secretarys_and_only_the_secretary_closes(
    session: Session, branch: Process, who: str, state: MeasureState, may: bool
) -> None:
    measure = whole(session, branch, owner="王五")
    if may:
        assert progress(session, branch, measure, state, by=who).recorded_by == STAFF_NO[who]
        return
    with pytest.raises(Forbidden):
        progress(session, branch, measure, state, by=who)
    assert (measure.state, measure.progress) == (OPEN, [])


@pytest.mark.parametrize("stage", Stage)
def test_progress_goes_on_wherever_the_branch_stands_and_after_the_year(session: Session, branch: Process, stage: Stage) -> None:
    measure = whole(session, branch)
    stand_at(session, branch, stage)
    progress(session, branch, measure, DOING)
    close_cycle(session, branch.cycle, now=NOW)
    progress(session, branch, measure, CLOSED, "台账")
    a_comment(session, branch, measure)
    assert measure.state is CLOSED


@taken_back
def test_what_was_taken_back_goes_no_further(session: Session, branch: Process, take_back: TakeBack) -> None:
    measure = whole(session, branch)
    take_back(measure)
    with pytest.raises(Conflict):
        progress(session, branch, measure, DOING)


def test_a_member_records_his_own_commitment_and_the_secretary_any(session: Session, branch: Process) -> None:
    promise = a_commitment(session, branch, "王五")
    a_commitment(session, branch, "王五", by="张三")
    for other in ("孙八", "李四"):
        with pytest.raises(Forbidden):
            a_commitment(session, branch, "王五", by=other)
        with pytest.raises(Forbidden):
            amend_commitment(session, branch, promise, {"text": "改写"}, seen=1, by=caller(session, other), now=NOW)
    with pytest.raises(Forbidden):
        amend_commitment(session, branch, promise, {"staff_no": "s8"}, seen=1, by=caller(session, "王五"), now=NOW)
    with pytest.raises(Invalid):
        a_commitment(session, branch, "赵六", by="张三")


def test_a_problem_is_about_somebody_of_the_roll_or_the_committee(session: Session, branch: Process) -> None:
    problem = a_problem(session, branch, about="w5", source=ProblemSource.TALK)
    assert problem.about == "w5"
    amend_problem(session, branch, problem, {"about": "committee"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert problem.about is None
    with pytest.raises(Invalid) as refused:
        a_problem(session, branch, about="z6")
    assert set(refused.value.errors) == {"about"}


RECORDS: dict[str, tuple[Callable[[Session, Process], Any], Any, dict[str, Any]]] = {
    "problem": (a_problem, amend_problem, {"text": "改写"}),
    "measure": (whole, amend_measure, {"text": "改写"}),
    "commitment": (lambda session, process: a_commitment(session, process, "张三"), amend_commitment, {"text": "改写"}),
    "publication": (a_publication, amend_publication, {"place": "改写"}),
    "filing": (a_filing, amend_filing, {"to": "改写"}),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_closes_with_the_stage_and_opens_when_the_branch_comes_back(session: Session, branch: Process, kind: str) -> None:
    make, amend, change = RECORDS[kind]
    row, by = make(session, branch), caller(session, "张三")
    stand_at(session, branch, Stage.REPORT)
    with pytest.raises(StageClosed):
        make(session, branch)
    with pytest.raises(StageClosed):
        amend(session, branch, row, change, seen=1, by=by, now=NOW)
    stand_at(session, branch, Stage.RECTIFICATION)
    amend(session, branch, row, change, seen=1, by=by, now=NOW)
    assert row.version == 2
    close_cycle(session, branch.cycle, now=NOW)
    with pytest.raises(Conflict):
        make(session, branch)


@pytest.mark.parametrize("kind", RECORDS)
def test_who_saw_an_older_version_or_one_that_was_taken_back_changes_nothing(session: Session, branch: Process, kind: str) -> None:
    make, amend, change = RECORDS[kind]
    row, by = make(session, branch), caller(session, "张三")
    amend(session, branch, row, change, seen=1, by=by, now=NOW)
    stand_at(session, branch, Stage.REPORT)
    with pytest.raises(Stale):
        amend(session, branch, row, change, seen=1, by=by, now=NOW)
    stand_at(session, branch, Stage.STUDY)
    by_rejection(row)
    with pytest.raises(Conflict):
        amend(session, branch, row, change, seen=3, by=by, now=NOW)


# ── F9: what the next year tells of it ────────────────────────────────────────────────────────────────────────────────


def test_the_next_year_tells_of_the_measures_that_count_with_their_state_of_today(session: Session, branch: Process) -> None:
    first, second = whole(session, branch), a_measure(session, branch, owner="李四", text="走访\n教研室", due_on=None)
    gone = whole(session, branch)
    by_withdrawal(gone)
    there = process_of(session, 2024, "D0201")
    a_measure(session, there, text="别的支部的措施")
    later = the_year_after(session, branch)
    progress(session, branch, first, CLOSED, "台账")
    progress(session, branch, second, DOING)
    rows = last_years_measures(session, later)
    assert rows == [
        LastYearsMeasure("完善“三会一课”制度", "张三", DUE_ON, CLOSED),
        LastYearsMeasure("走访\n教研室", "李四", None, DOING),
    ]
    assert rectification_text(rows) == "1. 完善“三会一课”制度（责任人：张三）：已销号\n2. 走访 教研室（责任人：李四）：进行中"


def test_it_is_the_most_recent_earlier_year_that_is_told_of(session: Session, branch: Process) -> None:
    whole(session, branch)
    nothing_done = the_year_after(session, branch, 2026)
    assert len(last_years_measures(session, nothing_done)) == 1
    assert last_years_measures(session, the_year_after(session, branch, 2028)) == []
    assert len(last_years_measures(session, nothing_done)) == 1


def test_without_a_last_year_or_measures_in_it_the_text_says_so(session: Session, branch: Process) -> None:
    assert last_years_measures(session, branch) == []
    assert last_years_measures(session, the_year_after(session, branch)) == []
    assert rectification_text([]) == "上年度无整改事项"


def test_a_measure_without_an_owner_is_told_without_one() -> None:
    assert rectification_text([LastYearsMeasure("完善制度", None, None, OPEN)]) == "1. 完善制度：未开始"


def test_everybody_may_commit_in_one_go(session: Session, branch: Process) -> None:
    all_commitments(session, branch)
    assert lacking(session, branch, "members_without_a_commitment") == []
    assert received(session, branch).received_by == "office"
