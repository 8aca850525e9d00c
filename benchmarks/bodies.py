"""The cost of large bodies to others (大报文): ``/me`` and memory beside eight bodies at once.

    python -m benchmarks.bodies             # prints the table of docs/promises.md
    python -m benchmarks.bodies open_10     # measures these sorts alone

Eight bodies are sent at the same moment, again and again, by a process of their own, in turns with
eight ordinary requests. Meanwhile somebody who is signed in asks who they are. Counted tries are
deleted before each volley, so that every body is looked at.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from workflow.foundation.errors import Words

from benchmarks.frame.cluster import a_cluster
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.servers import BASE, Server
from benchmarks.school.loading import EMPTY, Schools, product_on
from benchmarks.school.plan import OFFICE, Scale

AT_ONCE, VOLLEYS, ALONE, MIB = 8, 15, 200, 2**20
PASSED = (400, 401, 404, 413, 422)


@dataclass(frozen=True)
class Sort:
    """One sort of body: its words for the table, its address, how it is made."""

    zh: str
    path: str
    keys: int
    signed_in: bool = False
    in_parts: bool = False

    def request(self, token: str) -> bytes:
        """Make the bytes of one request."""
        body = json.dumps({str(number): 0 for number in range(self.keys)}).encode()
        head = [f"POST {BASE}{self.path} HTTP/1.1", "Host: zhibu", "Content-Type: application/json"]
        if self.signed_in:
            head.append(f"Authorization: Bearer {token}")
        if self.in_parts:
            head.append("Transfer-Encoding: chunked")
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        else:
            head.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


ROUTE, ORDINARY = "/cycles", "ordinary"
SORTS: Mapping[str, Sort] = {
    ORDINARY: Sort("登录的人，普通的小请求", ROUTE, 1, signed_in=True),
    "open_largest": Sort("登录，8 KiB 以内能放的最多项", "/session", 700),
    "open_1": Sort("登录，1 MiB", "/session", 80_000),
    "open_10": Sort("登录，10 MiB", "/session", 700_000),
    "open_10_parts": Sort("登录，10 MiB，分块", "/session", 700_000, in_parts=True),
    "stranger_10": Sort("没有登录，其他接口，10 MiB", ROUTE, 700_000),
    "member_largest": Sort("登录的人，能收的最多项", ROUTE, 19_999, signed_in=True),
    "member_1": Sort("登录的人，1 MiB", ROUTE, 80_000, signed_in=True),
    "member_10": Sort("登录的人，10 MiB", ROUTE, 700_000, signed_in=True),
}


def send(port: int, name: str, token: str) -> None:
    """Send a volley for each line on standard input; answer each with the statuses."""
    request = SORTS[name].request(token)
    for _ in sys.stdin:
        statuses: list[int] = []
        start = threading.Barrier(AT_ONCE)

        def one(found: list[int] = statuses, start: threading.Barrier = start) -> None:
            with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
                start.wait()
                connection.sendall(request)
                response = http.client.HTTPResponse(connection)
                response.begin()
                response.read()
                found.append(response.status)

        threads = [threading.Thread(target=one) for _ in range(AT_ONCE)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        sys.stdout.write(json.dumps(statuses) + "\n")
        sys.stdout.flush()


class Asking:
    """Somebody who is signed in and asks who they are, on one connection as long as it is kept."""

    def __init__(self, server: Server, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self.headers = {"Authorization": f"Bearer {token}"}

    def seconds(self) -> float:
        """Ask once; give the seconds that the answer took."""
        began = time.perf_counter()
        try:
            response = self._ask()
        except http.client.RemoteDisconnected:
            # It was idle for too long while a body was made.
            self.connection.close()
            began = time.perf_counter()
            response = self._ask()
        if response.status != 200:
            raise BenchFailed(f"GET /me was answered {response.status}")
        return time.perf_counter() - began

    def _ask(self) -> http.client.HTTPResponse:
        self.connection.request("GET", f"{BASE}/me", headers=self.headers)
        response = self.connection.getresponse()
        response.read()
        return response


def memory(pid: int) -> float:
    """Add up the resident memory of a server and its processes, in MiB."""
    root = psutil.Process(pid)
    return (
        float(sum(each.memory_info().rss for each in [root, *root.children(recursive=True)])) / MIB
    )


def beside(
    server: Server, asking: Asking, name: str, token: str, database: Any
) -> Generator[tuple[list[float], float]]:
    """Send the volleys of one sort; yield the times of those who ask meanwhile, and the memory."""
    words = [sys.executable, "-m", "benchmarks.bodies", "--send", str(server.port), name, token]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        for _ in range(VOLLEYS):
            database.execute("delete from attempt")
            told, over = sender.stdout, threading.Event()
            statuses: list[int] = []

            def wait(told: Any = told, over: Any = over, found: Any = statuses) -> None:
                found.extend(json.loads(told.readline()))
                over.set()

            waiting = threading.Thread(target=wait)
            waiting.start()
            sender.stdin.write("\n")
            sender.stdin.flush()
            took, most = [], 0.0
            while not over.is_set():
                took.append(asking.seconds())
                most = max(most, memory(server.pid))
            waiting.join()
            if not set(statuses) <= set(PASSED):
                raise BenchFailed(f"{name} was answered {statuses}")
            yield took, most
        sender.stdin.close()


def measure(place: Path, names: Sequence[str]) -> Iterator[str]:
    """Measure these sorts; yield the lines of the table."""
    with a_cluster(place / "postgres") as cluster:
        Schools(cluster, place, Scale(), kept=False).empty(_tell)
        product = product_on(cluster, EMPTY, place)
        product.run(
            "account", "create", "--staff-no", "office", "--name", "党委办公室", "--role", "office"
        )
        token = product.run("token", "create", "--staff-no", OFFICE).strip()
        with (
            psycopg.connect(cluster.url(EMPTY, "zhibu_app"), autocommit=True) as database,
            product.server() as server,
        ):
            asking = Asking(server, token)
            for _ in range(ALONE):
                asking.seconds()
            yield "| 同时 8 个 | `/me` 单独 | `/me` 同时 | 比 8 个普通请求 | 内存多用 |"
            yield "|---|---:|---:|---:|---:|"
            for name in names:
                alone = median(asking.seconds() for _ in range(ALONE))
                before, most = memory(server.pid), 0.0
                took: list[float] = []
                ordinary: list[float] = []
                # In turns, so that a noisy machine is as noisy for both.
                with (
                    closing(beside(server, asking, name, token, database)) as those,
                    closing(beside(server, asking, ORDINARY, token, database)) as these,
                ):
                    for (one, more), (other, _) in zip(those, these, strict=True):
                        took, ordinary, most = [*took, *one], [*ordinary, *other], max(most, more)
                meanwhile, control = median(took), median(ordinary)
                times = f"{alone * 1000:.1f} ms | {meanwhile * 1000:.1f} ms"
                more = max(0.0, most - before)
                yield f"| {SORTS[name].zh} | {times} | {meanwhile / control:.1f} | {more:.0f} MiB |"


def _tell(told: Words) -> None:
    sys.stderr.write(f"{told.zh}\n")


def main(words: list[str]) -> None:
    """Measure and print, or send the bodies as the process beside it."""
    if words[:1] == ["--send"]:
        send(int(words[1]), words[2], words[3])
        return
    with TemporaryDirectory() as place:
        for line in measure(Path(place), words or list(SORTS)):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
