"""Processes of a run (进程): the product's server and commands, and the other servers."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.frame.errors import BenchFailed

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
STOP_SECONDS = 40
"""Longer than the product takes to finish what it has begun."""
BASE = "/api/v1"


@dataclass(frozen=True)
class Server:
    """A running server: its port and its first process."""

    port: int
    pid: int

    def read(self, path: str, token: str | None = None) -> Any:
        """GET a path and give its JSON. Raises BenchFailed unless it is answered 200."""
        return json.loads(self.body(path, token))

    def body(self, path: str, token: str | None = None) -> bytes:
        """GET a path and give its body. Raises BenchFailed unless it is answered 200."""
        return self.answer(path, token)[1]

    def answer(self, path: str, token: str | None = None) -> tuple[Mapping[str, str], bytes]:
        """GET a path and give headers and body. Raises BenchFailed unless it is answered 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Authorization": token} if token else {}
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise BenchFailed(f"GET {path} was answered {response.status} {body[:500]!r}")
            return dict(response.getheaders()), body
        finally:
            connection.close()


@dataclass(frozen=True)
class Product:
    """The product on one database, as its users run it: by its commands."""

    application_url: str
    owner_url: str
    folder: Path
    """The folder of the logs."""

    def environment(self, port: int = 8000) -> dict[str, str]:
        """Give the settings of a process; ZHIBU_ variables from outside are left out."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
        return {
            **kept,
            "ZHIBU_DATABASE_URL": self.application_url,
            "ZHIBU_OWNER_DATABASE_URL": self.owner_url,
            "ZHIBU_SECRET_KEY": "a secret of the bench's own",
            "ZHIBU_BASE_URL": f"http://127.0.0.1:{port}",
        }

    def command(self, *words: str) -> list[str]:
        """Give the command line of ``zhibu``."""
        return [sys.executable, "-m", "cli", *words]

    def run(self, *words: str, said: str | None = None) -> str:
        """Run ``zhibu`` to its end and give what it printed. Raises BenchFailed."""
        done = subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env=self.environment(),
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchFailed(f"zhibu {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Run ``zhibu serve`` as the README says, its log in a file."""
        port = free_port()
        command = self.command("serve", "--port", str(port))
        with a_server(
            command, port, "/healthz", self.environment(port), self.folder / "serve.log"
        ) as server:
            yield server


@contextmanager
def a_server(
    command: Sequence[str], port: int, path: str, environment: Mapping[str, str], log: Path
) -> Iterator[Server]:
    """Run a server process until the block ends; it is ready when ``path`` is answered."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            try:
                wait_until_answered(process, port, path)
            except BenchFailed as failure:
                raise BenchFailed(f"{failure}\n{_last_lines(log)}") from failure
            yield Server(port, process.pid)
        finally:
            stop(process)


def wait_until_answered(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    """Wait until a server answers. Raises BenchFailed when it ends or takes too long."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except OSError:
            time.sleep(0.005)
        else:
            return
        finally:
            connection.close()
    command = " ".join(map(str, process.args))  # type: ignore[arg-type]
    ended = process.poll()
    how = f"ended with {ended}" if ended is not None else f"took over {START_SECONDS} s"
    raise BenchFailed(f"{command} did not come up: it {how}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and kill it if it does not."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


class Inside:
    """A process that runs acts of the product's worker, one after another, on request.

    It is separate so that its memory and its CPU time can be measured alone.
    """

    def __init__(self, product: Product, smtp_url: str) -> None:
        environment = {**product.environment(), "ZHIBU_SMTP_URL": smtp_url}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.processes.inside"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, act: str, **given: Any) -> dict[str, Any]:
        """Run one act and give what it answered. Raises BenchFailed."""
        self._stdin.write(json.dumps({"act": act, **given}) + "\n")
        self._stdin.flush()
        answer = self._stdout.readline()
        if not answer:
            raise BenchFailed(f"the act {act} failed, see above")
        return json.loads(answer)  # type: ignore[no-any-return]

    @property
    def pid(self) -> int:
        """The process number."""
        return self.process.pid

    @property
    def _stdin(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def close(self) -> None:
        """Close its input, and wait until it ends."""
        self._stdin.close()
        self._stdout.close()
        self.process.wait(STOP_SECONDS)


@contextmanager
def constant_server(constants: Path, folder: Path) -> Iterator[Server]:
    """Serve the constants of a folder in the same way as the product."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.processes.constant", str(port), str(constants)]
    name = next(each.stem for each in sorted(constants.glob("*.json")))
    with a_server(command, port, f"/view/{name}", dict(os.environ), folder / "constant.log") as up:
        yield up
