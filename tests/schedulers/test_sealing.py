"""The worker seals the history at once and again and again, whatever mail and reminders do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

import schedulers.worker
from schedulers.sealing import seal_and_go_on
from schedulers.worker import run_worker
from tests.support.builders import a_school, person
from tests.support.mail_server import free_port
from tests.support.seals import SECRET, verified
from workflow.foundation.database import transaction
from workflow.foundation.seals.sealing import last_seal
from workflow.foundation.settings import Settings

SOON = 10
"""The most seconds that a test waits for a seal."""


@pytest.fixture
def school(engine: Engine) -> Engine:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    return engine


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose mail server is away: letters wait, seals do not."""
    smtp_url = f"smtp://127.0.0.1:{free_port()}"
    given = {"smtp_url": smtp_url, "base_url": "https://zhibu.example.edu.cn", "secret_key": SECRET, "data_dir": tmp_path}
    return Settings.model_validate(given)


@pytest.fixture
def running(school: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a worker that seals five times a second."""
    monkeypatch.setattr(schedulers.worker, "SEAL_SECONDS", 0.2)
    stop = Event()
    worker = Thread(target=run_worker, args=(school, settings, stop))
    worker.start()
    yield
    stop.set()
    worker.join(SOON)
    assert not worker.is_alive()


def wait_for(engine: Engine, number: int) -> None:
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        with transaction(engine, actor=None) as session:
            last = last_seal(session)
        if last is not None and last.number >= number:
            return
        time.sleep(0.05)
    raise AssertionError(f"seal {number} was not made")


@pytest.mark.slow
def test_the_worker_seals_at_its_start_and_what_is_written_later(school: Engine, running: None) -> None:
    wait_for(school, 1)
    with transaction(school, actor="cli") as session:
        person(session, "王五").email = "wang5@school.example"
    wait_for(school, 2)
    assert verified(school).fault is None
    assert verified(school).unsealed == 0


def test_a_round_that_fails_is_logged_without_texts_and_the_next_one_seals(school: Engine, settings: Settings, owner_url: str) -> None:
    owner = create_engine(owner_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.execute(text("alter table history_seal rename to away"))
        with capture_logs() as logs:
            seal_and_go_on(school, settings, Event())
        assert logs == [{"event": "sealing-failed", "error": "ProgrammingError", "sqlstate": "42P01", "log_level": "error"}]
        connection.execute(text("alter table away rename to history_seal"))
    seal_and_go_on(school, settings, Event())
    assert verified(school).unsealed == 0


def test_a_worker_that_is_told_to_stop_does_not_wait_for_older_changes(school: Engine, settings: Settings) -> None:
    with transaction(school, actor="cli") as session:
        person(session, "王五").email = "wang5@school.example"
        session.flush()
        stop = Event()
        stop.set()
        began = time.monotonic()
        seal_and_go_on(school, settings, stop)
        assert time.monotonic() - began < SOON
    with transaction(school, actor=None) as session:
        assert last_seal(session) is None
