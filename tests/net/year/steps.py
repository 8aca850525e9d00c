"""Shared parts of the walk's steps: the service with its clock, its mail, and the recorder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from api import create_app
from schedulers.worker import tick
from tests.api.conftest import Client, Clock, Reply
from tests.net.recording import Recorder
from tests.net.year.school import NUMBERS
from tests.support.mail_server import MailServer, mail_server
from tests.support.servers import House, settings_of_tests
from tests.support.years.branch_year import BranchYear

EN = {"Accept-Language": "en"}
WHY = {"reason": "登记有误，重新填写"}


@dataclass
class RecordedHouse(House):
    """A service whose answers are recorded together with the caller."""

    recorder: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        self.recorder.attach(self.app)

    def as_(self, who: str) -> Client:
        client = super().as_(who)
        self.recorder.names.setdefault(client.token, next((name for name, number in NUMBERS.items() if number == who), who))
        return client

    def signed_in(self, who: str, token: str) -> None:
        """Let a person ask with a token that they have."""
        self._clients[who] = Client(self.app.test_client(), token)


@dataclass
class Walk:
    """The year as it is walked."""

    house: RecordedHouse
    mail: MailServer
    kept: dict[str, Any] = field(default_factory=dict)
    """Results that later steps need, among them numbers in addresses."""

    def by(self, name: str) -> Client:
        """Sign in a person, given by name, by role of the school or by 学工号."""
        return self.house.as_(NUMBERS.get(name, name))

    @property
    def office(self) -> Client:
        return self.house.as_("office")

    def branch(self, code: str, levels: dict[str, str] | None = None) -> BranchYear:
        """Give a branch; ``levels`` are those that it gives, by name."""
        return BranchYear(self.house, code, {NUMBERS[name]: level for name, level in (levels or {}).items()})

    def both(self, client: Client, method: str, path: str, body: Any = None, *, seen: int | str | None = None) -> Reply:
        """Send a request that is refused, in English and in Chinese."""
        client(method, path, body, seen=seen, **EN)
        return client(method, path, body, seen=seen)

    def at(self, year: int, month: int, day: int, hour: int, minute: int = 0) -> None:
        """Set the clock, in UTC."""
        self.house.clock.now = datetime(year, month, day, hour, minute, tzinfo=UTC)

    def tick(self) -> None:
        """Let the worker tick once: due letters are queued and sent."""
        tick(self.house.engine, settings_of_tests(smtp_url=self.mail.url), self.house.clock.now)


@contextmanager
def a_walk(engine: Engine) -> Iterator[Walk]:
    """Run a recorded service on this database, with a mail server of its own."""
    clock = Clock()
    with mail_server() as mail:
        yield Walk(RecordedHouse(engine, create_app(engine, settings_of_tests(), clock=clock), clock), mail)
