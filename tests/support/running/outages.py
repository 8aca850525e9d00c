"""A school whose PostgreSQL is stopped, silenced and started under real server processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import httpx
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from tests.support.builders import a_school, person
from tests.support.mail_server import free_port
from tests.support.servers import settings_of_tests
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.embedded import bin_path, embedded_postgres
from workflow.people.accounts import issue_token

PATIENCE_SECONDS = 60
SOON_SECONDS = 8
"""A little more than connect_timeout."""


@dataclass
class Database:
    """A school on a PostgreSQL that can be stopped and started under it."""

    folder: Path
    url: str
    superuser: str
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = engine_for(self.url)

    def token_of(self, staff_no: str) -> str:
        now = datetime.now(UTC)
        with transaction(self.engine, actor="cli") as session:
            return issue_token(session, person(session, staff_no), name="test", now=now, expires_at=now + timedelta(hours=1)).secret

    def set(self, **settings: str) -> None:
        """Change settings of the server at once; an empty value takes a change back."""
        with create_engine(self.superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            for name, value in settings.items():
                connection.execute(text(f"alter system set {name} = '{value}'" if value else f"alter system reset {name}"))
            connection.execute(text("select pg_reload_conf()"))

    def become_a_standby(self) -> None:
        """Start again as a standby whose primary is gone."""
        self.stop()
        (self.folder / "standby.signal").touch()
        self.start()

    def promote(self) -> None:
        """Make the standby a primary: its past goes on as another one from here."""
        self._pg_ctl("promote")

    def stop(self) -> None:
        self._pg_ctl("stop", "-m", "fast")

    def start(self) -> None:
        line = (self.folder / "postmaster.opts").read_text(encoding="utf-8")
        options = line.split('"-D"', 1)[1].split('"', 2)[2].strip()
        self._pg_ctl("start", "-l", str(self.folder / "log"), "-o", options)

    def _pg_ctl(self, *words: str) -> None:
        home = self.folder.stat()
        who = {"user": home.st_uid, "group": home.st_gid, "extra_groups": []} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}
        command = [str(bin_path() / "pg_ctl"), "-D", str(self.folder), "-w", *words]
        subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)  # type: ignore[call-overload]


@contextmanager
def a_database() -> Iterator[Database]:
    """Start a PostgreSQL of its own, with a school in it."""
    with TemporaryDirectory(prefix="zhibu-outage-") as folder, embedded_postgres(Path(folder)) as superuser:
        owner, application = migrations.prepare_embedded(superuser)
        migrations.migrate(owner, application)
        made = Database(Path(folder) / "postgres", application, superuser)
        with transaction(made.engine, actor="cli") as session:
            a_school(session)
        yield made
        made.engine.dispose()


@dataclass(frozen=True)
class Service:
    """A server process and its master's pid."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


WAITRESS = """
import signal, sys
from api import create_app
from api.server.serving import AT_ONCE, serve_in_this_process
from tests.support.servers import settings_of_tests
from workflow.foundation.database import engine_for

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
app = create_app(engine_for(sys.argv[1]), settings_of_tests(), at_once=AT_ONCE, patience_seconds=float(sys.argv[3]))
serve_in_this_process(app, host="127.0.0.1", port=int(sys.argv[2]))
"""
"""Code that serves with waitress, as the demo does, with a patience of its own."""


@contextmanager
def served(database: Database, project: Path, log: Path, by: str, *, url: str | None = None, patience: float = 35) -> Iterator[Service]:
    """Serve the school by gunicorn (``zhibu serve``) or by waitress, until the block ends.

    ``url`` is another way to the same database; waitress alone takes another ``patience``.
    """
    port, url = free_port(), url or database.url
    settings = settings_of_tests()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    ours = {"ZHIBU_DATABASE_URL": url.replace("+psycopg", ""), "ZHIBU_BASE_URL": str(settings.base_url), "ZHIBU_SECRET_KEY": "a" * 20}
    how = ["-m", "cli", "serve", "--port", str(port)] if by == "gunicorn" else ["-c", WAITRESS, url, str(port), str(patience)]
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, *how], cwd=project, env={**kept, **ours}, stdout=output, stderr=output)
    service = Service(process, port, log)
    try:
        wait_until(lambda: status(f"{service.address}/readyz") == 200, service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_SECONDS)


def status(address: str) -> int | None:
    try:
        return httpx.get(address, timeout=SOON_SECONDS).status_code
    except httpx.TransportError:
        return None


def wait_until(true: object, service: Service, seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert callable(true)
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(service.log.read_text(encoding="utf-8", errors="replace"))


@dataclass
class Proxy:
    """A way to the database that can fall silent: it neither answers nor refuses."""

    url: str
    _speaks: Event

    def fall_silent(self) -> None:
        self._speaks.clear()

    def speak(self) -> None:
        self._speaks.set()


@contextmanager
def a_proxy(url: str) -> Iterator[Proxy]:
    """Stand in front of a database (on a Unix socket) at a port of this machine."""
    to, speaks, ended = make_url(url), Event(), Event()
    place = f"{to.query['host']}/.s.PGSQL.{to.query.get('port', 5432)}"
    speaks.set()

    def carry(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while content := one.recv(65536):
                speaks.wait()
                other.sendall(content)
        # What one side has ended, the other hears of: but not while it is silent.
        speaks.wait()
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def stand_between(caller: socket.socket) -> None:
        with caller, socket.socket(socket.AF_UNIX) as server:
            server.connect(place)
            back = Thread(target=carry, args=(server, caller))
            back.start()
            carry(caller, server)
            back.join()

    def accept() -> None:
        between = []
        while not ended.is_set():
            with suppress(OSError):
                caller, _ = listener.accept()
                between.append(Thread(target=stand_between, args=(caller,)))
                between[-1].start()
        for each in between:
            each.join()

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        listener.settimeout(0.2)
        accepting = Thread(target=accept)
        accepting.start()
        port = listener.getsockname()[1]
        yield Proxy(to.difference_update_query(["host", "port"]).set(host="127.0.0.1", port=port).render_as_string(hide_password=False), speaks)
        ended.set()
        speaks.set()
        accepting.join(PATIENCE_SECONDS)
