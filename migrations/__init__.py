"""Migrations (数据库迁移): bring a school's database to the form that this version of the code needs.

``migrate`` runs as the login that owns the tables. It makes the application's group if it can, and
lets the application's login into it; the migrations themselves only grant to the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from workflow.foundation.database import APPLICATION_ROLE, OLDEST_POSTGRESQL, sqlstate
from workflow.foundation.errors import Refusal, Words
from workflow.readings.reaching import LENT, is_lent_by_transaction

OWNER_ROLE = "zhibu_owner"
DATABASE = "zhibu"
FORBIDDEN = "42501"
"""insufficient_privilege (PostgreSQL, appendix A)."""


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


@dataclass(frozen=True)
class Migrated:
    """The version of a database before and after; None before the first."""

    before: str | None
    after: str
    steps: int
    tables: int


def migrate(owner_url: str, application_url: str) -> Migrated:
    """Make the application's group, let its login in, and run the missing migrations.

    Raises MigrationRefused before anything is changed.
    """
    engine = create_engine(owner_url, poolclass=NullPool)
    login = make_url(application_url).username or ""
    if is_lent_by_transaction(engine):
        raise MigrationRefused(LENT)
    scripts = ScriptDirectory.from_config(configuration(""))
    with engine.connect() as connection:
        must_be_served(connection.dialect)
        before = _must_be_ours(connection, scripts)
        _must_make_tables(connection)
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
    try:
        command.upgrade(configuration(owner_url), "head")
    except ProgrammingError as error:
        if sqlstate(error) != FORBIDDEN:
            raise
        raise _not_the_owner(make_url(owner_url)) from None
    after = scripts.get_current_head() or ""
    steps = len(list(scripts.iterate_revisions(after, before or "base"))) if after != before else 0
    with engine.connect() as connection:
        return Migrated(before, after, steps, len(inspect(connection).get_table_names()))


def must_be_served(dialect: Dialect) -> None:
    """Raise MigrationRefused for a PostgreSQL that is too old; an engine knows once connected."""
    number = int((dialect.server_version_info or (0,))[0])
    if number < OLDEST_POSTGRESQL:
        zh = f"这里的数据库是 PostgreSQL {number}，需要 {OLDEST_POSTGRESQL} 或更新：请升级，或换一个服务器。什么都没有改动"
        en = (
            f"this is PostgreSQL {number}, and {OLDEST_POSTGRESQL} or newer is needed: please upgrade it, or take another server; nothing was changed"
        )
        raise MigrationRefused(Words(zh, en))


def _must_be_ours(connection: Connection, scripts: ScriptDirectory) -> str | None:
    """Return the version of a database that is empty or ours. Raises MigrationRefused."""
    name = connection.engine.url.database
    try:
        present = MigrationContext.configure(connection).get_current_revision()
    except ProgrammingError as error:
        if sqlstate(error) != FORBIDDEN:
            raise
        raise _not_the_owner(connection.engine.url) from None
    if present is None:
        # Alembic's own, without a row, is what a downgrade leaves.
        if tables := sorted({*inspect(connection).get_table_names()} - {"alembic_version"}):
            zh = f"库 {name} 不是空的，也不是本程序建的（有表 {tables[0]}）：请检查库名，或另建一个空库"
            en = f"the database {name} is not empty and not of this program (table {tables[0]}): please check its name, or make an empty one"
            raise MigrationRefused(Words(zh, en))
        return None
    if present not in {each.revision for each in scripts.walk_revisions()}:
        zh = f"库 {name} 的版本 {present} 本程序不认识：它比本程序新（请升级程序），或者是别的程序的库（请检查库名）"
        en = f"the version {present} of the database {name} is not known: it is newer than this program (please upgrade it), or another program's"
        raise MigrationRefused(Words(zh, en))
    return present


def _must_make_tables(connection: Connection) -> None:
    if not connection.scalar(text("select has_schema_privilege('public', 'create')")):
        raise _not_the_owner(connection.engine.url)


def _not_the_owner(url: URL) -> MigrationRefused:
    zh = f"登录名 {url.username} 不能在库 {url.database} 里建表：请把库的拥有者（如 {OWNER_ROLE}）写在 ZHIBU_OWNER_DATABASE_URL，再运行 zhibu migrate"
    en = f"the login {url.username} may not make tables in the database {url.database}"
    advice = f"please name the owner of the database (such as {OWNER_ROLE}) in ZHIBU_OWNER_DATABASE_URL, and run zhibu migrate again"
    return MigrationRefused(Words(zh, f"{en}: {advice}"))


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
