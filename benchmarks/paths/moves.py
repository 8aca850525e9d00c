"""Moves (推进): with a gate and without, beside the floor and beside two peers."""

from __future__ import annotations

from collections.abc import Set
from contextlib import ExitStack
from functools import partial

from workflow.foundation.errors import Words

from benchmarks.bench import Bench, Findings, Group
from benchmarks.frame.load import Crew, Requests, by_rate, warm_up
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
from benchmarks.peers.running import PEERS, Peer
from benchmarks.targets import BESIDE

FLOOR, ADVANCE, STEP_BACK = "floor", "advance", "step_back"


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Move branches to and fro, run the floor, and let the peers make the same move."""
    floor = bench.floor
    with ExitStack() as stack:
        product = bench.school
        server = stack.enter_context(product.server())
        inside = stack.enter_context(bench.inside(product))
        sides: dict[str, Side] = {
            ADVANCE: partial(_slice, bench, server, bench.moving.advance),
            FLOOR: lambda: floor.run(bench.scale.connections, bench.scale.seconds),
            STEP_BACK: partial(_slice, bench, server, bench.moving.step_back),
        }
        for name in (each for each in PEERS if each in wanted):
            bench.tell(Words(f"准备 {name}", f"preparing {name}"))
            made = PEERS[name](bench.cluster, bench.scale.branches, bench.folder)
            peer = stack.enter_context(made)
            peer.rewind()
            warm_up(peer.server.port, peer.advance, bench.scale.connections)
            # Neighbours of the product's advance, which comes next.
            sides = {name: partial(_slice_of_peer, bench, peer), **sides}
        bench.tell(WARMING_UP)
        warm_up(server.port, bench.moving.advance, bench.scale.connections)
        warm_up(server.port, bench.moving.step_back, bench.scale.connections)
        done = interleave(sides, rounds, bench.tell)
        inside.do("fold")
    return _findings(done, wanted)


def _slice(bench: Bench, server: Server, requests: Requests) -> Slice:
    crew = Crew(server.port, requests, bench.scale.connections)
    return by_rate(crew, bench.cluster.meter(server.pid), bench.scale.seconds)


def _slice_of_peer(bench: Bench, peer: Peer) -> Slice:
    peer.rewind()
    return _slice(bench, peer.server, peer.advance)


def _findings(done: Slices, wanted: Set[str]) -> Findings:
    found: Findings = []
    if "move" in wanted:
        found.append(row("move", done[ADVANCE], done[FLOOR]))
        product, floor = medians(done[ADVANCE]), medians(done[FLOOR])
        in_all, tail = BESIDE_NAMES
        found.append(Beside(in_all, product.cpu.in_all, BESIDE[in_all]))
        if product.p99 is not None and floor.mean:
            found.append(Beside(tail, product.p99 / floor.mean, BESIDE[tail]))
    if "move_light" in wanted:
        found.append(row("move_light", done[STEP_BACK], done[FLOOR]))
    found += [row(name, done[ADVANCE], done[name]) for name in PEERS if name in wanted]
    return found


BESIDE_NAMES = ("move, CPU in all, ms", "move, p99 ÷ mean of the floor")
GROUP = Group("moves", ("move", "move_light", "viewflow", "orm"), 5, 120, measure)
