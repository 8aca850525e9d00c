"""Polling (轮询): the request that the office repeats all day.

One process asks the database at most twice a second. No client misses a change, and none is told
two versions of one state.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from threading import Event
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from api.frame.lists import cursor
from api.school.polling import AGAIN_AFTER_SECONDS, Board
from tests.api.conftest import Client, token_of
from tests.support.builders import NOW, a_cycle, an_office
from tests.support.records.evidence import statements
from tests.support.rosters import RosterBranch, a_roster
from tests.support.running.postgres import a_clone
from tests.support.servers import YEAR, Cast, House, a_server
from workflow.foundation.database import engine_for, transaction, with_one_retry
from workflow.foundation.vocabulary import WORKING_STAGES, Kind, Stage
from workflow.readings.progress import fold
from workflow.roster.imports import apply_import, preview_import
from workflow.roster.workbook import read_workbook
from workflow.year.deadlines import change_deadlines, change_processes, extend
from workflow.year.finding import Lock, cycle_by_year, process_of
from workflow.year.opening import publish

FRESH = {"Cache-Control": "no-cache"}
POLL = f"{YEAR}/progress"
WORKING = WORKING_STAGES[Kind.APPRAISAL]


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> Iterator[None]:
    house.clock.now = NOW
    yield
    house.clock.now = NOW


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


def moved(session: Session, code: str, stage: Stage) -> None:
    """Write the rows of a move, even if requirements are not met."""
    process = process_of(session, 2024, code, lock=Lock.MOVE)
    change_processes(session, [process], {"stage": stage, "version": process.version + 1, "entered_at": NOW})


def move(engine: Engine, code: str, stage: Stage) -> None:
    with transaction(engine, actor="cli") as session:
        moved(session, code, stage)


def board_of(house: House) -> Board:
    board: Board = house.app.extensions["zhibu"].kept["board"]
    return board


# ── one process ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_cache_sees_what_was_committed_before_it(house: House, branch: Cast, office: Client) -> None:
    for stage in (Stage.RATING, Stage.REPORT, Stage.STUDY):
        before = office.get(POLL, **FRESH).body["by_stage"][stage.value]
        move(house.engine, branch.code, stage)
        assert office.get(POLL, **FRESH).body["by_stage"][stage.value] == before + 1


@pytest.mark.alone
def test_without_it_an_answer_is_at_most_half_a_second_old(house: House, branch: Cast, office: Client) -> None:
    before = office.get(POLL, **FRESH).body
    move(house.engine, branch.code, Stage.RATING)
    committed = time.monotonic()
    assert office.get(POLL).body == before, "this process does not ask for every poll"
    asked = committed
    while office.get(POLL).body == before:
        assert asked - committed < AGAIN_AFTER_SECONDS
        asked = time.monotonic()
    assert office.get(POLL).body == office.get(POLL, **FRESH).body


@pytest.mark.alone
def test_however_many_poll_the_database_is_asked_twice_a_second(house: House, office: Client) -> None:
    clients = [Client(house.app.test_client(), office.token) for _ in range(8)]
    began, polls = time.monotonic(), 0
    with statements(house.engine) as sent, ThreadPoolExecutor(8) as pool:
        while time.monotonic() - began < 1.2:
            polls += sum(answer.status == 200 for answer in pool.map(lambda client: client.get(POLL), clients))
    asked = sum("progress_delta" in statement for statement in sent)
    assert 1 <= asked <= 1 + (time.monotonic() - began) / AGAIN_AFTER_SECONDS
    assert polls > 4 * asked


def test_a_slow_answer_is_shared_by_all_who_waited_for_it(house: House, office: Client) -> None:
    """While one query waits for the database, new polls do not queue up queries of their own."""
    clients = [Client(house.app.test_client(), office.token) for _ in range(8)]
    time.sleep(AGAIN_AFTER_SECONDS)
    with ThreadPoolExecutor(8) as pool, statements(house.engine) as sent:
        with house.engine.begin() as holder:
            holder.exec_driver_sql("lock table progress_delta in access exclusive mode")
            answers = [pool.submit(client.get, POLL) for client in clients]
            time.sleep(AGAIN_AFTER_SECONDS * 1.5)
        assert [answer.result().status for answer in answers] == [200] * 8
    assert sum("from progress_delta where" in statement for statement in sent) == 1


def test_it_stays_the_same_while_nothing_changes(house: House, branch: Cast, office: Client) -> None:
    first = office.get(POLL, **FRESH)
    house.clock.now = NOW + timedelta(hours=3)
    with transaction(house.engine, actor="worker") as session:
        fold(session)
    again = office.get(POLL, **FRESH)
    assert (again.body, again.etag) == (first.body, first.etag)
    told = office("GET", POLL, **{"If-None-Match": first.etag, **FRESH})
    assert (told.status, told.body, told.etag) == (304, None, first.etag)
    assert "Date" in told.headers or told.headers["Cache-Control"] == "private, no-cache"


def test_overdue_turns_at_midnight_in_the_same_process_without_a_write(house: House, branch: Cast, office: Client) -> None:
    house.clock.now = datetime(2024, 12, 25, 15, 59, 59, tzinfo=UTC)
    before, state = office.get(POLL, **FRESH), house.state()
    house.clock.now += timedelta(seconds=1)
    after = office.get(POLL)
    assert (before.body["overdue"], after.body["overdue"]) == (0, after.body["by_stage"]["study"])
    assert after.body["overdue"] > 0
    assert after.etag != before.etag
    assert house.state() == state


def test_who_follows_over_midnight_is_told_what_is_overdue_now(house: House, branch: Cast, office: Client) -> None:
    house.clock.now = datetime(2024, 12, 25, 15, 59, 59, tzinfo=UTC)
    following = office.get(POLL, **FRESH).body["cursor"]
    assert office.get(f"{YEAR}/branches?changed_since={following}").body["items"] == []
    house.clock.now += timedelta(seconds=1)
    told = office.get(f"{YEAR}/branches?limit=200&changed_since={following}").body["items"]
    codes = [row["branch"]["code"] for row in told]
    assert any(row["overdue"] for row in told)
    assert told == sorted(office.get(f"{YEAR}/branches?limit=200").body["items"], key=lambda row: codes.index(row["branch"]["code"]))


def test_years_that_do_not_exist_are_missing_and_leave_nothing_behind(house: House, office: Client) -> None:
    assert office.get(POLL).status == 200
    for year in (*range(2000, 2024), *range(2025, 2100), 9999):
        assert office.get(f"/cycles/{year}/progress").status == 404
    assert list(board_of(house)._years) == [(2024, Kind.APPRAISAL)]
    assert office.get(POLL).status == 200


@pytest.mark.parametrize("written", ["x", "*", "", "%00", "A" * 500, "键", cursor("1:-2"), cursor("1:2:3"), cursor("x:2"), cursor("1" * 40)])
def test_a_cursor_that_is_none_of_ours_is_refused(office: Client, written: str) -> None:
    answer = office.get(f"{YEAR}/branches?changed_since={written}")
    assert (answer.status, [*answer.body["errors"]]) == (422, ["changed_since"])


@pytest.mark.parametrize("written", ["0:0", "7:5", "9" * 20 + ":" + "9" * 19, f"7.2024-12-20:5:{'9' * 19}:{'9' * 18}"])
def test_a_cursor_of_another_era_gives_every_row(house: House, branch: Cast, office: Client, written: str) -> None:
    told = office.get(f"{YEAR}/branches?limit=200&changed_since={cursor(written)}").body
    assert sorted(told["items"], key=str) == sorted(office.get(f"{YEAR}/branches?limit=200").body["items"], key=str)
    assert office.get(f"{YEAR}/branches?changed_since={told['next']}").body["items"] == []


def test_changed_since_goes_with_no_filter(office: Client) -> None:
    refused = office.get(f"{YEAR}/branches?changed_since={cursor('0:0')}&stage=study&q=x")
    assert (refused.status, sorted(refused.body["errors"])) == (422, ["q", "stage"])


# ── two processes ─────────────────────────────────────────────────────────────────────────────────────────────────────

CODES = [f"D01{number:02d}" for number in range(1, 9)]


def a_reading(session: Session, chance: random.Random) -> None:
    """Apply a roster with some other names and secretaries."""
    branches = [
        RosterBranch(
            code=code,
            name=f"第{number}党支部" + chance.choice(("", "（新）")),
            members=(f"甲{number}", f"乙{number}", f"丙{number}"),
            posts={chance.choice((f"甲{number}", f"乙{number}")): "书记"},
        )
        for number, code in enumerate(CODES)
    ]
    row = preview_import(session, read_workbook(a_roster(branches), today=NOW.date()), file_name="名册.xlsx", by="office", now=NOW)
    apply_import(session, row, by="office", now=NOW)


@dataclass(frozen=True)
class Town:
    """Two server processes on one database, and the office at each."""

    engine: Engine
    offices: Sequence[httpx.Client]


@pytest.fixture(scope="module")
def town(superuser: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    log = tmp_path_factory.mktemp("servers") / "server.log"
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            an_office(session)
            a_reading(session, random.Random(0))  # noqa: S311
            publish(session, a_cycle(session), now=NOW)
            token = token_of(session, "office")
        with a_server(url, log) as first, a_server(url, log) as second, first.client(token) as here, second.client(token) as there:
            yield Town(engine, (here, there))
        engine.dispose()


def both(town: Town) -> list[httpx.Response]:
    return [office.get(POLL, headers=FRESH) for office in town.offices]


@pytest.mark.slow
def test_two_processes_answer_the_same(town: Town) -> None:
    for stage in (Stage.TALKS, Stage.RATING):
        move(town.engine, CODES[0], stage)
        here, there = both(town)
        assert (here.text, here.headers["ETag"]) == (there.text, there.headers["ETag"])
        for office in town.offices:
            told = office.get(POLL, headers={"If-None-Match": here.headers["ETag"]} | FRESH)
            assert (told.status_code, told.text) == (304, "")
            assert "Date" in told.headers


@pytest.mark.slow
def test_equal_tags_mean_equal_answers_in_any_process_and_at_any_time(town: Town) -> None:
    """This holds too when the counts are the old ones.

    An extension changes none of them; a branch goes on and comes back.
    """
    seen: dict[str, str] = {}

    def look(offices: Sequence[httpx.Client]) -> None:
        for office in offices:
            answer = office.get(POLL, headers=FRESH)
            assert seen.setdefault(answer.headers["ETag"], answer.text) == answer.text

    look(town.offices)
    with transaction(town.engine, actor="cli") as session:
        process = process_of(session, 2024, CODES[1], lock=Lock.MOVE)
        extend(session, process, stage=Stage.REPORT, due_on=date(2025, 3, 1), reason="外出", by="office", now=NOW)
    look(town.offices[:1])
    with transaction(town.engine, actor="cli") as session:
        process = process_of(session, 2024, CODES[1], lock=Lock.MOVE)
        extend(session, process, stage=Stage.REPORT, due_on=date(2025, 3, 2), reason="外出", by="office", now=NOW)
    look(town.offices)
    for stage in (Stage.TALKS, Stage.STUDY):
        move(town.engine, CODES[2], stage)
        look(town.offices)
    here, there = both(town)
    assert here.text == there.text


@pytest.mark.alone
@pytest.mark.slow
def test_a_commit_by_another_process_is_seen_within_a_second(town: Town) -> None:
    for stage in (Stage.REPORT, Stage.STUDY, Stage.TALKS):
        for office in town.offices:
            office.get(POLL)
        move(town.engine, CODES[0], stage)
        committed = time.monotonic()
        wanted = both(town)[0].json()["by_stage"]
        for office in town.offices:
            while True:
                asked = time.monotonic()
                if office.get(POLL).json()["by_stage"] == wanted:
                    break
                assert asked - committed < 1


class Follower:
    """A client that keeps rows by code and asks for changes only, at both processes in turn."""

    def __init__(self, town: Town, limit: int) -> None:
        self.town, self.limit, self.asked = town, limit, 0
        self.next = cursor("0:0")
        self.rows: dict[str, Any] = {}

    def ask(self) -> int:
        self.asked += 1
        answer = self.town.offices[self.asked % 2].get(f"{YEAR}/branches", params={"changed_since": self.next, "limit": self.limit})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        self.next = page["next"]
        self.rows |= {row["branch"]["code"]: row for row in page["items"]}
        return len(page["items"])


def writes(chance: random.Random) -> Callable[[Session], None]:
    """Choose one change that shows in the rows."""

    def some_moves(session: Session) -> None:
        for code in sorted(chance.sample(CODES[:-1], 2)):
            moved(session, code, chance.choice(WORKING))

    def an_extension(session: Session) -> None:
        process = process_of(session, 2024, chance.choice(CODES[:-1]), lock=Lock.MOVE)
        given = date(2025, 3, 1) + timedelta(days=process.version)
        if process.stage in WORKING:
            extend(session, process, stage=Stage.REPORT, due_on=given, reason="外出", by="office", now=NOW)

    return chance.choice((some_moves, some_moves, an_extension))


def of_all(session: Session, chance: random.Random) -> None:
    """Make one change of every branch at once."""
    if chance.random() < 0.5:
        a_reading(session, chance)
    else:
        cycle = cycle_by_year(session, 2024, for_update=True)
        change_deadlines(session, cycle, {Stage.STUDY: date(2024, 12, chance.randrange(20, 30))}, seen=cycle.version, now=NOW)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_who_only_follows_holds_the_rows_of_a_fresh_listing_after_any_run_of_writers(town: Town, limit: int) -> None:
    follower, writing, until = Follower(town, limit), Event(), time.monotonic() + 2

    def write(seed: int) -> int:
        chance, done = random.Random(seed), 0  # noqa: S311
        while time.monotonic() < until:
            act = (lambda session: of_all(session, chance)) if seed % 3 == 0 else writes(chance)
            with_one_retry(lambda: committed(town.engine, act))  # noqa: B023
            done += 1
        return done

    def tidy() -> None:
        while not writing.wait(0.1):
            committed(town.engine, fold)

    with ThreadPoolExecutor(5) as pool:
        with transaction(town.engine, actor="cli") as slow:
            slow.execute(select(func.pg_current_xact_id()))
            writers = [pool.submit(write, 100 * limit + seed) for seed in (1, 2, 3)]
            tidying = pool.submit(tidy)
            while time.monotonic() < until:
                follower.ask()
            runs = [writer.result() for writer in writers]
            moved(slow, CODES[-1], WORKING[limit])
        writing.set()
        tidying.result()
    last = ""
    while follower.ask() or follower.next != last:
        last = follower.next
    rows = town.offices[0].get(f"{YEAR}/branches", params={"limit": 200}).json()["items"]
    assert follower.rows == {row["branch"]["code"]: row for row in rows}
    assert len(rows) == len(CODES)
    assert min(runs) > 3


def committed(engine: Engine, act: Callable[[Session], None]) -> None:
    with transaction(engine, actor="cli") as session:
        act(session)
