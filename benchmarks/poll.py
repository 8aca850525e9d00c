"""The live poll (轮询的测量): how far it is behind, whether a follower misses anything, and what it costs in a larger school.

``python -m benchmarks.poll`` starts a PostgreSQL and a server of its own in a folder that is removed afterwards, and prints three results.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import click
import httpx
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from api.lists import cursor
from tests.builders import NOW, a_branch, a_cycle, an_office
from tests.servers import YEAR, a_server, tokens_of
from workflow.cycle import Lock, cycle_by_year, process_of
from workflow.database import engine_for, transaction
from workflow.deadlines import change_processes
from workflow.embedded import embedded_postgres
from workflow.opening import publish
from workflow.progress import fold, overview
from workflow.vocabulary import STAGES, Kind

WRITERS, BRANCHES, STAGES_ON, LARGE, CALLS = 4, 100, 4, 10_000, 200
COMMITS = BRANCHES * STAGES_ON
PAGE = 7
ORDER = STAGES[Kind.APPRAISAL]

_GROW = (
    text("""
        insert into branch (code, name, unit_code, unit_name, has_committee)
        select 'P' || lpad(n::text, 5, '0'), '支部' || n, 'U' || n % 100, '党委' || n % 100, false
        from generate_series((select count(*) from branch), :branches - 1) n
    """),
    text("""
        insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late, due_on)
        select c.id, b.id, 'appraisal', 'study', 1, 1, :now, false, (c.deadlines ->> 'study')::date from cycle c, branch b
        where not exists (select from process p where p.branch_id = b.id)
    """),
)


@contextmanager
def a_school() -> Iterator[tuple[str, Engine]]:
    """A published year with one branch, on a PostgreSQL of its own: the URL and an engine."""
    with TemporaryDirectory(prefix="zhibu-benchmark-") as folder, embedded_postgres(Path(folder)) as superuser:
        with create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as administration:
            administration.execute(text("create database benchmark"))
        url = make_url(superuser).set(database="benchmark").render_as_string(hide_password=False)
        migrations.migrate(url, url)
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            an_office(session)
            a_branch(session, code="P00000", members=("z3",), committee=("z3",))
            publish(session, a_cycle(session), now=NOW)
        yield url, engine
        engine.dispose()


def grow_to(engine: Engine, branches: int) -> None:
    """So many branches, with their changes folded into the counts."""
    with transaction(engine, actor="cli") as session:
        for statement in _GROW:
            session.execute(statement, {"branches": branches, "now": NOW})
    for _ in range(2):
        with transaction(engine, actor="worker") as session:
            fold(session)
    with create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("vacuum analyze"))


def cost(engine: Engine) -> float:
    """Milliseconds of one question to the database, the median of many."""
    took = []
    with transaction(engine, actor=None) as session:
        cycle = cycle_by_year(session, 2024)
        for _ in range(CALLS):
            began = time.perf_counter()
            overview(session, cycle, now=NOW)
            took.append(time.perf_counter() - began)
    return median(took) * 1000


def write(engine: Engine, writer: int) -> list[float]:
    """Move every fourth branch on, stage by stage. When each commit had returned."""
    committed = []
    for stage in ORDER[1 : STAGES_ON + 1]:
        for number in range(writer, BRANCHES, WRITERS):
            with transaction(engine, actor="cli") as session:
                process = process_of(session, 2024, f"P{number:05}", lock=Lock.MOVE)
                change_processes(session, [process], {"stage": stage, "version": process.version + 1, "entered_at": NOW})
            committed.append(time.monotonic())
            time.sleep(0.02)
    return committed


def poll(client: httpx.Client, done: Event) -> list[tuple[float, int]]:
    """Ask as a page does. When each answer had come, and how many moves it shows: every one takes a branch one stage on."""
    seen: list[tuple[float, int]] = []
    while not (done.is_set() and seen and seen[-1][1] == COMMITS):
        by_stage = client.get(f"{YEAR}/progress").raise_for_status().json()["by_stage"]
        seen.append((time.monotonic(), sum(ORDER.index(stage) * n for stage, n in by_stage.items())))
        time.sleep(0.02)
    return seen


def follow(client: httpx.Client, done: Event) -> tuple[dict[str, Any], int]:
    """Hold rows by only asking what has changed, until nothing more comes. Also how many rows were told."""
    rows: dict[str, Any] = {}
    told, following, quiet = 0, cursor("0:0"), False
    while not quiet:
        ended = done.is_set()
        answer = client.get(f"{YEAR}/branches", params={"changed_since": following, "limit": PAGE}).raise_for_status().json()
        quiet = ended and not answer["items"] and answer["next"] == following
        following = answer["next"]
        told += len(answer["items"])
        rows |= {row["branch"]["code"]: row for row in answer["items"]}
    return rows, told


def listing(client: httpx.Client) -> dict[str, Any]:
    """A fresh listing, page by page."""
    rows: dict[str, Any] = {}
    query: dict[str, Any] = {"limit": 200}
    while True:
        page = client.get(f"{YEAR}/branches", params=query).raise_for_status().json()
        rows |= {row["branch"]["code"]: row for row in page["items"]}
        if page["next"] is None:
            return rows
        query["after"] = page["next"]


def main() -> None:
    """Measure, and print."""
    click.echo("starting a PostgreSQL and a school …")
    with a_school() as (url, engine), TemporaryDirectory(prefix="zhibu-benchmark-") as folder:
        grow_to(engine, BRANCHES)
        small = cost(engine)
        click.echo(f"{COMMITS} commits by {WRITERS} writers, beside a poller and a follower with pages of {PAGE} …")
        token, done = tokens_of(engine, ["office"])["office"], Event()
        with (
            a_server(url, Path(folder) / "server.log") as server,
            server.client(token) as poller,
            server.client(token) as follower,
            ThreadPoolExecutor(WRITERS + 2) as pool,
        ):
            polled, followed = pool.submit(poll, poller, done), pool.submit(follow, follower, done)
            commits = sorted(moment for times in pool.map(write, [engine] * WRITERS, range(WRITERS)) for moment in times)
            done.set()
            seen, (rows, told) = polled.result(), followed.result()
            fresh = listing(follower)
        lags = [next(moment for moment, shown in seen if shown >= number) - committed for number, committed in enumerate(commits, 1)]
        click.echo(
            f"(a) lag from commit to the first poll that shows it: median {max(median(lags), 0):.2f} s, max {max(lags):.2f} s, {len(seen)} polls"
        )
        differences = sum(rows.get(code) != fresh.get(code) for code in rows.keys() | fresh.keys())
        click.echo(f"(b) a follower of changed_since and a fresh listing: {len(fresh)} rows compared, {told} told, {differences} differences")
        click.echo(f"growing the school to {LARGE} branches …")
        grow_to(engine, LARGE)
        large = cost(engine)
        ratio = large / small
        click.echo(f"(c) cost of a poll, {BRANCHES} : {LARGE} branches: {small:.2f} ms : {large:.2f} ms = 1 : {ratio:.2f}")
    if differences:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
