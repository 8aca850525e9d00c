"""The progress (总体进度): the counts agree with the rows after any change."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, TODAY, a_branch, a_cycle, an_office
from workflow.foundation.database import transaction
from workflow.foundation.errors import Invalid
from workflow.foundation.vocabulary import KIND_OF, STAGES, WORKING_STAGES, Kind, Stage
from workflow.readings.progress import BranchChange, Overview, ProgressCount, ProgressDelta, fold, overview
from workflow.year.cycle import Cycle, Process
from workflow.year.deadlines import change_deadlines, change_processes, extend
from workflow.year.finding import Lock, cycle_by_year, process_of
from workflow.year.opening import close_cycle, publish

CODES = [f"D{number:04d}" for number in range(1, 7)]
LATER_DAYS = (date(2025, 1, 10), date(2025, 2, 20), date(2025, 3, 1))


def a_small_school(session: Session) -> Cycle:
    """Make six branches of two people each, in a published 2024."""
    an_office(session)
    for code in CODES:
        a_branch(session, code=code, members=(f"{code}a", f"{code}b"), committee=(f"{code}a",))
    cycle = a_cycle(session)
    publish(session, cycle, now=NOW)
    return cycle


def counted(session: Session, cycle: Cycle, today: date, kind: Kind) -> dict[str, object]:
    """Count the same numbers row by row."""
    ours = select(Process).where(Process.cycle_id == cycle.id, Process.kind == kind).execution_options(populate_existing=True)
    rows = session.scalars(ours).all()
    return {
        "branches": len(rows),
        "by_stage": {stage: sum(row.stage is stage for row in rows) for stage in STAGES[kind]},
        "overdue": sum(row.overdue(today) for row in rows),
        "due_soon": sum(row.due_on is not None and today <= row.due_on <= today + timedelta(days=7) for row in rows),
        "returned": sum(row.round > 1 and row.stage in WORKING_STAGES[kind] for row in rows),
        "late": sum(row.late for row in rows),
    }


def numbers(seen: Overview) -> dict[str, object]:
    return {name: getattr(seen, name) for name in ("branches", "by_stage", "overdue", "due_soon", "returned", "late")}


def agrees(session: Session, cycle: Cycle, now: datetime = NOW) -> dict[Kind, Overview]:
    """Check the overview of each kind of process, and give it."""
    seen = {kind: overview(session, cycle, now=now, kind=kind) for kind in Kind}
    for kind, each in seen.items():
        assert numbers(each) == counted(session, cycle, each.today, kind)
    return seen


def held(session: Session, code: str, kind: Kind = Kind.APPRAISAL) -> Process:
    return process_of(session, 2024, code, kind=kind, lock=Lock.MOVE)


def moved(session: Session, code: str, stage: Stage, **values: object) -> None:
    """Write the rows of a move, even if requirements are not met."""
    process = held(session, code, KIND_OF[stage])
    change_processes(session, [process], {"stage": stage, "version": process.version + 1, "entered_at": NOW, **values})


def extended(session: Session, code: str, stage: Stage, day: date) -> None:
    extend(session, held(session, code, KIND_OF[stage]), stage=stage, due_on=day, reason="外出实践", by="office", now=NOW)


def days_changed(session: Session, **days: date | None) -> None:
    cycle = cycle_by_year(session, 2024, for_update=True)
    change_deadlines(session, cycle, {Stage(stage): day for stage, day in days.items()}, seen=cycle.version, now=NOW)


# ── counts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def something_happens(session: Session, chance: random.Random) -> None:
    """Do one of the changes that move a branch from one count to another."""
    code, kind = chance.choice(CODES), chance.choice(tuple(Kind))
    process, working = held(session, code, kind), WORKING_STAGES[kind]
    match chance.randrange(8):
        case 0 | 1 | 2:
            moved(session, code, chance.choice(STAGES[kind]), late=chance.random() < 0.3)
        case 3:
            again = {"round": process.round + 1, "round_due_on": chance.choice((None, TODAY, *LATER_DAYS))}
            moved(session, code, chance.choice(working), late=False, **again)
        case 4 | 5:
            latest = max((process.due_on or TODAY, *DEADLINES.values())) + timedelta(days=chance.randrange(1, 5))
            # The last stage first: no other is extended beyond it.
            for stage in (working[-1], process.stage) if process.stage in working else ():
                with suppress(Invalid):
                    extended(session, code, stage, latest)
        case 6:
            days_changed(
                session,
                study=chance.choice((None, date(2024, 12, 18), date(2024, 12, 27))),
                rating=chance.choice((None, date(2025, 1, 15))),
                collecting=chance.choice((None, date(2024, 12, 19), date(2024, 12, 27))),
                proposed=chance.choice((None, date(2025, 1, 20))),
            )
        case 7:
            fold(session)


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_are_those_of_the_rows_after_whatever_happens(session: Session, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  (a run that can be repeated)
    cycle = a_small_school(session)
    for _ in range(40):
        something_happens(session, chance)
        agrees(session, cycle, NOW + timedelta(days=chance.randrange(60)))
    close_cycle(session, cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    before = agrees(session, cycle)
    fold(session)
    assert agrees(session, cycle) == before
    assert session.scalar(select(func.count()).select_from(ProgressDelta)) == 0


def test_a_draft_counts_nothing_and_publishing_counts_every_branch(session: Session) -> None:
    a_branch(session)
    cycle = a_cycle(session)
    assert [each.branches for each in agrees(session, cycle).values()] == [0, 0]
    publish(session, cycle, now=NOW)
    assert [each.by_stage[STAGES[kind][0]] for kind, each in agrees(session, cycle).items()] == [1, 1]


def test_a_branch_turns_overdue_at_midnight_without_a_write(session: Session) -> None:
    cycle = a_small_school(session)
    midnight = datetime(2024, 12, 25, 16, 0, tzinfo=UTC)
    written = session.scalar(select(func.pg_current_xact_id_if_assigned())), session.scalar(select(func.count()).select_from(ProgressDelta))
    before, after = (agrees(session, cycle, now)[Kind.APPRAISAL] for now in (midnight - timedelta(seconds=1), midnight))
    assert (before.overdue, before.due_soon) == (0, 6)
    assert (after.overdue, after.due_soon) == (6, 0)
    assert after.today == date(2024, 12, 26)
    assert written == (session.scalar(select(func.pg_current_xact_id_if_assigned())), session.scalar(select(func.count()).select_from(ProgressDelta)))


def test_it_says_since_when_it_is_true(session: Session) -> None:
    cycle = a_small_school(session)
    first = overview(session, cycle, now=NOW)
    fold(session)
    assert overview(session, cycle, now=NOW + timedelta(hours=1)) == first, "nothing has changed"
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert (local := overview(session, cycle, now=tomorrow).as_of.astimezone(UTC)) > first.as_of
    assert local.hour == 16, "midnight in the school"
    moved(session, CODES[0], Stage.TALKS)
    assert overview(session, cycle, now=NOW).as_of > first.as_of


def test_two_who_fold_at_once_beside_writers_count_each_change_once(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_small_school(session)
    done = Event()

    def folding() -> int:
        runs = 0
        while not done.is_set():
            with transaction(engine, actor="worker") as session:
                fold(session)
            runs += 1
        return runs

    def writing(code: str) -> None:
        for number in range(40):
            with transaction(engine, actor="cli") as session:
                moved(session, code, tuple(Stage)[number % len(Stage)], late=number % 3 == 0)

    def looking() -> set[int]:
        seen = set()
        while not done.is_set():
            with transaction(engine, actor=None) as session:
                cycle = cycle_by_year(session, 2024)
                seen |= {overview(session, cycle, now=NOW, kind=kind).branches for kind in Kind}
        return seen

    with ThreadPoolExecutor(8) as pool:
        folds = [pool.submit(folding) for _ in range(2)]
        looks = pool.submit(looking)
        for future in [pool.submit(writing, code) for code in CODES[:4]]:
            future.result()
        done.set()
        assert all(future.result() > 2 for future in folds)
        assert looks.result() == {6}, "a change is counted before it is folded or after, never twice and never not at all"
    with transaction(engine, actor="worker") as session:
        cycle = cycle_by_year(session, 2024)
        agrees(session, cycle)
        fold(session)
        agrees(session, cycle)
        for kind in Kind:
            assert session.scalar(select(func.sum(ProgressCount.n)).where(ProgressCount.kind == kind)) == 6
            last = select(func.count()).select_from(BranchChange).where(BranchChange.kind == kind)
            assert session.scalar(last) == 6, "the last change of each branch stays"
