"""Starts (启动): the server until it answers, and the command line's help."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Set
from functools import partial

from benchmarks.bench import Bench, Findings, Group
from benchmarks.frame.cpu import Cpu
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.rounds import WARMING_UP, Side, Slice, interleave, row
from benchmarks.frame.servers import ROOT, Product, free_port, stop, wait_until_answered

LIBRARIES, CLICK = "import flask, sqlalchemy, psycopg", "import click"


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Start, ask for help, and import the libraries alone."""
    product = bench.school
    sides: dict[str, Side] = {
        "start": partial(_start, bench, product),
        "libraries": partial(_command, bench, [sys.executable, "-c", LIBRARIES]),
        "help": partial(_command, bench, product.command("--help")),
        "click": partial(_command, bench, [sys.executable, "-c", CLICK]),
    }
    bench.tell(WARMING_UP)
    for side in sides.values():
        side()
    done = interleave(sides, rounds, bench.tell)
    floors = {"start": "libraries", "help": "click"}
    return [row(name, done[name], done[floors[name]]) for name in GROUP.paths if name in wanted]


def _start(bench: Bench, product: Product) -> Slice:
    """Time ``zhibu serve`` until /healthz answers."""
    port = free_port()
    with (product.folder / "serve.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            product.command("serve", "--port", str(port)),
            cwd=ROOT,
            env=product.environment(port),
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_answered(process, port, "/healthz")
            return Slice(time.perf_counter() - began)
        finally:
            stop(process)


def _command(bench: Bench, command: list[str]) -> Slice:
    return timed_command(bench, command, bench.school)


def timed_command(bench: Bench, command: list[str], product: Product) -> Slice:
    """Time a command; give its seconds with the CPU used. Raises BenchFailed."""
    meter = bench.cluster.meter()
    before, began = meter.read(), time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=product.environment(), capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise BenchFailed(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    used = meter.since(before)
    return Slice(took, Cpu(python=used.client, postgres=used.postgres).per_act(1))


GROUP = Group("starts", ("start", "help"), 4, 40, measure)
