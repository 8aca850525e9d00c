"""The common part of all commands (命令行的公共部分).

The school of the settings, one transaction, refusals in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

import migrations
from workflow.foundation.database import engine_for, is_away, transaction
from workflow.foundation.embedded import EmbeddedUnavailable, embedded_postgres
from workflow.foundation.errors import Refusal
from workflow.foundation.settings import Settings, read_settings
from workflow.foundation.vocabulary import utc_now
from workflow.rules.acts import Act, Call, find, perform

ACTOR = "cli"
T = TypeVar("T")
U = TypeVar("U")


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
def school(settings: Settings) -> Iterator[Engine]:
    """Give the engine of a school whose migrations are complete."""
    with database(settings) as urls:
        engine = engine_for(urls.application)
        try:
            if not migrations.is_current(engine):
                raise click.ClickException("数据库还没有迁移到当前版本，请先运行 zhibu migrate")
            yield engine
        finally:
            engine.dispose()


def told_plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command so that a refusal is told in one line, not as a traceback."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Refusal as refusal:
            raise click.ClickException(refusal.detail.zh) from None
        except EmbeddedUnavailable as unavailable:
            raise click.ClickException(str(unavailable)) from None
        except DBAPIError as error:
            if is_away(error):
                raise click.ClickException("数据库连不上，请检查 ZHIBU_DATABASE_URL 和数据库服务") from None
            raise

    return told
