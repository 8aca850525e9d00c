"""The year (年度): opened from a plan and six days, published once, closed once.

A process is found, locked and counted.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, a_branch, a_cycle, a_school, the_plan
from workflow.foundation.database import LOCK_TIMEOUT, constraint, sqlstate, transaction
from workflow.foundation.errors import Conflict, Exists, Invalid, NotFound, Stale
from workflow.foundation.vocabulary import SCHOOL_ZONE, CycleStatus, Stage
from workflow.machine.process import moves_made
from workflow.year.cycle import Cycle, Process
from workflow.year.deadlines import change_deadlines, extend, extensions_of, has_passed
from workflow.year.finding import Lock, cycle_by_year, process_of, processes, unfiled_processes
from workflow.year.opening import close_cycle, open_cycle, plan_quoted, publish
from workflow.year.roll import participant

# ── opening ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft_keeps_the_plan_and_the_days_that_were_typed(session: Session) -> None:
    cycle = a_cycle(session)
    assert (cycle.year, cycle.status, cycle.version) == (2024, CycleStatus.DRAFT, 1)
    assert {stage: day for stage, day in cycle.deadlines.items() if day} == {stage.value: day.isoformat() for stage, day in DEADLINES.items()}
    assert cycle.deadline(Stage.REPORT) == date(2025, 1, 26)
    assert cycle.deadline(Stage.FILED) is None
    assert (cycle.plan["year"], cycle.passed_through) == (2024, frozenset())
    assert cycle.sentence("K1").startswith("党支部委员之间")
    assert cycle.sentence("no such clause") == ""


def test_a_year_has_one_cycle(session: Session) -> None:
    a_cycle(session)
    with pytest.raises(Exists):
        a_cycle(session)


@pytest.mark.parametrize(
    ("deadlines", "field"),
    [
        ({}, "deadlines.report"),
        ({Stage.STUDY: date(2024, 12, 25)}, "deadlines.report"),
        ({Stage.TALKS: date(2025, 1, 27), Stage.REPORT: date(2025, 1, 26)}, "deadlines.report"),
        ({Stage.STUDY: date(2025, 1, 2), Stage.TALKS: date(2025, 1, 1), Stage.REPORT: date(2025, 1, 26)}, "deadlines.talks"),
        ({Stage.STUDY: date(2025, 1, 2), Stage.RATING: date(2025, 1, 1), Stage.REPORT: date(2025, 1, 26)}, "deadlines.rating"),
        ({Stage.COLLECTING: date(2025, 1, 10), Stage.PROPOSED: date(2025, 1, 9), Stage.REPORT: date(2025, 1, 26)}, "deadlines.proposed"),
        ({Stage.COLLECTING: date(2025, 1, 10)}, "deadlines.report"),
    ],
)
def test_the_reports_day_is_required_and_the_days_stand_in_order(session: Session, deadlines: dict[Stage, date], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        open_cycle(session, the_plan(), deadlines, now=NOW)
    assert list(refused.value.errors) == [field]


def test_only_the_reports_day_need_be_set_and_two_stages_may_share_a_day(session: Session) -> None:
    cycle = open_cycle(session, the_plan(), {Stage.RATING: date(2025, 1, 26), Stage.REPORT: date(2025, 1, 26)}, now=NOW)
    assert cycle.deadlines == {
        "study": None,
        "talks": None,
        "self_review": None,
        "rating": "2025-01-26",
        "rectification": None,
        "report": "2025-01-26",
        "collecting": None,
        "summarised": None,
        "proposed": None,
    }


# ── publishing and closing ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_year_is_published_once_and_closed_once(session: Session) -> None:
    a_branch(session)
    cycle = a_cycle(session)
    with pytest.raises(Conflict):
        close_cycle(session, cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    publish(session, cycle, now=NOW)
    assert (cycle.status, cycle.published_at, cycle.version) == (CycleStatus.PUBLISHED, NOW, 2)
    with pytest.raises(Conflict):
        publish(session, cycle, now=NOW)
    close_cycle(session, cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    assert (cycle.status, cycle.closed_at, cycle.version) == (CycleStatus.CLOSED, NOW, 3)
    with pytest.raises(Conflict):
        publish(session, cycle, now=NOW)
    with pytest.raises(Conflict):
        close_cycle(session, cycle, leave_open=True, reason="年底前不再进行", now=NOW)


def test_two_years_are_never_open_at_once(session: Session) -> None:
    a_branch(session)
    first = a_cycle(session)
    publish(session, first, now=NOW)
    second = open_cycle(session, the_plan().model_copy(update={"year": 2025}), {Stage.REPORT: date(2026, 1, 26)}, now=NOW)
    with pytest.raises(Conflict, match="2024年度还在进行"):
        publish(session, second, now=NOW)
    close_cycle(session, first, leave_open=True, reason="年底前不再进行", now=NOW)
    publish(session, second, now=NOW)
    assert second.status is CycleStatus.PUBLISHED


def test_the_days_of_a_draft_and_of_a_running_year_may_change_and_those_of_a_closed_one_not(session: Session) -> None:
    process = a_school(session)
    change_deadlines(session, process.cycle, {Stage.REPORT: date(2025, 1, 28)}, seen=process.cycle.version, now=NOW)
    assert (process.cycle.deadline(Stage.REPORT), process.cycle.deadline(Stage.STUDY)) == (date(2025, 1, 28), DEADLINES[Stage.STUDY])
    assert process.cycle.version == 3
    close_cycle(session, process.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    with pytest.raises(Conflict):
        change_deadlines(session, process.cycle, {Stage.REPORT: date(2025, 1, 30)}, seen=process.cycle.version, now=NOW)


@pytest.mark.parametrize("changes", [{Stage.REPORT: None}, {Stage.STUDY: date(2025, 1, 30)}, {Stage.REPORT: date(2025, 1, 20)}])
def test_changed_days_stand_in_order_too(session: Session, changes: dict[Stage, date | None]) -> None:
    cycle = a_cycle(session)
    with pytest.raises(Invalid):
        change_deadlines(session, cycle, changes, seen=cycle.version, now=NOW)
    assert cycle.deadline(Stage.REPORT) == DEADLINES[Stage.REPORT]


def test_days_that_were_changed_meanwhile_are_not_overwritten(session: Session) -> None:
    cycle = a_cycle(session)
    change_deadlines(session, cycle, {Stage.REPORT: date(2025, 1, 28)}, seen=1, now=NOW)
    with pytest.raises(Stale) as refused:
        change_deadlines(session, cycle, {Stage.REPORT: date(2025, 1, 30)}, seen=1, now=NOW)
    assert refused.value.extra["version"] == 2
    assert cycle.deadline(Stage.REPORT) == date(2025, 1, 28)


@pytest.mark.parametrize(
    ("now", "passed"),
    [
        (datetime(2025, 1, 26, 15, 59, 59, 999999, tzinfo=UTC), False),
        (datetime(2025, 1, 26, 16, 0, tzinfo=UTC), True),
        (datetime(2025, 1, 26, 23, 59, tzinfo=SCHOOL_ZONE), False),
        (datetime(2025, 1, 27, 0, 0, tzinfo=SCHOOL_ZONE), True),
    ],
)
def test_a_day_has_passed_with_its_end_in_the_school(now: datetime, passed: bool) -> None:
    assert has_passed(date(2025, 1, 26), now) is passed
    assert not has_passed(None, now)


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_does_not_exist_is_not_found(session: Session) -> None:
    process = a_school(session)
    for year, code in ((2023, "D0101"), (2024, "D0999")):
        with pytest.raises(NotFound):
            process_of(session, year, code)
    with pytest.raises(NotFound):
        cycle_by_year(session, 2023)
    with pytest.raises(NotFound):
        participant(session, process.id, "z6")
    assert participant(session, process.id, "w5").name == "王五"


def test_processes_come_in_the_order_of_their_ids(session: Session) -> None:
    process = a_school(session)
    ids = sorted(session.scalars(select(Process.id)), reverse=True)
    assert [row.id for row in processes(session, ids, lock=Lock.MOVE)] == sorted(ids)
    assert [row.id for row in unfiled_processes(session, lock=Lock.NONE)] == sorted(ids)
    session.execute(update(Process).where(Process.id == process.id).values(stage=Stage.FILED))
    assert process.id not in [row.id for row in unfiled_processes(session, lock=Lock.NONE)]


def test_extensions_are_told_in_order_by_pages(session: Session) -> None:
    process = a_school(session)
    for day in (27, 28, 29):
        extend(session, process, stage=Stage.STUDY, due_on=date(2024, 12, day), reason="考试周", by="office", now=NOW)
    first = extensions_of(session, process.id, limit=2)
    rest = extensions_of(session, process.id, after=first[-1].id)
    assert [row.due_on.day for row in (*first, *rest)] == [27, 28, 29]
    assert [(row.version, row.round, row.given_by) for row in (*first, *rest)] == [(2, 1, "office"), (3, 1, "office"), (4, 1, "office")]
    assert moves_made(session, process.id) == []


# ── what the tables refuse ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("update process set stage = 'voting'", "ck_process_stage"),
        ("update process set kind = 'voting'", "ck_process_kind"),
        ("update process set kind = 'assessment' where kind = 'appraisal'", "ck_process_stage_of_kind"),
        ("update process set stage = 'study' where kind = 'assessment'", "ck_process_stage_of_kind"),
        ("update process set round = 0", "ck_process_counting"),
        ("update process set version = 0", "ck_process_counting"),
    ],
)
def test_the_table_refuses_what_no_process_can_be(session: Session, statement: str, name: str) -> None:
    a_school(session)
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        session.execute(text(statement))
    assert (constraint(refused.value) or "").startswith(name)


def test_a_branch_has_one_process_of_a_kind_in_a_year(session: Session) -> None:
    process = a_school(session)
    twin = {"cycle_id": process.cycle_id, "branch_id": process.branch_id, "kind": process.kind, "stage": Stage.STUDY, "entered_at": NOW}
    twin |= {name: getattr(process, name) for name in ("branch_name", "unit_code", "unit_name")}
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        session.execute(insert(Process).values(twin))
    assert constraint(refused.value) == "uq_process_cycle_id_branch_id_kind"


@pytest.mark.parametrize("year", [1999, 3000])
def test_the_table_refuses_a_year_that_nobody_means(session: Session, year: int) -> None:
    cycle = a_cycle(session)
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        session.execute(update(Cycle).where(Cycle.id == cycle.id).values(year=year))
    assert constraint(refused.value) == "ck_cycle_year"


# ── locks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

WAITS = [(Lock.EVIDENCE, Lock.EVIDENCE, False), (Lock.EVIDENCE, Lock.MOVE, True), (Lock.MOVE, Lock.EVIDENCE, True), (Lock.MOVE, Lock.MOVE, True)]


def test_evidence_is_recorded_side_by_side_and_a_move_is_alone_with_its_process(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        a_branch(session, code="D0301", members=("周九",), committee=("周九",))
    for held, wanted, waits in WAITS:
        with transaction(engine, actor="z3") as one:
            process_of(one, 2024, "D0101", lock=held)
            with transaction(engine, actor="z6") as other:
                other.execute(text("set local lock_timeout = '60ms'"))
                # Another branch of the same year never waits, nor does a reader.
                process_of(other, 2024, "D0201", lock=Lock.MOVE)
                process_of(other, 2024, "D0101")
                if not waits:
                    process_of(other, 2024, "D0101", lock=wanted)
                    continue
                with pytest.raises(DBAPIError) as refused, other.begin_nested():
                    process_of(other, 2024, "D0101", lock=wanted)
                assert sqlstate(refused.value) == LOCK_TIMEOUT


def test_a_move_waits_for_nobody_who_changes_the_days_of_the_year(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    with transaction(engine, actor="office") as office:
        cycle_by_year(office, 2024, for_update=True)
        with transaction(engine, actor="z3") as branch:
            branch.execute(text("set local lock_timeout = '60ms'"))
            assert process_of(branch, 2024, "D0101", lock=Lock.MOVE).stage is Stage.STUDY


# ── which plan is quoted ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_published_years_plan_is_quoted_or_else_the_newest(session: Session) -> None:
    assert plan_quoted(session)["year"] == 2024  # of the product: there is no year yet
    older = open_cycle(session, the_plan().model_copy(update={"year": 2022}), DEADLINES, now=NOW)
    newer = open_cycle(session, the_plan().model_copy(update={"year": 2025}), DEADLINES, now=NOW)
    assert plan_quoted(session)["year"] == 2025
    a_branch(session)
    publish(session, older, now=NOW)
    assert plan_quoted(session) == older.plan
    assert plan_quoted(session, 2025) == newer.plan
    with pytest.raises(NotFound):
        plan_quoted(session, 2031)
