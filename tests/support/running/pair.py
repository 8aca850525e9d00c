"""A pair of PostgreSQL servers: a primary, its synchronous standby, and what an operator does.

The commits of the primary wait for the standby. Both listen on loopback ports of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

import migrations
from tests.support.builders import a_school
from tests.support.mail_server import free_port
from workflow.foundation.database import APPLICATION_ROLE, engine_for, transaction
from workflow.foundation.embedded import bin_path, embedded_postgres
from workflow.foundation.system_account import as_owner, is_root

BOTH = "ANY 1 (one, two)"


@dataclass
class Server:
    """One server: its folder, and the port at which it listens."""

    folder: Path
    port: int = field(default_factory=free_port)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c cluster_name={self.folder.name}"
        self.run("pg_ctl", "-D", str(self.folder), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def crash(self) -> None:
        """End as after a loss of power: at once, with nothing said to anybody."""
        self.run("pg_ctl", "-D", str(self.folder), "-w", "-m", "immediate", "stop")

    def promote(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder), "-w", "promote")

    def wait_for_standby(self, *, wait: bool) -> None:
        """Let each commit wait until a standby has it, or not."""
        # By name: a copy that is still being made (pg_basebackup) must not count as a standby.
        self.ask(f"alter system set synchronous_standby_names = '{BOTH if wait else ''}'")
        self.ask("select pg_reload_conf()")

    def run(self, program: str, *words: str) -> None:
        """Run one of PostgreSQL's programs as the account that owns the data."""
        home = self.folder.parent
        command = [str(bin_path() / program), *words]
        subprocess.run(command, cwd=home, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **as_owner(home))

    def ask(self, statement: str) -> object:
        """Ask as superuser."""
        url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/zhibu"
        with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            found = connection.execute(text(statement))
            return found.scalar() if found.returns_rows else None


@dataclass
class Pair:
    """The two servers; ``url`` names both in libpq's way."""

    primary: Server
    standby: Server

    def url(self, user: str = APPLICATION_ROLE) -> str:
        both = ",".join(f"127.0.0.1:{port}" for port in sorted((self.primary.port, self.standby.port)))
        return f"postgresql://{user}@{both}/zhibu?target_session_attrs=read-write"

    def fail_over(self, *, waits: bool) -> None:
        """Lose the primary, and promote the standby; it ``waits`` for a standby in its turn."""
        self.primary.wait_for_standby(wait=True)
        self.standby.wait_for_standby(wait=waits)
        self.primary.crash()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def make_redundant(self) -> None:
        """Make the lost server, from nothing, the standby of the new primary."""
        shutil.rmtree(self.standby.folder)
        copy(self.primary, self.standby)


def copy(primary: Server, standby: Server) -> None:
    """Make a standby and start it."""
    at = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
    standby.run("pg_basebackup", *at, "-D", str(standby.folder), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast")
    # The copy has the other's lock files, and the process that they name may be another by now.
    for lock in standby.folder.glob(".s.PGSQL.*"):
        lock.unlink()
    standby.start()


@contextmanager
def a_pair() -> Iterator[Pair]:
    """Start a pair with a school."""
    with TemporaryDirectory(prefix="zhibu-pair-") as folder:
        with embedded_postgres(Path(folder)) as superuser:
            owner, application = migrations.prepare_embedded(superuser)
            migrations.migrate(owner, application)
            engine = engine_for(application)
            with transaction(engine, actor="cli") as session:
                a_school(session)
            engine.dispose()
        home = Path(folder) / "pair"
        home.mkdir(mode=0o700)
        made = Path(folder) / "postgres"
        if is_root():
            os.chown(home, made.stat().st_uid, made.stat().st_gid)
        made.rename(home / "one")
        pair = Pair(Server(home / "one"), Server(home / "two"))
        try:
            pair.primary.start()
            copy(pair.primary, pair.standby)
            yield pair
        finally:
            for each in (pair.primary, pair.standby):
                if (each.folder / "postmaster.pid").exists():
                    each.crash()
