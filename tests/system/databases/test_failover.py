"""A pair of servers under load loses its primary, and nothing that was acknowledged.

Servers, services, network and signals are real. ``pytest --thorough -s`` prints the figures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from tests.support.mail_server import free_port
from tests.support.running.outages import PATIENCE_SECONDS, Database, Service, served, status, wait_until
from tests.support.running.pair import Pair, a_pair
from workflow.foundation.addresses import database_address
from workflow.foundation.embedded import bin_path

pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.alone]
CALLERS, BEFORE_SECONDS, AFTER_SECONDS = 6, 3, 3
BRANCH = "/api/v1/cycles/2024/branches/D0101"


@dataclass
class Callers:
    """Callers who record study sessions, one after the other, and repeat each until it is done."""

    address: str
    token: str
    waits: bool
    """Whether the new primary waits for a standby in its turn; it names the writes of this run."""
    done: list[str] = field(default_factory=list)
    answered_at: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> Callers:
        self.threads = [Thread(target=self._call, args=(number,)) for number in range(CALLERS)]
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for each in self.threads:
            each.join()

    def _call(self, number: int) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            self._record(f"{'waits' if self.waits else 'alone'}-{number}-{count}")

    def _record(self, name: str) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": f"failover-{name}"}
        while True:
            answer = httpx.post(
                f"{self.address}{BRANCH}/study-sessions", json={"held_on": "2024-12-18", "exchange": f"pair {name}"}, headers=headers, timeout=60
            )
            if answer.status_code == 201:
                self.answered_at.append(time.monotonic())
                self.done.append(f"pair {name}")
                return
            self.refused.append(answer.status_code)
            time.sleep(0.2)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with a_pair() as made:
        yield made


def run(pair: Pair, project: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the pair."""
    return subprocess.run(list(words), cwd=project, env=environment(pair, folder), capture_output=True, text=True, check=False)


def environment(pair: Pair, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    ours = {
        "ZHIBU_DATABASE_URL": pair.url(),
        "ZHIBU_OWNER_DATABASE_URL": pair.url("zhibu_owner"),
        "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn",
        "ZHIBU_SECRET_KEY": "a" * 20,
        "ZHIBU_SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        "ZHIBU_TICK_SECONDS": "0.5",
        "ZHIBU_DATA_DIR": str(folder),
        "ZHIBU_LANG": "zh",
        "PATH": f"{bin_path()}:{os.environ['PATH']}",
    }
    return {**kept, **ours}


def zhibu(pair: Pair, project: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(pair, project, folder, sys.executable, "-m", "cli", *words)


@pytest.mark.parametrize("waits", [True, False], ids=["waits-for-a-standby", "alone-for-now"])
def test_a_pair_fails_over_and_nothing_acknowledged_is_lost(pair: Pair, project: Path, tmp_path: Path, waits: bool) -> None:
    database = Database(tmp_path, database_address(pair.url()), "")
    token = zhibu(pair, project, tmp_path, "token", "create", "--staff-no", "z3").stdout.strip()
    office = zhibu(pair, project, tmp_path, "token", "create", "--staff-no", "office").stdout.strip()
    with (tmp_path / "worker.log").open("wb") as output:
        worker = subprocess.Popen([sys.executable, "-m", "cli", "worker"], cwd=project, env=environment(pair, tmp_path), stderr=output)
    try:
        with served(database, project, tmp_path / "log", "gunicorn", url=pair.url()) as service, Callers(service.address, token, waits) as callers:
            told = fail_over(pair, service, callers, office)
    finally:
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0
    sys.stdout.write(f"\n{told}\n")
    there = str(pair.primary.ask("select string_agg(exchange, ',') from study_session where exchange like 'pair %'")).split(",")
    word = callers.done[0].partition("-")[0]
    assert sorted(each for each in there if each.startswith(word)) == sorted(callers.done), "acknowledged: each there, and once"
    assert set(callers.refused) <= {503, 409}, "409: the first one with this key still waits for its commit"
    verified = zhibu(pair, project, tmp_path, "verify")
    assert (verified.returncode, "没有被改动" in verified.stdout) == (0, True), verified.stderr


def fail_over(pair: Pair, service: Service, callers: Callers, office: str) -> str:
    """Lose the primary under load, promote, make redundant; describe how it went."""
    headers = {"Authorization": f"Bearer {office}"}
    cursor = httpx.get(f"{service.address}/api/v1/cycles/2024/progress", headers=headers).json()["cursor"]
    time.sleep(BEFORE_SECONDS)
    before, lost_at = len(callers.done), time.monotonic()
    pair.fail_over(waits=callers.waits)
    promoted = time.monotonic() - lost_at
    pair.make_redundant()
    redundant = time.monotonic() - lost_at
    wait_until(lambda: len(callers.done) > before + CALLERS, service)
    well = min(at for at in callers.answered_at if at > lost_at + promoted) - lost_at
    assert well < redundant + PATIENCE_SECONDS
    assert callers.waits is (well > redundant - 1), "where it waits, a commit is answered once there are two again"
    wait_until(lambda: status(f"{service.address}/readyz") == 200, service)
    time.sleep(AFTER_SECONDS)
    heard = httpx.get(f"{service.address}/api/v1/cycles/2024/branches", params={"changed_since": cursor}, headers=headers).json()["items"]
    assert len(heard) == 2, "followers hear everything again"
    assert before > CALLERS
    name = "the new primary waits for a standby" if callers.waits else "the new primary stands alone for now"
    return (
        f"{name}: writes acknowledged {len(callers.done)} ({before} before the loss), lost 0, doubled 0; "
        f"refused with 503 {callers.refused.count(503)}, "
        f"500 {callers.refused.count(500)}; promoted after {promoted:.1f} s, redundant after {redundant:.1f} s, well after {well:.1f} s"
    )


def test_every_command_finds_the_primary_of_the_pair(pair: Pair, project: Path, tmp_path: Path) -> None:
    assert zhibu(pair, project, tmp_path, "migrate").returncode == 0
    made = zhibu(pair, project, tmp_path, "account", "create", "--staff-no", "a1", "--name", "审计", "--role", "auditor")
    assert made.returncode == 0, made.stderr
    kept = run(pair, project, tmp_path, "deploy/backup.sh", str(tmp_path / "backups"))
    assert kept.returncode == 0, kept.stderr
    [primary] = [each for each in (pair.primary, pair.standby) if each.ask("select pg_is_in_recovery()") is False]
    [standby] = [each for each in (pair.primary, pair.standby) if each is not primary]
    examined = zhibu(pair, project, tmp_path, "doctor")
    assert f"127.0.0.1:{primary.port}" in examined.stdout.splitlines()[0]
    assert examined.stdout.startswith("正常\t数据库"), examined.stdout
    alone = pair.url().replace(f"127.0.0.1:{primary.port},", "").replace(f",127.0.0.1:{primary.port}", "")
    for url, said in ((alone, "连上的都是备用的数据库"), (alone.partition("?")[0], f"指向备用的数据库（127.0.0.1:{standby.port}，只读）")):
        done = subprocess.run(
            [sys.executable, "-m", "cli", "doctor"],
            cwd=project,
            env={**environment(pair, tmp_path), "ZHIBU_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, said in done.stdout.splitlines()[0]) == (1, True), done.stdout
