"""Services that begin before their database: they wait, and get well by themselves.

The processes and the PostgreSQL are real.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.support.mail_server import free_port
from tests.support.running.outages import PATIENCE_SECONDS, SOON_SECONDS, Database, Service, a_database, status, wait_until

pytestmark = pytest.mark.slow
WAITS = "数据库现在连不上"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with a_database() as made:
        yield made


@contextmanager
def begun(database: Database, project: Path, folder: Path, *words: str, url: str | None = None) -> Iterator[Service]:
    """Begin a command on this database, whether or not it is there."""
    port, log = free_port(), folder / f"{words[0]}.log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    ours = {
        "ZHIBU_DATABASE_URL": (url or database.url).replace("+psycopg", ""),
        "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn",
        "ZHIBU_SECRET_KEY": "a secret of the tests' own",
        "ZHIBU_SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        "ZHIBU_TICK_SECONDS": "0.2",
        "ZHIBU_DATA_DIR": str(folder),
        "ZHIBU_LANG": "zh",
    }
    where = ["--port", str(port), "--workers", "1"] if words[0] == "serve" else []
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "cli", *words, *where], cwd=project, env={**kept, **ours}, stdout=output, stderr=output)
    try:
        yield Service(process, port, log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_SECONDS)


def said(service: Service) -> str:
    return service.log.read_text(encoding="utf-8", errors="replace")


def test_both_wait_for_a_database_that_comes_later(database: Database, project: Path, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {database.token_of('office')}"}
    database.stop()
    try:
        with begun(database, project, tmp_path, "serve") as web, begun(database, project, tmp_path, "worker") as worker:
            wait_until(lambda: status(f"{web.address}/healthz") == 200, web)
            answer = httpx.get(f"{web.address}/api/v1/me", headers=headers, timeout=SOON_SECONDS)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert answer.json()["type"].endswith("#database-away")
            assert status(f"{web.address}/readyz") == 503
            wait_until(lambda: WAITS in said(worker), worker)
            database.start()
            wait_until(lambda: status(f"{web.address}/readyz") == 200, web, SOON_SECONDS)
            assert httpx.get(f"{web.address}/api/v1/me", headers=headers).status_code == 200
            wait_until(lambda: ticked(database), worker)
            assert [said(each).count(WAITS) for each in (web, worker)] == [1, 1], "told once"
            assert "Traceback" not in said(web) + said(worker)
    finally:
        if is_stopped(database):
            database.start()


def ticked(database: Database) -> bool:
    with database.engine.connect() as connection:
        return connection.scalar(text("select last_tick from worker_heartbeat")) is not None


def is_stopped(database: Database) -> bool:
    """Tell whether the database is stopped."""
    return not (database.folder / "postmaster.pid").exists()


@pytest.mark.thorough
def test_told_to_stop_a_worker_that_waits_ends(database: Database, project: Path, tmp_path: Path) -> None:
    away = make_url(database.url).set(host="127.0.0.1", port=free_port(), query={}).render_as_string(hide_password=False)
    with begun(database, project, tmp_path, "worker", url=away) as worker:
        wait_until(lambda: WAITS in said(worker), worker)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.thorough
def test_a_database_that_comes_later_and_was_not_migrated_answers_503_until_it_is(database: Database, project: Path, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {database.token_of('office')}"}

    def set_version(version: str) -> None:
        owner = make_url(database.superuser).set(database="zhibu")
        with create_engine(owner, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("update alembic_version set version_num = :version"), {"version": version})

    with database.engine.connect() as connection:
        newest = connection.scalar(text("select version_num from alembic_version"))
    set_version("an older one")
    for command in ("serve", "worker"):
        with begun(database, project, tmp_path, command) as ended:
            assert ended.process.wait(PATIENCE_SECONDS) == 1
            assert said(ended).splitlines()[-1].endswith("请先运行 zhibu migrate")
    database.stop()
    with begun(database, project, tmp_path, "serve") as web:
        wait_until(lambda: status(f"{web.address}/healthz") == 200, web)
        database.start()
        wait_until(lambda: httpx.get(f"{web.address}/readyz").json()["migrations"] == "behind", web, SOON_SECONDS)
        answer = httpx.get(f"{web.address}/api/v1/me", headers=headers)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert answer.json()["type"].endswith("#database-behind")
        set_version(str(newest))
        assert httpx.get(f"{web.address}/api/v1/me", headers=headers).status_code == 200


@pytest.mark.parametrize("command", ["serve", pytest.param("worker", marks=pytest.mark.thorough)])
def test_a_database_that_refuses_the_login_ends_the_start_at_once(database: Database, project: Path, tmp_path: Path, command: str) -> None:
    unknown = make_url(database.url).set(database="no_such_school").render_as_string(hide_password=False)
    with begun(database, project, tmp_path, command, url=unknown) as ended:
        assert ended.process.wait(PATIENCE_SECONDS) == 1
        assert WAITS not in said(ended)
        assert len(said(ended).splitlines()) == 1
