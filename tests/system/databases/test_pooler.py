"""PgBouncer: well in session mode; in transaction mode refused, and for which reason.

PgBouncer, the PostgreSQL and the services are real.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import text

from tests.support.mail_server import free_port
from tests.support.running.outages import SOON_SECONDS, Database, a_database, served, status, wait_until
from tests.support.running.pooler import a_pooler
from workflow.foundation.addresses import database_address
from workflow.foundation.database import LIMITS, engine_for
from workflow.readings.reaching import is_lent_by_transaction
from workflow.readings.transport import line_to_database

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
SESSIONS = "/api/v1/cycles/2024/branches/D0101/study-sessions"
ELSEWHERE = "0.0.0.0"  # noqa: S104  (a host that is not loopback, and reached without a network)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with a_database() as made:
        yield made


def test_in_session_mode_all_is_well_and_the_limits_of_a_session_hold(database: Database, project: Path, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {database.token_of('z3')}"}
    with a_pooler(database, "session") as pooler, served(database, project, tmp_path / "log", "gunicorn", url=pooler.url) as service:

        def record(number: int) -> int:
            key = {**headers, "Idempotency-Key": f"pooler-{number}-key"}
            return httpx.post(f"{service.address}{SESSIONS}", json={"held_on": "2024-12-18"}, headers=key, timeout=60).status_code

        with ThreadPoolExecutor(8) as callers:
            assert set(callers.map(record, range(100))) == {201}
        engine = engine_for(database_address(pooler.url))
        with engine.connect() as connection:
            found = [connection.scalar(text("select current_setting(:name)"), {"name": name}) for name in LIMITS]
        assert dict(zip(LIMITS, found, strict=True)) == {**LIMITS, "idle_in_transaction_session_timeout": "1min"}
        assert not is_lent_by_transaction(engine)
        engine.dispose()
        pooler.stop()
        wait_until(lambda: status(f"{service.address}/readyz") == 503, service, SOON_SECONDS)
        pooler.start()
        wait_until(lambda: status(f"{service.address}/readyz") == 200, service, SOON_SECONDS)
        assert record(100) == 201
        database.stop()
        wait_until(lambda: status(f"{service.address}/readyz") == 503, service, SOON_SECONDS)
        began = time.monotonic()
        assert record(101) == 503
        assert time.monotonic() - began < 36
        database.start()
        # PgBouncer looks for its server again every 15 seconds (server_login_retry).
        wait_until(lambda: status(f"{service.address}/readyz") == 200, service)
        assert record(101) == 201
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "doctor"])
def test_transaction_mode_is_refused_in_one_sentence(database: Database, project: Path, tmp_path: Path, command: str) -> None:
    with a_pooler(database, "transaction") as pooler:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
        ours = {
            "ZHIBU_DATABASE_URL": pooler.url,
            "ZHIBU_OWNER_DATABASE_URL": pooler.url.replace("zhibu_app", "zhibu_owner"),
            "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn",
            "ZHIBU_SECRET_KEY": "a secret of the tests' own",
            "ZHIBU_SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
            "ZHIBU_DATA_DIR": str(tmp_path),
            "ZHIBU_LANG": "zh",
        }
        done = subprocess.run(
            [sys.executable, "-m", "cli", command], cwd=project, env={**kept, **ours}, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    said = (done.stdout or done.stderr).splitlines()
    assert "PgBouncer 是事务模式" in said[0]
    assert "pool_mode = session" in said[0]
    assert "Traceback" not in done.stderr


def test_transaction_mode_loses_limits_and_mixes_prepared_statements_and_keeps_what_a_transaction_sets(database: Database) -> None:
    with a_pooler(database, "transaction") as pooler:
        engine = engine_for(database_address(pooler.url))
        limits = text("select current_setting('statement_timeout')")
        with engine.connect() as one, engine.connect() as other:
            assert {one.scalar(limits), other.scalar(limits)} == {"30s", "0"}, "a second session has none"
        engine.dispose()
        with psycopg.connect(pooler.url) as one, psycopg.connect(pooler.url) as other:
            one.execute("select 1", prepare=True)
            one.commit()
            with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
                other.execute("select 1", prepare=True)
            other.rollback()
            other.execute("select set_config('zhibu.actor', 'cli', true), pg_advisory_xact_lock(1)")
            assert other.execute("select current_setting('zhibu.actor')").fetchone() == ("cli",)


def test_a_line_that_is_encrypted_and_a_certificate_that_is_checked(database: Database, tmp_path: Path) -> None:
    file, key = database.folder / "line.pem", database.folder / "line.key"
    made = ["-nodes", "-subj", "/CN=db", "-addext", f"subjectAltName=IP:{ELSEWHERE}", "-days", "2", "-out", str(file), "-keyout", str(key)]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", *made], check=True, capture_output=True)
    key.chmod(0o644)
    tls = f"client_tls_sslmode = allow\nclient_tls_cert_file = {file}\nclient_tls_key_file = {key}\n"
    with a_pooler(database, "session", tls) as pooler:

        def said(mode: str) -> list[str]:
            engine = engine_for(database_address(f"{pooler.url.replace('127.0.0.1', ELSEWHERE)}?{mode}"))
            with engine.connect() as connection:
                found: list[str] = [each.said for each in line_to_database(connection)]
            engine.dispose()
            return found

        [clear], [unchecked] = said("sslmode=disable"), said("sslmode=require")
        assert "没有加密" in clear
        assert "没有核对证书" in unchecked
        assert said(f"sslmode=verify-full&sslrootcert={file}") == []
