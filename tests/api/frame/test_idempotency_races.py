"""Repeated requests (重复提交) at the same time, at two server processes.

Another server is killed between effect and answer.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from tests.api.conftest import token_of
from tests.api.frame.test_idempotency import REPLAYED, a_study
from tests.support.builders import a_school
from tests.support.mail_server import free_port
from tests.support.running.postgres import a_clone
from tests.support.servers import Cast, Server, a_server, add_branch
from workflow.foundation.database import engine_for, transaction

pytestmark = [pytest.mark.slow, pytest.mark.race]
_keys = (f"race-{number}" for number in count(1))


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": next(_keys)}


@dataclass
class Town:
    """Two server processes on one database."""

    url: str
    engine: Engine
    servers: tuple[Server, Server]
    owner: Engine
    numbers: Iterator[int] = field(default_factory=count)

    def a_branch(self) -> Cast:
        cast = Cast(f"T{next(self.numbers):03d}")
        with transaction(self.engine, actor="cli") as session:
            add_branch(session, cast)
        with self.client(cast.secretary) as client:
            assert client.post(f"{cast.path}/study-sessions", json=a_study(cast)).status_code == 201
        return cast

    def client(self, who: str, server: int = 0) -> httpx.Client:
        return self.servers[server].client(self.token(who))

    def token(self, who: str) -> str:
        with transaction(self.engine, actor="cli") as session:
            return token_of(session, who)


@pytest.fixture(scope="module")
def town(superuser: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    log = tmp_path_factory.mktemp("servers") / "server.log"
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            a_school(session)
        owner = create_engine(make_url(url).set(username=migrations.OWNER_ROLE), poolclass=NullPool)
        with a_server(url, log) as first, a_server(url, log) as second:
            yield Town(url, engine, (first, second), owner)
        engine.dispose()


def advance(client: httpx.Client, cast: Cast, key: dict[str, str]) -> httpx.Response:
    return client.post(f"{cast.path}/moves", json={"trigger": "advance"}, headers={"If-Match": '"1"', **key})


def record_study(client: httpx.Client, cast: Cast, key: dict[str, str]) -> httpx.Response:
    return client.post(f"{cast.path}/study-sessions", json=a_study(cast, exchange="再次交流"), headers=key)


ACTS = {"study-sessions": (record_study, 2), "moves": (advance, 1)}
"""The act by kind, and the number of records afterwards.

The branch has studied once before.
"""


def twenty_at_once(town: Town, cast: Cast, act: Callable[..., httpx.Response], key: dict[str, str]) -> list[httpx.Response]:
    token, barrier = town.token(cast.secretary), Barrier(20)
    clients = [town.servers[number % 2].client(token) for number in range(20)]

    def start(client: httpx.Client) -> httpx.Response:
        with client:
            client.get("/me")  # the connection is open
            barrier.wait()
            return act(client, cast, key)

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(start, clients))


@pytest.mark.parametrize("what", ACTS)
@pytest.mark.parametrize("run", range(3))
def test_of_twenty_equal_requests_at_two_processes_one_is_done(town: Town, what: str, run: int, key: dict[str, str]) -> None:
    act, records = ACTS[what]
    cast = town.a_branch()
    answers = twenty_at_once(town, cast, act, key)
    running = [answer for answer in answers if answer.status_code == 409]
    assert all(answer.json()["type"].endswith("request-in-progress") for answer in running), [answer.text for answer in running]
    done = [answer for answer in answers if answer.status_code == 201]
    assert len(done) + len(running) == 20, [answer.text for answer in answers if answer.status_code not in (201, 409)]
    assert sum(REPLAYED not in answer.headers for answer in done) == 1
    assert len({(answer.text, answer.headers["Location"], answer.headers.get("ETag")) for answer in done}) == 1
    with town.client(cast.secretary) as client:
        assert len(client.get(f"{cast.path}/{what}").json()["items"]) == records
        assert act(client, cast, key).headers[REPLAYED] == "true"


@contextmanager
def a_mortal_server(database_url: str, log: Path) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """Run a server that will be killed."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.servers", database_url, str(port)]
    with log.open("ab") as output, subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=output, stderr=output) as process:
        try:
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/healthz").raise_for_status()
                    break
                except httpx.TransportError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.05)
            yield Server(f"http://127.0.0.1:{port}"), process
        finally:
            process.kill()


@contextmanager
def held_before_the_answer_is_kept(town: Town) -> Iterator[None]:
    """Hold a request that has written its effect and waits to keep its answer."""
    with town.engine.begin() as connection:
        connection.execute(text("lock table kept_outcome in exclusive mode"))
        yield


@contextmanager
def held_in_its_commit(town: Town) -> Iterator[None]:
    """Hold a request that has written everything and sent COMMIT: nobody can take it back."""
    with town.owner.begin() as connection:
        body = "begin perform pg_advisory_xact_lock(7); return null; end"
        connection.execute(text(f"create function wait_a_while() returns trigger language plpgsql as '{body}'"))
        connection.execute(
            text(
                "create constraint trigger wait_a_while after insert on kept_outcome deferrable initially deferred "
                "for each row execute function wait_a_while()"
            )
        )
    try:
        with town.engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(7)"))
            yield
    finally:
        with town.owner.begin() as connection:
            connection.execute(text("drop function wait_a_while() cascade"))


WAITING = text("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


@pytest.mark.parametrize("hold", [held_before_the_answer_is_kept, held_in_its_commit])
def test_a_server_killed_between_effect_and_answer_leaves_exactly_one_effect(town: Town, tmp_path: Path, key: dict[str, str], hold: Any) -> None:
    committed = hold is held_in_its_commit
    cast = town.a_branch()
    token = town.token(cast.secretary)
    with a_mortal_server(town.url, tmp_path / "server.log") as (server, process), ThreadPoolExecutor(1) as pool, server.client(token) as doomed:
        with hold(town):
            asked = pool.submit(advance, doomed, cast, key)
            until(lambda: _waiting(town.engine) == 1)
            process.kill()
            with pytest.raises(httpx.TransportError):
                asked.result()
        with town.client(cast.secretary, 1) as client:
            answers = list(until_answered(partial(advance, client, cast, key)))
            assert answers[-1].status_code == 201
            assert (answers[-1].headers.get(REPLAYED) == "true") is committed
            assert all(answer.json()["type"].endswith("request-in-progress") for answer in answers[:-1])
            assert len(client.get(f"{cast.path}/moves").json()["items"]) == 1
            assert advance(client, cast, key).headers[REPLAYED] == "true"


def _waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(WAITING) or 0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 8
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def until_answered(ask: Callable[[], httpx.Response]) -> Iterator[httpx.Response]:
    """Ask again while the database still works on the killed server's request."""
    end = time.monotonic() + 8
    while (answer := ask()).status_code == 409 and time.monotonic() < end:
        yield answer
        time.sleep(0.01)
    yield answer
