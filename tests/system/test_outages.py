"""A database that stops and returns, and services that are told to stop.

The server processes are real, and the PostgreSQL is the tests' own.
"""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from api import ROUTES
from commands.frame import Urls
from tests.support.running.outages import PATIENCE_SECONDS, SOON_SECONDS, Database, Service, a_database, served, wait_until
from tests.support.servers import settings_of_tests
from workflow.readings.doctor import examine
from workflow.readings.findings import State
from workflow.readings.transport import DATABASE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with a_database() as made:
        yield made


def path_of(rule: str) -> str:
    """Make an address of this route; the values in it need not exist."""
    return "/api/v1" + re.sub(r"<int[^>]*:year>", "2024", re.sub(r"<(?!int[^>]*:year)[^>]*>", "1", rule)).replace("<", "")


@pytest.mark.parametrize("by", ["gunicorn", pytest.param("waitress", marks=pytest.mark.thorough)])
def test_without_its_database_every_route_is_503_and_with_it_all_is_well_again(database: Database, project: Path, tmp_path: Path, by: str) -> None:
    token = database.token_of("office")
    with served(database, project, tmp_path / "log", by) as service:
        client = httpx.Client(base_url=service.address, headers={"Authorization": f"Bearer {token}"}, timeout=SOON_SECONDS)
        assert client.get("/api/v1/me").status_code == 200
        database.stop()
        try:
            for route in ROUTES:
                answer = client.request(route.method, path_of(route.rule), json={} if route.method != "GET" else None)
                told = (answer.status_code, answer.headers["Content-Type"], answer.headers.get("Retry-After"))
                assert told == (503, "application/problem+json", "5"), (route.method, route.rule, answer.text)
            assert client.get("/readyz").json()["database"] == "away"
            assert client.get("/healthz").status_code == 200
        finally:
            database.start()
        wait_until(lambda: client.get("/api/v1/me").status_code == 200, service, SOON_SECONDS)
        assert {client.get("/api/v1/me").status_code for _ in range(20)} == {200}
        assert client.get("/readyz").status_code == 200
        client.close()
    assert "Traceback" not in service.log.read_text(encoding="utf-8")


@pytest.mark.thorough
@pytest.mark.parametrize("by", ["gunicorn", pytest.param("waitress", marks=pytest.mark.thorough)])
def test_told_to_stop_a_service_finishes_what_it_has_taken_and_takes_nothing_new(database: Database, project: Path, tmp_path: Path, by: str) -> None:
    token = database.token_of("office")
    extension = {"stage": "report", "due_on": "2030-01-10" if by == "gunicorn" else "2030-01-11", "reason": "期末考试"}

    def extend(service: Service) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        address = f"{service.address}/api/v1/cycles/2024/branches/D0101/extensions"
        return httpx.post(address, json=extension, headers=headers, timeout=PATIENCE_SECONDS).status_code

    holder = create_engine(database.url, poolclass=NullPool)
    with served(database, project, tmp_path / "log", by) as service, ThreadPoolExecutor(1) as threads:
        with holder.connect() as held:
            held.execute(text("select from process for update"))
            answer = threads.submit(extend, service)
            wait_until(lambda: waiting(database.engine), service)
            service.process.send_signal(signal.SIGTERM)
            # Long enough for a server that would forget its open request to end, and longer than
            # waitress waits by itself.
            wait_until(lambda: refused(service.port), service, 3)
            time.sleep(2.5 if by == "gunicorn" else 5.2)
            assert service.process.poll() is None
            assert not answer.done()
            held.rollback()
        assert answer.result(PATIENCE_SECONDS) == 201, service.log.read_text(encoding="utf-8")
        assert service.process.wait(PATIENCE_SECONDS) == 0


def waiting(engine: Engine) -> bool:
    """Tell whether a connection waits for a lock."""
    with engine.connect() as connection:
        return bool(connection.scalar(text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")))


def refused(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex(("127.0.0.1", port)) != 0


def test_a_standby_is_read_and_not_ready_and_goes_on_as_another_past_when_it_is_promoted(project: Path, tmp_path: Path) -> None:
    with a_database() as database, served(database, project, tmp_path / "log", "gunicorn") as service:
        headers = {"Authorization": f"Bearer {database.token_of('office')}"}
        client = httpx.Client(base_url=f"{service.address}/api/v1/cycles/2024", headers=headers, timeout=PATIENCE_SECONDS)
        extension = {"stage": "report", "due_on": "2030-01-10", "reason": "期末考试"}
        cursor = client.get("/progress").json()["cursor"]
        assert client.get("/branches", params={"changed_since": cursor}).json()["items"] == []
        database.become_a_standby()
        wait_until(lambda: client.get("/branches").status_code == 200, service, SOON_SECONDS)
        refusal = client.post("/branches/D0101/extensions", json=extension)
        assert (refusal.status_code, refusal.headers["Retry-After"]) == (503, "30")
        assert refusal.json()["type"].endswith("#database-unwritable")
        ready = httpx.get(f"{service.address}/readyz")
        assert (ready.status_code, ready.json()["database"]) == (503, "unwritable")
        assert broken(database) == ["指向备用的数据库"]
        database.promote()
        wait_until(lambda: client.post("/branches/D0101/extensions", json=extension).status_code == 201, service, SOON_SECONDS)
        assert httpx.get(f"{service.address}/readyz").status_code == 200
        heard = client.get("/branches", params={"changed_since": cursor}).json()["items"]
        assert len(heard) == 2, "what the old primary did last may be lost: everything is told again"
        assert broken(database) == []
        client.close()


def broken(database: Database) -> list[str]:
    """List what the doctor says of the database, where it is broken; the first words of each."""

    @contextmanager
    def opened() -> Iterator[Urls]:
        yield Urls(database.url, database.url)

    settings = settings_of_tests(database_url=database.url.replace("+psycopg", ""))
    found = list(examine(settings, opened, lambda: None, clock=lambda: datetime.now(UTC), newest_migration=None))
    return [
        each.said.zh.removeprefix("ZHIBU_DATABASE_URL ").partition("（")[0] for each in found if each.what is DATABASE and each.state is State.BROKEN
    ]
