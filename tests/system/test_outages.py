"""A database that stops and returns, and services that are told to stop.

The server processes are real, and the PostgreSQL is the tests' own.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

import migrations
from api import ROUTES
from tests.support.builders import a_school, person
from tests.support.mail_server import free_port
from tests.support.servers import settings_of_tests
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.embedded import bin_path, embedded_postgres
from workflow.people.accounts import issue_token

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 30
SOON_SECONDS = 8
"""A little more than connect_timeout."""


@dataclass
class Database:
    """A school on a PostgreSQL that can be stopped and started under it."""

    folder: Path
    url: str
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = engine_for(self.url)

    def token_of_the_office(self) -> str:
        now = datetime.now(UTC)
        with transaction(self.engine, actor="cli") as session:
            return issue_token(session, person(session, "office"), name="test", now=now, expires_at=now + timedelta(hours=1)).secret

    def stop(self) -> None:
        self._pg_ctl("stop", "-m", "fast")

    def start(self) -> None:
        line = (self.folder / "postmaster.opts").read_text(encoding="utf-8")
        options = line.split('"-D"', 1)[1].split('"', 2)[2].strip()
        self._pg_ctl("start", "-l", str(self.folder / "log"), "-o", options)

    def _pg_ctl(self, *words: str) -> None:
        home = self.folder.stat()
        who = {"user": home.st_uid, "group": home.st_gid, "extra_groups": []} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}
        command = [str(bin_path() / "pg_ctl"), "-D", str(self.folder), "-w", *words]
        subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with TemporaryDirectory(prefix="zhibu-outage-") as folder, embedded_postgres(Path(folder)) as superuser:
        owner, application = migrations.prepare_embedded(superuser)
        migrations.migrate(owner, application)
        made = Database(Path(folder) / "postgres", application)
        with transaction(made.engine, actor="cli") as session:
            a_school(session)
        yield made
        made.engine.dispose()


@dataclass(frozen=True)
class Service:
    """A server process and its master's pid."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


WAITRESS = """
import signal, sys
from api import create_app
from api.server.serving import serve_in_this_process
from tests.support.servers import settings_of_tests
from workflow.foundation.database import engine_for

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
serve_in_this_process(create_app(engine_for(sys.argv[1]), settings_of_tests()), host="127.0.0.1", port=int(sys.argv[2]))
"""
"""Code that serves with waitress, as the demo does."""


@contextmanager
def served(database: Database, project: Path, log: Path, by: str) -> Iterator[Service]:
    """Serve the school by gunicorn (``zhibu serve``) or by waitress, until the block ends."""
    port = free_port()
    settings = settings_of_tests()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    ours = {"ZHIBU_DATABASE_URL": database.url.replace("+psycopg", ""), "ZHIBU_BASE_URL": str(settings.base_url), "ZHIBU_SECRET_KEY": "a" * 20}
    how = ["-m", "cli", "serve", "--port", str(port)] if by == "gunicorn" else ["-c", WAITRESS, database.url, str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, *how], cwd=project, env={**kept, **ours}, stdout=output, stderr=output)
    service = Service(process, port, log)
    try:
        wait_until(lambda: status(f"{service.address}/readyz") == 200, service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_SECONDS)


def status(address: str) -> int | None:
    try:
        return httpx.get(address, timeout=SOON_SECONDS).status_code
    except httpx.TransportError:
        return None


def wait_until(true: object, service: Service, seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert callable(true)
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(service.log.read_text(encoding="utf-8", errors="replace"))


def path_of(rule: str) -> str:
    """Make an address of this route; the values in it need not exist."""
    return "/api/v1" + re.sub(r"<int[^>]*:year>", "2024", re.sub(r"<(?!int[^>]*:year)[^>]*>", "1", rule)).replace("<", "")


@pytest.mark.parametrize("by", ["gunicorn", "waitress"])
def test_without_its_database_every_route_is_503_and_with_it_all_is_well_again(database: Database, project: Path, tmp_path: Path, by: str) -> None:
    token = database.token_of_the_office()
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


@pytest.mark.parametrize("by", ["gunicorn", "waitress"])
def test_told_to_stop_a_service_finishes_what_it_has_taken_and_takes_nothing_new(database: Database, project: Path, tmp_path: Path, by: str) -> None:
    token = database.token_of_the_office()
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
