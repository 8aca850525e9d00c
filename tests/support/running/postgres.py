"""The PostgreSQL of the tests: its version, the place of its data, the settings for speed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]
import pytest
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import migrations
from tests.support.builders import steps_to_a_school
from tests.support.running import standing
from tests.support.running.both_versions import Sent
from workflow.foundation.database import APPLICATION_ROLE, act_as, engine_for
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import Coverage

VERSIONS = (16, 18)
"""The oldest supported version, and the embedded one."""
SERVER = "server"
NOT_ASKED_OF_TESTS = ("fsync", "synchronous_commit", "full_page_writes")
"""Settings against a crash of the machine, turned off in tests.

Tests of crashes start a PostgreSQL of their own, which keeps them.
"""
_numbers = count(1)
MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4 << 30  # noqa: S108


def version_of(config: pytest.Config) -> str:
    """Choose the version that was asked for, or else 18.

    With several workers every other one has 16, and the two change places each day.
    """
    if asked := config.getoption("--postgres"):
        return str(asked)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return "18"
    return str(VERSIONS[(int(worker.removeprefix("gw")) + config.getoption("--day")) % 2])


@contextmanager
def a_postgres(version: str) -> Iterator[str]:
    """Run a server of the tests' own, or take the named real one; yields a superuser's URL."""
    if version == SERVER:
        url = read_settings().test_database_url
        assert url, "--postgres=server wants ZHIBU_TEST_DATABASE_URL"
        yield url
        return
    # Not below pytest's own folder: another session of pytest takes back the permissions that
    # PostgreSQL needs there.
    with (
        TemporaryDirectory(prefix="zhibu-tests-", dir=_quick_folder()) as folder,
        embedded_postgres(Path(folder), version=int(version)) as url,
    ):
        with administration(url) as connection:
            for name in NOT_ASKED_OF_TESTS:
                connection.execute(text(f"alter system set {name} = off"))
            connection.execute(text("select pg_reload_conf()"))
        yield url


def _quick_folder() -> Path | None:
    """Choose memory if there is plenty, else the default.

    On a disk each new database of 650 files may take half a second.
    """
    if not os.access(MEMORY, os.W_OK):
        return None
    roomy = psutil.disk_usage(str(MEMORY)).free >= MEMORY_BYTES and psutil.virtual_memory().available >= 2 * MEMORY_BYTES
    return MEMORY if roomy else None


@contextmanager
def a_template(superuser: str) -> Iterator[str]:
    """Make a migrated database that others are cloned from.

    The school of ``builders.a_school`` can be put into its clones.
    """
    name = f"zhibu_template_{os.getpid()}"
    owner, application = (
        url_of(superuser, name, migrations.OWNER_ROLE),
        url_of(superuser, name, APPLICATION_ROLE),
    )
    with administration(superuser) as connection:
        _roles(connection, make_url(superuser).password)
        connection.execute(text(f"create database {name} owner {migrations.OWNER_ROLE}"))
    try:
        migrations.migrate(owner, application)
        counts = _keep_the_schools(superuser, name)
        engine = create_engine(owner, poolclass=NullPool)
        with engine.begin() as connection:
            standing.leave_room(connection, counts)
        yield name
    finally:
        with administration(superuser) as connection:
            connection.execute(text(f"drop database {name} with (force)"))


def _roles(connection: Connection, password: str | None) -> None:
    for role in (migrations.OWNER_ROLE, APPLICATION_ROLE):
        if not connection.scalar(text("select 1 from pg_roles where rolname = :name"), {"name": role}):
            connection.execute(text(f"create role {role}"))
        connection.execute(text(f"alter role {role} login" + (f" password '{password}'" if password else "")))


def _keep_the_schools(superuser: str, template: str) -> dict[str, int]:
    """Build the school in either reading of K2; count the rows of each table."""
    counts: dict[str, int] = {}
    for coverage in Coverage:
        with a_clone(superuser, template) as url:
            engine = engine_for(url)
            with Session(engine) as session:
                act_as(session, actor="cli")
                steps = steps_to_a_school(session, coverage)
                counts |= standing.keep(session, coverage.value, *steps)
            engine.dispose()
    return counts


@contextmanager
def a_clone(superuser: str, template: str) -> Iterator[str]:
    """Clone a fresh database; yields the application's URL."""
    name = f"{standing.CLONES}{os.getpid()}_{next(_numbers)}"
    with administration(superuser) as connection:
        connection.execute(text(f"create database {name} template {template} owner {migrations.OWNER_ROLE}"))
    try:
        yield url_of(superuser, name, APPLICATION_ROLE)
    finally:
        with administration(superuser) as connection:
            connection.execute(text(f"drop database {name} with (force)"))


def administration(superuser: str) -> Connection:
    """Open a connection that creates and drops databases."""
    return create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()


def url_of(superuser: str, database: str, role: str) -> str:
    """Make the URL of a database for a role."""
    return make_url(superuser).set(database=database, username=role).render_as_string(hide_password=False)


def refused_by_another_version(sent: Sent, superuser: str, version: str) -> dict[str, str]:
    """Find the statements that another version does not plan, with its error.

    A statement is left out if this version does not plan it on a fresh database either: it names a
    table or a function that a test made.
    """
    own = _refused_on(sent, superuser)
    with a_postgres(version) as another:
        refused = _refused_on(sent, another)
    return {statement: said for statement, said in refused.items() if statement not in own}


def _refused_on(sent: Sent, superuser: str) -> dict[str, str]:
    with a_template(superuser) as template, a_clone(superuser, template) as url:
        engine = engine_for(url)
        refused = sent.refused_by(engine)
        engine.dispose()
    return refused
