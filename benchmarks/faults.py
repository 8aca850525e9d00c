"""Writes and letters under kills (故障演练): what is lost, what is there twice, how long it takes.

    python -m benchmarks.faults                 # prints the table of docs/promises.md
    python -m benchmarks.faults --seconds 20    # a shorter one

Clients record talks with keys and repeat what was not answered; meanwhile web workers are killed
(kill -9) and PostgreSQL is stopped at once and started again. Then two workers send letters and are
killed in the middle. At the end the database and the mail server are asked what is there.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
from aiosmtpd.controller import Controller
from workflow.foundation.embedded import bin_path
from workflow.foundation.errors import Words

from benchmarks.frame.cluster import Cluster, a_cluster
from benchmarks.frame.servers import BASE, ROOT, Product, Server, free_port, stop
from benchmarks.paths.mails import LETTERS
from benchmarks.school.loading import SCHOOL, Schools
from benchmarks.school.plan import YEAR, Branch, Days, Scale

CLIENTS, LETTER_COUNT, BETWEEN_KILLS = 6, 600, 3.0
PATIENCE_SECONDS = 90
SMALL = Scale(branches=40, members=8)


# ── writes ────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Tale:
    """The story of a drill, as the clients saw it."""

    acknowledged: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    answered_at: list[float] = field(default_factory=list)


def record(port: int, branch: Branch, tale: Tale, over: threading.Event) -> None:
    """Record talks one after another, each with a key, until the drill is over."""
    path = f"{BASE}/cycles/{YEAR}/branches/{branch.code}/talks"
    partner = branch.staff_no(branch.members)
    while not over.is_set():
        place = uuid4().hex
        body = {
            "held_on": str(Days().held_on),
            "talker": branch.staff_no(1),
            "partner": partner,
            "place": place,
        }
        headers = {
            "Authorization": branch.token(1),
            "Content-Type": "application/json",
            "Idempotency-Key": place,
        }
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            status = _sent(port, path, body, headers)
            tale.statuses[status] += 1
            if status == "201":
                tale.acknowledged.add(place)
                tale.answered_at.append(time.monotonic())
                break
            time.sleep(0.1)
        else:
            tale.given_up.add(place)


def _sent(port: int, path: str, body: dict[str, str], headers: dict[str, str]) -> str:
    """Send once; give the status, or the name of what went wrong on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as lost:
        return type(lost).__name__
    finally:
        connection.close()
    return str(response.status)


@dataclass
class Kills:
    """The kills of a drill: when, and of what."""

    at: list[tuple[float, str]] = field(default_factory=list)

    def of_a_worker(self, server: Server, chance: random.Random) -> None:
        """Kill one web worker."""
        workers = psutil.Process(server.pid).children()
        if workers:
            with suppress(psutil.NoSuchProcess):
                chance.choice(workers).kill()
            self.at.append((time.monotonic(), "worker"))

    def of_the_database(self, folder: Path) -> None:
        """Stop PostgreSQL at once, as a crash would, and start it again."""
        line = (folder / "postmaster.opts").read_text(encoding="utf-8")
        options = line.split('"-D"', 1)[1].split('"', 2)[2].strip()
        _pg_ctl(folder, "stop", "-m", "immediate")
        self.at.append((time.monotonic(), "database"))
        _pg_ctl(folder, "start", "-l", str(folder / "log"), "-o", options)

    def until_well(self, what: str, tale: Tale) -> list[float]:
        """Give the seconds from each kill to the next answer of success."""
        found = []
        for at, killed in self.at:
            later = [moment - at for moment in tale.answered_at if moment > at]
            if killed == what and later:
                found.append(min(later))
        return found


def _pg_ctl(folder: Path, *words: str) -> None:
    home = folder.stat()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    who: dict[str, Any] = {"user": home.st_uid, "group": home.st_gid} if root else {}
    command = [str(bin_path() / "pg_ctl"), "-D", str(folder), "-w", *words]
    with (folder.parent / "pg_ctl.log").open("ab") as log:
        subprocess.run(
            command, stdout=log, stderr=log, check=True, extra_groups=[] if root else None, **who
        )


def writes(
    cluster: Cluster, product: Product, folder: Path, seconds: float, seed: int
) -> Iterator[str]:
    """Record under kills; yield the lines of the table."""
    tale, kills, over = Tale(), Kills(), threading.Event()
    chance = random.Random(seed)  # noqa: S311  (a drill that can be run again)
    with product.server() as server:
        clients = [
            threading.Thread(target=record, args=(server.port, Branch(n, 8), tale, over))
            for n in range(1, CLIENTS + 1)
        ]
        for client in clients:
            client.start()
        end, turn = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            time.sleep(BETWEEN_KILLS)
            turn += 1
            if turn % 4:
                kills.of_a_worker(server, chance)
            else:
                kills.of_the_database(folder / "postgres" / "postgres")
        over.set()
        for client in clients:
            client.join()
    with cluster.connect(SCHOOL) as connection:
        rows = connection.execute("select place, count(*) from talk group by place").fetchall()
    there = {place: count for place, count in rows if place and len(place) == 32}
    lost = [place for place in tale.acknowledged if place not in there]
    twice = [place for place, count in there.items() if count > 1]
    answered = sum(tale.statuses.values())
    failed = sum(n for status, n in tale.statuses.items() if status == "500")
    yield f"| 确认了的写入 | {len(tale.acknowledged):,} |"
    yield f"| 其中丢失 | {len(lost)} |"
    yield f"| 写了两次 | {len(twice)} |"
    yield f"| 答 500 的，共 {answered:,} 个回答和断线 | {failed} |"
    for what, words in (("worker", "杀网络进程"), ("database", "数据库崩溃")):
        took = kills.until_well(what, tale)
        if took:
            yield (
                f"| {words} {len(took)} 次，到下一个办成的请求 | "
                f"{median(took):.1f} 秒（最长 {max(took):.1f}） |"
            )


# ── letters ───────────────────────────────────────────────────────────────────────────────────────


class Counting:
    """A mail server that takes every letter a little slowly and counts each Message-ID."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a letter."""
        self.seen[str(message_from_bytes(envelope.content)["Message-ID"])] += 1
        return "250 OK"


def letters(cluster: Cluster, product: Product, seed: int) -> Iterator[str]:
    """Send letters with two workers that are killed in turns; yield the lines of the table."""
    chance, counting, port = random.Random(seed), Counting(), free_port()  # noqa: S311
    mail = Controller(counting, hostname="127.0.0.1", port=port)
    mail.start()
    settings = {"SMTP_URL": f"smtp://127.0.0.1:{port}", "TICK_SECONDS": "0.2", "LEASE_SECONDS": "5"}
    environment = {
        **product.environment(),
        **{f"ZHIBU_{name}": value for name, value in settings.items()},
        "ZHIBU_SMTP_TIMEOUT_SECONDS": "2",
        "ZHIBU_DATA_DIR": str(product.folder),
    }
    with (
        cluster.connect(SCHOOL) as connection,
        (product.folder / "worker.log").open("ab") as log,
    ):
        connection.execute(LETTERS, [LETTER_COUNT])

        def start() -> subprocess.Popen[bytes]:
            command = product.command("worker")
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

        workers, killed = [start(), start()], 0
        try:
            give_up = time.monotonic() + 600
            while _waiting(connection) and time.monotonic() < give_up:
                time.sleep(chance.uniform(1.0, 3.0))
                if killed < 12:
                    at = killed % 2
                    workers[at].send_signal(signal.SIGKILL)
                    workers[at].wait()
                    workers[at], killed = start(), killed + 1
        finally:
            for worker in workers:
                stop(worker)
            mail.stop()
        states = dict(
            connection.execute(
                "select state, count(*) from letter where key like 'bench:%' group by state"
            ).fetchall()
        )
        named = connection.execute("select message_id from letter where key like 'bench:%'")
        ours = {name for (name,) in named}
    seen = {name.strip("<>").partition("@")[0]: count for name, count in counting.seen.items()}
    arrived = [count for name, count in seen.items() if name in ours]
    twice, more = sum(n > 1 for n in arrived), sum(n > 2 for n in arrived)
    yield f"| 信，两个后台轮流被杀 {killed} 次 | {LETTER_COUNT} |"
    yield f"| 其中没有寄到 | {LETTER_COUNT - len(arrived)} |"
    yield f"| 寄到两次，`Message-ID` 相同 | {twice}（最多每杀一次一封） |"
    yield f"| 寄到三次以上 | {more} |"
    yield f"| 登记为已发 | {states.get('sent', 0)} |"


def _waiting(connection: Any) -> int:
    query = (
        "select count(*) from letter where key like 'bench:%' and state in ('pending', 'sending')"
    )
    return int(connection.execute(query).fetchone()[0])


def measure(place: Path, seconds: float, seed: int) -> Iterator[str]:
    """Run both drills; yield the lines of the table."""
    with a_cluster(place / "postgres") as cluster:
        product = Schools(cluster, place, SMALL, kept=False).large(_tell)
        yield "| 演练 | 结果 |"
        yield "|---|---|"
        yield from letters(cluster, product, seed)
        yield from writes(cluster, product, place, seconds, seed)


def _tell(told: Words) -> None:
    sys.stderr.write(f"{told.zh}\n")


def main(words: list[str]) -> None:
    """Run the drills and print."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    asked.add_argument("--seconds", type=float, default=60)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args(words)
    with TemporaryDirectory() as place:
        for line in measure(Path(place), given.seconds, given.seed):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
