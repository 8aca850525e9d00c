"""Worker processes and their mail server: killed, frozen, held at any step of a letter.

Everything is real: processes, PostgreSQL, SMTP, signals.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from sqlalchemy import Engine

from tests.support.mail_server import DROP, MailServer
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import LetterState
from workflow.mail.items import letters_of
from workflow.mail.letters import Rendered
from workflow.mail.outbox import Letter, NewLetter, enqueue
from workflow.people.organisation import Person

PROJECT = Path(__file__).parents[3]
SOON = 60
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

    ``DROP`` drops the line. The first time that a sender comes to the step ``stops_at``, the server
    says nothing before the test lets it ``go_on``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arrived: SimpleQueue[Held] = SimpleQueue()
        self.all: list[Held] = []
        self.stops_at: str | None = None
        self.stopped, self.go_on = threading.Event(), threading.Event()

    async def at(self, step: str) -> None:
        if self.stops_at == step:
            self.stops_at = None
            self.stopped.set()
            await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, SOON)

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> list[str]:  # noqa: N802
        session.host_name = hostname
        await self.at("EHLO")
        return responses

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        await self.at("RCPT")
        return await super().handle_RCPT(server, session, envelope, address, options)

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


class _Protocol(SMTP):  # type: ignore[misc]
    """Can be held before it asks for the content of a letter, too."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        await self.event_handler.at("DATA")
        await super().smtp_DATA(arg)


class _Holding(Controller):  # type: ignore[misc]
    def factory(self) -> Any:
        return _Protocol(self.handler, **self.SMTP_kwargs)


@contextmanager
def holding_server() -> Iterator[HoldingServer]:
    """Run the server until the block ends; then every letter still held is refused."""
    server = HoldingServer()
    controller = _Holding(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        server.go_on.set()
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


@contextmanager
def workers_of(logs: Path, database_url: str, smtp_url: str) -> Iterator[Callable[..., Worker]]:
    """Yield a function that starts one more worker; all are killed in the end.

    ``start("tests.schedulers.test_crashes")`` starts one whose clock begins at ``builders.NOW``.
    """
    workers: list[Worker] = []
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}

    def one_more(*module: str, url: str = database_url, **settings: str) -> Worker:
        given = {
            "ZHIBU_DATABASE_URL": url,
            "ZHIBU_SMTP_URL": smtp_url,
            "ZHIBU_MAIL_FROM": "zhibu@school.example",
            "ZHIBU_SECRET_KEY": "a secret of the tests' own",
            "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn",
            "ZHIBU_TICK_SECONDS": "0.1",
            "ZHIBU_DATA_DIR": str(logs),
            **{f"ZHIBU_{name.upper()}": value for name, value in settings.items()},
        }
        log = logs / f"worker-{len(workers)}.log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", *(module or ("cli", "worker"))]
            workers.append(Worker(subprocess.Popen(command, cwd=PROJECT, env={**kept, **given}, stdout=output, stderr=output), log))
        return workers[-1]

    try:
        yield one_more
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.signal(signal.SIGCONT)
                worker.kill()


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
