"""The cost of the history's digests (变更记录摘要的开销), beside the trigger of before.

    python -m benchmarks.digests           # five rounds, then the seals of what was written

Both sides are the same moves on the same school; between them only the function of the trigger is
replaced. The sides take turns many times in a round, since the CPU time of an act changes with what
else runs on the machine; the ratio of PostgreSQL's CPU time per move is made of a whole round.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

import click
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.errors import Words
from workflow.foundation.seals.keys import SealKeys
from workflow.foundation.seals.sealing import seal
from workflow.foundation.seals.verification import verify

from benchmarks.frame.cluster import Cluster, a_cluster
from benchmarks.frame.load import Crew, run, warm_up
from benchmarks.frame.servers import Product, Server
from benchmarks.moving import Moving
from benchmarks.school.loading import SCHOOL, Schools
from benchmarks.school.plan import Scale

ROUNDS, TURNS, SECONDS = 5, 12, 0.75
SCALE = Scale(branches=1_000, connections=4)
OF_BEFORE = """
alter table history alter column digest drop not null, drop constraint ck_history_destroyed
"""
WITHOUT_DIGEST = """
update history set salt = null, reason = null, old = null, new = null, digest = ''
where digest is null
"""


def main() -> None:
    """Measure both sides, then sealing and verifying; print a line for each."""
    functions = import_module("migrations.versions.20250115_seals")
    before, now = functions.RECORD, functions.RECORD_WITH_DIGEST
    with TemporaryDirectory() as place, a_cluster(Path(place) / "postgres") as cluster:
        product = Schools(cluster, Path(place), SCALE, kept=False).large(_tell)
        moving = Moving(SCALE)
        with product.server() as server:
            warm_up(server.port, moving.either, SCALE.connections)
            with cluster.connect(SCHOOL) as connection:
                connection.execute(OF_BEFORE.encode())
            ratios = []
            for number in range(ROUNDS):
                sides = {before: (0.0, 0), now: (0.0, 0)}
                for turn in range(TURNS):
                    for function in (before, now) if turn % 2 else (now, before):
                        used, moves = _turn(cluster, server, moving, function)
                        sides[function] = sides[function][0] + used, sides[function][1] + moves
                old, new = (1000 * used / moves for used, moves in sides.values())
                ratios.append(new / old)
                told = f"{old:.3f} ms of PostgreSQL per move without digests, {new:.3f} with"
                click.echo(f"round {number + 1}: {told}: {new / old:.3f}")
        click.echo(f"ratio: {median(ratios):.3f}")
        _seals(cluster, product)


def _turn(cluster: Cluster, server: Server, moving: Moving, function: str) -> tuple[float, int]:
    """Move for a moment with this trigger; give the seconds of PostgreSQL and the moves."""
    with cluster.connect(SCHOOL) as connection:
        connection.execute(function.encode())
    crew, meter = Crew(server.port, moving.either, SCALE.connections), cluster.meter(server.pid)
    before = meter.read()
    run([crew], SECONDS)
    return meter.since(before).postgres, crew.answers


def _seals(cluster: Cluster, product: Product) -> None:
    """Tell how long it takes to seal all rows and to verify them."""
    with cluster.connect(SCHOOL) as connection:
        connection.execute(WITHOUT_DIGEST.encode())
    engine = engine_for(product.application_url.replace("://", "+psycopg://"))
    keys, began = SealKeys("bench", {"bench": b"key"}), monotonic()
    seal(engine, keys, actor="worker", pause=Event().wait)
    ended = monotonic()
    with transaction(engine, actor=None) as session:
        report = verify(session, keys)
    engine.dispose()
    took = f"sealed in {ended - began:.2f} s, verified in {monotonic() - ended:.2f} s"
    click.echo(f"{report.rows} rows: {took}; {report.fault or 'no fault'}")


def _tell(words: Words) -> None:
    click.echo(words.en)


if __name__ == "__main__":
    main()
