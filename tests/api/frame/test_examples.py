"""The examples of the description pass.

Each loads through its schema, and the service finds no fault in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api import ROUTES
from api.frame.openapi.examples import TRIED, examples
from api.frame.openapi.operations import operation_names
from api.frame.routes import Route
from tests.api.frame.test_openapi import a_house_with_records, address, kinds_of_conflict, operations, path_of, who_may
from tests.support.builders import NOW, person
from tests.support.servers import House
from workflow.foundation.database import transaction
from workflow.foundation.fields.loading import load
from workflow.people.accounts import open_account

LAST = ("/withdraw", "/reject", "/disable", "/publish", "/close", "/move", "/leave", "/renumber", "/<code>/end")
"""After these, others would find nothing to be done."""
AHEAD = ("/substitutes", "/cycles", "/extensions")
"""They speak of days to come: they are tried first, in December."""
NAMED = sorted(zip(operation_names(ROUTES), ROUTES, strict=True), key=lambda each: each[1].rule.endswith(LAST) - each[1].rule.endswith(AHEAD))
SENT = [(route, each["value"]) for name, route in NAMED if route.act for each in examples(route.act, name).values()]
IDS = [f"{route.method} {route.rule} {number}" for number, (route, _) in enumerate(SENT)]


@pytest.fixture(scope="module")
def house(superuser: str, template: str) -> Iterator[House]:
    with a_house_with_records(superuser, template) as made:
        with transaction(made.engine, actor="cli") as session:
            [(_, change)] = TRIED["change_password"].values()
            open_account(session, person(session, "office"), now=NOW, password=change["old"])
        yield made


@pytest.fixture(scope="module")
def document(house: House) -> Any:
    return house.app.test_client().get("/api/v1/openapi.json").get_json()


@pytest.mark.parametrize(("route", "value"), SENT, ids=IDS)
def test_every_example_passes_its_schema(route: Route, value: Any) -> None:
    assert route.body is not None
    assert load(route.body, value)


def test_whatever_was_tried_belongs_to_an_operation() -> None:
    assert TRIED.keys() <= set(operation_names(ROUTES))


CAST = {
    "20160001": "z3",
    "20160002": "l4",
    "20160005": "w5",
    "10000001": "l4",
    "0101001": "z3",
    "0101002": "l4",
    "0101020": "w5",
    "0101021": "w5",
    "0101022": "s8",
}


def cast(value: Any) -> Any:
    """The same body with people of the school in place of those of the demo."""
    if isinstance(value, dict):
        return {name: cast(each) for name, each in value.items()}
    if isinstance(value, list):
        return [cast(each) for each in value]
    return CAST.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(("route", "value"), SENT, ids=IDS)
def test_the_service_finds_no_fault_in_an_example(house: House, document: Any, route: Route, value: Any) -> None:
    """The answer or refusal is as described: its headers, the type of a conflict."""
    path = address(route, {"year": "2024", "code": "D0101", "staff_no": "w5", "day": "2025-03-03"})
    # In February what the examples tell of has happened.
    house.clock.now = NOW if route.rule.endswith(AHEAD) else NOW + timedelta(days=50)
    answer = house.as_(who_may(route))(route.method, path, cast(value), seen=1)
    assert answer.status not in (400, 415, 422), answer.body
    if answer.status == 409:
        assert answer.body["type"] in kinds_of_conflict(document, route.method, path_of(route.rule))
    if answer.status < 300:
        described = operations(document)[route.method, path_of(route.rule)]["responses"][str(answer.status)].get("headers", {})
        assert {name for name in ("ETag", "Location") if name in answer.headers} == {name for name in ("ETag", "Location") if name in described}


def test_the_readme_shows_examples_of_the_description(project: Path) -> None:
    # The tour takes the day on which it is walked, the description one of the season.
    readme = (project / "README.md").read_text(encoding="utf-8").replace("'$TODAY'", "2024-12-16")
    shown = [json.loads(body) for body in re.findall(r"'(\{.*?\})'", readme)]
    assert len(shown) >= 5
    sent = [value for _, value in SENT]
    assert [body for body in shown if body not in sent] == []
