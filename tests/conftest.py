"""Real parts for all tests: a PostgreSQL, a migrated database cloned for who commits, a transaction rolled back for who does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import migrations
from workflow.foundation.database import APPLICATION_ROLE, act_as, engine_for
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.settings import read_settings

TEMPLATE = f"zhibu_template_{os.getpid()}"
_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", default="18", help="18 or 16: the embedded server; 'server': the one that ZHIBU_TEST_DATABASE_URL names")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "superuser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.database)


@pytest.fixture(scope="session")
def superuser(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a superuser on a PostgreSQL of the tests' own, or on the real server that was named."""
    wanted = request.config.getoption("--postgres")
    if wanted == "server":
        url = read_settings().test_database_url
        assert url, "--postgres=server wants ZHIBU_TEST_DATABASE_URL"
        yield url
        return
    # Not below pytest's own folder: another session of pytest takes the permissions back that PostgreSQL needs there.
    with TemporaryDirectory(prefix="zhibu-tests-") as folder, embedded_postgres(Path(folder), version=int(wanted)) as url:
        yield url


@pytest.fixture(scope="session")
def template(superuser: str) -> Iterator[str]:
    """A migrated database that others are cloned from."""
    with _administration(superuser) as administration:
        for role in (migrations.OWNER_ROLE, APPLICATION_ROLE):
            if not administration.scalar(text("select 1 from pg_roles where rolname = :name"), {"name": role}):
                administration.execute(text(f"create role {role}"))
            password = make_url(superuser).password
            administration.execute(text(f"alter role {role} login" + (f" password '{password}'" if password else "")))
        administration.execute(text(f"create database {TEMPLATE} owner {migrations.OWNER_ROLE}"))
    migrations.migrate(_url(superuser, TEMPLATE, migrations.OWNER_ROLE), _url(superuser, TEMPLATE, APPLICATION_ROLE))
    yield TEMPLATE
    with _administration(superuser) as administration:
        administration.execute(text(f"drop database {TEMPLATE} with (force)"))


def _administration(superuser: str):  # type: ignore[no-untyped-def]
    return create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()


def _url(superuser: str, database: str, role: str) -> str:
    return make_url(superuser).set(database=database, username=role).render_as_string(hide_password=False)


@pytest.fixture
def database_url(superuser: str, template: str) -> Iterator[str]:
    """The application's URL of a fresh database, for tests that commit or start processes."""
    name = f"zhibu_{os.getpid()}_{next(_numbers)}"
    with _administration(superuser) as administration:
        administration.execute(text(f"create database {name} template {template} owner {migrations.OWNER_ROLE}"))
    yield _url(superuser, name, APPLICATION_ROLE)
    with _administration(superuser) as administration:
        administration.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def owner_url(superuser: str, database_url: str) -> str:
    """The owner's URL of the same fresh database."""
    return _url(superuser, make_url(database_url).database or "", migrations.OWNER_ROLE)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine of the application's role on a fresh database."""
    engine = engine_for(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def shared_engine(superuser: str, template: str) -> Iterator[Engine]:
    """An engine on one database for all tests that roll back."""
    name = f"zhibu_{os.getpid()}_shared"
    with _administration(superuser) as administration:
        administration.execute(text(f"create database {name} template {template} owner {migrations.OWNER_ROLE}"))
    engine = engine_for(_url(superuser, name, APPLICATION_ROLE))
    yield engine
    engine.dispose()
    with _administration(superuser) as administration:
        administration.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def session(shared_engine: Engine) -> Iterator[Session]:
    """A transaction in which ``cli`` acts, rolled back at the end."""
    with shared_engine.connect() as connection, connection.begin() as outer:
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            act_as(session, actor="cli")
            yield session
        outer.rollback()


@pytest.fixture
def project() -> Path:
    """Where the project stands."""
    return Path(__file__).parents[1]
