"""Records of rectification (整改台账): their writers and times, and their use in the next year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, a_school, caller
from tests.support.records.evidence import lacking, stand_at
from tests.support.records.rectification import (
    DUE_ON,
    TakeBack,
    a_comment,
    a_commitment,
    a_filing,
    a_measure,
    a_problem,
    a_publication,
    all_commitments,
    by_rejection,
    by_withdrawal,
    keeping,
    progress,
    received,
    taken_back,
    the_year_after,
    whole,
)
from workflow.appraisal.ledger import LastYear, LastYearsMeasure, last_year
from workflow.appraisal.rectification.commitments import COMMITMENTS
from workflow.appraisal.rectification.measures import MEASURES
from workflow.appraisal.rectification.problems import PROBLEMS
from workflow.appraisal.rectification.publications import FILINGS, PUBLICATIONS
from workflow.foundation.errors import Conflict, Forbidden, Invalid, StageClosed, Stale
from workflow.foundation.vocabulary import STAGES, Kind, MeasureState, ProblemSource, Stage
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import close_cycle

OPEN, DOING, DONE, CLOSED = MeasureState


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


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


@pytest.mark.parametrize("stage", STAGES[Kind.APPRAISAL])
def test_progress_goes_on_wherever_the_branch_stands_and_after_the_year(session: Session, branch: Process, stage: Stage) -> None:
    measure = whole(session, branch)
    stand_at(session, branch, stage)
    progress(session, branch, measure, DOING)
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
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
            COMMITMENTS.amend(session, branch, promise, {"text": "改写"}, seen=1, by=caller(session, other), now=NOW)
    with pytest.raises(Forbidden):
        COMMITMENTS.amend(session, branch, promise, {"staff_no": "s8"}, seen=1, by=caller(session, "王五"), now=NOW)
    with pytest.raises(Invalid):
        a_commitment(session, branch, "赵六", by="张三")


def test_a_problem_is_about_somebody_of_the_roll_or_the_committee(session: Session, branch: Process) -> None:
    problem = a_problem(session, branch, whose="w5", source=ProblemSource.TALK)
    assert problem.about == "w5"
    PROBLEMS.amend(session, branch, problem, {"whose": "committee"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert problem.about is None
    with pytest.raises(Invalid) as refused:
        a_problem(session, branch, whose="z6")
    assert set(refused.value.errors) == {"about"}


RECORDS: dict[str, tuple[Callable[[Session, Process], Any], Any, dict[str, Any]]] = {
    "problem": (a_problem, PROBLEMS.amend, {"text": "改写"}),
    "measure": (whole, MEASURES.amend, {"text": "改写"}),
    "commitment": (lambda session, process: a_commitment(session, process, "张三"), COMMITMENTS.amend, {"text": "改写"}),
    "publication": (a_publication, PUBLICATIONS.amend, {"place": "改写"}),
    "filing": (a_filing, FILINGS.amend, {"sent_to": "改写"}),
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
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
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
    told = last_year(session, later)
    assert told.measures == [
        LastYearsMeasure("完善“三会一课”制度", "张三", DUE_ON, CLOSED),
        LastYearsMeasure("走访\n教研室", "李四", None, DOING),
    ]
    assert told.text == "1. 完善“三会一课”制度（责任人：张三）：已销号\n2. 走访 教研室（责任人：李四）：进行中"


def test_it_is_the_most_recent_earlier_year_that_is_told_of(session: Session, branch: Process) -> None:
    whole(session, branch)
    nothing_done = the_year_after(session, branch, 2026)
    assert len(last_year(session, nothing_done).measures) == 1
    assert last_year(session, the_year_after(session, branch, 2028)).nothing
    assert len(last_year(session, nothing_done).measures) == 1


def test_without_a_last_year_or_measures_in_it_the_text_says_so(session: Session, branch: Process) -> None:
    assert last_year(session, branch).nothing
    told = last_year(session, the_year_after(session, branch))
    assert (told.nothing, told.text) == (True, "上年度无整改事项")


def test_the_commitments_of_last_year_are_told_in_numbers_and_by_no_name(session: Session, branch: Process) -> None:
    kept, closed, _ = (a_commitment(session, branch, who) for who in ("王五", "孙八", "李四"))
    by_withdrawal(a_commitment(session, branch, "钱七"))
    keeping(session, branch, kept, DONE, by="王五")
    keeping(session, branch, closed, CLOSED)
    told = last_year(session, the_year_after(session, branch))
    assert (told.nothing, told.text) == (False, "党员整改承诺3项，已兑现2项，尚在进行1项。")


def test_a_measure_without_an_owner_is_told_without_one() -> None:
    assert LastYear([LastYearsMeasure("完善制度", None, None, OPEN)], 0, 0).text == "1. 完善制度：未开始"


def test_everybody_may_commit_in_one_go(session: Session, branch: Process) -> None:
    all_commitments(session, branch)
    assert lacking(session, branch, "members_without_a_commitment") == []
    assert received(session, branch).received_by == "office"
