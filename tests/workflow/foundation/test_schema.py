"""The schema: migrations make what the code declares, on both versions of PostgreSQL.

They do so after a downgrade too. Words, names and grants are tested as well.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from alembic import command
from sqlalchemy import DateTime, Engine, Enum, create_engine, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import migrations
from migrations.tables import METADATA
from tests.support.running.postgres import SERVER, VERSIONS, a_clone, a_postgres, a_template
from workflow.foundation.database import APPLICATION_ROLE, engine_for
from workflow.foundation.embedded import bin_path

LONGEST_NAME = 50
TABLES = sorted(METADATA.tables.values(), key=lambda table: table.name)


MAY = {
    "history": {"select"},
    "history_seal": {"select", "insert"},
    "letter": {"select", "insert", "update"},
    "daily_step": {"select", "insert", "update"},
    "letter_item": {"select", "insert", "update"},
    "worker_heartbeat": {"select", "insert", "update"},
    "kept_outcome": {"select", "insert", "delete"},
    "progress_count": {"select", "insert", "update"},
    "progress_delta": {"select", "update", "delete"},
    "branch_change": {"select", "delete"},
    "past": {"select"},
}
"""The rights of the application on tables where they are less than reading and changing."""


@pytest.fixture(scope="module", params=VERSIONS)
def postgres_version(request: pytest.FixtureRequest) -> str:
    """Each version in turn, not only this worker's. A named server is the only one."""
    asked: str | None = request.config.getoption("postgres")
    if asked == SERVER and request.param != VERSIONS[0]:
        pytest.skip("the named server is asked once")
    return asked if asked == SERVER else str(request.param)


@pytest.fixture(scope="module")
def superuser(postgres_version: str) -> Iterator[str]:
    with a_postgres(postgres_version) as url:
        yield url


@pytest.fixture(scope="module")
def template(superuser: str) -> Iterator[str]:
    with a_template(superuser) as name:
        yield name


@pytest.fixture(scope="module")
def shared_engine(superuser: str, template: str) -> Iterator[Engine]:
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        yield engine
        engine.dispose()


@pytest.fixture
def empty_url(superuser: str, template: str, database_url: str) -> Iterator[str]:
    """The owner's URL of an empty database."""
    name = f"{make_url(database_url).database}_empty"
    with create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as administration:
        administration.execute(text(f"create database {name} owner {migrations.OWNER_ROLE}"))
        yield make_url(superuser).set(database=name, username=migrations.OWNER_ROLE).render_as_string(hide_password=False)
        administration.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def dump(postgres_version: str) -> Callable[[str], str]:
    """Give a function that dumps the schema of a database by pg_dump.

    It leaves out comments and Alembic's own table.
    """
    program = shutil.which("pg_dump") if postgres_version == SERVER else str(bin_path(int(postgres_version)) / "pg_dump")
    assert program, "no pg_dump on the PATH"

    def dumped(url: str) -> str:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        told = [program, "--schema-only", "--no-owner", "--exclude-table=alembic_version", address]
        lines = subprocess.run(told, check=True, capture_output=True, text=True, encoding="utf-8").stdout.splitlines()
        # \restrict and \unrestrict carry a word that is new in every dump.
        return "\n".join(line for line in lines if line and not line.startswith(("--", "\\")))

    return dumped


def test_a_migrated_database_is_the_one_that_the_code_declares(owner_url: str, empty_url: str, dump: Callable[[str], str]) -> None:
    declared = create_engine(empty_url, poolclass=NullPool)
    with declared.begin() as connection:
        METADATA.create_all(connection)
    migrated = dump(owner_url)
    assert "CREATE TRIGGER zhibu_history" in migrated
    assert f"TO {APPLICATION_ROLE}" in migrated
    assert dump(empty_url) == migrated


def test_downgrading_leaves_nothing_and_upgrading_again_makes_the_same(owner_url: str, database_url: str, dump: Callable[[str], str]) -> None:
    before = dump(owner_url)
    command.downgrade(migrations.configuration(owner_url), "base")
    engine = engine_for(owner_url)
    with engine.connect() as connection:
        left = connection.scalars(text("select relname from pg_class where relnamespace = 'public'::regnamespace and relname not like '%alembic%'"))
        assert left.all() == []
        assert connection.scalars(text("select proname from pg_proc where pronamespace = 'public'::regnamespace")).all() == []
    assert not migrations.is_current(engine)
    migrations.migrate(owner_url, database_url)
    assert migrations.is_current(engine)
    engine.dispose()
    assert dump(owner_url) == before


def test_migrating_twice_changes_nothing(owner_url: str, database_url: str, dump: Callable[[str], str]) -> None:
    before = dump(owner_url)
    migrations.migrate(owner_url, database_url)
    assert dump(owner_url) == before


CHECKS = """
    select c.conrelid::regclass::text, a.attname, pg_get_constraintdef(c.oid)
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum] where c.contype = 'c'
"""
"""Checks of one column alone: a CHECK of several columns is no list of words."""


def test_a_column_of_words_takes_exactly_the_words_of_its_vocabulary(session: Session) -> None:
    checks: dict[tuple[str, str], list[list[str]]] = {}
    for table, column, check in session.execute(text(CHECKS)):
        checks.setdefault((table, column), []).append(sorted(set(re.findall(r"'([^']*)'", check))))
    words = {
        (table.name, column.name): sorted(word.value for word in column.type.enum_class or ())
        for table in TABLES
        for column in table.columns
        if isinstance(column.type, Enum)
    }
    assert len(words) > 25
    assert all(words.values())
    assert {place: listed for place, listed in words.items() if listed not in checks.get(place, [])} == {}


def test_every_constraint_and_index_has_a_name_that_errors_can_be_told_apart_by(session: Session) -> None:
    names = session.scalars(
        text("""select conname from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'
            union select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'i'""")
    ).all()
    ours = [name for name in names if not name.startswith("alembic_version")]
    assert len(ours) > 50
    assert [name for name in ours if len(name) > LONGEST_NAME] == []
    assert [name for name in ours if not re.match(r"(pk|fk|uq|ix|ck)_[a-z_]+$", name)] == []


def test_keys_inside_are_bigint_identities_or_made_of_what_they_belong_to() -> None:
    numbers = {table.name: table.primary_key.columns["id"] for table in TABLES if "id" in table.primary_key.columns}
    for of_one_row in ("worker_heartbeat", "past"):
        del numbers[of_one_row]
    assert {name for name, column in numbers.items() if str(column.type) != "BIGINT" or not (column.identity and column.identity.always)} == set()
    columns = {f"{table.name}.{column.name}": column for table in TABLES for column in table.columns}
    small = {name for name, column in columns.items() if str(column.type) in ("INTEGER", "DATETIME") and column.foreign_keys}
    without_zone = {name for name, column in columns.items() if isinstance(column.type, DateTime) and not column.type.timezone}
    assert (small, without_zone) == (set(), set())


PRIVILEGES = ("select", "insert", "update", "delete", "truncate", "trigger")


def test_the_application_owns_nothing_and_may_do_what_the_table_allows(session: Session) -> None:
    asked = text("select t, p from unnest(cast(:tables as text[])) t, unnest(cast(:all as text[])) p where has_table_privilege(current_user, t, p)")
    may: dict[str, set[str]] = {table.name: set() for table in TABLES}
    for table, privilege in session.execute(asked, {"tables": list(may), "all": list(PRIVILEGES)}):
        may[table].add(privilege)
    assert may == {table.name: MAY.get(table.name, {"select", "insert", "update", "delete"}) for table in TABLES}
    owners = session.execute(text("select tablename, tableowner from pg_tables where schemaname = 'public'")).all()
    assert {name: owner for name, owner in owners if name in may} == dict.fromkeys(may, migrations.OWNER_ROLE)
