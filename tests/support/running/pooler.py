"""PgBouncer (Debian's package) before a database of the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from tests.support.mail_server import free_port
from tests.support.running.outages import PATIENCE_SECONDS, Database
from workflow.foundation.system_account import as_owner, is_root

PROGRAM = "/usr/sbin/pgbouncer"
SETTINGS = """
[databases]
zhibu = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {at}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
"""


@dataclass
class Pooler:
    """A running PgBouncer; ``url`` is the way to the school through it."""

    database: Database
    mode: str
    more: str = ""
    """More lines of its settings."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{make_url(self.database.url).username}@127.0.0.1:{self.port}/zhibu"

    def start(self) -> None:
        place = make_url(self.database.url).query
        users, settings = self.database.folder / "users.txt", self.database.folder / "pgbouncer.ini"
        users.write_text("".join(f'"{name}" ""\n' for name in ("zhibu_app", "zhibu_owner")), encoding="utf-8")
        written = SETTINGS.format(host=place["host"], port=place.get("port", 5432), at=self.port, users=users, mode=self.mode)
        settings.write_text(written + self.more, encoding="utf-8")
        for each in (users, settings):
            each.chmod(0o644)
        self.process = subprocess.Popen([PROGRAM, "-q", str(settings)], stderr=subprocess.DEVNULL, **as_owner(self.database.folder))
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("PgBouncer did not start")

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)


def must_be_installed() -> None:
    """Install PgBouncer where that is possible, and else say so."""
    if Path(PROGRAM).exists():
        return
    assert is_root(), "this test needs PgBouncer: apt-get install pgbouncer"
    assert shutil.which("apt-get"), "this test needs PgBouncer"
    subprocess.run(
        ["apt-get", "install", "-y", "pgbouncer"], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    )


@contextmanager
def a_pooler(database: Database, mode: str, more: str = "") -> Iterator[Pooler]:
    must_be_installed()
    pooler = Pooler(database, mode, more)
    pooler.start()
    try:
        yield pooler
    finally:
        pooler.stop()
