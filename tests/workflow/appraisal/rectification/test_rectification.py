"""The demands of the fifth stage (整改) on a branch before it may report.

They are problems, measures, commitments, publication, filing, owners.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_branch, a_cycle, a_school, an_office, caller, person
from tests.support.records.evidence import a_small_branch, a_waiver, came_to, excused, lacking, leaves, stand_at
from tests.support.records.rectification import (
    DUE_ON,
    TakeBack,
    a_commitment,
    a_filing,
    a_measure,
    a_problem,
    a_publication,
    actors,
    all_rectification,
    by_rejection,
    by_withdrawal,
    ids,
    mine,
    progress,
    taken_back,
    whole,
)
from tests.support.situations import on_roll
from workflow.appraisal.rectification import commitments, handover, measures, publications, signs
from workflow.appraisal.rectification.commitments import COMMITMENTS
from workflow.appraisal.rectification.measures import MEASURES
from workflow.appraisal.rectification.publications import FILINGS, PUBLICATIONS, confirm_receipt
from workflow.foundation.errors import Conflict, Invalid
from workflow.foundation.vocabulary import MeasureState, Post, Role, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import blocking, unmet
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import close_cycle, publish


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


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
    rooms = (measures, handover, commitments, publications, signs)
    assert [each.name for each in BY_NAME.values() if each.stage is Stage.RECTIFICATION] == [
        each.name for room in rooms for each in room.REQUIREMENTS if each.stage is Stage.RECTIFICATION
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
    a_problem(session, branch, whose="w5")
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
    # A field that is not sent is not checked again.
    MEASURES.amend(session, branch, measure, {"text": "完善议事规则"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert [each.problem_id for each in measure.answers] == [problem.id]


def test_the_problems_of_a_measure_are_replaced_by_what_is_sent(session: Session, branch: Process) -> None:
    first, second = a_problem(session, branch), a_problem(session, branch)
    measure = a_measure(session, branch, first)
    MEASURES.amend(session, branch, measure, {"problems": [second.id]}, seen=1, by=caller(session, "张三"), now=NOW)
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
    COMMITMENTS.amend(session, branch, promise, {"problem": "学习不够"}, seen=1, by=caller(session, "王五"), now=NOW)
    assert (promise.problem_id, promise.problem_text) == (None, "学习不够")
    assert lacking(session, branch, "commitments_not_to_the_point") == []


def test_of_someone_who_has_left_no_commitment_is_mended(session: Session, branch: Process) -> None:
    a_commitment(session, branch, "王五", due_on=None)
    leaves(session, "王五")
    assert lacking(session, branch, "commitments_not_to_the_point") == []


# ── F5, F6: shown and sent up ─────────────────────────────────────────────────────────────────────────────────────────


@taken_back
def test_the_measures_are_published_with_place_and_days(session: Session, branch: Process, take_back: TakeBack) -> None:
    a_publication(session, branch, place=None)
    a_publication(session, branch, to_on=None)
    assert lacking(session, branch, "measures_not_published") == [""]
    shown = a_publication(session, branch)
    assert lacking(session, branch, "measures_not_published") == []
    take_back(shown)
    assert lacking(session, branch, "measures_not_published") == [""]


def test_a_publication_does_not_end_before_it_begins(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid) as refused:
        a_publication(session, branch, to_on=date(2024, 12, 19))
    assert set(refused.value.errors) == {"to"}
    shown, by = a_publication(session, branch), caller(session, "张三")
    # A publication is not recorded before it hangs: until then it is not public.
    for change in ({"from_on": date(2024, 12, 28)}, {"to_on": date(2024, 12, 18)}, {"from_on": date(2024, 12, 21)}):
        with pytest.raises(Invalid):
            PUBLICATIONS.amend(session, branch, shown, change, seen=1, by=by, now=NOW)
    PUBLICATIONS.amend(session, branch, shown, {"from_on": date(2024, 12, 19), "to_on": date(2024, 12, 28)}, seen=1, by=by, now=NOW)
    assert (shown.place, shown.from_on, shown.to_on, shown.version) == ("学院公示栏", date(2024, 12, 19), date(2024, 12, 28), 2)


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
    assert mine(session, "张三", "filings_without_a_receipt") == []
    assert mine(session, "office", "filings_without_a_receipt", school={Role.OFFICE}) == [str(sent.id)]
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
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
    FILINGS.amend(session, branch, sent, {"sent_to": "机关党委"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert (sent.sent_to, sent.sent_on) == ("机关党委", TODAY)


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
    measure = MEASURES.record(session, process, body, by=caller(session, "张三"), now=NOW)
    assert measure.owner is None
    assert lacking(session, process, "measures_without_an_owner_on_the_roll") == [str(measure.id)]
    MEASURES.amend(session, process, measure, {"owner": "w5"}, seen=1, by=caller(session, "张三"), now=NOW)
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
