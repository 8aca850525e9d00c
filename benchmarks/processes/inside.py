"""Acts of the worker (值守进程) in a process of their own: a line of JSON in, a line of JSON out.

``{"act": "tick", "now": "2026-01-05T02:00:00+00:00", "times": 3}`` runs three ticks; the answer
gives the seconds that they took together.
"""

from __future__ import annotations

import json
import smtplib
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from schedulers.delivery import WORKER, deliver
from schedulers.worker import tick
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.logs import configure_logs
from workflow.foundation.settings import read_settings
from workflow.readings.progress import fold
from workflow.reminders import queue_due

SETTINGS = read_settings()
ENGINE = engine_for(SETTINGS.database_url or "")


def a_tick(now: str) -> int:
    """Run a whole tick, as the worker does."""
    tick(ENGINE, SETTINGS, datetime.fromisoformat(now))
    return 0


def queue(now: str) -> int:
    """Queue the letters that are due and count them."""
    begin = partial(transaction, ENGINE, actor=WORKER)
    return queue_due(begin, datetime.fromisoformat(now), base_url=SETTINGS.base_url or "")


def send() -> int:
    """Deliver all waiting letters and count them."""
    sent = 0
    while some := _deliver_some():
        sent += some
    return sent


def _deliver_some() -> int:
    outcomes = deliver(
        ENGINE,
        smtp_url=SETTINGS.smtp_url or "",
        sender=SETTINGS.mail_from,
        now=datetime.now(UTC),
    )
    if any(outcome.value != "sent" for outcome in outcomes):
        raise RuntimeError(f"letters were not sent: {outcomes}")
    return outcomes.total()


def send_ready_made(count: int) -> int:
    """Send one ready message again and again by smtplib on one connection."""
    where = urlsplit(SETTINGS.smtp_url or "")
    line = "支部的提醒：请按期完成本环节的工作。".encode()
    message = (
        b"From: zhibu@localhost\r\nTo: m@school.example\r\nSubject: reminder\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + b"\r\n".join([line] * 60) + b"\r\n"
    )
    # With a name of its own: else it asks DNS for one.
    with smtplib.SMTP(where.hostname or "", where.port or 0, "localhost") as server:
        for _ in range(count):
            server.sendmail("zhibu@localhost", ["m@school.example"], message, ["BODY=8BITMIME"])
    return count


def fold_changes() -> int:
    """Fold changes into the counts until nothing is left, as ticks do in time."""
    for _ in range(4):
        with transaction(ENGINE, actor=WORKER) as session:
            fold(session)
    return 0


ACTS: Mapping[str, Callable[..., int]] = {
    "tick": a_tick,
    "queue": queue,
    "send": send,
    "send_ready_made": send_ready_made,
    "fold": fold_changes,
}


def main() -> None:
    """Answer acts until the input ends."""
    configure_logs(level="WARNING")
    for line in sys.stdin:
        given: dict[str, Any] = json.loads(line)
        act, times = ACTS[given.pop("act")], given.pop("times", 1)
        began = time.perf_counter()
        count = sum(act(**given) for _ in range(times))
        seconds = time.perf_counter() - began
        sys.stdout.write(json.dumps({"seconds": seconds, "count": count}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
