"""Migrations (数据库迁移): bring a school's database to the form that this version of the code needs.

``migrate`` runs as the login that owns the tables. It makes the application's group if it can, and
lets the application's login into it; the migrations themselves only grant to the group.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from workflow.foundation.database import APPLICATION_ROLE
from workflow.foundation.errors import Refusal, Words
from workflow.readings.reaching import LENT, is_lent_by_transaction

OWNER_ROLE = "zhibu_owner"
DATABASE = "zhibu"


class MigrationRefused(Refusal):
    """A database that refuses to be prepared; the message has the commands for an administrator."""

    slug = "migration-refused"
    title = Words("数据库准备不成", "The database cannot be prepared")


def configuration(owner_url: str) -> Config:
    """Make Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = owner_url
    return config


def migrate(owner_url: str, application_url: str) -> None:
    """Make the application's group, let its login in, and run the missing migrations.

    Raises MigrationRefused.
    """
    engine = create_engine(owner_url, poolclass=NullPool)
    login = make_url(application_url).username or ""
    if is_lent_by_transaction(engine):
        raise MigrationRefused(LENT)
    try:
        with engine.begin() as connection:
            _prepare_group(connection, login)
    except ProgrammingError as error:
        raise MigrationRefused(
            Words(
                f"请数据库管理员执行：create role {APPLICATION_ROLE}; grant {APPLICATION_ROLE} to {login};（{error.orig}）",
                f"ask the database's administrator for: create role {APPLICATION_ROLE}; grant {APPLICATION_ROLE} to {login};",
            )
        ) from None
    command.upgrade(configuration(owner_url), "head")


def _prepare_group(connection, login: str) -> None:  # type: ignore[no-untyped-def]
    quote = connection.dialect.identifier_preparer.quote
    if not connection.scalar(text("select 1 from pg_roles where rolname = :name"), {"name": APPLICATION_ROLE}):
        connection.execute(text(f"create role {APPLICATION_ROLE}"))
    owner = connection.scalar(text("select current_user"))
    member = text("select pg_has_role(:login, :name, 'member')")
    if login not in (owner, APPLICATION_ROLE, "") and not connection.scalar(member, {"login": login, "name": APPLICATION_ROLE}):
        connection.execute(text(f"grant {APPLICATION_ROLE} to {quote(login)}"))


def prepare_embedded(superuser_url: str) -> tuple[str, str]:
    """Make both roles and the database on an embedded server, if they are not there.

    Returns the owner's and the application's URL.
    """
    engine = create_engine(superuser_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # Two commands may start on one data directory at once.
        connection.execute(text("select pg_advisory_lock(hashtext('zhibu.prepare'))"))
        for role in (OWNER_ROLE, APPLICATION_ROLE):
            if not connection.scalar(text("select 1 from pg_roles where rolname = :name"), {"name": role}):
                connection.execute(text(f"create role {role} login"))
        if not connection.scalar(text("select 1 from pg_database where datname = :name"), {"name": DATABASE}):
            connection.execute(text(f"create database {DATABASE} owner {OWNER_ROLE}"))
    url = make_url(superuser_url).set(database=DATABASE)
    return tuple(url.set(username=role).render_as_string(hide_password=False) for role in (OWNER_ROLE, APPLICATION_ROLE))  # type: ignore[return-value]


def is_current(engine: Engine) -> bool:
    """Tell whether the database has the newest migration."""
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present == ScriptDirectory.from_config(configuration("")).get_current_head()
