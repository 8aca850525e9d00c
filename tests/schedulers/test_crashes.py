"""Letters when workers are killed or stopped, the database restarts, the mail server misbehaves.

Everything is real: processes, PostgreSQL, SMTP, signals.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine

import migrations
from schedulers.worker import run_worker
from tests.support.builders import NOW, a_branch, a_school
from tests.support.mail_server import DROP, MailServer
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import LetterState
from workflow.mail.heartbeat import heartbeat
from workflow.mail.items import letters_of
from workflow.mail.letters import Rendered
from workflow.mail.outbox import Letter, NewLetter, enqueue
from workflow.people.organisation import Person
from workflow.year.finding import cycle_by_year
from workflow.year.following import open_processes

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
SOON = 20
"""The most seconds that a test waits for an event."""
YES, NO = "250 OK", "550 no"


@dataclass(frozen=True)
class Held:
    """A letter that the server has and has not answered yet."""

    recipient: str
    message_id: str
    answer: SimpleQueue[str] = field(default_factory=SimpleQueue)


class HoldingServer(MailServer):
    """A mail server that takes each letter and then waits for the test to give its answer.

    ``DROP`` drops the line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arrived: SimpleQueue[Held] = SimpleQueue()
        self.all: list[Held] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        held = Held(envelope.rcpt_tos[0], str(message_from_bytes(envelope.content)["Message-ID"]))
        self.all.append(held)
        self.arrived.put(held)
        answer = await asyncio.get_running_loop().run_in_executor(None, held.answer.get)
        if answer == DROP:
            server.transport.abort()
        return answer

    def next(self) -> Held:
        try:
            return self.arrived.get(timeout=SOON)
        except Empty:
            raise AssertionError("no letter arrived") from None


@pytest.fixture
def server() -> Iterator[HoldingServer]:
    server = HoldingServer()
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        for held in server.all:
            held.answer.put(NO)
        controller.stop()


@dataclass(frozen=True)
class Worker:
    """A worker process and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SOON)

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@pytest.fixture
def start(tmp_path: Path, server: HoldingServer, database_url: str) -> Iterator[Callable[..., Worker]]:
    """``start()`` starts one more worker.

    ``start("tests.schedulers.test_crashes")`` starts one whose clock begins at ``builders.NOW``.
    """
    workers: list[Worker] = []
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}

    def one_more(*module: str, url: str = database_url, **settings: str) -> Worker:
        given = {
            "ZHIBU_DATABASE_URL": url,
            "ZHIBU_SMTP_URL": server.url,
            "ZHIBU_MAIL_FROM": "zhibu@school.example",
            "ZHIBU_SECRET_KEY": "a secret of the tests' own",
            "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn",
            "ZHIBU_TICK_SECONDS": "0.1",
            "ZHIBU_DATA_DIR": str(tmp_path),
            **{f"ZHIBU_{name.upper()}": value for name, value in settings.items()},
        }
        log = tmp_path / f"worker-{len(workers)}.log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", *(module or ("cli", "worker"))]
            workers.append(Worker(subprocess.Popen(command, cwd=PROJECT, env={**kept, **given}, stdout=output, stderr=output), log))
        return workers[-1]

    yield one_more
    for worker in workers:
        if worker.process.poll() is None:
            worker.signal(signal.SIGCONT)
            worker.kill()


def main() -> None:
    """Run a worker whose clock begins at ``builders.NOW``."""
    settings, began, stop = read_settings(), time.monotonic(), Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    engine = engine_for(settings.database_url or "")
    run_worker(engine, settings, stop, clock=lambda: datetime.fromtimestamp(NOW.timestamp() + time.monotonic() - began, UTC))


def queue(engine: Engine, *names: str) -> None:
    """Queue one letter to each, to be sent now."""
    with transaction(engine, actor="cli") as session:
        now = datetime.now(UTC)
        for name in names:
            person = Person(staff_no=name, name=name, email=None, branch_id=None, standing=None)
            session.add(person)
            session.flush()
            words = Rendered("一封信", "您好。\n", "<p>您好。</p>\n")
            letter = NewLetter(kind="returned", recipient_id=person.id, recipient_name=name, address=f"{name}@school.example", words=words)
            assert enqueue(session, [letter], now) == 1


def ledger(engine: Engine) -> dict[str, Letter]:
    """Read the letters, by the 学工号 of the recipient."""
    with transaction(engine, actor=None) as session:
        return {letter.recipient_name: letter for letter in letters_of(session, limit=1000)}


def fate(engine: Engine, name: str = "w5") -> tuple[LetterState, int]:
    """Read the state of a letter and the number of its tries."""
    letter = ledger(engine)[name]
    return letter.state, letter.attempts


def until(holds: Callable[[], bool], what: Callable[[], object] = lambda: "") -> None:
    """Wait until it holds; fail when ``SOON`` is over."""
    give_up = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < give_up, what()
        time.sleep(0.02)


# ── workers that die, sleep, or are two ───────────────────────────────────────────────────────────────────────────────


def test_two_workers_at_once_write_and_send_each_letter_once(engine: Engine, server: HoldingServer, start: Callable[..., Worker]) -> None:
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
        one, other = server.next(), server.arrived.get(timeout=SOON) if len(server.all) < expected else None
        one.answer.put(YES)
        if other is not None:
            other.answer.put(YES)
        if len(server.all) >= expected and server.arrived.empty():
            break
    until(lambda: {letter.state for letter in ledger(engine).values()} == {LetterState.SENT}, lambda: ledger(engine))
    written = ledger(engine).values()
    assert len(written) == expected
    assert sorted(held.message_id for held in server.all) == sorted(f"<{letter.message_id}@school.example>" for letter in written)
    assert {letter.attempts for letter in written} == {1}
    assert all("outcome=sent" in worker.said() or '"outcome": "sent"' in worker.said() for worker in workers)


def test_a_worker_that_is_killed_while_it_sends_leaves_one_resend_with_the_same_message_id(
    engine: Engine, server: HoldingServer, start: Callable[..., Worker]
) -> None:
    queue(engine, "w5")
    worker = start(lease_seconds="2")
    first = server.next()
    worker.kill()
    assert fate(engine) == (LetterState.SENDING, 1)
    start(lease_seconds="2")
    second = server.next()
    second.answer.put(YES)
    until(lambda: fate(engine) == (LetterState.SENT, 2), lambda: fate(engine))
    assert first.message_id == second.message_id
    assert ledger(engine)["w5"].next_at is None


def test_a_letter_whose_two_senders_were_killed_stays_unknown(engine: Engine, server: HoldingServer, start: Callable[..., Worker]) -> None:
    queue(engine, "w5")
    for _ in range(2):
        worker = start(lease_seconds="1")
        server.next()
        worker.kill()
    start(lease_seconds="1")
    until(lambda: fate(engine) == (LetterState.UNKNOWN, 2), lambda: fate(engine))
    # Only now: a worker that starts within the lease would take this one first, and the server
    # holds it until the test has answered.
    queue(engine, "l4")
    server.next().answer.put(YES)
    until(lambda: fate(engine, "l4") == (LetterState.SENT, 1), lambda: fate(engine, "l4"))
    assert [held.recipient for held in server.all] == ["w5@school.example"] * 2 + ["l4@school.example"]


def test_a_worker_that_sleeps_past_its_lease_does_not_settle_what_another_holds(
    engine: Engine, server: HoldingServer, start: Callable[..., Worker]
) -> None:
    queue(engine, "w5")
    sleeper = start(lease_seconds="2")
    first = server.next()
    sleeper.signal(signal.SIGSTOP)
    start(lease_seconds="60")
    second = server.next()
    first.answer.put(NO)
    sleeper.signal(signal.SIGCONT)
    until(lambda: "refused" in sleeper.said(), sleeper.said)
    assert fate(engine) == (LetterState.SENDING, 2)
    second.answer.put(YES)
    until(lambda: fate(engine) == (LetterState.SENT, 2), lambda: fate(engine))
    assert [held.message_id for held in server.all] == [first.message_id] * 2


def test_a_worker_that_is_told_to_stop_finishes_the_letter_in_flight_and_takes_no_other(
    engine: Engine, server: HoldingServer, start: Callable[..., Worker]
) -> None:
    queue(engine, "w5", "l4")
    worker = start()
    held = server.next()
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
    server: HoldingServer, start: Callable[..., Worker]
) -> None:
    with a_database_of_its_own() as (folder, url):
        engine = engine_for(url)
        queue(engine, "w5")
        worker = start(url=url)
        held = server.next()
        stop_postgres(folder)
        held.answer.put(YES)  # taken while nobody can write it down
        time.sleep(0.2)
        with embedded_postgres(folder):
            until(lambda: fate(engine) == (LetterState.SENT, 1), worker.said)
            queue(engine, "l4")
            server.next().answer.put(YES)
            until(lambda: fate(engine, "l4") == (LetterState.SENT, 1), worker.said)
            assert worker.process.poll() is None
            assert len(server.all) == 2
            worker.kill()
            engine.dispose()


def test_a_worker_ticks_again_when_the_database_is_back(server: HoldingServer, start: Callable[..., Worker]) -> None:
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


def test_each_misbehaviour_of_the_mail_server_costs_its_own_letter_alone(engine: Engine, server: HoldingServer, start: Callable[..., Worker]) -> None:
    queue(engine, "later", "never", "dropped", "hung", "well")
    start(smtp_timeout_seconds="0.5")
    answers = {"later": "451 later", "never": NO, "dropped": DROP, "well": YES}
    for _ in range(5):
        held = server.next()
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
