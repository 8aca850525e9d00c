"""Days (期限): of a stage, of a round, of an extension; overdue stages, and late filing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, a_school
from tests.support.records.evidence import again, all_evidence, came_to, go
from workflow.foundation.errors import Conflict, Invalid
from workflow.foundation.vocabulary import STAGES, Kind, Stage, Trigger
from workflow.machine.process import moves_made
from workflow.year.cycle import Process
from workflow.year.deadlines import change_deadlines, extend
from workflow.year.finding import process_of


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning, with all the evidence it will need."""
    process = a_school(session)
    all_evidence(session, process)
    return process


# ── days ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

AFTER_ALL = datetime(2025, 1, 27, 2, 0, tzinfo=UTC)
"""The day after the report was due."""


@pytest.mark.parametrize("stage", STAGES[Kind.APPRAISAL])
def test_a_process_is_due_when_its_stage_is_and_never_once_filed(session: Session, branch: Process, stage: Stage) -> None:
    assert came_to(session, stage).due_on == DEADLINES.get(stage)


def test_a_stage_without_a_day_has_that_of_the_next_later_stage_with_one(session: Session) -> None:
    process = a_school(session, deadlines={Stage.TALKS: date(2024, 12, 31), Stage.REPORT: date(2025, 1, 26)})
    assert process.due_on == date(2024, 12, 31)
    all_evidence(session, process)
    came_to(session, Stage.SELF_REVIEW)
    assert [row.due_on for row in moves_made(session, process.id)] == [date(2024, 12, 31), date(2025, 1, 26)]
    assert again(session).overdue(date(2025, 1, 27))
    assert not again(session).overdue(date(2025, 1, 26))


def test_stages_that_no_later_day_follows_are_never_due(session: Session) -> None:
    process = process_of(session, 2024, a_school(session).branch.code, kind=Kind.ASSESSMENT)
    assert (process.stage, process.due_on) == (Stage.COLLECTING, None)
    change_deadlines(session, process.cycle, {Stage.SUMMARISED: date(2025, 2, 20)}, seen=process.cycle.version, now=NOW)
    assert process_of(session, 2024, process.branch.code, kind=Kind.ASSESSMENT).due_on == date(2025, 2, 20)


def test_an_inherited_day_moves_with_its_own_stage(session: Session) -> None:
    process = a_school(session, deadlines={Stage.REPORT: date(2025, 1, 26)})
    extend(session, process, stage=Stage.REPORT, due_on=date(2025, 2, 10), reason="寒假", by="office", now=NOW)
    assert again(session).due_on == date(2025, 2, 10)
    change_deadlines(session, process.cycle, {Stage.REPORT: date(2025, 2, 20)}, seen=process.cycle.version, now=NOW)
    assert again(session).due_on == date(2025, 2, 20)


def test_an_earlier_stage_is_not_extended_beyond_the_report(session: Session) -> None:
    process = a_school(session)
    with pytest.raises(Invalid) as refused:
        extend(session, process, stage=Stage.RATING, due_on=date(2025, 1, 27), reason="寒假", by="office", now=NOW)
    assert refused.value.errors == {"due_on": ["不能晚于“报送”的期限 2025-01-26，请先延长“报送”"]}
    extend(session, process, stage=Stage.REPORT, due_on=date(2025, 2, 10), reason="寒假", by="office", now=NOW)
    extend(session, again(session), stage=Stage.RATING, due_on=date(2025, 2, 10), reason="寒假", by="office", now=NOW)


def test_the_day_of_a_round_is_extended_for_all_its_stages_by_extending_the_report(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    go(session, Trigger.RETURN, Stage.RATING, due_on=date(2025, 2, 10), now=AFTER_ALL)
    extend(session, again(session), stage=Stage.REPORT, due_on=date(2025, 2, 20), reason="寒假", by="office", now=AFTER_ALL)
    assert again(session).due_on == date(2025, 2, 20)


def test_the_day_of_a_round_holds_for_all_its_stages_until_the_next_round(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    go(session, Trigger.RETURN, Stage.RATING, due_on=date(2025, 2, 10), now=AFTER_ALL)
    for stage in (Stage.RATING, Stage.RECTIFICATION, Stage.REPORT):
        assert came_to(session, stage, now=AFTER_ALL).due_on == date(2025, 2, 10)
    assert came_to(session, Stage.FILED, now=AFTER_ALL).due_on is None
    go(session, Trigger.RETURN, Stage.REPORT, due_on=date(2025, 2, 20), now=AFTER_ALL)
    assert again(session).due_on == date(2025, 2, 20)


def test_the_day_of_a_round_may_lie_before_the_stages_own(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    go(session, Trigger.RETURN, Stage.REPORT, due_on=date(2025, 1, 10))
    assert again(session).due_on == date(2025, 1, 10)


def test_a_return_to_a_stage_whose_day_has_passed_wants_a_day(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    on_the_day = datetime(2025, 1, 15, 15, 59, tzinfo=UTC)
    with session.begin_nested() as attempt:
        assert go(session, Trigger.RETURN, Stage.RATING, now=on_the_day).due_on == date(2025, 1, 15)
        attempt.rollback()
    with pytest.raises(Invalid) as refused:
        go(session, Trigger.RETURN, Stage.RATING, now=datetime(2025, 1, 15, 16, 0, tzinfo=UTC))
    assert list(refused.value.errors) == ["due_on"]
    assert (again(session).stage, again(session).round) == (Stage.FILED, 1)


def test_a_reopening_after_the_day_wants_a_day_too(session: Session, branch: Process) -> None:
    came_to(session, Stage.ACCEPTED)
    with pytest.raises(Invalid) as refused:
        go(session, Trigger.REOPEN, Stage.REPORT, now=AFTER_ALL)
    assert list(refused.value.errors) == ["due_on"]
    assert go(session, Trigger.REOPEN, Stage.REPORT, now=AFTER_ALL, due_on=date(2025, 2, 1)).due_on == date(2025, 2, 1)


def test_the_day_of_a_round_may_have_passed_already(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    assert go(session, Trigger.RETURN, Stage.REPORT, due_on=date(2025, 1, 26), now=AFTER_ALL).due_on == date(2025, 1, 26)


def test_a_step_back_to_a_stage_whose_day_has_passed_is_overdue_and_wants_no_day(session: Session, branch: Process) -> None:
    came_to(session, Stage.REPORT)
    go(session, Trigger.STEP_BACK, Stage.STUDY, now=AFTER_ALL)
    assert again(session).due_on == DEADLINES[Stage.STUDY]
    assert again(session).overdue(date(2024, 12, 26))
    assert not again(session).overdue(date(2024, 12, 25))


def test_an_extension_gives_one_stage_a_later_day_in_this_round_and_raises_the_version(session: Session, branch: Process) -> None:
    extend(session, again(session), stage=Stage.STUDY, due_on=date(2024, 12, 28), reason="考试周", by="office", now=NOW)
    extend(session, again(session), stage=Stage.RATING, due_on=date(2025, 1, 20), reason="考试周", by="office", now=NOW)
    assert (again(session).due_on, again(session).version) == (date(2024, 12, 28), 3)
    assert came_to(session, Stage.TALKS).due_on == DEADLINES[Stage.TALKS]
    assert came_to(session, Stage.RATING).due_on == date(2025, 1, 20)
    go(session, Trigger.RETURN, Stage.STUDY)
    assert again(session).due_on == DEADLINES[Stage.STUDY]
    assert came_to(session, Stage.RATING).due_on == DEADLINES[Stage.RATING]


def test_an_extension_in_a_round_with_its_own_day_counts_when_it_is_later(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    go(session, Trigger.RETURN, Stage.REPORT, due_on=date(2025, 2, 10), now=AFTER_ALL)
    with pytest.raises(Invalid):
        extend(session, again(session), stage=Stage.REPORT, due_on=date(2025, 2, 10), reason="寒假", by="office", now=AFTER_ALL)
    extend(session, again(session), stage=Stage.REPORT, due_on=date(2025, 2, 20), reason="寒假", by="office", now=AFTER_ALL)
    assert again(session).due_on == date(2025, 2, 20)


def test_a_stage_that_was_left_and_one_without_work_are_not_extended(session: Session, branch: Process) -> None:
    came_to(session, Stage.TALKS)
    with pytest.raises(Conflict):
        extend(session, again(session), stage=Stage.STUDY, due_on=date(2025, 1, 5), reason="考试周", by="office", now=NOW)
    with pytest.raises(Invalid):
        extend(session, again(session), stage=Stage.FILED, due_on=date(2025, 1, 5), reason="考试周", by="office", now=NOW)


def test_an_extension_is_later_than_the_one_that_was_given_before(session: Session, branch: Process) -> None:
    extend(session, again(session), stage=Stage.STUDY, due_on=date(2025, 1, 5), reason="考试周", by="office", now=NOW)
    with pytest.raises(Invalid) as refused:
        extend(session, again(session), stage=Stage.STUDY, due_on=date(2024, 12, 30), reason="考试周", by="office", now=NOW)
    assert list(refused.value.errors) == ["due_on"]


def test_a_changed_deadline_is_stored_everywhere_without_raising_a_version(session: Session, branch: Process) -> None:
    extend(session, again(session), stage=Stage.STUDY, due_on=date(2024, 12, 28), reason="考试周", by="office", now=NOW)
    other = process_of(session, 2024, "D0201")
    change_deadlines(session, branch.cycle, {Stage.STUDY: date(2024, 12, 27)}, seen=branch.cycle.version, now=NOW)
    days = {row.branch.code: (row.due_on, row.version) for row in (again(session), process_of(session, 2024, other.branch.code))}
    assert days == {"D0101": (date(2024, 12, 28), 2), "D0201": (date(2024, 12, 27), 1)}
    change_deadlines(session, branch.cycle, {Stage.STUDY: date(2024, 12, 30)}, seen=branch.cycle.version, now=NOW)
    assert (again(session).due_on, again(session).version) == (date(2024, 12, 30), 2)
    change_deadlines(session, branch.cycle, {Stage.STUDY: None}, seen=branch.cycle.version, now=NOW)
    assert process_of(session, 2024, "D0201").due_on == DEADLINES[Stage.TALKS]


def test_a_changed_deadline_leaves_the_day_of_a_round_and_what_is_filed_alone(session: Session, branch: Process) -> None:
    came_to(session, Stage.FILED)
    change_deadlines(session, branch.cycle, {Stage.REPORT: date(2025, 1, 28)}, seen=branch.cycle.version, now=NOW)
    assert again(session).due_on is None
    go(session, Trigger.RETURN, Stage.REPORT, due_on=date(2025, 2, 10), now=AFTER_ALL)
    change_deadlines(session, branch.cycle, {Stage.REPORT: date(2025, 1, 30)}, seen=branch.cycle.version, now=NOW)
    assert again(session).due_on == date(2025, 2, 10)


# ── late ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("filed_at", "late"), [(datetime(2025, 1, 26, 15, 59, 59, tzinfo=UTC), False), (datetime(2025, 1, 26, 16, 0, tzinfo=UTC), True)]
)
def test_filing_after_the_end_of_the_local_day_is_allowed_and_marked(session: Session, branch: Process, filed_at: datetime, late: bool) -> None:
    came_to(session, Stage.REPORT)
    assert go(session, Trigger.FILE, now=filed_at).late is late
    assert again(session).late is late
    assert go(session, Trigger.ACCEPT, now=filed_at).late is late
    assert (again(session).stage, again(session).late) == (Stage.ACCEPTED, late)


@pytest.mark.parametrize("back", [Trigger.RETURN, Trigger.WITHDRAW])
def test_what_is_not_filed_any_more_is_not_filed_late(session: Session, branch: Process, back: Trigger) -> None:
    came_to(session, Stage.FILED, now=AFTER_ALL)
    assert again(session).late
    go(session, back, Stage.REPORT, now=AFTER_ALL, due_on=date(2025, 2, 10) if back is Trigger.RETURN else None)
    assert not again(session).late
    assert go(session, Trigger.FILE, now=AFTER_ALL).late is (back is Trigger.WITHDRAW)


def test_leaving_an_earlier_stage_after_its_day_is_no_late_filing(session: Session, branch: Process) -> None:
    assert not go(session, Trigger.ADVANCE, now=AFTER_ALL).late
