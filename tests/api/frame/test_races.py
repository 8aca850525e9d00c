"""Many requests at once, against two real server processes on one PostgreSQL.

Nothing is lost, and nobody waits for another branch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Barrier
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from tests.api.conftest import token_of
from tests.support.builders import READING, a_branch, a_school
from tests.support.running.postgres import a_clone
from tests.support.servers import YEAR, Cast, Server, a_server, add_branch
from workflow.foundation.database import engine_for, transaction
from workflow.year.finding import Lock, cycle_by_year, process_of
from workflow.year.following import open_processes

pytestmark = [pytest.mark.slow, pytest.mark.race]
REPEATS = 20


@dataclass
class Town:
    """Two servers, their database, and clients of either."""

    engine: Engine
    servers: Sequence[Server]
    numbers: Iterator[int]

    def client(self, who: str, server: int = 0) -> httpx.Client:
        with transaction(self.engine, actor="cli") as session:
            return self.servers[server].client(token_of(session, who))

    def a_branch(self, *, ready_for: str = "talks") -> Cast:
        """Add a branch that is ready to go on to ``talks`` or to ``self_review``.

        For the latter it has talked.
        """
        cast = Cast(f"R{next(self.numbers):03d}")
        with transaction(self.engine, actor="cli") as session:
            add_branch(session, cast)
        with self.client(cast.secretary) as secretary:
            study(secretary, cast.path, cast.everybody)
            if ready_for == "self_review":
                assert advance(secretary, cast, 1).status_code == 201
                for talker, partner in the_talks(cast):
                    made = secretary.post(f"{cast.path}/talks", json=a_talk(talker, partner))
                    assert made.status_code == 201, made.text
        return cast


@pytest.fixture(scope="module")
def town(superuser: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    log = tmp_path_factory.mktemp("servers") / "server.log"
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            a_school(session)
        with a_server(url, log) as first, a_server(url, log) as second:
            yield Town(engine, (first, second), count(1))
        engine.dispose()


def study(client: httpx.Client, path: str, present: list[str]) -> None:
    body = {"held_on": "2024-12-19", "titles": list(READING), "present": present, "exchange": "交流了体会"}
    made = client.post(f"{path}/study-sessions", json=body)
    assert made.status_code == 201, made.text


def the_talks(cast: Cast) -> list[tuple[str, str]]:
    leaders = (cast.secretary, cast.deputy, cast.organiser, cast.publicist)
    pairs = [(a, b) for number, a in enumerate(leaders) for b in leaders[number + 1 :]]
    return [*pairs, (cast.secretary, cast.member), (cast.organiser, cast.newcomer)]


def a_talk(talker: str, partner: str) -> dict[str, Any]:
    return {"held_on": "2024-12-19", "talker": talker, "partner": partner, "focus": True, "focus_reason": "新任"}


def advance(client: httpx.Client, cast: Cast, version: int) -> httpx.Response:
    return client.post(f"{cast.path}/moves", json={"trigger": "advance"}, headers={"If-Match": f'"{version}"'})


def at_once(*acts: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Start all of them at the same moment."""
    barrier = Barrier(len(acts))

    def start(act: Callable[[], httpx.Response]) -> httpx.Response:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(start, acts))


def waiting(connection: Connection) -> int:
    """Count the sessions of this database that wait for a lock."""
    return connection.scalar(text("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")) or 0


@contextmanager
def held(engine: Engine, statement: str, **values: Any) -> Iterator[Connection]:
    """Hold a row in another transaction until the block ends."""
    with engine.connect() as connection, connection.begin():
        assert connection.execute(text(statement), values).all()
        yield connection


def until_waiting(engine: Engine, number: int, futures: Sequence[Future[httpx.Response]] = ()) -> None:
    """Wait until so many sessions wait for a lock.

    They must, since the row that they want is held.
    """
    with engine.connect() as connection:
        end = time.monotonic() + 8
        while waiting(connection) < number:
            connection.rollback()
            assert not [future.result().text for future in futures if future.done()], "answered without waiting for the row"
            assert time.monotonic() < end, "nobody came to wait"
            time.sleep(0.01)


# ── one branch ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_twenty_who_advance_a_branch_at_once_one_does(town: Town) -> None:
    cast = town.a_branch()
    clients = [town.client((cast.secretary, cast.deputy)[number % 2], number % 2) for number in range(20)]
    answers = at_once(*(partial(advance, client, cast, 1) for client in clients))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1, statuses
    assert statuses[201] + statuses[409] + statuses[412] == 20, statuses
    seen = clients[0].get(cast.path).json()
    assert (seen["version"], seen["stage"]) == (2, "talks")
    assert len(clients[0].get(f"{cast.path}/moves").json()["items"]) == 1
    assert all(answer.json()["changed"][0]["trigger"] == "advance" for answer in answers if answer.status_code == 412)
    for client in clients:
        client.close()


def back_in_talks(client: httpx.Client, cast: Cast) -> int:
    """Step a branch back to talks if it has gone on; give its version."""
    seen = client.get(cast.path).json()
    if seen["stage"] == "self_review":
        body = {"trigger": "step_back", "to": "talks", "reason": "补谈话"}
        assert client.post(f"{cast.path}/moves", json=body, headers={"If-Match": f'"{seen["version"]}"'}).status_code == 201
        return int(seen["version"]) + 1
    return int(seen["version"])


def latest(engine: Engine, cast: Cast, what: str) -> int:
    """Find the number of the last line of history about a branch's talks or moves.

    The lines are numbered in the order of writing.
    """
    with engine.connect() as connection:
        return int(
            connection.scalar(
                text(
                    "select max(h.id) from history h join process p on p.id = h.process_id join branch b on b.id = p.branch_id "
                    "where b.code = :code and h.what = :what"
                ),
                {"code": cast.code, "what": what},
            )
            or 0
        )


def test_a_talk_recorded_while_the_branch_advances_is_before_the_move_or_refused(town: Town) -> None:
    cast = town.a_branch(ready_for="self_review")
    outcomes: Counter[tuple[int, int]] = Counter()
    with town.client(cast.secretary, 0) as secretary, town.client(cast.organiser, 1) as organiser:
        for _ in range(REPEATS):
            version, body = back_in_talks(secretary, cast), a_talk(cast.organiser, cast.member)
            moved, talked = at_once(partial(advance, secretary, cast, version), partial(organiser.post, f"{cast.path}/talks", json=body))
            outcomes[moved.status_code, talked.status_code] += 1
            assert moved.status_code == 201, moved.text
            if talked.status_code == 201:
                assert latest(town.engine, cast, "talk") < latest(town.engine, cast, "stage_change"), "recorded behind the move's back"
            else:
                assert talked.status_code == 409, talked.text
                assert talked.json()["type"].endswith("stage-closed")
    assert sum(outcomes.values()) == REPEATS


def test_a_talk_withdrawn_while_the_branch_advances_is_missed_or_refused(town: Town) -> None:
    cast = town.a_branch(ready_for="self_review")
    pair = (cast.organiser, cast.newcomer)
    outcomes: Counter[tuple[int, int]] = Counter()
    with town.client(cast.secretary, 0) as secretary, town.client(cast.deputy, 1) as deputy:
        for _ in range(REPEATS):
            version = back_in_talks(secretary, cast)
            talks = [each for each in secretary.get(f"{cast.path}/talks?limit=200").json()["items"] if (each["talker"], each["partner"]) == pair]
            standing = [each["id"] for each in talks if each["withdrawn"] is None]
            number = standing[0] if standing else secretary.post(f"{cast.path}/talks", json=a_talk(*pair)).json()["id"]
            moved, withdrawn = at_once(
                partial(advance, secretary, cast, version),
                partial(deputy.post, f"{cast.path}/talks/{number}/withdraw", json={"reason": "日期有误"}),
            )
            outcomes[moved.status_code, withdrawn.status_code] += 1
    assert set(outcomes) <= {(201, 409), (409, 200)}, outcomes


def test_the_last_talk_recorded_while_the_branch_advances_is_counted_or_missed_but_never_lost(town: Town) -> None:
    cast = town.a_branch(ready_for="self_review")
    pair = (cast.organiser, cast.newcomer)
    with town.client(cast.secretary, 0) as secretary, town.client(cast.deputy, 1) as deputy:
        for _ in range(REPEATS):
            version = back_in_talks(secretary, cast)
            for talk in secretary.get(f"{cast.path}/talks?limit=200").json()["items"]:
                if (talk["talker"], talk["partner"]) == pair and talk["withdrawn"] is None:
                    secretary.post(f"{cast.path}/talks/{talk['id']}/withdraw", json={"reason": "日期有误"})
            moved, talked = at_once(partial(advance, secretary, cast, version), partial(deputy.post, f"{cast.path}/talks", json=a_talk(*pair)))
            assert talked.status_code == 201, talked.text
            assert moved.status_code in (201, 409), moved.text
            if moved.status_code == 201:
                assert latest(town.engine, cast, "talk") < latest(town.engine, cast, "stage_change")


# ── one record: two who both wait for its row ─────────────────────────────────────────────────────────────────────────


def both_wait(town: Town, statement: str, values: dict[str, Any], *acts: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Let both acts wait for a row that another transaction holds.

    So each has read it before either may write.
    """
    with ThreadPoolExecutor(len(acts)) as pool:
        with held(town.engine, statement, **values):
            futures = [pool.submit(act) for act in acts]
            until_waiting(town.engine, len(acts), futures)
        return [future.result() for future in futures]


TALK = "select id from talk where id = :id for update"
LINE = "select person_id from participant where staff_no = :staff_no for update"


def test_of_two_who_correct_the_same_talk_one_is_told_that_it_changed(town: Town) -> None:
    cast = town.a_branch()
    with town.client(cast.secretary, 0) as secretary, town.client(cast.deputy, 1) as deputy:
        number = secretary.post(f"{cast.path}/talks", json=a_talk(cast.secretary, cast.member)).json()["id"]
        path, seen = f"{cast.path}/talks/{number}", {"If-Match": '"1"'}
        answers = both_wait(
            town,
            TALK,
            {"id": number},
            lambda: secretary.patch(path, json={"place": "会议室"}, headers=seen),
            lambda: deputy.patch(path, json={"affirmed": "肯干"}, headers=seen),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        assert secretary.get(path).json()["version"] == 2


def test_of_two_who_correct_the_same_line_of_the_roll_one_is_told_that_it_changed(town: Town) -> None:
    cast = town.a_branch()
    path, seen = f"{cast.path}/roll/{cast.member}", {"If-Match": '"1"'}
    with town.client(cast.secretary, 0) as secretary, town.client("office", 1) as office:
        answers = both_wait(
            town,
            LINE,
            {"staff_no": cast.member},
            lambda: secretary.patch(path, json={"excused_reason": "外出"}, headers=seen),
            lambda: office.patch(path, json={"rated_here": False}, headers=seen),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]


def test_a_talk_is_withdrawn_or_rejected_and_not_both(town: Town) -> None:
    cast = town.a_branch()
    with town.client(cast.secretary, 0) as secretary, town.client("office", 1) as office:
        number = secretary.post(f"{cast.path}/talks", json=a_talk(cast.secretary, cast.member)).json()["id"]
        path = f"{cast.path}/talks/{number}"
        answers = both_wait(
            town,
            TALK,
            {"id": number},
            lambda: secretary.post(f"{path}/withdraw", json={"reason": "重复"}),
            lambda: office.post(f"{path}/reject", json={"reason": "不实"}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        row = secretary.get(path).json()
        assert (row["withdrawn"] is None) != (row["rejected"] is None)


def test_one_session_is_made_up_once(town: Town) -> None:
    cast = town.a_branch()
    with town.client(cast.secretary, 0) as secretary, town.client(cast.deputy, 1) as deputy:
        made = secretary.post(f"{cast.path}/study-sessions", json={"held_on": "2024-12-19", "present": [cast.secretary]}).json()["id"]
        path, body = f"{cast.path}/study-sessions/{made}", {"staff_no": cast.member, "on": "2024-12-20"}
        for _ in range(5):
            answers = at_once(*(partial(client.post, f"{path}/make-ups", json=body) for client in (secretary, deputy) * 4))
            assert {answer.status_code for answer in answers} <= {201, 409}
        assert len(secretary.get(path).json()["make_ups"]) == 1


# ── many branches ─────────────────────────────────────────────────────────────────────────────────────────────────────


def small_branches(town: Town, number: int) -> list[Cast]:
    """Make so many branches of one person each, ready to leave study."""
    casts = [Cast(f"M{next(town.numbers):03d}") for _ in range(number)]
    with transaction(town.engine, actor="cli") as session:
        for cast in casts:
            a_branch(session, code=cast.code, members=(cast.secretary,), committee=(cast.secretary,))
        open_processes(session, cycle_by_year(session, 2024), now=cycle_by_year(session, 2024).changed_at)
    for cast in casts:
        with town.client(cast.secretary) as secretary:
            study(secretary, cast.path, [cast.secretary])
    return casts


PROCESS = "select p.id from process p join branch b on b.id = p.branch_id where b.code = :code for update of p"
PROBE = text("select id from cycle where year = 2024 for update skip locked")


def test_sixty_branches_move_at_once_while_one_of_them_is_held(town: Town) -> None:
    casts = small_branches(town, 60)
    stuck, others = casts[30], [cast for cast in casts if cast is not casts[30]]
    clients = {cast.code: town.client(cast.secretary, number % 2) for number, cast in enumerate(casts)}
    with ThreadPoolExecutor(17) as pool:
        with Session(town.engine) as session, session.begin():
            process_of(session, 2024, stuck.code, lock=Lock.MOVE)
            late = pool.submit(lambda: advance(clients[stuck.code], stuck, 1))
            until_waiting(town.engine, 1, [late])
            with town.engine.connect() as probe:
                assert probe.execute(PROBE).all(), "a move that waits for its branch holds the year"
            answers = list(pool.map(lambda cast: advance(clients[cast.code], cast, 1), others))
            assert Counter(answer.status_code for answer in answers) == {201: 59}
            assert not late.done()
        assert late.result().status_code == 201
    with town.client("office") as office:
        assert sum(row["stage"] == "talks" for row in office.get(f"{YEAR}/branches?q=M&limit=200").json()["items"]) >= 60
    for client in clients.values():
        client.close()


def test_a_move_locks_its_branch_and_not_the_year(town: Town) -> None:
    code = small_branches(town, 1)[0].code
    with town.engine.connect() as probe:
        for lock in (Lock.MOVE, Lock.EVIDENCE):
            with Session(town.engine) as session, session.begin():
                process_of(session, 2024, code, lock=lock)
                assert probe.execute(PROBE).all(), lock
                probe.rollback()
        with held(town.engine, PROCESS.replace(" of p", "").replace("where", "join cycle c on c.id = p.cycle_id where"), code=code):
            assert not probe.execute(PROBE).all(), "without OF process the year would be held: the probe sees it"


def test_a_branch_is_returned_while_the_days_of_the_year_are_being_changed(town: Town) -> None:
    """A letter points to its year, so a change of the year's days must not make it wait."""
    held_up, returned = town.a_branch(ready_for="self_review"), town.a_branch(ready_for="self_review")
    body = {"trigger": "return", "to": "study", "reason": "材料不全"}
    with town.client("office", 0) as office, town.client("office", 1) as colleague, ThreadPoolExecutor(2) as pool:
        tag = office.get(YEAR).headers["ETag"]
        with held(town.engine, PROCESS, code=held_up.code):
            days = pool.submit(lambda: office.patch(YEAR, json={"deadlines": {"talks": "2024-12-30"}}, headers={"If-Match": tag}))
            until_waiting(town.engine, 1, [days])
            back = pool.submit(lambda: colleague.post(f"{returned.path}/moves", json=body, headers={"If-Match": '"2"'}))
            assert back.result(timeout=5).status_code == 201
        assert days.result().status_code == 200
