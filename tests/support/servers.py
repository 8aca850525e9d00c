"""Services for tests.

One runs in this process on a database of its own; others are real server processes on loopback
ports.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from flask import Flask
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from api import create_app
from tests.api.conftest import Client, Clock, token_of
from tests.support.builders import NOW, STAFF_NO, a_branch, a_school, person
from tests.support.mail_server import free_port
from tests.support.running.postgres import a_clone
from workflow.foundation.database import Base, engine_for, transaction
from workflow.foundation.settings import Settings, read_settings
from workflow.foundation.vocabulary import Post
from workflow.people.organisation import Appointment
from workflow.year.finding import cycle_by_year
from workflow.year.following import open_processes

YEAR = "/cycles/2024"


def settings_of_tests(**overrides: Any) -> Settings:
    return read_settings({}, **{"secret_key": "a secret of the tests' own", "base_url": "http://zhibu.example", **overrides})


@dataclass(frozen=True)
class Cast:
    """The people of one branch with a committee, by their 学工号."""

    code: str

    @property
    def path(self) -> str:
        return f"{YEAR}/branches/{self.code}"

    @property
    def secretary(self) -> str:
        return f"{self.code}s"

    @property
    def deputy(self) -> str:
        return f"{self.code}d"

    @property
    def organiser(self) -> str:
        """A member of the committee."""
        return f"{self.code}c"

    @property
    def publicist(self) -> str:
        """Another member of the committee."""
        return f"{self.code}k"

    @property
    def member(self) -> str:
        return f"{self.code}m"

    @property
    def newcomer(self) -> str:
        """Another member."""
        return f"{self.code}n"

    @property
    def everybody(self) -> list[str]:
        return [self.secretary, self.deputy, self.organiser, self.publicist, self.member, self.newcomer]


@dataclass
class House:
    """A service in this process with the school of ``builders.a_school``.

    Tests can add more branches.
    """

    engine: Engine
    app: Flask
    clock: Clock
    _clients: dict[str, Client] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def as_(self, who: str) -> Client:
        """Sign a person in with a token: by name, by role of the school, or by 学工号."""
        if who not in self._clients:
            with transaction(self.engine, actor="cli") as session:
                self._clients[who] = Client(self.app.test_client(), token_of(session, who))
        return self._clients[who]

    def a_branch(self) -> Cast:
        """Add one more branch to the published year."""
        cast = Cast(f"X{next(self._numbers):03d}")
        with transaction(self.engine, actor="cli") as session:
            add_branch(session, cast)
        return cast

    def state(self) -> Mapping[str, int]:
        """Count the rows of each table.

        History has one for every change, so equal counts mean that nothing was changed.
        """
        with transaction(self.engine, actor=None) as session:
            return state_of(session)


def add_branch(session: Session, cast: Cast) -> None:
    """Add a branch and its process in 2024.

    It has a secretary, a deputy, two more on the committee and two members.
    """
    branch = a_branch(session, code=cast.code, members=cast.everybody, committee=(cast.secretary, cast.organiser, cast.publicist))
    deputy = person(session, cast.deputy)
    session.add(
        Appointment(
            person_id=deputy.id,
            branch_id=branch.id,
            post=Post.DEPUTY,
            role=None,
            title="副书记",
            on_committee=True,
            starts_on=date(2024, 1, 1),
            ends_on=None,
        )
    )
    session.flush()
    open_processes(session, cycle_by_year(session, 2024), now=NOW)


def state_of(session: Session) -> Mapping[str, int]:
    counts = [select(func.count()).select_from(table).scalar_subquery().label(name) for name, table in Base.metadata.tables.items()]
    return dict(session.execute(select(*counts)).mappings().one())


def kept_in(session: Session, words: str) -> set[str]:
    """Find the tables with a row that has these words in a value or as a name."""
    names = text("select tablename from pg_tables where schemaname = 'public'")
    holding = 'select exists (select from "{}" t where strpos(to_jsonb(t)::text, :words) > 0)'
    tables = {name: text(holding.format(name)) for name in session.scalars(names).all()}
    return {name for name, holds in tables.items() if session.scalar(holds, {"words": words})}


@contextmanager
def a_house(superuser: str, template: str, **settings: Any) -> Iterator[House]:
    """Run a service in this process on a database of its own."""
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            a_school(session)
        clock = Clock()
        yield House(engine, create_app(engine, settings_of_tests(**settings), clock=clock), clock)
        engine.dispose()


@dataclass(frozen=True)
class Server:
    """A server process, asked over a real socket."""

    address: str

    def client(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=f"{self.address}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)


@contextmanager
def a_server(database_url: str, log: Path) -> Iterator[Server]:
    """Run a process that serves this database until the block ends.

    Its clock always shows ``builders.NOW``.
    """
    port = free_port()
    command = [sys.executable, "-m", "tests.support.servers", database_url, str(port)]
    with log.open("ab") as output, subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=output, stderr=output) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}", process, log)
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server did not start:\n{log.read_text(errors='replace')}")


def tokens_of(engine: Engine, staff_nos: list[str]) -> dict[str, str]:
    """Make a token for each of them."""
    with transaction(engine, actor="cli") as session:
        return {each: token_of(session, STAFF_NO.get(each, each)) for each in staff_nos}


def main(database_url: str, port: str) -> None:
    """Serve with waitress, as the demo does."""
    from waitress import serve  # noqa: PLC0415

    engine = engine_for(database_url, pool_size=20)
    serve(create_app(engine, settings_of_tests(), clock=lambda: NOW), host="127.0.0.1", port=int(port), threads=32, ident=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
