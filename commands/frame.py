"""The common part of all commands (命令行的公共部分).

The school of the settings, one transaction, refusals in one line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from threading import Event
from typing import Any, TypeVar

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

import migrations
from workflow.foundation.database import engine_for, is_away, passing_of, transaction
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.errors import EmbeddedUnavailable, Refusal, Words
from workflow.foundation.settings import LANGUAGES, PREFIX, Settings, read_settings
from workflow.foundation.vocabulary import Word, utc_now
from workflow.readings.reaching import LENT, is_lent_by_transaction, passes_by_itself, wait_for_database
from workflow.rules.acts import Act, Call, find, perform

ACTOR = "cli"
T = TypeVar("T")
U = TypeVar("U")
LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The variables that name the language of messages (POSIX): the first one that is set decides."""


# ── the operator's language ───────────────────────────────────────────────────────────────────────


def spoken_language() -> str:
    """Choose the operator's language: ``ZHIBU_LANG``, else an English locale, else Chinese."""
    asked = os.environ.get(f"{PREFIX}LANG")
    if asked in LANGUAGES:
        # Another value is refused by ``read_settings``, in the language chosen below.
        return asked
    locale = next((value for name in LOCALE if (value := os.environ.get(name))), "")
    return "en" if locale.startswith("en") else "zh"


def say(words: Words) -> str:
    """Speak to the operator in their language.

    Help texts call it too, while their module is imported: click takes them there, and a process
    has one language. Both languages in one text would not fit the list of commands: click cuts
    each line of it to the width of the terminal.
    """
    return words.speak(spoken_language())


def tell(words: Words, *, err: bool = False) -> None:
    """Print a sentence in the operator's language."""
    click.echo(say(words), err=err)


def named(word: Word) -> Words:
    """Name a word of the vocabulary; its English is its value."""
    return Words(word.zh, word.value.replace("_", " "))


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
        return _must_be_usable(engine)
    except DBAPIError as error:
        if not passes_by_itself(error):
            raise
        return False
    finally:
        engine.dispose()


def _must_be_usable(engine: Engine) -> bool:
    if is_lent_by_transaction(engine):
        raise click.ClickException(say(LENT))
    if not migrations.is_current(engine):
        raise click.ClickException(say(NOT_MIGRATED))
    return True


NOT_MIGRATED = Words(
    "数据库还没有迁移到当前版本，请先运行 zhibu migrate",
    "the database is not migrated to this version; please run zhibu migrate first",
)
WAITS = Words("数据库现在连不上：先等着，连上以后自动开始", "the database cannot be reached now: waiting, and beginning by itself once it can be")
AWAY = Words(
    "数据库连不上，请检查 ZHIBU_DATABASE_URL 和数据库服务",
    "the database cannot be reached; please check ZHIBU_DATABASE_URL and the database server",
)


def told_plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command so that a refusal is told in one line, not as a traceback."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Refusal as refusal:
            raise click.ClickException(say(refusal.detail)) from None
        except EmbeddedUnavailable as unavailable:
            raise click.ClickException(say(unavailable.words)) from None
        except DBAPIError as error:
            if is_away(error):
                raise click.ClickException(say(AWAY)) from None
            passing = passing_of(error)
            if passing is None:
                raise
            raise click.ClickException(say(passing.title)) from None

    return told
