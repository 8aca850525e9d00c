"""A service on a fresh database with the cast in it, and signed-in clients for each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from api import create_app
from tests.support.builders import NOW, STAFF_NO, a_school, person
from workflow.foundation.database import transaction
from workflow.foundation.settings import Settings, read_settings
from workflow.people.accounts import issue_token

B = "/cycles/2024/branches/D0101"


@dataclass
class Clock:
    """The time as the service sees it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Reply:
    """An answer as a client reads it."""

    status: int
    body: Any
    headers: Headers

    @property
    def etag(self) -> str:
        return self.headers["ETag"]


@dataclass
class Client:
    """A client of the API that sends its token with every request."""

    http: FlaskClient
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: Any = None, *, seen: int | str | None = None, **headers: str) -> Reply:
        sent = {"Authorization": f"Bearer {self.token}", **self.headers, **headers}
        if seen is not None:
            sent["If-Match"] = f'"{seen}"' if isinstance(seen, int) else seen
        answer = self.http.open(f"/api/v1{path}", method=method, json=body, headers=sent)
        return Reply(answer.status_code, answer.get_json(silent=True), answer.headers)

    def get(self, path: str, **headers: str) -> Reply:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, *, seen: int | str | None = None, **headers: str) -> Reply:
        return self("POST", path, {} if body is None else body, seen=seen, **headers)

    def patch(self, path: str, body: Any, *, seen: int | str | None = None) -> Reply:
        return self("PATCH", path, body, seen=seen)

    def put(self, path: str, body: Any, *, seen: int | str | None = None) -> Reply:
        return self("PUT", path, body, seen=seen)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return read_settings({}, secret_key="a secret of the tests' own", base_url="http://zhibu.example")


@pytest.fixture
def app(engine: Engine, settings: Settings, clock: Clock) -> Flask:
    return create_app(engine, settings, clock=clock)


@pytest.fixture
def school(engine: Engine) -> Engine:
    """The cast of two branches in a published 2024."""
    with transaction(engine, actor="cli") as session:
        a_school(session)
    return engine


@pytest.fixture
def sign_in(app: Flask, school: Engine) -> Callable[[str], Client]:
    """Give a function: ``sign_in("张三")`` makes a client with their token."""

    def as_(name: str) -> Client:
        with transaction(school, actor="cli") as session:
            return Client(app.test_client(), token_of(session, name))

    return as_


def token_of(session: Session, name: str) -> str:
    return issue_token(session, person(session, name), name="test", now=NOW, expires_at=NOW + timedelta(days=365)).secret


@pytest.fixture
def secretary(sign_in: Callable[[str], Client]) -> Client:
    return sign_in("张三")


@pytest.fixture
def office(sign_in: Callable[[str], Client]) -> Client:
    return sign_in("office")


def staff_no(name: str) -> str:
    return STAFF_NO[name]
