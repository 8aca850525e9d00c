"""A school in service: no personal data in its log, the metrics of all its processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from api import ROUTES
from api.frame.routes import BODY_BYTES, FORM_BYTES
from api.server.processes import IDLE_SECONDS
from tests.api.conftest import B
from tests.support.builders import READING, a_branch, a_cycle, a_school, an_office, person
from tests.support.mail_server import MailServer, free_port, mail_server
from tests.support.rosters import a_school_roster
from workflow.foundation.database import transaction
from workflow.foundation.errors import SettingsInvalid
from workflow.foundation.settings import UPLOAD_BYTES, read_settings
from workflow.foundation.vocabulary import SCHOOL_ZONE, Stage
from workflow.mail.letters import Rendered
from workflow.mail.outbox import NewLetter, enqueue
from workflow.people.accounts import issue_token
from workflow.year.opening import publish

pytestmark = pytest.mark.slow
SECRET = "the-canary-among-secret-keys"
PATIENCE_SECONDS = 60


def environment(database_url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    plain = database_url.replace("+psycopg", "")
    return {**kept, "ZHIBU_DATABASE_URL": plain, "ZHIBU_SECRET_KEY": SECRET, "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn", **more}


@contextmanager
def running(project: Path, log: Path, environ: dict[str, str], *words: str, ready: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``zhibu`` with these words until the block ends, with all output in a file.

    The block begins when the port answers.
    """
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "cli", *words], cwd=project, env=environ, stdout=output, stderr=output)
    try:
        wait_until(lambda: ready is None or answers(ready), log)
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(true: Any, log: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace")[-4000:])


def token_of(engine: Engine, name: str) -> str:
    now = datetime.now(UTC)
    with transaction(engine, actor="cli") as session:
        return issue_token(session, person(session, name), name="test", now=now, expires_at=now + timedelta(hours=1)).secret


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


# ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────────

MEMBERS = ("canaryz3", "canaryl4", "canaryq7", "canaryw5", "canarys8")
TODAY = datetime.now(SCHOOL_ZONE).date()
TEXTS = {
    "opinions_branch": "金丝雀意见支部",
    "opinions_committee": "金丝雀意见班子",
    "affirmed": "金丝雀肯定",
    "shortcomings": "金丝雀不足",
    "exchange": "金丝雀交流",
    "private_notes": "金丝雀家庭情况",
}
PASSWORD, WRONG = "canary-password-1", "canary-password-2"


def ask_with_canaries(ask: Callable[..., httpx.Response], http: httpx.Client, secretary: tuple[str, str], office: tuple[str, str], url: str) -> None:
    """Send requests of every sort, each with personal data in it.

    They are taken, refused, missing, malformed, forbidden, unknown, stale; one fails.
    """
    study = {"held_on": "2024-12-18", "titles": list(READING), "present": ["canaryz3", "canaryl4"], "exchange": TEXTS["exchange"]}
    kept = ask(secretary, "POST", f"{B}/study-sessions", json=study)
    assert kept.status_code == 201, kept.text
    talk = {"held_on": "2024-12-19", "talker": "canaryz3", "partner": "canaryw5", **TEXTS}
    told = ask(secretary, "POST", f"{B}/talks", json=talk, headers={"Idempotency-Key": "canary-key-of-a-talk"})
    assert told.status_code == 201, told.text
    assert ask(secretary, "PATCH", f"{B}/talks/{told.json()['id']}", json={"affirmed": "金丝雀改过"}, headers={"If-Match": told.headers["ETag"]})
    # Refused, missing, malformed, of the wrong kind, forbidden, unknown, stale.
    assert ask(secretary, "POST", f"{B}/moves", json={"trigger": "advance"}, headers={"If-Match": '"1"'}).status_code == 409
    assert ask(secretary, "POST", f"{B}/talks", json={**talk, "partner": "金丝雀没有这个人"}).status_code == 422
    assert ask(secretary, "POST", f"{B}/talks", content=b'{"affirmed": "\xe9\x87\x91', headers={"Content-Type": "application/json"}).is_error
    assert ask(secretary, "GET", "/accounts/canaryl4?canary=canary").is_error
    assert ask(office, "GET", f"{B}/roll/canaryw5").status_code == 200
    assert ask(office, "GET", "/cycles/2024/branches?q=金丝雀").status_code == 200
    files = {"file": ("金丝雀名册.xlsx", a_school_roster())}
    assert ask(office, "POST", "/roster-imports", files=files).status_code == 201
    for password in (PASSWORD, WRONG):
        http.post("/session", json={"staff_no": "canaryz3", "password": password})
    http.get("/me", headers={"Authorization": "Bearer zb_canary-token"})
    http.request("CANARY", "/me")
    returned = ask(office, "POST", f"{B}/extensions", json={"stage": "report", "due_on": "2030-01-10", "reason": "金丝雀理由"})
    assert returned.status_code == 201, returned.text
    # A fault of ours: the exception's words contain its statement and its values.
    with engine_of_owner(url) as owner:
        owner.execute(text("alter table talk rename column affirmed to gone"))
        owner.commit()
        assert ask(secretary, "POST", f"{B}/talks", json={**talk, "partner": "canarys8"}).status_code == 500
        owner.execute(text("alter table talk rename column gone to affirmed"))
        owner.commit()


def test_a_whole_story_leaves_nobodys_data_in_the_log(project: Path, tmp_path: Path, engine: Engine, database_url: str, mail: MailServer) -> None:
    """The log of the service and the worker at DEBUG has no personal data.

    It holds no names, 学工号, texts, tokens, passwords, addresses, nor the secret key.
    """
    with transaction(engine, actor="cli") as session:
        an_office(session)
        a_branch(session, members=MEMBERS, committee=MEMBERS[:3])
        session.execute(text("update person set name = '金丝雀' || staff_no where branch_id is not null"))
        publish(
            session,
            a_cycle(session, deadlines={Stage.STUDY: TODAY + timedelta(days=3), Stage.REPORT: TODAY + timedelta(days=30)}),
            now=datetime.now(UTC),
        )
    with transaction(engine, actor="worker") as session:
        to = person(session, "canaryw5")
        words = Rendered("金丝雀的信", "金丝雀的正文", "<p>金丝雀的正文</p>")
        enqueue(session, [NewLetter("test", to.id, to.name, to.email, words)], datetime.now(UTC))
    secretary, office = ((name, token_of(engine, name)) for name in ("canaryz3", "office"))
    log, port = tmp_path / "log", free_port()
    environ = environment(database_url, ZHIBU_SMTP_URL=mail.url, ZHIBU_TICK_SECONDS="1", ZHIBU_DATA_DIR=str(tmp_path))
    with (
        running(project, log, environ, "serve", "--port", str(port), "--log-level", "DEBUG", ready=port),
        running(project, log, environ, "worker", "--log-level", "DEBUG"),
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE_SECONDS) as http,
    ):

        def ask(who: tuple[str, str], method: str, path: str, **sent: Any) -> httpx.Response:
            return http.request(method, path, headers={"Authorization": f"Bearer {who[1]}", **sent.pop("headers", {})}, **sent)

        ask_with_canaries(ask, http, secretary, office, database_url)
        wait_until(lambda: mail.received, log)
    written = log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in written.splitlines() if not line.startswith("服务地址")]
    assert all({"event", "level", "time"} <= line.keys() for line in lines)
    assert {"zhibu", "sqlalchemy", "gunicorn"} <= {line.get("logger", "zhibu").partition(".")[0] for line in lines}
    assert any(line["event"] == "failed" and line["where"] for line in lines)
    assert any(line["event"] == "letter" for line in lines)
    canaries = ("金丝雀", "canary", SECRET, PASSWORD, WRONG, secretary[1], office[1], "@school.example")
    assert [canary for canary in canaries if canary.lower() in written.lower()] == []


@contextmanager
def engine_of_owner(database_url: str) -> Iterator[Any]:
    engine = create_engine(make_url(database_url).set(username=migrations.OWNER_ROLE), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


# ── numbers of several processes ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.thorough
def test_all_server_processes_count_together_and_a_new_start_counts_from_nothing(
    project: Path, tmp_path: Path, engine: Engine, database_url: str
) -> None:
    folder, port = tmp_path / "numbers", free_port()
    environ = environment(database_url, PROMETHEUS_MULTIPROC_DIR=str(folder))

    def ask(_: int) -> int:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS).status_code

    def counted() -> int:
        told = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_SECONDS).text
        found = re.search(r'^zhibu_http_requests_total\{method="GET",rule="/healthz",status="200"\} (\S+)$', told, re.MULTILINE)
        return int(float(found.group(1))) if found else 0

    for expected in (60, 60):
        with running(project, tmp_path / "log", environ, "serve", "--port", str(port), "--workers", "3", ready=port):
            with ThreadPoolExecutor(6) as callers:
                assert set(callers.map(ask, range(expected))) == {200}
            assert {counted() for _ in range(6)} == {expected}
            assert len({name.stem.rpartition("_")[2] for name in folder.glob("*.db")}) > 1, "only one process has answered"
        assert list(folder.glob("*.db")) == []


# ── what is too large ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_too_large_is_answered_as_such_to_the_end(project: Path, tmp_path: Path, engine: Engine, database_url: str) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    port, token, mib = free_port(), token_of(engine, "张三"), 1024 * 1024

    def parts(size: int) -> Iterator[bytes]:
        yield b"{"
        yield from [b" " * mib] * (size // mib)

    def sent(path: str, content: Any, **headers: str) -> httpx.Response:
        given = {"Content-Type": "application/json", **headers}
        return httpx.post(f"http://127.0.0.1:{port}/api/v1{path}", content=content, headers=given, timeout=PATIENCE_SECONDS)

    signed_in = {"Authorization": f"Bearer {token}"}
    with running(project, tmp_path / "log", environment(database_url), "serve", "--port", str(port), ready=port):
        for content in (b"{" + b" " * (10 * mib), parts(10 * mib), b"{" + b" " * 8192, parts(mib)):
            refused = sent("/session", content)
            assert (refused.status_code, refused.headers["Content-Type"]) == (413, "application/problem+json")
        for size in (mib, 10 * mib):
            assert sent(f"{B}/talks", parts(size), **signed_in).status_code == 413
            assert sent(f"{B}/talks", parts(size)).status_code == 401
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/me", headers=signed_in, timeout=PATIENCE_SECONDS).status_code == 200


# ── what is shipped in deploy/ ────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_settings_are_known_and_complete_as_a_shell_reads_them(project: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").touch()
    for name in ("zhibu.env", "zhibu-owner.env"):
        written = (project / "deploy" / f"{name}.example").read_text("utf-8")
        (tmp_path / name).write_text(written.replace("/etc/zhibu/db-ca.crt", str(tmp_path / "ca.crt")), "utf-8")
    read = "set -e; set -a; . ./zhibu.env; . ./zhibu-owner.env; env -0"
    done = subprocess.run(["/bin/sh", "-c", read], cwd=tmp_path, env={}, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    given = {name: value for name, _, value in (line.partition("=") for line in done.stdout.split("\0")) if name.startswith("ZHIBU_")}
    for left, variable in (("换成_openssl_rand_-base64_32_的输出", "SECRET_KEY"), ("换成口令", "DATABASE_URL")):
        filled = {name: value if left in value else value.replace("换成", "") for name, value in given.items()}
        with pytest.raises(SettingsInvalid, match=f"ZHIBU_.*{variable}"):
            read_settings(filled)
    settings = read_settings({name: value.replace("换成", "") for name, value in given.items()})
    settings.required("database_url", "owner_database_url", "secret_key", "base_url", "smtp_url", "contact")
    for url in (settings.database_url, settings.owner_database_url):
        assert make_url(url or "").query == {"sslmode": "verify-full", "sslrootcert": str(tmp_path / "ca.crt")}


def test_the_shipped_proxy_lets_a_workbook_through_where_one_is_taken_and_nowhere_else(project: Path) -> None:
    written = (project / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    [(pattern, inside)] = re.findall(r"location ~ (\S+) \{([^}]*)\}", written)
    takes_files = {route.rule: route.upload for route in ROUTES if route.method == "POST"}
    for rule, upload in takes_files.items():
        address = f"/api/v1{re.sub('<[^>]+>', '1', rule)}"
        assert bool(re.search(pattern, address)) == bool(re.search(pattern, f"{address}/")) == upload, rule

    def megabytes(text: str) -> int:
        return int(re.findall(r"client_max_body_size (\d+)m;", text)[0])

    assert megabytes(inside) * 1024 * 1024 > UPLOAD_BYTES + FORM_BYTES
    assert megabytes(written) * 1024 * 1024 == BODY_BYTES, "as much as the service takes comes to the service"


@pytest.mark.parametrize("unit", ["zhibu-web.service", "zhibu-worker.service"])
def test_the_shipped_units_start_commands_that_exist(project: Path, unit: str) -> None:
    written = (project / "deploy" / unit).read_text(encoding="utf-8")
    [words] = re.findall(r"^ExecStart=\S+/zhibu (.+)$", written, re.MULTILINE)
    subprocess.run([sys.executable, "-m", "cli", *words.split(), "--help"], cwd=project, check=True, stdout=subprocess.DEVNULL)


def test_the_proxy_lets_go_of_an_idle_connection_before_the_service_does(project: Path) -> None:
    """Otherwise the service may end one that a request is just sent on; nobody may repeat it."""
    written = (project / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    [proxy] = re.findall(r"^ *keepalive_timeout (\d+)s;", written, re.MULTILINE)
    assert int(proxy) < min(IDLE_SECONDS, STOP_KEEPALIVE_LINGER)


@pytest.mark.parametrize("unit", ["zhibu-web.service", "zhibu-web.socket"])
def test_the_unit_the_socket_and_the_proxy_name_one_port(project: Path, unit: str) -> None:
    written = (project / "deploy" / unit).read_text(encoding="utf-8")
    assert re.search(r"ListenStream=127.0.0.1:8000$|--host 127.0.0.1 --port 8000 ", written, re.MULTILINE)
    assert "server 127.0.0.1:8000;" in (project / "deploy" / "nginx.conf").read_text(encoding="utf-8")


def test_the_shipped_proxy_names_requests_itself_and_keeps_the_numbers_inside(project: Path) -> None:
    written = (project / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    assert "proxy_set_header X-Request-ID $request_id;" in written
    assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in written
    assert re.search(r"location \^~ /metrics \{[^}]*deny all;", written), "a prefix: /metrics/ and /metrics%2f are closed too"
