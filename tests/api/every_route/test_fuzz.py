"""The API against a fuzzer that reads its description: schemathesis with all its checks."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from api import ROUTES
from api.frame.openapi import path_of
from api.frame.routes import Route
from tests.support.servers import House
from workflow.foundation.vocabulary import Role
from workflow.people.access import ACCESS

pytestmark = pytest.mark.slow

ROLES = {
    "office": {Role.OFFICE},
    "张三": {Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER},
    "administrator": {Role.ADMINISTRATOR},
}
HERE = {"year": 2024, "code": "D0101", "staff_no": "w5", "record_id": 1}
"""Records of the school.

A closed year answers 409 to everything, so this one is never closed.
"""


def admitted(route: Route, who: str) -> bool:
    """Tell whether a route reads this person's request; it refuses others unread."""
    return route.action is None or bool(ROLES[who] & ACCESS[route.action].keys())


def known_of(route: Route) -> dict[str, Any]:
    """Give the values of a route's address that name a record of the school."""
    if route.rule.endswith("/close"):
        return {}
    return {name: value for name, value in HERE.items() if f"{name}>" in route.rule}


@pytest.fixture(scope="module")
def described(house: House) -> Any:
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", house.app)


PAIRS = [(route, who) for route in ROUTES for who in ROLES]
ADMITTED = [pytest.param(*pair, id=f"{pair[0].method} {pair[0].rule} {pair[1]}") for pair in PAIRS if admitted(*pair)]


@pytest.mark.parametrize(("route", "who"), ADMITTED)
def test_every_answer_is_as_described(house: House, described: Any, route: Route, who: str, thorough: bool) -> None:
    headers, known = {"Authorization": f"Bearer {house.as_(who).token}"}, known_of(route)

    @settings(
        max_examples=100 if thorough else 6,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=described[path_of(route.rule)][route.method].as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(headers=headers)
        if known:
            case.path_parameters = {**case.path_parameters, **known}
            case.call_and_validate(headers=headers)

    ask()


def test_who_is_not_admitted_is_refused_as_described(house: House, described: Any) -> None:
    refused = [(route, who) for route, who in PAIRS if not admitted(route, who)]
    answers = {}
    for route, who in refused:
        operation = described[path_of(route.rule)][route.method]
        names = re.findall(r"<(?:[^:<>]+:)?([^<>]+)>", route.rule)
        address = {name: HERE.get(name, "2025-01-26" if name == "day" else 1) for name in names}
        body = {"body": {}, "media_type": "application/json"} if route.body is not None else {}
        case = operation.Case(path_parameters=address, **body)
        answer = case.call(headers={"Authorization": f"Bearer {house.as_(who).token}"})
        case.validate_response(answer)
        answers[f"{route.method} {route.rule} {who}"] = answer.status_code
    assert len(answers) == len(refused) > 100
    assert {name: status for name, status in answers.items() if status != 403} == {}
