"""A visitor of the pages in tests: a session, and forms read from a page and sent back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.support.builders import NOW, STAFF_NO, person
from tests.support.servers import House
from workflow.foundation.database import transaction
from workflow.people.accounts import WebSession, digest

Fields = dict[str, list[str]]


class _Forms(HTMLParser):
    """Reads the forms of a page, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[dict[str, str | None], Fields]] = []
        self._select = self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = dict(attrs)
        if tag == "form":
            self.forms.append((at, {}))
        if not self.forms:
            return
        fields, name = self.forms[-1][1], at.get("name") or ""
        if tag == "input" and name and at.get("type") != "file" and (at.get("type") not in ("checkbox", "radio") or "checked" in at):
            fields.setdefault(name, []).append(at.get("value") or "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in at:
            fields[self._select] = [at.get("value") or ""]
        elif tag == "textarea":
            self._text = name
            fields.setdefault(name, []).append("")

    def handle_data(self, data: str) -> None:
        if self._text:
            self.forms[-1][1][self._text][-1] = data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""


@dataclass
class Visitor:
    """A browser that is signed in, or not."""

    http: FlaskClient

    def get(self, path: str) -> TestResponse:
        return self.http.get(path)

    def form(self, path: str, action: str | None = None) -> Fields:
        """Open a page and return the fields of its form: the one for this address."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return form_in(answer.get_data(as_text=True), action)

    def send(self, path: str, fields: Fields, **changed: Any) -> TestResponse:
        """Send a form with some fields changed."""
        sent = {**fields, **{name.replace("__", "."): value for name, value in changed.items()}}
        return self.http.post(path, data=sent)

    def fill(self, path: str, **changed: Any) -> TestResponse:
        """Open the form of an act, fill it in and send it."""
        return self.send(path.partition("?")[0], self.form(path), **changed)


def form_in(page: str, action: str | None = None) -> Fields:
    """Return the fields of a form: the one for an address, else the last, the page's own."""
    reader = _Forms()
    reader.feed(page)
    found = [fields for at, fields in reader.forms if action is None or at.get("action") == action]
    return found[-1]


def visitor(engine: Engine, app: Flask, who: str | None) -> Visitor:
    """Return a browser in which a person is signed in: by name, role of the school or 学工号."""
    browser = app.test_client()
    if who is not None:
        secret = secrets.token_urlsafe(16)
        with transaction(engine, actor="cli") as session:
            known = person(session, STAFF_NO.get(who, who))
            session.add(WebSession(person_id=known.id, hash=digest(secret), created_at=NOW, expires_at=NOW + timedelta(days=400)))
        browser.set_cookie("zhibu_session", secret)
    return Visitor(browser)


def written(house: House) -> dict[str, int]:
    """Count the rows of each table but of tries and of the last use of sessions."""
    return {table: count for table, count in house.state().items() if table not in ("attempt", "session_use")}
