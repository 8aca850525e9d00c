"""Bounded waits (等待的上限): places at the database, and lines that are cut in time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from sqlalchemy import Engine, text

from workflow.foundation.database import LIMITS, DatabaseFault, engine_for, is_away, transaction
from workflow.foundation.errors import Busy
from workflow.foundation.waits.lines import ALIVE, CONNECT_SECONDS
from workflow.foundation.waits.places import LONGEST_QUEUE_SECONDS, STANDSTILL_SECONDS, Places, in_turn, within

SLEEP = text("select pg_sleep(:seconds)")


@pytest.fixture
def one(database_url: str) -> Iterator[Engine]:
    """An engine whose connection is open already."""
    engine = engine_for(database_url, pool_size=1)
    with transaction(engine, actor="cli"):
        pass
    yield engine
    engine.dispose()


def test_every_session_has_its_limits_also_after_a_rollback(database_url: str) -> None:
    engine = engine_for(database_url, pool_size=1)
    for _ in range(2):
        with engine.connect() as connection:
            found = {name: connection.scalar(text("select current_setting(:name)"), {"name": name}) for name in LIMITS}
            connection.rollback()
        assert found == {**LIMITS, "idle_in_transaction_session_timeout": "1min"}
    engine.dispose()


@pytest.mark.thorough
def test_two_silent_servers_share_the_time_for_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = ",".join(str(each.getsockname()[1]) for each in (one, other))
        engine = engine_for(f"postgresql+psycopg://u@/zhibu?host=127.0.0.1,127.0.0.1&port={ports}")
        began = time.monotonic()
        with pytest.raises(DatabaseFault) as away:
            engine.connect()
        assert is_away(away.value)
        assert seconds_since(began) < CONNECT_SECONDS + 1
        engine.dispose()


def seconds_since(began: float) -> float:
    return time.monotonic() - began


def test_when_nothing_moves_any_more_a_request_is_told_so_at_once() -> None:
    places, done = Places(1), Event()

    def hold() -> None:
        with within(60, places), in_turn():
            done.wait()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        time.sleep(STANDSTILL_SECONDS + 0.1)
        began = time.monotonic()
        with within(60, places), pytest.raises(Busy), in_turn():
            pass
        assert seconds_since(began) < 0.2
        done.set()
    with within(60, places), in_turn():
        pass


def test_while_places_are_given_back_all_wait_for_their_turn() -> None:
    places, start = Places(2), Barrier(12)

    def ask(_: int) -> None:
        start.wait()
        with within(60, places), in_turn():
            time.sleep(STANDSTILL_SECONDS / 3)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(12)))


def test_nobody_waits_for_longer_than_the_queue_is_let() -> None:
    places, done = Places(1), Event()

    def move() -> None:
        while not done.is_set():
            with places._changed:
                places._moved = time.monotonic()
            time.sleep(0.1)

    with ThreadPoolExecutor(1) as pool, within(60, places), in_turn():
        pool.submit(move)
        began = time.monotonic()
        with pytest.raises(Busy):
            places._take()
        done.set()
    assert LONGEST_QUEUE_SECONDS <= seconds_since(began) < LONGEST_QUEUE_SECONDS + 2


def test_a_transaction_beside_another_needs_no_second_place(engine: Engine) -> None:
    """A sign-in counts its tries beside: six of them at once must not wait for one another."""
    with within(60, Places(1)), transaction(engine, actor="cli"), transaction(engine, actor="cli") as beside:
        assert beside.scalar(text("select 1")) == 1


def test_whoever_is_no_request_waits_for_no_place(engine: Engine) -> None:
    with transaction(engine, actor="worker") as session:
        assert session.scalar(text("select 1")) == 1


def test_a_wait_that_is_too_long_ends_as_a_lost_connection_and_the_next_one_is_well(one: Engine) -> None:
    began = time.monotonic()
    with within(0.5), pytest.raises(DatabaseFault) as ended, transaction(one, actor="cli") as session:
        session.execute(SLEEP, {"seconds": 20})
    assert is_away(ended.value)
    assert seconds_since(began) < 3
    with within(10), transaction(one, actor="cli") as session:
        assert session.scalar(text("select 1")) == 1


def test_a_line_is_not_cut_for_somebody_who_has_let_it_go(one: Engine) -> None:
    with within(0.4), transaction(one, actor="cli") as session:
        number = session.scalar(text("select pg_backend_pid()"))
    with transaction(one, actor="worker") as session:
        session.execute(SLEEP, {"seconds": 1.2})
        assert session.scalar(text("select pg_backend_pid()")) == number, "the same line, of one who may wait"


def test_of_two_bounds_the_earlier_end_counts(one: Engine) -> None:
    began = time.monotonic()
    with within(0.5), within(60), pytest.raises(DatabaseFault), transaction(one, actor="cli") as session:
        session.execute(SLEEP, {"seconds": 20})
    assert seconds_since(began) < 3


def test_without_time_left_nobody_connects(database_url: str) -> None:
    engine = engine_for(database_url)
    with within(1), pytest.raises(Busy), transaction(engine, actor="cli"):
        pass
    engine.dispose()


def test_a_connection_that_died_while_it_was_idle_is_replaced_unnoticed(one: Engine, engine: Engine) -> None:
    with transaction(one, actor="cli") as session:
        number = session.scalar(text("select pg_backend_pid()"))
    with transaction(engine, actor="cli") as session:
        session.execute(text("select pg_terminate_backend(:number, 5000)"), {"number": number})
    with transaction(one, actor="cli") as session:
        assert session.scalar(text("select pg_backend_pid()")) != number


def test_a_dead_network_is_noticed_by_the_connection_itself(one: Engine) -> None:
    with one.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        told = {option.keyword.decode(): option.val for option in driver.pgconn.info}
    assert {name: told[name] for name in ALIVE} == {name: str(value).encode() for name, value in ALIVE.items()}
