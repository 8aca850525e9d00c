"""The PostgreSQL of a run (数据库): the embedded one, durable as in service.

Product, floor and peers have their databases on this one cluster.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url
from workflow.foundation.embedded import bin_path, embedded_postgres

from benchmarks.frame.cpu import Meter
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.rounds import Slice

SUPERUSER = "postgres"
SETTINGS = {
    "shared_buffers": "1GB",
    "max_connections": "200",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}
"""Settings added to those of the product's own start. fsync and synchronous_commit stay on."""

_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_MEAN = re.compile(r"^latency average = ([0-9.]+) ms", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: ([0-9]+)", re.MULTILINE)


@dataclass(frozen=True)
class Cluster:
    """A running server: where it listens, and its first process."""

    host: str
    port: str
    postmaster: int

    def url(self, database: str, user: str) -> str:
        """Give the URL of a database for one login."""
        return f"postgresql://{user}@/{database}?host={self.host}&port={self.port}"

    def connect(self, database: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        """Connect as the superuser, outside of transactions."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=SUPERUSER,
            dbname=database,
            autocommit=True,
            **options,
        )

    def create(self, database: str, *, template: str = "template1", owner: str = SUPERUSER) -> None:
        """Make a database anew, in place of one that is left over."""
        self.drop(database)
        with self.connect() as connection:
            connection.execute(
                SQL("create database {} template {} owner {} strategy file_copy").format(
                    Identifier(database), Identifier(template), Identifier(owner)
                )
            )

    def drop(self, database: str) -> None:
        """Drop a database, even if somebody is connected to it."""
        with self.connect() as connection:
            connection.execute(
                SQL("drop database if exists {} with (force)").format(Identifier(database))
            )

    def has(self, database: str) -> bool:
        """Tell whether there is a database of this name."""
        with self.connect() as connection:
            found = connection.execute(
                "select from pg_database where datname = %s", [database]
            ).fetchone()
        return found is not None

    def settle(self, database: str) -> None:
        """Vacuum, analyse and write a checkpoint, so that no slice pays for the loading."""
        with self.connect(database) as connection:
            connection.execute("vacuum (analyze, parallel 0)")
            connection.execute("checkpoint")

    def meter(self, *servers: int) -> Meter:
        """Read CPU time of this cluster and of servers beside it."""
        return Meter(self.postmaster, servers)

    @property
    def version(self) -> str:
        """The server's version in its own words."""
        with self.connect() as connection:
            return f"PostgreSQL {connection.info.parameter_status('server_version')}"

    def pgbench(
        self, database: str, script: Path, *, clients: int, seconds: float, **variables: int
    ) -> Slice:
        """Run a script with prepared statements and give its rate and CPU. Raises BenchFailed."""
        command = [
            *(str(bin_path() / "pgbench"), "--no-vacuum", "--protocol=prepared"),
            *(f"--client={clients}", f"--jobs={min(clients, os.cpu_count() or 1)}"),
            *(f"--time={max(1, round(seconds))}", f"--file={script}"),
            *(f"--host={self.host}", f"--port={self.port}", f"--username={SUPERUSER}"),
            *(f"--define={name}={value}" for name, value in variables.items()),
            database,
        ]
        meter = self.meter()
        before = meter.read()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        used = meter.since(before)
        rate, mean, acts = (found.search(done.stdout) for found in (_RATE, _MEAN, _DONE))
        if done.returncode != 0 or not (rate and mean and acts):
            raise BenchFailed(f"pgbench: {done.stderr.strip() or done.stdout}")
        return Slice(float(rate[1]), used.per_act(int(acts[1])), mean=float(mean[1]))


@contextmanager
def a_cluster(data_dir: Path) -> Iterator[Cluster]:
    """Run the embedded PostgreSQL of a data directory with the bench's settings."""
    with embedded_postgres(data_dir) as url:
        cluster = _cluster(data_dir, url)
        with cluster.connect() as connection:
            for name, value in SETTINGS.items():
                connection.execute(SQL("alter system set {} = {}").format(Identifier(name), value))
    # Some settings take a start of the server; the last one out has stopped it.
    with embedded_postgres(data_dir) as url:
        yield _cluster(data_dir, url)


def _cluster(data_dir: Path, url: str) -> Cluster:
    where = make_url(url)
    pid = (data_dir.resolve() / "postgres" / "postmaster.pid").read_text().splitlines()[0]
    host, port = where.query.get("host") or where.host, where.query.get("port") or where.port
    return Cluster(str(host), str(port or 5432), int(pid))
