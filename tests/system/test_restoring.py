"""A backup (备份): restored with every row, and whoever follows changes hears everything again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event

import httpx
import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from schedulers.sealing import seal_and_go_on
from tests.api.conftest import B
from tests.support.builders import a_school
from tests.support.mail_server import free_port
from tests.support.servers import state_of
from tests.system.test_running import PATIENCE_SECONDS, SECRET, environment, running, token_of
from tests.workflow.readings.test_changed_since import Follower, listing
from tests.workflow.readings.test_progress import CODES, a_small_school, moved
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.embedded import bin_path
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import Stage

pytestmark = pytest.mark.slow


@pytest.fixture
def another(superuser: str) -> Iterator[str]:
    """The owner's URL of an empty database."""
    name = f"zhibu_restored_{os.getpid()}"
    administration = create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"create database {name} owner {migrations.OWNER_ROLE}"))
        yield make_url(superuser).set(database=name, username=migrations.OWNER_ROLE).render_as_string(hide_password=False)
        connection.execute(text(f"drop database {name} with (force)"))


def script(project: Path, version: str, name: str, owner_url: str, argument: Path) -> subprocess.CompletedProcess[str]:
    plain = owner_url.replace("+psycopg", "")
    environ = {**os.environ, "PATH": f"{bin_path(int(version))}:{os.environ['PATH']}", "ZHIBU_OWNER_DATABASE_URL": plain}
    return subprocess.run(["sh", str(project / "deploy" / name), str(argument)], env=environ, capture_output=True, text=True, check=False)


def test_a_backup_is_restored_with_every_row_and_the_service_goes_on_with_it(
    project: Path, tmp_path: Path, engine: Engine, owner_url: str, another: str, postgres_version: str
) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    deployed = partial(script, project, postgres_version)
    token = token_of(engine, "office")
    settings = read_settings({}, secret_key=SECRET, data_dir=tmp_path / "data")
    seal_and_go_on(engine, settings, Event())
    made = deployed("backup.sh", owner_url, tmp_path / "backups")
    assert made.returncode == 0, made.stderr
    [backup] = (tmp_path / "backups").glob("zhibu-*.dump")
    assert made.stdout.strip() == str(backup)
    assert backup.stat().st_mode & 0o077 == 0, "others may read it"

    restored = deployed("restore.sh", another, backup)
    assert restored.returncode == 0, restored.stderr
    application = make_url(another).set(username=engine.url.username).render_as_string(hide_password=False)
    again = engine_for(application)
    with transaction(engine, actor=None) as before, transaction(again, actor=None) as after:
        assert state_of(after) == state_of(before)
        assert state_of(after)["history"] > 0
    again.dispose()

    def zhibu(*words: str) -> subprocess.CompletedProcess[str]:
        environ = environment(application, ZHIBU_DATA_DIR=str(settings.data_dir))
        return subprocess.run([sys.executable, "-m", "cli", *words], cwd=project, env=environ, capture_output=True, text=True, check=False)

    # The machine has seen a seal that is not in the backup.
    (settings.data_dir / f"seal-{make_url(another).database}.json").write_text('{"number": 2, "proof": "0123456789abcdef"}')
    assert "zhibu verify --restored" in restored.stdout
    assert zhibu("verify").returncode == 1
    assert "没有被改动" in zhibu("verify", "--restored").stdout
    assert zhibu("verify").returncode == 0

    # Over existing data, the restore refuses with a message and changes nothing.
    assert deployed("restore.sh", another, backup).returncode != 0

    port = free_port()
    with (
        running(project, tmp_path / "log", environment(application), "serve", "--port", str(port), ready=port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS) as office,
    ):
        assert office.get("/cycles/2024/progress").json()["branches"] == 2
        extension = {"stage": "report", "due_on": "2030-01-10", "reason": "期末考试"}
        assert office.post(f"{B}/extensions", json=extension).status_code == 201, "rights, numbers and history came along"


def set_back(superuser: str, owner_url: str, how: str) -> None:
    """Make room for a backup: a new database of the same name, or the same one, emptied."""
    name = make_url(owner_url).database
    with create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as administration:
        if how == "a new database":
            administration.execute(text(f"alter database {name} rename to {name}_old"))
            administration.execute(text(f"create database {name} owner {migrations.OWNER_ROLE} encoding 'UTF8' template template0"))
            administration.execute(text(f"drop database {name}_old with (force)"))
            return
    with create_engine(owner_url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as owner:
        owner.execute(text("drop schema public cascade"))
        owner.execute(text("create schema public"))
        owner.execute(text("grant usage on schema public to public"))


@pytest.mark.parametrize("how", ["a new database", "the same database"])
def test_after_a_restore_who_follows_changes_hears_everything_again(
    project: Path, tmp_path: Path, engine: Engine, owner_url: str, superuser: str, postgres_version: str, how: str
) -> None:
    """The numbers of transactions have gone on, and soon pass those that were given out before."""
    with transaction(engine, actor="cli") as session:
        a_small_school(session)
    deployed = partial(script, project, postgres_version)
    assert deployed("backup.sh", owner_url, tmp_path).returncode == 0
    [backup] = tmp_path.glob("zhibu-*.dump")
    follower = Follower(engine)
    follower.catch_up()
    for code in CODES[:3]:
        with transaction(engine, actor="cli") as session:
            moved(session, code, Stage.TALKS)
    assert sorted(follower.catch_up()) == CODES[:3]
    engine.dispose()

    set_back(superuser, owner_url, how)
    restored = deployed("restore.sh", owner_url, backup)
    assert (restored.returncode, restored.stderr) == (0, "")
    with transaction(engine, actor="cli") as session:
        moved(session, CODES[4], Stage.TALKS)
    assert sorted(follower.ask()) == CODES
    assert follower.rows == listing(engine), "the three that moved after the backup are back where they were"
    assert follower.ask() == []
