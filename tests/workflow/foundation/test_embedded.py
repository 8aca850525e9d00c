"""The embedded PostgreSQL with real processes: its start, its stop, and traces of a killed one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from sqlalchemy.engine import make_url

from workflow.foundation.embedded import bin_path, embedded_postgres
from workflow.foundation.errors import EmbeddedUnavailable
from workflow.foundation.system_account import ACCOUNT_LOCK

pytestmark = pytest.mark.slow

GUEST = """
import os, sys
from pathlib import Path
from workflow.foundation.embedded import embedded_postgres

with embedded_postgres(Path(sys.argv[1])) as url:
    if sys.argv[2:] == ["with a worker"]:
        if not (worker := os.fork()):
            sys.exit(0)
        os.waitpid(worker, 0)
    print(url, flush=True)
    sys.stdin.readline()
"""


class Guest:
    """A process that uses the embedded PostgreSQL until it is told to leave or is killed."""

    def __init__(self, data_dir: Path, *how: str) -> None:
        command = [sys.executable, "-c", GUEST, str(data_dir), *how]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> int:
        self.process.communicate("\n", timeout=30)
        return self.process.returncode

    def die(self, by: signal.Signals) -> None:
        self.process.send_signal(by)
        self.process.communicate(timeout=30)


Enter = Callable[..., Guest]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one data directory of the module, made once; each test leaves it stopped."""
    data_dir = tmp_path_factory.mktemp("embedded") / "made when missing"
    with embedded_postgres(data_dir):
        pass
    return data_dir


@pytest.fixture
def data_dir(cluster: Path) -> Iterator[Path]:
    assert not servers(cluster)
    yield cluster
    assert not servers(cluster), "every test ends with the last one out"


@pytest.fixture
def enter(data_dir: Path) -> Iterator[Enter]:
    with ExitStack() as stack:

        def guest(*how: str) -> Guest:
            visitor = Guest(data_dir, *how)
            stack.callback(visitor.process.kill)
            return visitor

        yield guest


def servers(data_dir: Path) -> list[psutil.Process]:
    """List the living PostgreSQL processes of a data directory, with the postmaster's children."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(data_dir):
                found.append(process)
        except psutil.Error:
            continue
    return found


def connect(url: str) -> psycopg.Connection:
    where = make_url(url)
    return psycopg.connect(host=str(where.query["host"]), port=str(where.query["port"]), user=where.username, dbname=where.database)


def answers(url: str) -> bool:
    with connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def postmaster(data_dir: Path) -> psutil.Process:
    return psutil.Process(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))


def test_the_first_out_leaves_the_server_and_the_last_out_stops_it(data_dir: Path, enter: Enter) -> None:
    first, second = enter(), enter()
    assert first.url() == second.url()
    server = postmaster(data_dir)
    assert first.leave() == 0
    assert server.is_running()
    with embedded_postgres(data_dir) as url:
        assert answers(url)
        assert second.leave() == 0
        assert postmaster(data_dir) == server
        assert answers(url)
    assert not servers(data_dir)
    assert list((data_dir / "postgres.users").iterdir()) == []


def test_one_who_comes_while_the_last_one_leaves_gets_a_running_server(data_dir: Path, enter: Enter) -> None:
    leaving = enter()
    leaving.url()
    assert leaving.process.stdin is not None
    leaving.process.stdin.write("\n")
    leaving.process.stdin.flush()
    coming = [enter(), enter()]
    assert all(answers(guest.url()) for guest in coming)
    assert [guest.leave() for guest in [leaving, *coming]] == [0, 0, 0]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_after_the_only_process_was_killed_the_next_one_joins_and_its_stop_leaves_nothing(data_dir: Path, enter: Enter, by: signal.Signals) -> None:
    killed = enter()
    killed.url()
    server = postmaster(data_dir)
    killed.die(by)
    assert server.is_running(), "the postmaster outlives the one who started it"
    with embedded_postgres(data_dir) as url:
        assert postmaster(data_dir) == server
        assert answers(url)
    assert not servers(data_dir)
    assert list((data_dir / "postgres.users").iterdir()) == []


def test_a_process_killed_while_it_starts_the_server_does_not_stand_in_the_way(data_dir: Path, enter: Enter) -> None:
    starting = enter()
    while not list((data_dir / "postgres.users").iterdir()):
        assert starting.process.poll() is None
    starting.die(signal.SIGKILL)
    with embedded_postgres(data_dir) as url:
        assert answers(url)


def test_after_the_postmaster_was_killed_the_next_start_recovers_what_was_committed(data_dir: Path, enter: Enter) -> None:
    witness = enter()
    with connect(witness.url()) as connection:
        connection.execute("CREATE TABLE committed AS SELECT 7 AS n")
    server = postmaster(data_dir)
    server.kill()
    while server in servers(data_dir):
        pass
    with embedded_postgres(data_dir) as recovered:
        with connect(recovered) as connection:
            assert connection.execute("SELECT n FROM committed").fetchall() == [(7,)]
        assert witness.leave() == 0
        assert answers(recovered)


def test_a_pid_file_whose_pid_is_another_process_now_is_no_server(data_dir: Path) -> None:
    with embedded_postgres(data_dir):
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "60"], user=(data_dir / "postgres").stat().st_uid)
    try:
        (data_dir / "postgres" / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        with embedded_postgres(data_dir) as url:
            assert answers(url)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_pid_file_whose_pid_is_a_zombie_is_no_server_though_others_are_inside(data_dir: Path, enter: Enter) -> None:
    guest = enter()
    guest.url()
    lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    server = postmaster(data_dir)
    server.kill()
    while server in servers(data_dir):
        pass
    # A killed server looks like this in a container whose first process does not reap.
    zombie = subprocess.Popen(["true"], user=(data_dir / "postgres").stat().st_uid)
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    (data_dir / "postgres" / "postmaster.pid").write_text("\n".join([str(zombie.pid), *lines[1:], ""]))
    with embedded_postgres(data_dir) as url:
        assert answers(url)
        assert guest.leave() == 0
    zombie.wait()


def test_a_forked_worker_that_ends_does_not_stop_the_server_of_its_parent(data_dir: Path, enter: Enter) -> None:
    parent = enter("with a worker")
    assert answers(parent.url())
    assert parent.leave() == 0


@pytest.mark.parametrize("folder", ["很长的目录" * 12, "学校 党委, it's"], ids=["long", "with blanks, commas and quotes"])
def test_a_path_that_a_socket_cannot_bear_works_and_leaves_no_socket_behind(tmp_path: Path, folder: str) -> None:
    data_dir = tmp_path / folder
    with embedded_postgres(data_dir) as url:
        socket_dir = Path(str(make_url(url).query["host"]))
        assert answers(url)
        assert socket_dir.stat().st_mode & 0o077 == 0, "the server trusts whoever reaches its socket"
    assert not socket_dir.exists()
    assert not servers(data_dir)


def test_an_interrupted_initdb_is_begun_anew(tmp_path: Path) -> None:
    half_made = tmp_path / "postgres.new-killed"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("16\n")
    with embedded_postgres(tmp_path, version=16) as url:
        assert answers(url)
    assert not half_made.exists()


def test_ctrl_c_while_the_cluster_is_made_ends_the_process_and_leaves_nobody_inside(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    while not list(tmp_path.glob("postgres.new-*")):
        assert guest.process.poll() is None
    guest.die(signal.SIGINT)
    assert guest.process.returncode == -signal.SIGINT
    assert not (tmp_path / "postgres").exists()
    assert list((tmp_path / "postgres.users").iterdir()) == []


ON_A_NEW_MACHINE = """
mount --make-rprivate / && mount --bind "$1/etc" /etc && mount --bind "$1/run" /run || exit
go() { "$2" -c 'from workflow.foundation.embedded import postgres_account as ask; print(ask().pw_uid)'; }
export PATH="$1:$PATH" CALLS="$1/calls"
go "$@" & first=$!
go "$@" & wait $first && wait $! && cat /etc/passwd
"""
USERADD = """#!/bin/sh
# As slow as it is while another one runs, and as forgetful of what that one writes.
echo "$$" >> "$CALLS"
cp /etc/passwd "/etc/passwd.$$"
sleep 0.5
echo "pgserver:x:$$:$$::/home/pgserver:/bin/bash" >> "/etc/passwd.$$"
mv "/etc/passwd.$$" /etc/passwd
"""


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0,
    reason="only root makes accounts, and the machine of this test is one in a namespace",
)
def test_of_two_first_starts_at_once_one_makes_the_account_for_both(tmp_path: Path) -> None:
    for folder in ("etc", "run"):
        (tmp_path / folder).mkdir()
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (tmp_path / "useradd").write_text(USERADD)
    (tmp_path / "useradd").chmod(0o755)
    shutil.copy("/etc/ld.so.cache", tmp_path / "etc")
    command = ["unshare", "-m", "sh", "-c", ON_A_NEW_MACHINE, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True, timeout=60)
    (made,) = (tmp_path / "calls").read_text().split()
    told = done.stdout.splitlines()
    assert told == [made, made, "root:x:0:0:root:/root:/bin/bash", f"pgserver:x:{made}:{made}::/home/pgserver:/bin/bash"]
    assert (tmp_path / "run" / ACCOUNT_LOCK.name).stat().st_mode & 0o077 == 0, "whoever can open it could lock it"


def test_a_directory_of_another_version_is_refused_by_name_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedUnavailable, match=r"由 PostgreSQL 16 建立，这里需要 18"), embedded_postgres(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["PG_VERSION", "postgres", "postgres.door", "postgres.users"]


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedUnavailable, match=r"无法在数据目录 .*file/data 使用内置数据库"), embedded_postgres(tmp_path / "file" / "data"):
        pass


def test_pg_dump_of_both_versions_is_there_and_no_other() -> None:
    assert [(bin_path(version) / "pg_dump").exists() for version in (16, 18)] == [True, True]
    with pytest.raises(EmbeddedUnavailable, match="16、18"):
        bin_path(17)
