"""Making the schools (建立学校): opened by the product's commands, filled without them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import migrations
from psycopg import Connection
from workflow.foundation.database import APPLICATION_ROLE
from workflow.foundation.errors import Words

from benchmarks.frame.cluster import SUPERUSER, Cluster
from benchmarks.frame.rounds import Tell
from benchmarks.frame.servers import Product
from benchmarks.school.copying import continue_numbers, unwatched
from benchmarks.school.evidence import BEFORE_RATING, Kept, Year, load
from benchmarks.school.later_evidence import FROM_RATING
from benchmarks.school.people import load_people
from benchmarks.school.plan import OFFICE, YEAR, Days, Scale, digest, secret_of

EMPTY, SCHOOL, MILLION = "bench_empty", "bench_school", "bench_million"
_STAGES = ("study", "talks", "self_review", "rating", "rectification", "report")


def product_on(cluster: Cluster, database: str, folder: Path) -> Product:
    """Give the product on one database of the cluster."""
    return Product(
        application_url=cluster.url(database, APPLICATION_ROLE),
        owner_url=cluster.url(database, migrations.OWNER_ROLE),
        folder=folder,
    )


@dataclass
class Schools:
    """The databases of a run, each made on its first use.

    ``kept``: the cluster is used again by later runs; rows loaded today by this code are then
    copied, so that every run begins with the same rows.
    """

    cluster: Cluster
    folder: Path
    scale: Scale
    kept: bool
    days: Days = field(default_factory=Days)
    took: dict[str, float] = field(default_factory=dict)
    """Seconds that writing a school took, by its database."""
    ready: set[str] = field(default_factory=set)

    def empty(self, tell: Tell) -> None:
        """Make a migrated database with both logins, from which the others are copied."""
        if EMPTY not in self.ready:
            tell(Words("迁移一所空学校", "migrating an empty school"))
            superuser = self.cluster.url("postgres", SUPERUSER).replace("://", "+psycopg://")
            migrations.prepare_embedded(superuser)
            self.cluster.create(EMPTY, owner=migrations.OWNER_ROLE)
            product_on(self.cluster, EMPTY, self.folder).run("migrate")
            self.ready.add(EMPTY)

    def large(self, tell: Tell) -> Product:
        """Give the school of 10,000 branches with evidence."""
        count, members = f"{self.scale.branches:,}", self.scale.members
        en = f"writing {count} branches of {members} with evidence"
        tell(Words(f"写入 {count} 个支部的记录，每个 {members} 人", en))
        return self._made(SCHOOL, self._write_large, tell)

    def million(self, tell: Tell) -> Product:
        """Give the school of 1,000,000 branches."""
        count = f"{self.scale.million:,}"
        tell(Words(f"写入 {count} 个没有记录的支部", f"writing {count} branches without evidence"))
        return self._made(MILLION, self._write_million, tell)

    def _made(self, database: str, write: Callable[[str], None], tell: Tell) -> Product:
        if database not in self.ready:
            pristine = f"{database}_{self._key()}" if self.kept else database
            if not (self.kept and self.cluster.has(pristine)):
                self.empty(tell)
                began = time.monotonic()
                write(pristine)
                self.took[database] = time.monotonic() - began
                self.cluster.settle(pristine)
            if self.kept:
                self.cluster.create(database, template=pristine, owner=migrations.OWNER_ROLE)
            self.ready.add(database)
        return product_on(self.cluster, database, self.folder)

    def _key(self) -> str:
        """Make a key from the day, the size, and the code that makes tables and rows."""
        seen = sha256(f"{self.scale}{self.days.today}".encode())
        here = Path(__file__).parent
        for file in sorted([*here.glob("*.py"), *(here.parents[1] / "migrations").rglob("*.py")]):
            seen.update(file.read_bytes())
        return seen.hexdigest()[:12]

    def _write_large(self, database: str) -> None:
        cycle = self._open_a_year(database)
        with self._loading(database) as connection:
            year = _year(connection, cycle, self.scale, self.days)
            load_people(connection, self.scale, self.days, cycle)

        def side_by_side(tables: tuple[Kept, ...]) -> None:
            with self._loading(database) as connection:
                load(connection, self.scale, year, tables)

        # PostgreSQL has a process for each connection.
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(side_by_side, (BEFORE_RATING[:4], BEFORE_RATING[4:] + FROM_RATING)))
        with self._loading(database) as connection:
            _add_what_follows(connection, year)
            _count(connection)
            continue_numbers(connection)

    def _write_million(self, database: str) -> None:
        cycle = self._open_a_year(database)
        with self._loading(database) as connection:
            connection.execute(_MANY_BRANCHES, [self.scale.million])
            connection.execute(_MANY_PROCESSES, [cycle, list(_STAGES), self.days.deadline])
            _count(connection)

    @contextmanager
    def _loading(self, database: str) -> Iterator[Connection[Any]]:
        with self.cluster.connect(database) as connection:
            unwatched(connection)
            yield connection

    def _open_a_year(self, database: str) -> int:
        """Make a school with an office and a year, by commands; give the cycle's number.

        It is published without a process for each branch: they are written afterwards.
        """
        self.cluster.create(database, template=EMPTY, owner=migrations.OWNER_ROLE)
        product = product_on(self.cluster, database, self.folder)
        words = ("--staff-no", OFFICE, "--name", "周岚", "--role", "office")
        address = ("--email", "office@school.example", "--password-stdin")
        product.run("account", "create", *words, *address, said="ten letters and more\n")
        deadlines = [f"--deadline={stage}={self.days.deadline}" for stage in _STAGES]
        product.run("cycle", "open", "--plan", str(YEAR), *deadlines)
        with self._loading(database) as connection:
            connection.execute("update cycle set status = 'published', published_at = now()")
            connection.execute(_OFFICE_TOKEN, [digest(secret_of(OFFICE)), OFFICE])
            return int(_one(connection, "select id from cycle")[0])


_OFFICE_TOKEN = """
    insert into token (person_id, name, hash, created_at, expires_at)
    select id, 'bench', %s, now(), now() + interval '300 days' from person where staff_no = %s
"""
_MANY_BRANCHES = """
    insert into branch (code, name, unit_code, unit_name, has_committee)
    select 'B' || lpad(n::text, 7, '0'), '第' || n || '党支部', 'U' || n %% 1000,
        '第' || n %% 1000 || '学院党委', true
    from generate_series(1, %s) n
"""
_MANY_PROCESSES = """
    insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, due_on, late,
        branch_name, unit_code, unit_name)
    select %s, id, 'appraisal', (%s::text[])[1 + id %% 6], 1, 1, now(), %s, false,
        name, unit_code, unit_name
    from branch order by id
"""


def _one(connection: Connection[Any], statement: str) -> tuple[Any, ...]:
    """Read the only row of a statement."""
    found: tuple[Any, ...] | None = connection.execute(statement.encode()).fetchone()
    assert found is not None
    return found


def _year(connection: Connection[Any], cycle: int, scale: Scale, days: Days) -> Year:
    theme, reading, agenda = _one(
        connection,
        "select theme, plan #>> '{rules,required_reading}', plan #>> '{rules,agenda}' from cycle",
    )
    return Year(cycle, scale.branches, days, theme, reading, agenda)


def _add_what_follows(connection: Connection[Any], year: Year) -> None:
    """Add the rows that need numbers given by COPY, and the one activity of the school."""
    connection.execute(
        "insert into talk_follow_up (talk_id, process_id, due_on, what, recorded_by, recorded_at)"
        " select distinct on (process_id) id, process_id, %s::date, '联系工会', talker, now()"
        " from talk where focus order by process_id, id",
        [year.days.follow_up],
    )
    connection.execute(
        "insert into activity (id, cycle_id, kind, name, held_on, version, recorded_by,"
        " recorded_at) overriding system value values"
        " (1, %s, 'study', '集中学习', %s, 1, %s, now())",
        [year.cycle, year.days.held_on, OFFICE],
    )


def _count(connection: Connection[Any]) -> None:
    """Write the counts that the triggers of processes would have written; a tick folds them."""
    connection.execute(
        "insert into progress_delta (cycle_id, kind, stage, due_on, again, late, n)"
        " select cycle_id, kind, stage, coalesce(due_on, 'infinity'), false, false, count(*)"
        " from process group by 1, 2, 3, 4"
    )
    connection.execute(
        "insert into branch_change (cycle_id, process_id, kind)"
        " select cycle_id, id, kind from process order by id"
    )
