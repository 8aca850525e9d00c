"""Letters when workers are killed or stopped, the database restarts, the mail server misbehaves.

Everything is real: processes, PostgreSQL, SMTP, signals.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest
from sqlalchemy import Engine

import migrations
from schedulers.worker import run_worker
from tests.support.builders import NOW, a_branch, a_school
from tests.support.mail_server import DROP
from tests.support.running.workers import NO, SOON, YES, HoldingServer, Worker, fate, ledger, queue, until
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import LetterState
from workflow.mail.heartbeat import heartbeat
from workflow.year.finding import cycle_by_year
from workflow.year.following import open_processes

pytestmark = pytest.mark.slow


def main() -> None:
    """Run a worker whose clock begins at ``builders.NOW``."""
    settings, began, stop = read_settings(), time.monotonic(), Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    engine = engine_for(settings.database_url or "")
    run_worker(engine, settings, stop, clock=lambda: NOW + timedelta(seconds=time.monotonic() - began), skew_borne=timedelta.max)


# ── workers that die, sleep, or are two ───────────────────────────────────────────────────────────────────────────────


def test_two_workers_at_once_write_and_send_each_letter_once(engine: Engine, holding: HoldingServer, start: Callable[..., Worker]) -> None:
    workers = [start("tests.schedulers.test_crashes") for _ in range(2)]
    until(lambda: all("worker-started" in worker.said() for worker in workers), lambda: [worker.said() for worker in workers])
    with transaction(engine, actor="cli") as session:
        a_school(session)
        for number in range(12):
            people = [f"b{number}s", f"b{number}c", f"b{number}k", f"b{number}m"]
            a_branch(session, code=f"X{number:03d}", members=people, committee=people[:3])
        open_processes(session, cycle_by_year(session, 2024), now=NOW - timedelta(days=1))
    expected = 1 + 2 + 12  # the week of the office, and a letter to each secretary
    for _ in range(expected):
        # Answered one behind the other, so that both workers hold a letter at a time.
        one, other = holding.next(), holding.arrived.get(timeout=SOON) if len(holding.all) < expected else None
        one.answer.put(YES)
        if other is not None:
            other.answer.put(YES)
        if len(holding.all) >= expected and holding.arrived.empty():
            break
    until(lambda: {letter.state for letter in ledger(engine).values()} == {LetterState.SENT}, lambda: ledger(engine))
    written = ledger(engine).values()
    assert len(written) == expected
    assert sorted(held.message_id for held in holding.all) == sorted(f"<{letter.message_id}@school.example>" for letter in written)
    assert {letter.attempts for letter in written} == {1}
    assert all("outcome=sent" in worker.said() or '"outcome": "sent"' in worker.said() for worker in workers)


def test_a_worker_that_is_killed_while_it_sends_leaves_one_resend_with_the_same_message_id(
    engine: Engine, holding: HoldingServer, start: Callable[..., Worker]
) -> None:
    queue(engine, "w5")
    worker = start(lease_seconds="2")
    first = holding.next()
    worker.kill()
    assert fate(engine) == (LetterState.SENDING, 1)
    start(lease_seconds="2")
    second = holding.next()
    second.answer.put(YES)
    until(lambda: fate(engine) == (LetterState.SENT, 2), lambda: fate(engine))
    assert first.message_id == second.message_id
    assert ledger(engine)["w5"].next_at is None


def test_a_letter_whose_two_senders_were_killed_stays_unknown(engine: Engine, holding: HoldingServer, start: Callable[..., Worker]) -> None:
    queue(engine, "w5")
    for _ in range(2):
        worker = start(lease_seconds="1")
        holding.next()
        worker.kill()
    start(lease_seconds="1")
    until(lambda: fate(engine) == (LetterState.UNKNOWN, 2), lambda: fate(engine))
    # Only now: a worker that starts within the lease would take this one first, and the server
    # holds it until the test has answered.
    queue(engine, "l4")
    holding.next().answer.put(YES)
    until(lambda: fate(engine, "l4") == (LetterState.SENT, 1), lambda: fate(engine, "l4"))
    assert [held.recipient for held in holding.all] == ["w5@school.example"] * 2 + ["l4@school.example"]


def test_a_worker_that_sleeps_past_its_lease_does_not_settle_what_another_holds(
    engine: Engine, holding: HoldingServer, start: Callable[..., Worker]
) -> None:
    queue(engine, "w5")
    sleeper = start(lease_seconds="2")
    first = holding.next()
    sleeper.signal(signal.SIGSTOP)
    start(lease_seconds="60")
    second = holding.next()
    first.answer.put(NO)
    sleeper.signal(signal.SIGCONT)
    until(lambda: "refused" in sleeper.said(), sleeper.said)
    assert fate(engine) == (LetterState.SENDING, 2)
    second.answer.put(YES)
    until(lambda: fate(engine) == (LetterState.SENT, 2), lambda: fate(engine))
    assert [held.message_id for held in holding.all] == [first.message_id] * 2


def test_a_worker_that_is_told_to_stop_finishes_the_letter_in_flight_and_takes_no_other(
    engine: Engine, holding: HoldingServer, start: Callable[..., Worker]
) -> None:
    queue(engine, "w5", "l4")
    worker = start()
    held = holding.next()
    worker.signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(0.5)
    assert worker.process.poll() is None
    held.answer.put(YES)
    assert worker.process.wait(SOON) == 0, worker.said()
    assert fate(engine, "w5") == (LetterState.SENT, 1)
    assert fate(engine, "l4") == (LetterState.PENDING, 0)


# ── a database that goes away ─────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def a_database_of_its_own() -> Iterator[tuple[Path, str]]:
    """Run a migrated database on a server that no other test uses.

    Yields its folder and the application's URL.
    """
    with TemporaryDirectory(prefix="zhibu-tests-") as folder, embedded_postgres(Path(folder)) as superuser:
        owner, application = migrations.prepare_embedded(superuser)
        migrations.migrate(owner, application)
        yield Path(folder), application


def stop_postgres(folder: Path) -> None:
    """Stop a server at once; all its connections are cut."""
    file = folder / "postgres" / "postmaster.pid"
    os.kill(int(file.read_text().splitlines()[0]), signal.SIGINT)
    until(lambda: not file.exists())


def test_a_database_that_restarts_while_a_letter_is_sent_costs_neither_the_letter_nor_the_worker(
    holding: HoldingServer, start: Callable[..., Worker]
) -> None:
    with a_database_of_its_own() as (folder, url):
        engine = engine_for(url)
        queue(engine, "w5")
        worker = start(url=url)
        held = holding.next()
        stop_postgres(folder)
        held.answer.put(YES)  # taken while nobody can write it down
        time.sleep(0.2)
        with embedded_postgres(folder):
            until(lambda: fate(engine) == (LetterState.SENT, 1), worker.said)
            queue(engine, "l4")
            holding.next().answer.put(YES)
            until(lambda: fate(engine, "l4") == (LetterState.SENT, 1), worker.said)
            assert worker.process.poll() is None
            assert len(holding.all) == 2
            worker.kill()
            engine.dispose()


def test_a_worker_ticks_again_when_the_database_is_back(holding: HoldingServer, start: Callable[..., Worker]) -> None:
    with a_database_of_its_own() as (folder, url):
        engine = engine_for(url)

        def has_ticked_since(moment: datetime) -> bool:
            with transaction(engine, actor=None) as session:
                seen = heartbeat(session)
            return seen is not None and (seen.last_tick or moment) > moment

        worker = start(url=url)
        until(lambda: has_ticked_since(datetime.min.replace(tzinfo=UTC)), worker.said)
        stop_postgres(folder)
        until(lambda: "tick-failed" in worker.said(), worker.said)
        with embedded_postgres(folder):
            back = datetime.now(UTC)
            until(lambda: has_ticked_since(back), worker.said)
            assert worker.process.poll() is None
            worker.kill()
            engine.dispose()


# ── a mail server that misbehaves ─────────────────────────────────────────────────────────────────────────────────────


def test_each_misbehaviour_of_the_mail_server_costs_its_own_letter_alone(
    engine: Engine, holding: HoldingServer, start: Callable[..., Worker]
) -> None:
    queue(engine, "later", "never", "dropped", "hung", "well")
    start(smtp_timeout_seconds="0.5")
    answers = {"later": "451 later", "never": NO, "dropped": DROP, "well": YES}
    for _ in range(5):
        held = holding.next()
        name = held.recipient.partition("@")[0]
        if name in answers:
            held.answer.put(answers[name])
    until(lambda: fate(engine, "well")[0] is LetterState.SENT, lambda: ledger(engine))
    assert {name: (letter.state, letter.error, letter.next_at is not None) for name, letter in ledger(engine).items()} == {
        "later": (LetterState.PENDING, "CONTENT 451", True),
        "never": (LetterState.FAILED, "CONTENT 550", False),
        "dropped": (LetterState.UNKNOWN, "CONTENT lost", True),
        "hung": (LetterState.UNKNOWN, "CONTENT lost", True),
        "well": (LetterState.SENT, None, False),
    }
    assert {letter.attempts for letter in ledger(engine).values()} == {1}


if __name__ == "__main__":
    main()
