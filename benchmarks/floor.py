"""The floor of a write (下限): ten prepared statements, the least that a move can be.

BEGIN, sign-in, the row held, three counts, UPDATE, history, letter, COMMIT; run by pgbench.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.frame.cluster import Cluster
from benchmarks.frame.rounds import Slice
from benchmarks.school.copying import unwatched

DATABASE = "bench_floor"
SCRIPT = Path(__file__).parent / "ten_statements.pgbench"
_TABLES = """
create table token (secret text primary key, person_id bigint not null, name text not null);
create table process (
    id bigint primary key, stage text not null, version bigint not null,
    entered_at timestamptz not null, due_on date not null
);
create table member (
    id bigint generated always as identity primary key,
    process_id bigint not null, name text not null, talked boolean not null
);
create table talk (
    id bigint generated always as identity primary key,
    process_id bigint not null, talker text not null, partner text not null, held_on date not null
);
create table waiver (
    id bigint generated always as identity primary key,
    process_id bigint not null, reason text not null, approved boolean not null
);
create table history (
    id bigint generated always as identity primary key,
    process_id bigint not null, actor text not null, what text not null, at timestamptz not null
);
create table outbox (
    id bigint generated always as identity primary key,
    process_id bigint not null, recipient text not null, subject text not null,
    next_at timestamptz not null
);
create index on member (process_id);
create index on talk (process_id);
create index on waiver (process_id);
create index on history (process_id, id);
create index on outbox (next_at);
insert into token select 'token-' || n, n, '书记' || n from generate_series(1, :branches) n;
insert into process select n, 'talks', 1, now(), current_date from generate_series(1, :branches) n;
insert into member (process_id, name, talked)
    select n, '党员' || k, true from generate_series(1, :branches) n, generate_series(1, 22) k;
insert into talk (process_id, talker, partner, held_on)
    select n, '书记' || n, '党员' || k, current_date
    from generate_series(1, :branches) n, generate_series(1, 30) k;
insert into waiver (process_id, reason, approved)
    select n, '外出访学', true from generate_series(1, :branches) n
"""


@dataclass(frozen=True)
class Floor:
    """The tables, on the product's cluster."""

    cluster: Cluster
    branches: int

    @classmethod
    def made(cls, cluster: Cluster, branches: int) -> Floor:
        """Make them anew."""
        cluster.create(DATABASE)
        with cluster.connect(DATABASE) as connection:
            unwatched(connection)
            for statement in _TABLES.replace(":branches", str(branches)).split(";\n"):
                connection.execute(statement.encode())
        cluster.settle(DATABASE)
        return cls(cluster, branches)

    def run(self, clients: int, seconds: float) -> Slice:
        """Run the ten statements with as many clients as the product has connections."""
        return self.cluster.pgbench(
            DATABASE, SCRIPT, clients=clients, seconds=seconds, branches=self.branches
        )
