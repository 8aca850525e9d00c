"""Ticks (值守的一次巡视): nothing due, everything due, and everything due once more.

The product's acts run in a process of their own, as the worker's do; the floor is plain SQL on one
connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Any

from psycopg import Connection
from workflow.foundation.errors import Words

from benchmarks.bench import Bench, Findings, Group
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.rounds import Beside, Side, Slice, interleave, row
from benchmarks.frame.servers import Inside
from benchmarks.processes.mail import a_sink
from benchmarks.school.copying import unwatched
from benchmarks.school.loading import MILLION, SCHOOL

IDLE, IDLE_MILLION, DUE, AGAIN = "tick_idle", "tick_idle_million", "tick_due", "tick_again"
COPIES = {"letter": "letter_copy", "letter_item": "letter_item_copy"}
"""The tables of the floor, by the tables that the product fills."""
IDLE_SECONDS, LEAST_TIMES = 1.0, 50
"""CPU time comes in hundredths of a second, so a slice has many ticks if they are short."""

_BEAT = (
    "insert into worker_heartbeat (id, last_tick) values (1, now())"
    " on conflict (id) do update set last_tick = excluded.last_tick, oldest_unsent ="
    " (select min(created_at) from letter where next_at is not null)"
)
_DUE = (
    "select count(*) from process where cycle_id = 1 and kind = 'appraisal'"
    " and stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report')"
    " and due_on = any(%s)"
)
_NOT_QUEUED = (
    _DUE + " and not exists (select from letter_item i where i.process_id = process.id"
    " and i.due_on = process.due_on)"
)


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Tick on both schools with nothing due, then on the large one with everything due."""
    found: Findings = []
    with ExitStack() as stack:
        smtp = stack.enter_context(a_sink(bench.folder))
        idle: dict[str, Side] = {}
        for path, database in ((IDLE, SCHOOL), (IDLE_MILLION, MILLION)):
            if path not in wanted:
                continue
            product = bench.school if path == IDLE else bench.million
            inside = stack.enter_context(bench.inside(product, smtp))
            connection = stack.enter_context(bench.cluster.connect(database))
            bench.tell(Words(f"{database} 的第一轮", f"the first tick of {database}"))
            now = bench.schools.days.at_ten()
            times = _settle(inside, connection, now)
            idle[path] = partial(_ticks, bench, inside, now, times)
            idle[_floor_of(path)] = partial(_least, bench, connection)
        done = interleave(idle, rounds * 2, bench.tell)
        found += [row(path, done[path], done[_floor_of(path)]) for path in idle if path in wanted]
    if wanted & {DUE, AGAIN}:
        with bench.inside(bench.school) as inside, bench.cluster.connect(SCHOOL) as connection:
            found += _everything_due(bench, inside, connection, rounds, wanted)
    return found


def _floor_of(path: str) -> str:
    return f"floor of {path}"


def _settle(inside: Inside, connection: Connection[Any], now: datetime) -> int:
    """Tick until nothing is left to queue, to send or to fold.

    Give the number of ticks that make a slice.
    """
    for _ in range(2):
        inside.do("tick", now=now.isoformat())
    left = connection.execute("select count(*) from letter where state = 'pending'").fetchone()
    if left != (0,):
        raise BenchFailed("letters are still waiting after a tick with nothing due")
    seconds: float = inside.do("tick", now=now.isoformat())["seconds"]
    return min(LEAST_TIMES, max(1, round(IDLE_SECONDS / seconds)))


def _ticks(bench: Bench, inside: Inside, now: datetime, times: int) -> Slice:
    """Run several ticks; give the milliseconds of one."""
    return _act(bench, inside, "tick", now, times)[0]


def _act(
    bench: Bench, inside: Inside, act: str, now: datetime, times: int = 1
) -> tuple[Slice, int]:
    """Run an act; give the milliseconds of one with the CPU used, and the count of all."""
    meter = bench.cluster.meter(inside.pid)
    before = meter.read()
    done = inside.do(act, now=now.isoformat(), times=times)
    used = meter.since(before).per_act(times)
    return Slice(done["seconds"] * 1000 / times, used), done["count"]


def _sql(bench: Bench, act: Callable[[], object], times: int = 1) -> Slice:
    """Run SQL of the floor; give the milliseconds of one with the CPU used."""
    meter = bench.cluster.meter()
    before, began = meter.read(), time.perf_counter()
    for _ in range(times):
        act()
    took = (time.perf_counter() - began) * 1000 / times
    return Slice(took, meter.since(before).per_act(times))


def _least(bench: Bench, connection: Connection[Any]) -> Slice:
    """Do the least of a tick: look for what is due and what waits, leave a heartbeat."""
    days = [bench.schools.days.today]

    def least() -> None:
        connection.execute(_DUE, [days]).fetchone()
        connection.execute("select id from letter where next_at <= now() limit 1").fetchone()
        connection.execute(_BEAT)

    return _sql(bench, least, LEAST_TIMES)


def _everything_due(
    bench: Bench, inside: Inside, connection: Connection[Any], rounds: int, wanted: Set[str]
) -> Findings:
    """Queue the letters of every branch, then look once more; forget them after each round."""
    days = bench.schools.days
    unwatched(connection)
    connection.execute("set synchronous_commit = on")
    for table, copy in COPIES.items():
        connection.execute(f"drop table if exists {copy}".encode())
        connection.execute(f"create table {copy} (like {table} including all)".encode())
    connection.execute("truncate letter cascade")
    columns = {table: _columns(connection, table) for table in COPIES}
    queued = []

    def queue() -> Slice:
        done, count = _act(bench, inside, "queue", days.when_due)
        if count == 0:
            raise BenchFailed("no letter was due")
        queued.append(float(count))
        return done

    def again() -> Slice:
        done, count = _act(bench, inside, "queue", days.when_due)
        if count:
            raise BenchFailed(f"{count} letters were queued twice")
        return done

    def insert() -> Slice:
        connection.execute(f"truncate {', '.join(COPIES.values())}".encode())
        copied = [
            f"insert into {copy} ({columns[table]}) select {columns[table]} from {table}".encode()
            for table, copy in COPIES.items()
        ]
        return _sql(bench, lambda: [connection.execute(each) for each in copied])

    def look() -> Slice:
        asked = partial(connection.execute, _NOT_QUEUED.encode(), [[days.deadline]])
        done = _sql(bench, lambda: asked().fetchone())
        connection.execute("truncate letter cascade")
        return done

    sides = {DUE: queue, _floor_of(DUE): insert, AGAIN: again, _floor_of(AGAIN): look}
    done = interleave(sides, rounds, bench.tell)
    connection.execute(f"drop table {', '.join(COPIES.values())}".encode())
    found: Findings = [
        row(path, done[path], done[_floor_of(path)]) for path in (DUE, AGAIN) if path in wanted
    ]
    return [*found, Beside("reminders that tick_due queues", queued[0])]


def _columns(connection: Connection[Any], table: str) -> str:
    """Name the columns of a table except its number, which the copy counts anew."""
    found = connection.execute(
        "select string_agg(quote_ident(column_name), ', ') from information_schema.columns"
        " where table_name = %s and column_name <> 'id'",
        [table],
    ).fetchone()
    return str(found[0]) if found else ""


GROUP = Group("ticks", (IDLE, IDLE_MILLION, DUE, AGAIN), 3, 150, measure)
