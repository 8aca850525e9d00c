"""A database that neither answers nor refuses: requests are answered in time, and done once.

The server processes are real. The short tests let a request be three seconds old, the long ones the
35 of the service; the reasons of the silence are the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread, Timer

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.support.running.outages import PATIENCE_SECONDS, Database, Proxy, Service, a_database, a_proxy, served, wait_until

pytestmark = pytest.mark.slow
CALLERS = 20
FEW, MANY = 3.0, 35.0
GRACE_SECONDS = {FEW: 2.0, MANY: 1.0}
"""The time for answering at all; the short tests run beside others."""


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with a_database() as made:
        yield made


@pytest.fixture
def proxy(database: Database) -> Iterator[Proxy]:
    with a_proxy(database.url) as made:
        yield made


@dataclass
class Answer:
    status: int
    seconds: float
    problem: str = ""
    retry_after: str | None = None


@dataclass
class Callers:
    """Callers who each record a study session once, under keys of their own."""

    service: Service
    token: str
    name: str
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(CALLERS))

    def post(self, number: int) -> Answer:
        session = {"held_on": "2024-12-18", "exchange": self.name}
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": f"{self.name}-{number}-key"}
        began = time.monotonic()
        answer = httpx.post(f"{self.service.address}/api/v1/cycles/2024/branches/D0101/study-sessions", json=session, headers=headers, timeout=90)
        took = time.monotonic() - began
        said = answer.json().get("type", "").partition("#")[2] if answer.status_code >= 400 else ""
        return Answer(answer.status_code, took, said, answer.headers.get("Retry-After"))

    def all_post(self) -> list[Answer]:
        return list(self.pool.map(self.post, range(CALLERS)))

    def repeat_until_done(self, number: int) -> Answer:
        """Do what a good client does: wait and repeat, with the same key."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.post(number)
            if answer.status == 201 or time.monotonic() > end:
                return answer
            time.sleep(0.2)


@contextmanager
def asked_all_the_while(address: str) -> Iterator[list[float]]:
    """Ask all the while whether the process lives; yields the seconds that each answer took."""
    took: list[float] = []
    done = Event()

    def ask() -> None:
        while not done.is_set():
            began = time.monotonic()
            assert httpx.get(address, timeout=90).status_code == 200
            took.append(time.monotonic() - began)
            done.wait(0.1)

    asking = Thread(target=ask)
    asking.start()
    try:
        yield took
    finally:
        done.set()
        asking.join()


@contextmanager
def silent(reason: str, database: Database, proxy: Proxy) -> Iterator[None]:
    """Let the database say nothing, for one of the reasons."""
    if reason == "network":
        proxy.fall_silent()
        try:
            yield
        finally:
            proxy.speak()
    elif reason == "standby":
        # A synchronous standby that does not exist: a COMMIT waits for it, and nothing ends that.
        database.set(synchronous_standby_names="nobody")
        try:
            yield
        finally:
            database.set(synchronous_standby_names="")
    else:
        # Midway: the answer to a statement that waits never comes.
        falls_silent = Timer(1.0, proxy.fall_silent)
        if reason == "midway":
            falls_silent.start()
        holder = create_engine(database.url, poolclass=NullPool)
        with holder.connect() as held:
            held.execute(text("select from process for update"))
            yield
            held.rollback()
        falls_silent.cancel()
        proxy.speak()


def keep_silent(reason: str, database: Database, proxy: Proxy, service: Service, callers: Callers, patience: float) -> None:
    """Ask while nothing is said: all are answered in time, and afterwards each is done once."""
    assert callers.repeat_until_done(CALLERS).status == 201
    with silent(reason, database, proxy):
        with asked_all_the_while(f"{service.address}/healthz") as alive:
            answers = callers.all_post()
            began = time.monotonic()
            ready = httpx.get(f"{service.address}/readyz", timeout=90)
            assert time.monotonic() - began < 6 + GRACE_SECONDS[patience]
        if reason in ("network", "midway"):
            assert ready.status_code == 503
    assert max(answer.seconds for answer in answers) < patience + GRACE_SECONDS[patience], answers
    assert {answer.status for answer in answers} <= {201, 503}
    assert {(answer.problem, answer.retry_after) for answer in answers if answer.status == 503} <= {("busy", "1"), ("database-away", "5")}
    assert sum(answer.status == 503 for answer in answers) >= CALLERS - 6
    assert max(alive) < GRACE_SECONDS[patience], alive
    ends = list(callers.pool.map(callers.repeat_until_done, range(CALLERS)))
    assert {answer.status for answer in ends} == {201}
    with create_engine(database.url, poolclass=NullPool).connect() as connection:
        done = connection.scalar(text("select count(*) from study_session where exchange = :name"), {"name": callers.name})
    assert done == CALLERS + 1, "each once"
    wait_until(lambda: httpx.get(f"{service.address}/readyz").status_code == 200, service, 10)


@pytest.mark.parametrize(
    "reason",
    [
        "network",
        pytest.param("midway", marks=pytest.mark.thorough),
        pytest.param("standby", marks=pytest.mark.thorough),
        pytest.param("lock", marks=pytest.mark.thorough),
    ],
)
def test_however_silent_the_database_is_requests_are_answered_and_done_once(
    database: Database, proxy: Proxy, project: Path, tmp_path: Path, reason: str
) -> None:
    with served(database, project, tmp_path / "log", "waitress", url=proxy.url, patience=FEW) as service:
        keep_silent(reason, database, proxy, service, Callers(service, database.token_of("z3"), f"few-{reason}"), FEW)


@pytest.mark.thorough
@pytest.mark.alone
@pytest.mark.parametrize("reason", ["network", "midway", "standby", "lock"])
def test_a_service_answers_each_request_within_36_seconds(database: Database, proxy: Proxy, project: Path, tmp_path: Path, reason: str) -> None:
    with served(database, project, tmp_path / "log", "gunicorn", url=proxy.url) as service:
        keep_silent(reason, database, proxy, service, Callers(service, database.token_of("z3"), f"many-{reason}"), MANY)
