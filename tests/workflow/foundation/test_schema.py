"""The schema: what migrations make is what the code declares, down and up again; words, names and grants are as they must be."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from alembic import command
from sqlalchemy import Enum, Table, create_engine, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import migrations
from migrations.tables import METADATA
from workflow.foundation.database import APPLICATION_ROLE, engine_for
from workflow.foundation.embedded import bin_path

LONGEST_NAME = 50
TABLES = sorted(METADATA.tables.values(), key=lambda table: table.name)


MAY = {
    "history": {"select"},
    "letter": {"select", "insert", "update"},
    "worker_heartbeat": {"select", "insert", "update"},
    "kept_answer": {"select", "insert", "delete"},
    "progress_count": {"select", "insert", "update"},
    "progress_delta": {"select", "update", "delete"},
    "branch_change": {"select", "delete"},
}
"""What the application may do with a table where it is less than reading and changing."""


@pytest.fixture
def empty_url(superuser: str, template: str, database_url: str) -> Iterator[str]:
    """The owner's URL of a database with nothing in it."""
    name = f"{make_url(database_url).database}_empty"
    with create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as administration:
        administration.execute(text(f"create database {name} owner {migrations.OWNER_ROLE}"))
        yield make_url(superuser).set(database=name, username=migrations.OWNER_ROLE).render_as_string(hide_password=False)
        administration.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def dump(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The schema of a database as pg_dump writes it, without its comments and Alembic's own table."""
    server = request.config.getoption("--postgres")
    program = shutil.which("pg_dump") if server == "server" else str(bin_path(int(server)) / "pg_dump")
    assert program, "no pg_dump on the PATH"

    def dumped(url: str) -> str:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        told = [program, "--schema-only", "--no-owner", "--exclude-table=alembic_version", address]
        lines = subprocess.run(told, check=True, capture_output=True, text=True, encoding="utf-8").stdout.splitlines()
        # \restrict and \unrestrict carry a word that is new with every dump.
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


WORDS = [(table.name, column.name) for table in TABLES for column in table.columns if isinstance(column.type, Enum)]


@pytest.mark.parametrize(("table", "column"), WORDS)
def test_a_column_of_words_takes_exactly_the_words_of_its_vocabulary(session: Session, table: str, column: str) -> None:
    kind = METADATA.tables[table].columns[column].type
    assert isinstance(kind, Enum)
    assert kind.enum_class is not None
    # The one that speaks of this column alone: a CHECK of several columns is no list of words.
    checks = session.scalars(
        text("""select pg_get_constraintdef(c.oid) from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attname = :column
            where c.conrelid = cast(:table as regclass) and c.contype = 'c' and c.conkey = array[a.attnum]"""),
        {"table": table, "column": column},
    ).all()
    listed = [set(re.findall(r"'([^']*)'", check)) for check in checks]
    assert {word.value for word in kind.enum_class} in listed


def test_every_constraint_and_index_has_a_name_that_errors_can_be_told_apart_by(session: Session) -> None:
    names = session.scalars(
        text("""select conname from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'
            union select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'i'""")
    ).all()
    ours = [name for name in names if not name.startswith("alembic_version")]
    assert len(ours) > 50
    assert [name for name in ours if len(name) > LONGEST_NAME] == []
    assert [name for name in ours if not re.match(r"(pk|fk|uq|ix|ck)_[a-z_]+$", name)] == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_inside_are_bigint_identities_or_made_of_what_they_belong_to(table: Table) -> None:
    for column in table.primary_key.columns:
        if column.name == "id" and table.name != "worker_heartbeat":
            assert str(column.type) == "BIGINT"
            assert column.identity is not None
            assert column.identity.always
    for column in table.columns:
        if str(column.type) in ("INTEGER", "DATETIME"):
            assert not column.foreign_keys
        if hasattr(column.type, "timezone"):
            assert column.type.timezone, f"{table.name}.{column.name} keeps no zone"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_application_owns_nothing_and_may_do_what_the_table_allows(session: Session, table: Table) -> None:
    may = {
        privilege: session.scalar(text("select has_table_privilege(current_user, :table, :privilege)"), {"table": table.name, "privilege": privilege})
        for privilege in ("select", "insert", "update", "delete", "truncate", "trigger")
    }
    expected = MAY.get(table.name, {"select", "insert", "update", "delete"})
    assert {privilege for privilege, granted in may.items() if granted} == expected
    assert session.scalar(text("select tableowner from pg_tables where tablename = :table"), {"table": table.name}) == migrations.OWNER_ROLE
