"""Polls (轮询): the dashboard asked by many, each path beside a constant of the same body."""

from __future__ import annotations

from collections.abc import Set
from contextlib import ExitStack
from functools import partial

from benchmarks.bench import CYCLE, OFFICE, Bench, Findings, Group
from benchmarks.frame.load import Crew, Requests, always, by_rate, get, warm_up
from benchmarks.frame.rounds import (
    WARMING_UP,
    Beside,
    Side,
    Slice,
    Slices,
    interleave,
    medians,
    row,
)
from benchmarks.frame.servers import Server

PROGRESS = f"{CYCLE}/progress"
PAGE = f"{CYCLE}/branches?limit=100"
BYTES, BY_SIZE = "constant bytes", "poll_by_size"
FLOORS = {
    "poll_304": "constant",
    "poll_200": "constant",
    "changed_since": "constant of changed_since",
    "branches_100": "constant of branches",
    BY_SIZE: "poll_200",
}
"""The floor with which each path is compared."""


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Ask the product, constants and the larger school in turn."""
    with ExitStack() as stack:
        with bench.inside(bench.school) as inside:
            inside.do("fold")
        server = stack.enter_context(bench.school.server())
        cursor = server.read(PROGRESS, OFFICE)["cursor"]
        changed = f"{CYCLE}/branches?changed_since={cursor}"
        asked = {"progress": PROGRESS, "changed": changed, "branches": PAGE}
        bodies = bench.bodies(server, {name: (path, OFFICE) for name, path in asked.items()})
        constant = stack.enter_context(bench.constants(bodies))
        ask, view = partial(_asked, bench, server), partial(_asked, bench, constant)
        sides: dict[str, Side] = {
            "constant": partial(view, "/view/progress"),
            "poll_304": partial(_asked_unchanged, bench, server),
            "poll_200": partial(ask, PROGRESS),
            "constant of changed_since": partial(view, "/view/changed"),
            "changed_since": partial(ask, changed),
            "constant of branches": partial(view, "/view/branches"),
            "branches_100": partial(ask, PAGE),
        }
        if BY_SIZE in wanted:
            larger = stack.enter_context(bench.million.server())
            warm_up(larger.port, always(get(PROGRESS, OFFICE)), bench.scale.connections)
            sides[BY_SIZE] = partial(_asked, bench, larger, PROGRESS)
        needed = wanted | {FLOORS[name] for name in wanted}
        sides = {name: side for name, side in sides.items() if name in needed}
        sides[BYTES] = partial(view, "/bytes/progress")
        bench.tell(WARMING_UP)
        for path in (PROGRESS, changed, PAGE):
            warm_up(server.port, always(get(path, OFFICE)), bench.scale.connections)
        warm_up(constant.port, always(get("/view/progress")), bench.scale.connections)
        done = interleave(sides, rounds, bench.tell)
    return _findings(done, wanted)


def _asked(bench: Bench, server: Server, path: str) -> Slice:
    return _slice(bench, server, always(get(path, OFFICE)))


def _asked_unchanged(bench: Bench, server: Server) -> Slice:
    headers, _ = server.answer(PROGRESS, OFFICE)
    return _slice(bench, server, always(get(PROGRESS, OFFICE, If_None_Match=headers["ETag"]), 304))


def _slice(bench: Bench, server: Server, requests: Requests) -> Slice:
    crew = Crew(server.port, requests, bench.scale.connections)
    return by_rate(crew, bench.cluster.meter(server.pid), bench.scale.seconds * 2 / 3)


def _findings(done: Slices, wanted: Set[str]) -> Findings:
    found: Findings = [
        row(name, done[name], done[FLOORS[name]])
        for name in GROUP.paths
        if name in wanted and name != BY_SIZE
    ]
    if BY_SIZE in wanted:
        larger, smaller = ([_as_time(s) for s in done[name]] for name in (BY_SIZE, "poll_200"))
        found.append(row(BY_SIZE, larger, smaller))
    return [*found, Beside("constant bytes before Flask, 1/s", medians(done[BYTES]).figure)]


def _as_time(each: Slice) -> Slice:
    """Turn a rate into the milliseconds of one act."""
    return Slice(1000 / each.figure, each.cpu, each.mean, each.p50, each.p99)


GROUP = Group("polls", tuple(FLOORS), 4, 130, measure)
