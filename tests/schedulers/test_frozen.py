"""Two workers, one of them frozen for longer than its lease: each letter goes once.

The one case in which a letter may arrive twice, as promised, is the sender that stood still after
it had handed the letter over: ``test_crashes.py`` has it. Processes, PostgreSQL, SMTP and signals
are real.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from tests.support.running.workers import SOON, YES, HoldingServer, Worker, fate, ledger, queue, until
from workflow.foundation.vocabulary import LetterState

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("step", ["EHLO", "RCPT", "DATA"])
def test_a_worker_that_stood_still_before_the_text_left_sends_it_no_more(
    engine: Engine, holding: HoldingServer, start: Callable[..., Worker], step: str
) -> None:
    queue(engine, "w5")
    holding.stops_at = step
    sleeper = start(lease_seconds="1")
    assert holding.stopped.wait(SOON), sleeper.said()
    sleeper.signal(signal.SIGSTOP)
    holding.go_on.set()
    start(lease_seconds="60")
    holding.next().answer.put(YES)
    until(lambda: fate(engine) == (LetterState.SENT, 2), lambda: fate(engine))
    sleeper.signal(signal.SIGCONT)
    until(lambda: "LEASE lost" in sleeper.said(), sleeper.said)
    assert fate(engine) == (LetterState.SENT, 2)
    assert len(holding.all) == 1


@contextmanager
def nobody_derives(owner_url: str) -> Iterator[Callable[[int], bool]]:
    """Lock what each tick reads first.

    Yields a function that tells whether so many workers wait for it.
    """
    owner = create_engine(owner_url, poolclass=NullPool)
    waiting = text("select count(*) from pg_locks where relation = 'calendar_override'::regclass and not granted")
    with owner.begin() as connection:
        connection.execute(text("lock table calendar_override in access exclusive mode"))
        yield lambda workers: connection.scalar(waiting) == workers


def test_a_worker_that_stood_still_before_its_letters_takes_them_for_a_whole_lease(
    engine: Engine, owner_url: str, holding: HoldingServer, start: Callable[..., Worker]
) -> None:
    names = [f"w{number}" for number in range(8)]
    queue(engine, *names)
    with nobody_derives(owner_url) as waiting:
        sleeper = start(lease_seconds="2")
        until(lambda: waiting(1), sleeper.said)
        sleeper.signal(signal.SIGSTOP)
        # Nobody can tell the worker another time: it has looked at its clock already.
        time.sleep(2.5)
        awake = start(lease_seconds="2")
        until(lambda: waiting(2), awake.said)
    sleeper.signal(signal.SIGCONT)
    # Both hold a letter at a time.
    for _ in range(len(names) // 2):
        one, other = holding.next(), holding.next()
        one.answer.put(YES)
        other.answer.put(YES)
    until(lambda: {letter.state for letter in ledger(engine).values()} == {LetterState.SENT}, lambda: ledger(engine))
    assert sorted(held.recipient for held in holding.all) == sorted(f"{name}@school.example" for name in names)
    assert {letter.attempts for letter in ledger(engine).values()} == {1}
    assert all('"outcome": "sent"' in worker.said() for worker in (sleeper, awake))
