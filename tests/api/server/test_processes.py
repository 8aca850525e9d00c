"""Server processes: callers who wait or are slow, a master that is killed, a port that is taken."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from api.server.listening import must_be_free
from tests.support.mail_server import free_port
from tests.support.running.deployed import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

SERVICE = """
import sys
from flask import Flask, request
from api.server import processes
from api.server.serving import serve_application
from workflow.foundation.errors import Refusal
from workflow.foundation.logs import configure_logs

def application():
    app = Flask(__name__)
    app.add_url_rule("/", "root", view_func=lambda: {"status": "ok"})
    app.add_url_rule("/body", "body", view_func=lambda: str(len(request.get_data())), methods=["POST"])
    return app

configure_logs()
processes.HEAD_SECONDS, processes.REQUEST_SECONDS = float(sys.argv[2]), float(sys.argv[3])
try:
    serve_application(application, host="127.0.0.1", port=int(sys.argv[1]), workers=2)
except Refusal as refusal:
    sys.exit(refusal.detail)
"""
"""Code that serves a small application as the product is served, with other patience."""


@dataclass(frozen=True)
class Service:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def workers(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children())

    def connect(self, sent: bytes) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        line.sendall(sent)
        return line


def begin(project: Path, log: Path, port: int, *, head: float = 10, request: float = 120) -> Service:
    with log.open("ab") as output:
        command = [sys.executable, "-c", SERVICE, str(port), str(head), str(request)]
        return Service(subprocess.Popen(command, cwd=project, stdout=output, stderr=output), port, log)


@contextmanager
def served(project: Path, folder: Path, **patience: float) -> Iterator[Service]:
    service = begin(project, folder / "log", free_port(), **patience)
    try:
        wait_until(lambda: answers(service.port) or service.process.poll() is not None, service.log, 30)
        yield service
    finally:
        service.process.kill() if service.process.poll() is None else None
        service.process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=20).status_code == 200
    except httpx.TransportError:
        return False


ASKED = b"GET / HTTP/1.1\r\nHost: zhibu\r\n\r\n"


def test_callers_in_the_queue_of_a_port_are_answered_before_it_closes(project: Path, tmp_path: Path) -> None:
    with served(project, tmp_path) as service:
        workers = service.workers()
        for each in workers:
            each.suspend()
        lines = [service.connect(ASKED) for _ in range(12)]
        service.process.terminate()
        time.sleep(0.5)  # The master closes its port and tells the workers.
        for each in workers:
            each.resume()
        for line in lines:
            with line:
                assert line.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert service.process.wait(20) == 0


def test_workers_leave_the_port_when_their_master_is_killed(project: Path, tmp_path: Path) -> None:
    with served(project, tmp_path) as service, service.connect(b"") as _:
        workers = service.workers()
        service.process.kill()
        service.process.wait()
        must_be_free(service.port, patience_seconds=3)
        psutil.wait_procs(workers, timeout=20)
        assert not any(each.is_running() for each in workers)


@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nHost: ", b"POST /body HTTP/1.1\r\nHost: zhibu\r\nContent-Length: 100\r\n\r\nabc"],
    ids=["head", "body"],
)
def test_a_caller_who_does_not_go_on_is_cut_off(project: Path, tmp_path: Path, begun: bytes) -> None:
    with served(project, tmp_path, head=1, request=3) as service:
        lines = [service.connect(begun) for _ in range(16)]
        assert answers(service.port), "it waits for a thread, and gets one"
        for line in lines:
            assert b"200" not in line.recv(65536)
            line.close()
        assert answers(service.port)


def test_a_caller_who_takes_too_long_altogether_is_cut_off_though_never_silent(project: Path, tmp_path: Path) -> None:
    with served(project, tmp_path, head=1, request=30) as service, service.connect(b"GET / HTTP/1.1\r\nX: ") as line:
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 10:
                line.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - began < 5


def test_a_second_service_is_told_which_address_is_taken(project: Path, tmp_path: Path) -> None:
    with served(project, tmp_path) as service:
        second = begin(project, tmp_path / "second", service.port)
        assert second.process.wait(30) == 1
        assert f"127.0.0.1:{service.port} 已被占用" in (tmp_path / "second").read_text(encoding="utf-8")
        assert answers(service.port)


def test_counts_of_a_killed_service_are_cleared_by_the_next(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def folders() -> set[Path]:
        return set(tmp_path.glob("zhibu-metrics-*"))

    with served(project, tmp_path) as service:
        [killed] = folders()
        os.kill(service.process.pid, signal.SIGKILL)
        psutil.wait_procs(service.workers() if service.process.poll() is None else [], timeout=20)
        wait_until(lambda: not answers(service.port), service.log)
    with served(project, tmp_path) as first:
        assert killed not in folders()
        [kept] = folders()
        with served(project, tmp_path) as second:
            assert kept in folders(), "another service counts there"
            second.process.terminate()
            second.process.wait(20)
        first.process.terminate()
        first.process.wait(20)
    assert folders() == set()
