"""Running the peers (运行同行): their tables, their rows, their servers, and the move they make."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.frame.cluster import SUPERUSER, Cluster
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.load import Request, post
from benchmarks.frame.servers import Server, a_server, free_port
from benchmarks.peers.environment import PYTHON
from benchmarks.school.copying import unwatched

HERE = Path(__file__).parent
ADVANCE = b'{"trigger": "advance"}'
WORKERS, THREADS = 2, 8
"""As many as the product starts with."""


@dataclass(frozen=True)
class Kind:
    """One peer: its folder, how its tables are made, its application, and its rows."""

    name: str
    make_tables: tuple[str, ...]
    application: str
    rows: str
    """SQL with ``:branches``."""
    stands_at_talks: str
    """SQL that puts every branch back."""

    @property
    def database(self) -> str:
        """Its database on the product's cluster."""
        return f"bench_{self.name}"

    @property
    def folder(self) -> Path:
        """The folder of its code."""
        return HERE / self.name


@dataclass(frozen=True)
class Peer:
    """A running peer."""

    server: Server
    rewind: Callable[[], None]
    """Puts every branch back to the stage from which it can be moved."""
    codes: deque[int]

    def advance(self) -> Request:
        """Move the next branch from talks to self_review."""
        number = self.codes.popleft()
        path = f"/api/branches/B{number:05d}/moves/"
        return Request(post(path, ADVANCE, f"Token {_token(number)}"), 201)


def _token(number: int) -> str:
    return f"token-of-the-secretary-{number:08d}"


@contextmanager
def running(kind: Kind, cluster: Cluster, branches: int, folder: Path) -> Iterator[Peer]:
    """Make a peer's tables, fill them, and run its server until the block ends."""
    cluster.create(kind.database)
    environment = _environment(kind, cluster)
    log = folder / f"{kind.name}.log"
    _make_tables(kind, environment)
    with cluster.connect(kind.database) as connection:
        unwatched(connection)
        for statement in kind.rows.replace(":branches", str(branches)).split(";\n"):
            connection.execute(statement.encode())
        cluster.settle(kind.database)
        port = free_port()
        command = [
            *(str(PYTHON), "-m", "gunicorn", "--chdir", str(kind.folder)),
            *("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"),
            *("--workers", str(WORKERS), "--threads", str(THREADS), kind.application),
        ]
        codes: deque[int] = deque()

        def rewind() -> None:
            connection.execute(kind.stands_at_talks.encode())
            codes.clear()
            codes.extend(range(1, branches + 1))

        with a_server(command, port, "/healthz", environment, log) as server:
            yield Peer(server, rewind, codes)


def _environment(kind: Kind, cluster: Cluster) -> dict[str, str]:
    url = cluster.url(kind.database, SUPERUSER).replace("postgresql:", "postgresql+psycopg:")
    return {
        **os.environ,
        "PEER_SECRET_KEY": "a secret of the bench's own",
        "PEER_DATABASE": kind.database,
        "PEER_USER": SUPERUSER,
        "PEER_HOST": cluster.host,
        "PEER_PORT": cluster.port,
        "PEER_DATABASE_URL": url,
    }


def _make_tables(kind: Kind, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [str(PYTHON), *kind.make_tables],
        cwd=kind.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchFailed(f"{kind.name}: {done.stdout}{done.stderr}")


_NAMES = "'B' || lpad(n::text, 5, '0'), '第' || n || '党支部'"
_POST = "case when k = 1 then 'secretary' when k <= 3 then 'committee_member' end"
_SECRET = "'token-of-the-secretary-' || lpad(n::text, 8, '0')"
_PAIRS = """
    generate_series(1, :branches) n,
    (select 1 t, k p from generate_series(2, 22) k union all select 2, k
        from generate_series(3, 22, 2) k) pair
"""
"""Pairs of talkers: the secretary with everybody, a second leader with every other."""

DJANGO = Kind(
    "django_peer",
    ("manage.py", "migrate", "--verbosity=0"),
    "school.wsgi:application",
    f"""
insert into branches_branch (id, code, name)
    select n, {_NAMES} from generate_series(1, :branches) n;
insert into auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,
        is_active, date_joined)
    select n, '!', false, 'secretary' || n, '', '', '', false, true, now()
    from generate_series(1, :branches) n;
insert into authtoken_token (key, user_id, created)
    select {_SECRET}, n, now() from generate_series(1, :branches) n;
insert into branches_member (id, branch_id, user_id, name, post, leads)
    select n * 22 + k, n, case k when 1 then n end, '党员' || k, {_POST}, k <= 3
    from generate_series(1, :branches) n, generate_series(1, 22) k;
insert into branches_process (id, branch_id, stage, version, entered_at, due_on)
    select n, n, 'talks', 1, now(), current_date from generate_series(1, :branches) n;
insert into branches_talk (process_id, talker_id, partner_id, held_on, focus, focus_reason)
    select n, n * 22 + t, n * 22 + p, current_date, p = 2, case p when 2 then '新入职' else '' end
    from {_PAIRS}""",
    "update branches_process set stage = 'talks' where stage <> 'talks'",
)
FLASK = Kind(
    "flask_peer",
    ("app.py",),
    "app:create_app()",
    f"""
insert into branch (id, code, name) select n, {_NAMES} from generate_series(1, :branches) n;
insert into member (id, branch_id, name, post, leads)
    select n * 22 + k, n, '党员' || k, {_POST}, k <= 3
    from generate_series(1, :branches) n, generate_series(1, 22) k;
insert into token (key, member_id)
    select {_SECRET}, n * 22 + 1 from generate_series(1, :branches) n;
insert into process (id, branch_id, stage, version, entered_at, due_on)
    select n, n, 'talks', 1, now(), current_date from generate_series(1, :branches) n;
insert into talk (process_id, talker_id, partner_id, held_on, focus, focus_reason)
    select n, n * 22 + t, n * 22 + p, current_date, p = 2, case p when 2 then '新入职' end
    from {_PAIRS}""",
    "update process set stage = 'talks' where stage <> 'talks'",
)

Runs = Callable[[Cluster, int, Path], AbstractContextManager[Peer]]
PEERS: Mapping[str, Runs] = {
    "viewflow": partial(running, DJANGO),
    "orm": partial(running, FLASK),
}
"""The peers, by the path that measures them."""
