"""A client that only follows changes (changed_since) has the rows of a fresh listing.

The transactions are committed, because the answers depend on their numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, delete, func, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tests.support.builders import DEADLINES, NOW, TODAY, a_branch, a_school, person
from tests.workflow.readings.test_progress import CODES, a_small_school, days_changed, extended, held, moved
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import WORKING_STAGES, EndedWhy, Kind, Post, Stage
from workflow.machine.rolls import rolls_follow
from workflow.people.organisation import Appointment, Branch
from workflow.readings.progress import Cursor, branches, changed_branches, fold, overview
from workflow.roster.ending import end
from workflow.year.cycle import Participant, Process
from workflow.year.finding import cycle_by_year

BEGINNING = Cursor("0", 0)
WORKING = [stage for stages in WORKING_STAGES.values() for stage in stages]


class Follower:
    """A client that holds the rows of a kind and only asks for changes since its last question."""

    def __init__(self, engine: Engine, *, limit: int = 200, today: date = TODAY, since: Cursor = BEGINNING, kind: Kind = Kind.APPRAISAL) -> None:
        self.engine, self.limit, self.today, self.since, self.kind = engine, limit, today, since, kind
        self.rows: dict[str, tuple[object, ...]] = {}

    def ask(self) -> list[str]:
        """Read one page; give the codes of its rows."""
        with transaction(self.engine, actor=None) as session:
            cycle = cycle_by_year(session, 2024)
            (rows, named), self.since = changed_branches(session, cycle, self.since, limit=self.limit, today=self.today, kind=self.kind)
            told = {row.branch.code: shape(row, named.get(row.id), self.today) for row in rows}
        # By its number: a code may change too.
        self.rows |= {str(row.id): told[row.branch.code] for row in rows}
        return list(told)

    def catch_up(self) -> set[str]:
        """Read until a whole sweep tells nothing more."""
        told: set[str] = set()
        while page := self.sweep():
            told |= set(page)
        return told

    def sweep(self) -> list[str]:
        """Read page by page until the last one."""
        told = self.ask()
        while self.since.at is not None:
            told += self.ask()
        return told


def shape(row: Process, secretary: Participant | None, today: date) -> tuple[object, ...]:
    branch = row.branch
    who = (secretary.staff_no, secretary.name) if secretary else None
    return (
        branch.code,
        row.branch_name,
        row.unit_name,
        row.ended_why,
        row.stage,
        row.round,
        row.version,
        row.entered_at,
        row.due_on,
        row.overdue(today),
        row.late,
        who,
    )


def listing(engine: Engine, today: date = TODAY, kind: Kind = Kind.APPRAISAL) -> dict[str, tuple[object, ...]]:
    """Read the rows of a fresh listing."""
    with transaction(engine, actor=None) as session:
        rows, named = branches(session, cycle_by_year(session, 2024), today=today, limit=1000, kind=kind)
        return {str(row.id): shape(row, named.get(row.id), today) for row in rows}


@pytest.fixture
def school(engine: Engine) -> Engine:
    """The six branches, committed."""
    with transaction(engine, actor="cli") as session:
        a_small_school(session)
    return engine


@contextmanager
def open_since_long(engine: Engine) -> Iterator[Session]:
    """Keep open a transaction that already has its number."""
    with transaction(engine, actor="cli") as session:
        session.execute(select(func.pg_current_xact_id()))
        yield session


def follow(engine: Engine, limit: int = 200, kind: Kind = Kind.APPRAISAL) -> Follower:
    """Make a follower that is up to date and was told of all branches."""
    follower = Follower(engine, limit=limit, kind=kind)
    follower.catch_up()
    assert follower.rows == listing(engine, kind=kind)
    return follower


def change(engine: Engine, act: Callable[[Session], object]) -> None:
    with transaction(engine, actor="cli") as session:
        act(session)
        session.flush()


def of_branch(session: Session, code: str) -> Branch:
    return session.scalars(select(Branch).where(Branch.code == code)).one()


A_SECRETARY: dict[str, Any] = {
    "post": Post.SECRETARY,
    "role": None,
    "title": None,
    "on_committee": True,
    "starts_on": TODAY,
    "ends_on": None,
}


def new_secretary(session: Session) -> None:
    """Give the post to another member, and let the roll follow."""
    was, now_is = person(session, "D0001a"), person(session, "D0001b")
    session.execute(delete(Appointment).where(Appointment.person_id == was.id))
    branch = of_branch(session, "D0001")
    session.add(Appointment(person_id=now_is.id, branch_id=branch.id, **A_SECRETARY))
    session.flush()
    rolls_follow(session, now=NOW)


def renamed_person(session: Session) -> None:
    person(session, "D0001a").name = "新名"
    session.flush()
    rolls_follow(session, now=NOW)


def renamed_branch(session: Session, code: str, **names: str) -> None:
    """Give a branch another name, and let its processes follow."""
    branch = of_branch(session, code)
    for field, name in names.items():
        setattr(branch, field, name)
    session.flush()
    rolls_follow(session, now=NOW, branches=[branch.id])


def gone_secretary(session: Session) -> None:
    person(session, "D0001a").branch_id = None
    session.flush()
    rolls_follow(session, now=NOW)


def secretary_from_elsewhere(session: Session) -> None:
    """Move a member to the branch as its secretary at once."""
    newcomer, branch = person(session, "D0002b"), of_branch(session, "D0001")
    newcomer.branch_id = branch.id
    session.add(Appointment(person_id=newcomer.id, branch_id=branch.id, **A_SECRETARY))
    session.flush()
    rolls_follow(session, now=NOW)


def ended(session: Session, code: str) -> None:
    both = [held(session, code, kind) for kind in Kind]
    end(session, both, {"why": EndedWhy.TEMPORARY, "reason": "实习"}, by="office", now=NOW)


def new_branch(session: Session) -> None:
    a_branch(session, code="D0008", members=("newcomer",), committee=("newcomer",))
    rolls_follow(session, now=NOW)


CHANGES: dict[str, tuple[Callable[[Session], object], set[str]]] = {
    "a move": (lambda session: moved(session, "D0001", Stage.TALKS), {"D0001"}),
    "an extension": (lambda session: extended(session, "D0001", Stage.STUDY, date(2025, 1, 2)), {"D0001"}),
    "an end": (lambda session: ended(session, "D0001"), {"D0001"}),
    "an extension of a later stage": (lambda session: extended(session, "D0001", Stage.REPORT, date(2025, 3, 1)), {"D0001"}),
    "the days of the year": (lambda session: days_changed(session, study=date(2024, 12, 27)), set(CODES)),
    "a move of an assessment": (lambda session: moved(session, "D0001", Stage.SUMMARISED), {"D0001"}),
    "an extension of an assessment": (lambda session: extended(session, "D0001", Stage.COLLECTING, date(2025, 1, 2)), {"D0001"}),
    "the days of the assessments": (lambda session: days_changed(session, collecting=date(2024, 12, 27)), set(CODES)),
    "the name of a branch": (lambda session: renamed_branch(session, "D0001", name="新名党支部"), {"D0001"}),
    "the code of a branch": (lambda session: setattr(of_branch(session, "D0001"), "code", "D0009"), {"D0009"}),
    "the unit of a branch": (lambda session: renamed_branch(session, "D0001", unit_name="新党委"), {"D0001"}),
    "another secretary": (new_secretary, {"D0001"}),
    "the name of a secretary": (renamed_person, {"D0001"}),
    "a secretary who left": (gone_secretary, {"D0001"}),
    "a new branch": (new_branch, {"D0008"}),
}
OF_ONE_KIND = {
    **dict.fromkeys(("a move", "an extension", "an extension of a later stage", "the days of the year"), Kind.APPRAISAL),
    **dict.fromkeys(("a move of an assessment", "an extension of an assessment", "the days of the assessments"), Kind.ASSESSMENT),
}
"""Changes in the rows of one kind alone.

A change of a branch or its secretary changes its row in both kinds.
"""


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_a_row_is_told_and_no_other_row(school: Engine, name: str) -> None:
    act, codes = CHANGES[name]
    followers = [follow(school, kind=kind) for kind in Kind]
    assert [follower.ask() for follower in followers] == [[], []], "nothing has changed"
    before = {kind: listing(school, kind=kind) for kind in Kind}
    change(school, act)
    for follower in followers:
        now, concerned = listing(school, kind=follower.kind), OF_ONE_KIND.get(name, follower.kind) is follower.kind
        assert (now != before[follower.kind]) is concerned
        assert set(follower.ask()) == (codes if concerned else set())
        assert follower.rows == now


def test_a_secretary_who_comes_from_another_branch_is_told(school: Engine) -> None:
    change(school, gone_secretary)
    follower = follow(school)
    change(school, secretary_from_elsewhere)
    assert follower.ask() == ["D0001"]
    assert follower.rows == listing(school)


def test_what_changes_no_row_is_not_told(school: Engine) -> None:
    follower = follow(school)
    change(school, lambda session: setattr(person(session, "D0001b"), "name", "新名"))
    change(school, lambda session: rolls_follow(session, now=NOW))
    assert follower.ask() == []


def test_a_change_that_commits_late_under_an_old_number_is_not_missed(school: Engine) -> None:
    follower = follow(school)
    with open_since_long(school) as slow:
        moved(slow, "D0001", Stage.TALKS)
        change(school, lambda session: moved(session, "D0002", Stage.TALKS))
        assert follower.ask() == ["D0002"], "it is told at once, and does not wait for the other"
    assert "D0001" in follower.ask()
    assert follower.rows == listing(school)


def test_a_change_written_late_by_an_old_transaction_is_not_missed_after_folding(school: Engine) -> None:
    """The late row has an older number than the present one, and folding forgets it."""
    follower = follow(school)
    with open_since_long(school) as slow:
        change(school, lambda session: moved(session, "D0001", Stage.TALKS))
        assert follower.ask() == ["D0001"]
        moved(slow, "D0001", Stage.RATING)
    change(school, fold)
    assert follower.ask() == ["D0001"]
    assert follower.rows == listing(school)


def test_nobody_waits_for_a_transaction_that_is_open_and_changes_nothing(school: Engine) -> None:
    follower = follow(school)
    with open_since_long(school):
        for number, code in enumerate(CODES):
            change(school, lambda session, code=code: moved(session, code, Stage.TALKS))  # type: ignore[misc]
            assert code in follower.ask(), f"{number} changes beside the open one"
            assert follower.rows == listing(school)


def test_a_late_commit_behind_the_place_of_a_sweep_is_told_when_the_sweep_has_ended(school: Engine) -> None:
    follower = follow(school, limit=1)
    with open_since_long(school) as slow:
        for code in ("D0002", "D0003", "D0004"):
            change(school, lambda session, code=code: moved(session, code, Stage.TALKS))  # type: ignore[misc]
        assert follower.ask() == ["D0002"]
        moved(slow, "D0001", Stage.TALKS)
    assert follower.since.at is not None, "in the middle of a sweep"
    assert "D0001" in follower.catch_up()
    assert follower.rows == listing(school)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_bulk_change_of_sixty_branches_comes_page_by_page_each_once(engine: Engine, limit: int) -> None:
    codes = [f"M{number:03d}" for number in range(60)]
    with transaction(engine, actor="cli") as session:
        a_school(session)
        for code in codes:
            a_branch(session, code=code, members=(f"{code}a",), committee=(f"{code}a",))
        rolls_follow(session, now=NOW)
    follower = follow(engine)
    follower.limit = limit
    change(engine, lambda session: days_changed(session, study=date(2024, 12, 27)))
    told: list[str] = []
    while not told or follower.since.at is not None:
        page = follower.ask()
        assert len(page) <= limit
        told += page
        if len(told) == 3 * limit:
            change(engine, fold)
    assert sorted(told) == sorted([*codes, "D0101", "D0201"])
    assert follower.rows == listing(engine)


def test_a_database_that_was_set_back_has_another_past_and_means_all(school: Engine, owner_url: str) -> None:
    """The word alone: the same server, the same database, and a count that has gone on."""
    follower = follow(school)
    owner = create_engine(owner_url, poolclass=NullPool)
    with owner.begin() as connection:
        connection.execute(text("update past set word = default"))
    change(school, lambda session: moved(session, "D0001", Stage.TALKS))
    assert sorted(follower.ask()) == CODES
    assert follower.rows == listing(school)
    assert follower.ask() == []


@pytest.mark.parametrize("era", ["0", "1.2024-12-20", "7123456789012345678.2024-12-20"])
def test_a_cursor_of_another_era_means_all(school: Engine, era: str) -> None:
    follower = follow(school)
    assert follower.ask() == []
    follower.since = Cursor(era, follower.since.since)
    assert sorted(follower.ask()) == CODES


def test_a_cursor_that_is_ahead_of_the_database_means_all(school: Engine) -> None:
    """After a snapshot of the whole machine was put back, it counts its transactions from there."""
    follower = follow(school)
    follower.since = Cursor(follower.since.era, follower.since.since + 1000)
    assert sorted(follower.ask()) == CODES


def test_after_midnight_every_row_is_told_again_since_it_may_be_overdue_now(school: Engine) -> None:
    follower = follow(school)
    follower.today = DEADLINES[Stage.STUDY] + timedelta(days=1)
    assert sorted(follower.ask()) == CODES
    assert follower.rows == listing(school, follower.today) != listing(school)
    assert follower.ask() == []


def test_the_cursor_of_the_counts_leads_to_what_changed_after_them(school: Engine) -> None:
    with transaction(school, actor=None) as session:
        since = overview(session, cycle_by_year(session, 2024), now=NOW).cursor
    follower = Follower(school, since=since)
    assert follower.ask() == []
    change(school, lambda session: moved(session, "D0003", Stage.TALKS))
    assert follower.ask() == ["D0003"]


@pytest.mark.parametrize("written", ["", "x", "1", "1:", ":1", "1:2:3", "1:2:3:4:5", "-1:2", "1:２", "1:2 ", "1.2024-12-20:1e3", "1" * 21 + ":1"])
def test_what_is_no_cursor_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Cursor.read(written)


@pytest.mark.parametrize("cursor", [Cursor("1.2024-12-20", 5), Cursor("1.2024-12-20", 5, (7, 9))])
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.read(str(cursor)) == cursor


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_follower_holds_what_a_fresh_listing_gives_after_any_run_of_writers(school: Engine, limit: int) -> None:
    followers, done = [Follower(school, limit=limit, kind=kind) for kind in Kind], Event()

    def writing(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        for number in range(25):
            with transaction(school, actor="cli") as session:
                for code in sorted(chance.sample(CODES[:5], 2)):
                    moved(session, code, chance.choice(WORKING))
            if number % 5 == seed:
                code, name = chance.choice(CODES[:5]), f"{seed}-{number}"
                change(school, lambda session, code=code, name=name: renamed_branch(session, code, name=name))  # type: ignore[misc]

    def folding() -> None:
        while not done.wait(0.02):
            change(school, fold)

    with ThreadPoolExecutor(5) as pool, open_since_long(school) as slow:
        moved(slow, "D0006", Stage.RATING)
        writers = [pool.submit(writing, seed) for seed in range(3)]
        folds = pool.submit(folding)
        while not all(writer.done() for writer in writers):
            for follower in followers:
                follower.ask()
        done.set()
        for future in (*writers, folds):
            future.result()
    for follower in followers:
        follower.catch_up()
        assert follower.rows == listing(school, kind=follower.kind)
