"""The recorded year: all answers of the walk are unchanged, and every route succeeds in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from api import ROUTES
from migrations.tables import METADATA
from tests.net.masks import MASKED, MASKS, SECRETS, Mask
from tests.net.recording import RECORDED, Line, Recorder, differences, read, report
from tests.net.year.school import ROLES
from tests.net.year.walk import recorded
from tests.support.running import standing
from tests.support.running.postgres import a_clone, a_postgres, a_template, administration, url_of
from workflow.foundation.database import engine_for

pytestmark = pytest.mark.slow

NOT_ANSWERED: dict[str, str] = {}
"""Routes that are never answered 2xx in the walk, each with the reason."""


@pytest.fixture(scope="module")
def walked(superuser: str) -> Iterator[Recorder]:
    """Walk the year once, on the PostgreSQL version of the recording, with all numbers unused.

    Rows changed by one statement are recorded in an order that depends on that version.
    """
    with a_postgres("18") as own, a_template(own) as template, a_clone(own, template) as url:
        with administration(own) as connection:
            # New statistics in the middle of the year would change the order of rows.
            connection.execute(text("alter system set autovacuum = off"))
            connection.execute(text("select pg_reload_conf()"))
        owner = url_of(own, make_url(url).database or "", migrations.OWNER_ROLE)
        with create_engine(owner, poolclass=NullPool).begin() as connection:
            standing.leave_room(connection, dict.fromkeys(METADATA.tables, 0))
        engine = engine_for(url)
        yield recorded(engine)
        engine.dispose()


@pytest.fixture(scope="module")
def before() -> list[Line]:
    return read(RECORDED)


def test_every_answer_is_what_it_was(walked: Recorder, before: list[Line]) -> None:
    """Record intended differences with ``python -m tests.net.record``."""
    found = report(before, walked.lines)
    assert not found, found


def test_every_route_is_answered_well_in_the_walk(walked: Recorder) -> None:
    assert {route.name for route in ROUTES} - walked.answered_well == NOT_ANSWERED.keys()


@pytest.mark.parametrize("moment", ["begun", "middle", "end"])
def test_all_that_is_read_is_asked_as_every_role_in_both_languages(before: list[Line], moment: str) -> None:
    asked = {(line["method"], line["who"], line["lang"]) for line in before if line["moment"] == moment}
    assert asked == {("GET", who, lang) for who in ROLES for lang in ("zh", "en")}


# ── what is hidden, and what is found ─────────────────────────────────────────────────────────────────────────────────


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value inside an answer, with its path in the form of the masks."""
    inner = value.items() if isinstance(value, dict) else (("*", each) for each in value) if isinstance(value, list) else ()
    yield at, value
    for name, each in inner:
        yield from leaves(each, f"{at}.{name}" if at else name)


def hides(mask: Mask, line: Line) -> bool:
    place = f"TABLE {line['path'].split('/')[0]}" if line["method"] == "TABLE" else f"{line['method']} {line['path']}"
    if not re.fullmatch(mask.place, place):
        return False
    shown = [*leaves(line["body"]), *leaves({"headers": line.get("headers")})]
    return any(value == MASKED and re.fullmatch(mask.field, at) for at, value in shown)


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: f"{mask.place} {mask.field}")
def test_every_mask_hides_something(before: list[Line], mask: Mask) -> None:
    assert any(hides(mask, line) for line in before)


def test_every_secret_is_hidden(before: list[Line]) -> None:
    for secret in SECRETS:
        hidden = re.compile(re.sub(r"\(\?.*|\[.*", re.escape(MASKED), secret.pattern.pattern))
        assert any(hidden.search(str(line)) for line in before), secret
        assert not any(secret.pattern.search(str(line)) for line in before), secret


def a_line(**changes: Any) -> Line:
    return {"step": 1, "moment": "walk", "who": "office", "lang": "zh", "method": "GET", "path": "/a", "status": 200, "body": {"a": [1]}, **changes}


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ([a_line(status=404)], "status: 200 → 404"),
        ([a_line(body={"a": [1, 2]})], "a: [1] → [1, 2]"),
        ([a_line(body={"a": [True]})], "a[0]: 1 → true"),
        ([a_line(body={"a": [1], "b": None})], 'b: "(absent)" → null'),
        ([], "is not asked any more"),
        ([a_line(), a_line()], "is new"),
    ],
)
def test_what_differs_is_found_and_said(new: list[Line], said: str) -> None:
    (found,) = differences([a_line()], new)
    assert said in found


def test_what_moves_without_a_change_is_no_difference() -> None:
    other = a_line(path="/b", step=2)
    assert report([a_line(), other], [{**other, "step": 1}, a_line(step=2)]) == ""
    assert report([a_line(body={"a": 1, "b": 2})], [a_line(body={"b": 2, "a": 1})]) == ""
