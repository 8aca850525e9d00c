"""A mail server of the run (测量用邮件服务器), in a process of its own."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.servers import ROOT, START_SECONDS, free_port, stop


@contextmanager
def a_sink(folder: Path) -> Iterator[str]:
    """Run a server that takes every letter; yields its ``smtp://`` address."""
    port = free_port()
    with (folder / "sink.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.processes.sink", str(port)],
            cwd=ROOT,
            env=dict(os.environ),
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(process, port)
            yield f"smtp://127.0.0.1:{port}"
        finally:
            stop(process)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with smtplib.SMTP("127.0.0.1", port, "localhost", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise BenchFailed("the mail server did not come up")
