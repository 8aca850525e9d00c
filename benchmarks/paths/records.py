"""Records (登记): one more talk, without and with an Idempotency-Key."""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from benchmarks.bench import Bench, Findings, Group
from benchmarks.frame.load import Crew, Requests, by_rate, warm_up
from benchmarks.frame.rounds import WARMING_UP, Side, Slice, interleave, row
from benchmarks.frame.servers import Server

FLOOR = "floor"


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Record talks in branches that stand at talks, and run the floor between."""
    floor, seconds = bench.floor, bench.scale.seconds * 2 / 3
    with bench.school.server() as server:
        sides: dict[str, Side] = {
            "record": partial(_slice, bench, server, seconds, with_key=False),
            FLOOR: lambda: floor.run(bench.scale.connections, seconds),
            "record_key": partial(_slice, bench, server, seconds, with_key=True),
        }
        bench.tell(WARMING_UP)
        warm_up(server.port, _talks(bench, with_key=True), bench.scale.connections)
        done = interleave(sides, rounds, bench.tell)
    return [row(name, done[name], done[FLOOR]) for name in GROUP.paths if name in wanted]


def _slice(bench: Bench, server: Server, seconds: float, *, with_key: bool) -> Slice:
    crew = Crew(server.port, _talks(bench, with_key=with_key), bench.scale.connections)
    return by_rate(crew, bench.cluster.meter(server.pid), seconds)


def _talks(bench: Bench, *, with_key: bool) -> Requests:
    held_on = bench.schools.days.held_on.isoformat()
    return partial(bench.moving.talk, held_on, with_key=with_key)


GROUP = Group("records", ("record", "record_key"), 4, 40, measure)
