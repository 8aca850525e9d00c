"""Restarts under load: nobody is refused, no answer is lost, nothing is done twice.

``pytest --thorough tests/system/test_restarts.py`` prints the figure of docs/promises.md.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.api.conftest import B
from tests.support.builders import a_school
from tests.support.mail_server import mail_server
from tests.support.running.deployed import PATIENCE_SECONDS, Front, Web, a_front, a_token, a_web, settings, wait_until
from workflow.foundation.database import transaction

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
RESTARTS, WRITERS, READERS = 3, 6, 6
BETWEEN = 100
"""The requests answered before, between and after restarts."""


@dataclass
class Seen:
    """Answers by status, and requests that had none, by the kind of the failure."""

    answers: Counter[int] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    longest: float = 0

    def __str__(self) -> str:
        slow = f"the longest wait was {self.longest:.1f} s"
        return f"{self.answers.total()} requests answered, {dict(self.answers)}; unanswered: {dict(self.unanswered)}; {slow}"


class Load:
    """Callers who read and write through nginx, half of them with a connection for each request."""

    def __init__(self, front: Front, token: str) -> None:
        self.front, self.token, self.seen, self.ends = front, token, Seen(), Event()

    @contextmanager
    def running(self) -> Iterator[Seen]:
        with ThreadPoolExecutor(READERS + WRITERS) as pool:
            going = [pool.submit(self._go_on, number) for number in range(READERS + WRITERS)]
            try:
                yield self.seen
            finally:
                self.ends.set()
                for each in going:
                    each.result(PATIENCE_SECONDS * 2)

    def _go_on(self, number: int) -> None:
        writes, keeps = number < WRITERS, number % 2 == 0
        kept = self.front.client(self.token)
        for turn in range(1_000_000):
            if self.ends.is_set():
                break
            client = kept if keeps else self.front.client(self.token)
            name, began = f"{number}-{turn}", time.monotonic()
            try:
                answer = self._write(client, name) if writes else client.get(f"/api/v1{B}" if turn % 2 else "/api/v1/me")
            except httpx.TransportError as error:
                self.seen.unanswered[type(error).__name__] += 1
            else:
                self.seen.answers[answer.status_code] += 1
                if answer.status_code == 201:
                    self.seen.acknowledged.append(name)
            self.seen.longest = max(self.seen.longest, time.monotonic() - began)
            if not keeps:
                client.close()
        kept.close()

    def _write(self, client: httpx.Client, name: str) -> httpx.Response:
        study = {"held_on": "2024-12-18", "exchange": name}
        return client.post(f"/api/v1{B}/study-sessions", json=study, headers={"Idempotency-Key": f"restart-{name}-key"})


@contextmanager
def a_worker(project: Path, log: Path, environ: dict[str, str]) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "cli", "worker"], cwd=project, env=environ, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text(encoding="utf-8")


def go_on(seen: Seen, web: Web) -> None:
    so_far = seen.answers.total()
    wait_until(lambda: seen.answers.total() > so_far + BETWEEN, web.log)


def written(engine: Engine) -> Counter[str]:
    with transaction(engine, actor=None) as session:
        return Counter(dict(session.execute(text("select exchange, count(*) from study_session group by exchange")).all()))


def test_restarts_under_load_refuse_nobody_and_lose_nothing(
    project: Path, tmp_path: Path, engine: Engine, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        token = a_token(session, "张三")
    with mail_server() as mail:
        environ = settings(database_url, tmp_path, ZHIBU_SMTP_URL=mail.url, ZHIBU_TICK_SECONDS="1")
        with a_web(project, tmp_path, environ) as web, a_front(project, tmp_path, web.port) as front, Load(front, token).running() as seen:
            for _ in range(RESTARTS):
                with a_worker(project, tmp_path / "worker.log", environ):
                    go_on(seen, web)
                    web.restart()
                    wait_until(web.is_ready, web.log)
            go_on(seen, web)
    with capsys.disabled():
        sys.stdout.write(f"\n{RESTARTS} restarts of web and worker: {seen}; {len(seen.acknowledged)} writes acknowledged\n")
    assert (set(seen.answers), seen.unanswered.total()) == ({200, 201}, 0), str(seen)
    assert len(seen.acknowledged) > RESTARTS * WRITERS
    done = written(engine)
    assert [name for name in seen.acknowledged if done[name] != 1] == []
    assert done.total() == len(seen.acknowledged), "nothing was done that was not told"
