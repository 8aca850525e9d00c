"""The common part of all commands (命令行的公共部分).

The school of the settings, one transaction, refusals in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from threading import Event
from typing import Any, TypeVar

import click
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DBAPIError

import migrations
from commands.language import say, tell
from migrations import FORBIDDEN
from workflow.foundation.advice.files import unusable
from workflow.foundation.advice.reaching import NotReached, not_reached
from workflow.foundation.database import engine_for, passing_of, sqlstate, transaction
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.errors import EmbeddedUnavailable, Invalid, Refusal, Words
from workflow.foundation.settings import PREFIX, Settings, read_settings
from workflow.foundation.vocabulary import utc_now
from workflow.readings.reaching import LENT, is_lent_by_transaction, passes_by_itself, wait_for_database
from workflow.rules.acts import Act, Call, find, perform

ACTOR = "cli"
T = TypeVar("T")
U = TypeVar("U")
# ── the school of the settings ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Urls:
    """The two logins of one school's database."""

    owner: str
    application: str


@contextmanager
def database(settings: Settings) -> Iterator[Urls]:
    """Give the database that the settings name.

    Or else the embedded one of the data directory, for as long as the block lasts.
    """
    if settings.database_url is not None:
        yield Urls(settings.owner_database_url or settings.database_url, settings.database_url)
        return
    with embedded_postgres(settings.data_dir) as superuser:
        yield Urls(*migrations.prepare_embedded(superuser))


@contextmanager
def acting() -> Iterator[Call[object]]:
    """Open a transaction in which the command line acts on the school of the settings."""
    settings = read_settings()
    with school(settings) as engine, transaction(engine, actor=ACTOR) as session:
        yield Call(session, utc_now(), settings)


def done(call: Call[object], act: Act[T, U], sent: Any, **address: Any) -> U:
    """Do an act as every edge does, but for anybody who may run the command."""
    return perform(find(call, act, address), act, sent)


@contextmanager
def school(settings: Settings, *, until: Event | None = None) -> Iterator[Engine]:
    """Give the engine of a school whose migrations are complete.

    With ``until`` a database that is away is waited for; leaves the process if it is set before.
    """
    with database(settings) as urls:
        engine = engine_for(urls.application)
        try:
            with reaching(urls.application, APPLICATION_URL):
                if until is None:
                    _must_be_usable(engine)
                elif wait_for_database(partial(_must_be_usable, engine), until, lambda: tell(WAITS, err=True)) is None:
                    raise SystemExit(0)
            yield engine
        finally:
            engine.dispose()


def is_there(url: str) -> bool:
    """Tell whether the database can be used; False while it is away. Refuses one of no use."""
    engine = engine_for(url)
    try:
        with reaching(url, APPLICATION_URL):
            return _must_be_usable(engine)
    except NotReached as refused:
        cause = refused.__context__
        if not isinstance(cause, DBAPIError) or not passes_by_itself(cause):
            raise
        return False
    finally:
        engine.dispose()


def _must_be_usable(engine: Engine) -> bool:
    """Refuse a database lent by the transaction, of an old release, or not migrated."""
    if is_lent_by_transaction(engine):
        raise click.ClickException(say(LENT))
    migrations.must_be_served(engine.dialect)
    if not migrations.is_current(engine):
        raise click.ClickException(say(NOT_MIGRATED))
    return True


@contextmanager
def reaching(url: str, variable: str) -> Iterator[None]:
    """Name the setting and the cause if the database is not reached, or may not be used."""
    try:
        yield
    except DBAPIError as error:
        if refused := not_reached(error, url, variable):
            raise refused from None
        if sqlstate(error) == FORBIDDEN:
            login = make_url(url).username
            zh = f"{variable} 的登录名 {login} 没有使用数据表的权限：请用 {OWNER_URL} 运行 zhibu migrate"
            en = f"the login {login} of {variable} may not use the tables: please run zhibu migrate with {OWNER_URL}"
            raise click.ClickException(say(Words(zh, en))) from None
        raise


APPLICATION_URL, OWNER_URL = f"{PREFIX}DATABASE_URL", f"{PREFIX}OWNER_DATABASE_URL"
NOT_MIGRATED = Words(
    "数据库还没有迁移到当前版本，请先运行 zhibu migrate",
    "the database is not migrated to this version; please run zhibu migrate first",
)
WAITS = Words("数据库现在连不上：先等着，连上以后自动开始", "the database cannot be reached now: waiting, and beginning by itself once it can be")


# ── refusals in one line ──────────────────────────────────────────────────────────────────────────


def told_plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command so that a refusal is told in one line, not as a traceback."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Invalid as invalid:
            raise click.ClickException(say(_each_field(invalid))) from None
        except Refusal as refusal:
            raise click.ClickException(say(refusal.detail)) from None
        except EmbeddedUnavailable as unavailable:
            raise click.ClickException(say(unavailable.words)) from None
        except DBAPIError as error:
            passing = passing_of(error)
            if passing is None:
                raise
            raise click.ClickException(say(passing.title)) from None
        except OSError as error:
            if error.filename is None or isinstance(error.filename, int):
                raise
            raise click.ClickException(say(unusable(error))) from None

    return told


def _each_field(invalid: Invalid) -> Words:
    zh = "；".join(f"{field}：{'，'.join(each)}" for field, each in invalid.errors.items())
    return Words(zh, "; ".join(f"{field}: {', '.join(fault.en for fault in each)}" for field, each in invalid.errors.items()))
