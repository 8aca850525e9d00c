"""The operator's view: request ids, logs without personal data, liveness, readiness, metrics."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy import Engine, create_engine, text

from api import ROUTES, create_app
from schedulers.worker import tick
from tests.api.conftest import Client, Clock
from tests.support.builders import NOW
from tests.support.mail_server import free_port
from tests.support.passing import age_heartbeat
from tests.support.servers import House, settings_of_tests
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.logs import QUIET, configure_logs
from workflow.mail.heartbeat import beat

CANARY = "张三和李四的谈话"


@pytest.fixture
def nowhere() -> Iterator[Engine]:
    """An engine of a database that does not exist."""
    engine = engine_for(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing")
    yield engine
    engine.dispose()


# ── request ids ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("proxies", "sent", "taken"),
    [
        (1, "0123456789abcdef", True),
        (1, "a" * 64, True),
        (1, "a" * 65, False),
        (1, "short", False),
        (1, "with blanks in it", False),
        (1, "张三的请求一二三四", False),
        (1, 'quote"and\\more', False),
        (0, "0123456789abcdef", False),
    ],
)
def test_only_our_own_proxy_names_a_request_and_only_by_a_safe_name(house: House, proxies: int, sent: str, taken: bool) -> None:
    client = create_app(house.engine, settings_of_tests(trusted_proxies=proxies)).test_client()
    answer = client.get("/healthz", headers={"X-Request-ID": sent})
    assert (answer.headers["X-Request-ID"] == sent) is taken
    assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", answer.headers["X-Request-ID"])


# ── logs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def logs_of_this_process(**how: Any) -> Iterator[StringIO]:
    """Write logs in a command's format into a string; restore the settings at the end."""
    root = logging.getLogger()
    quiet = {logging.getLogger(name): logging.getLogger(name).level for name in QUIET}
    handlers, level, hooks = root.handlers, root.level, (sys.excepthook, threading.excepthook)
    configure_logs(**how)
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = StringIO()
    handler.setStream(written)
    try:
        yield written
    finally:
        root.handlers = handlers
        root.setLevel(level)
        for log, before in quiet.items():
            log.setLevel(before)
        sys.excepthook, threading.excepthook = hooks
        structlog.reset_defaults()


@pytest.fixture
def logs() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The logs of ``serve`` at DEBUG.

    Each call of this function gives the lines written since the last one.
    """
    with logs_of_this_process(level="DEBUG") as written:

        def since() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in written.getvalue().splitlines()]
            written.seek(0)
            written.truncate()
            return lines

        yield since


def test_our_event_is_one_json_line_with_time_level_and_the_requests_id(house: House, logs: Any) -> None:
    answer = house.app.test_client().get("/healthz")
    [line] = [each for each in logs() if each["event"] == "request"]
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert (line["level"], line["method"], line["rule"], line["status"]) == ("info", "GET", "/healthz", 200)
    assert line["time"].endswith("Z")


def test_what_a_library_says_of_a_request_has_its_id_and_no_values(house: House, logs: Any) -> None:
    client = house.as_("office")
    logs()
    answer = client.get("/me")
    lines = logs()
    statements = [each for each in lines if each.get("logger", "").startswith("sqlalchemy.engine")]
    assert statements
    assert {each.get("request_id") for each in statements} == {answer.headers["X-Request-ID"]}
    assert "office" not in json.dumps(lines)


@pytest.mark.parametrize(
    ("say", "written"),
    [
        (lambda log: log.warning("Error handling request %s %s", "GET", f"/{CANARY}"), "Error handling request … …"),
        (lambda log: log.warning("Worker (pid:%s) exited with code %s.", 12, 3), "Worker (pid:12) exited with code 3."),
        (lambda log: log.warning("%(who)s asked", {"who": CANARY}), "… asked"),
        (lambda log: log.warning(f"Client disconnected while serving /{CANARY}"), "Client disconnected while serving"),
        (lambda log: log.warning(f"Invalid request from ip=10.1.2.3: {CANARY}"), "Invalid request from ip"),
    ],
)
def test_of_a_librarys_sentence_only_its_own_words_and_numbers_are_kept(logs: Any, say: Any, written: str) -> None:
    say(logging.getLogger("some.library"))
    [line] = logs()
    assert line["event"] == written
    assert (line["level"], line["logger"]) == ("warning", "some.library")


@pytest.mark.parametrize("log", [logging.getLogger("some.library"), structlog.stdlib.get_logger("zhibu")])
def test_an_exception_is_told_by_its_type_and_place_and_not_by_its_words(logs: Any, log: Any) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        log.exception("failed")
    [line] = logs()
    assert (line["event"], line["error"]) == ("failed", "ValueError")
    assert re.fullmatch(r"test_operations\.py:\d+:test_an_exception_is_told_by_its_type_and_place_and_not_by_its_words", line["where"][-1])
    assert CANARY not in json.dumps(line, ensure_ascii=False)


def test_the_demo_writes_for_people() -> None:
    with logs_of_this_process(readable=True) as written:
        structlog.get_logger("zhibu").info("moved", branch="D0101")
    assert "moved" in written.getvalue()
    assert "branch=D0101" in written.getvalue()
    assert "{" not in written.getvalue()


# ── alive and ready ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_process_lives_without_its_database_and_is_not_ready(nowhere: Engine) -> None:
    client = create_app(nowhere, settings_of_tests()).test_client()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()) == (503, {"database": "away", "migrations": None, "worker": None})


def test_a_database_that_is_not_at_the_newest_migration_is_not_ready(house: House) -> None:
    with transaction(house.engine, actor=None) as session:
        present = session.scalar(text("select version_num from alembic_version"))
    current = create_app(house.engine, settings_of_tests(), newest_migration=present).test_client().get("/readyz")
    assert (current.status_code, current.get_json()["migrations"]) == (200, "ok")
    behind = create_app(house.engine, settings_of_tests(), newest_migration="a newer one").test_client().get("/readyz")
    assert (behind.status_code, behind.get_json()["migrations"]) == (503, "behind")


def test_a_database_nobody_migrated_is_not_ready(superuser: str) -> None:
    engine = create_engine(superuser)
    ready = create_app(engine, settings_of_tests(), newest_migration="some").test_client().get("/readyz")
    engine.dispose()
    assert (ready.status_code, ready.get_json()["migrations"]) == (503, "behind")


def test_a_worker_that_does_not_tick_is_shown_and_no_503(app: Flask, school: Engine) -> None:
    client = app.test_client()
    never = client.get("/readyz")
    assert (never.status_code, never.get_json()["worker"]) == (200, {"last_tick": None, "oldest_unsent": None})
    with transaction(school, actor="worker") as session:
        beat(session)
        session.execute(text("update worker_heartbeat set last_tick = '2024-12-20T02:00:00Z'"))
    long_ago = client.get("/readyz")
    assert (long_ago.status_code, long_ago.get_json()["worker"]["last_tick"]) == (200, "2024-12-20T02:00:00Z")


def test_a_tick_of_which_a_step_failed_does_not_look_like_one_that_ended(app: Flask, school: Engine) -> None:
    client = app.test_client()

    def last_tick() -> object:
        return client.get("/readyz").get_json()["worker"]["last_tick"]

    with transaction(school, actor="worker") as session:
        beat(session, "derive KeyError")
    assert last_tick() is None
    assert "zhibu_worker_heartbeat_seconds" not in numbers(client)
    with transaction(school, actor="worker") as session:
        beat(session)
    whole = last_tick()
    assert whole is not None
    with transaction(school, actor="worker") as session:
        beat(session, "derive KeyError")
    assert last_tick() == whole


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def numbers(client: Any) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    lines = [line.rpartition(" ") for line in answer.get_data(as_text=True).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_the_numbers_count_requests_letters_processes_and_the_worker(app: Flask, school: Engine, office: Client, clock: Clock) -> None:
    office.get("/cycles/2024/branches/D0101")
    office.get("/cycles/2024/branches/D0201")
    office.get("/cycles/2024/branches/NONE")
    unsent = settings_of_tests(smtp_url=f"smtp://127.0.0.1:{free_port()}")
    tick(school, unsent, NOW)
    with transaction(school, actor="worker") as session:
        age_heartbeat(session, timedelta(minutes=10))
        session.execute(text("update letter set created_at = now() - interval '10 minutes'"))
    clock.now = NOW + timedelta(days=1)
    found = numbers(app.test_client())
    [rule] = [f"/api/v1{route.rule}" for route in ROUTES if route.rule.endswith("/branches/<code>") and route.method == "GET"]
    assert found[f'zhibu_http_requests_total{{method="GET",rule="{rule}",status="200"}}'] == 2
    assert found[f'zhibu_http_requests_total{{method="GET",rule="{rule}",status="404"}}'] == 1
    assert found[f'zhibu_http_request_seconds_count{{method="GET",rule="{rule}"}}'] == 3
    assert found['zhibu_letters{state="pending"}'] == 3, "two secretaries' reminders and the office's digest"
    assert found['zhibu_letters{state="sent"}'] == 0
    # By the database's clock, which a server's own cannot turn.
    assert 600 <= found["zhibu_oldest_unsent_letter_seconds"] < 660
    assert 600 <= found["zhibu_worker_heartbeat_seconds"] < 660
    assert found['zhibu_processes{cycle="2024",kind="appraisal",stage="study"}'] == 2
    assert found["zhibu_database_up"] == 1


def test_the_numbers_name_nobody_and_a_caller_cannot_make_up_labels(house: House) -> None:
    client = house.app.test_client()
    client.open("/api/v1/no/such/张三", method="GET")
    client.open("/api/v1/me?name=张三", method="ZHANGSAN")
    told = client.get("/metrics").get_data(as_text=True)
    assert "张三" not in told
    assert "ZHANGSAN" not in told
    assert 'method="other"' in told
    assert "D0101" not in told


def test_the_numbers_are_there_while_the_database_is_away(nowhere: Engine) -> None:
    client = create_app(nowhere, settings_of_tests()).test_client()
    client.get("/healthz")
    found = numbers(client)
    assert found["zhibu_database_up"] == 0
    assert found['zhibu_http_requests_total{method="GET",rule="/healthz",status="200"}'] == 1


@pytest.mark.parametrize(
    ("settings", "client", "headers", "status"),
    [
        ({}, "127.0.0.1", {}, 200),
        ({}, "::1", {}, 200),
        ({}, "::ffff:127.0.0.1", {}, 200),
        ({}, "203.0.113.7", {}, 403),
        ({}, "", {}, 403),
        ({}, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ({}, "127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ({"trusted_proxies": 1}, "127.0.0.1", {}, 200),
        ({"trusted_proxies": 1}, "127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}, 403),
        ({"trusted_proxies": 1}, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1, 203.0.113.7"}, 403),
        ({"trusted_proxies": 1}, "127.0.0.1", {"X-Forwarded-For": "203.0.113.7, 127.0.0.1"}, 200),
        ({"metrics_from": "10.0.0.0/8, 192.0.2.9"}, "192.0.2.9", {}, 200),
        ({"metrics_from": "10.0.0.0/8, 192.0.2.9"}, "10.1.2.3", {}, 200),
        ({"metrics_from": "10.0.0.0/8, 192.0.2.9"}, "127.0.0.1", {}, 403),
        ({"metrics_from": ""}, "127.0.0.1", {}, 403),
    ],
)
def test_the_numbers_are_told_to_allowed_addresses_alone(
    nowhere: Engine, settings: dict[str, Any], client: str, headers: dict[str, str], status: int
) -> None:
    app = create_app(nowhere, settings_of_tests(**settings))
    answer = app.test_client().get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": client})
    assert answer.status_code == status
    assert ("zhibu_http_requests" in answer.get_data(as_text=True)) == (status == 200)
    assert status == 200 or "ZHIBU_METRICS_FROM" in answer.get_json()["detail"]


@pytest.mark.parametrize("path", ["/metrics/", "/metrics%2f", "/metrics%2F", "/metrics//", "/metrics;x", "/Metrics"])
def test_the_numbers_have_one_spelling(nowhere: Engine, path: str) -> None:
    assert create_app(nowhere, settings_of_tests()).test_client().get(path).status_code == 404


# ── not enough ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_when_no_connection_is_free_the_caller_is_told_to_come_again(house: House) -> None:
    engine = create_engine(house.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    client = create_app(engine, settings_of_tests(), clock=house.clock).test_client()
    with engine.connect():
        answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {house.as_('office').token}"})
        assert (answer.status_code, answer.mimetype, answer.headers["Retry-After"]) == (503, "application/problem+json", "1")
        assert client.get("/readyz").status_code == 503
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {house.as_('office').token}"}).status_code == 200
    engine.dispose()
