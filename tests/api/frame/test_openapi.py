"""The description of the API agrees with its behaviour.

``/docs``, ``/healthz`` and ``/readyz`` are at the root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from api import ROUTES
from api.frame.routes import Route
from tests.support.records.rating import a_counted_ballot
from tests.support.servers import House, a_house
from workflow.appraisal.meetings.tallies import TallySchema
from workflow.foundation.database import transaction
from workflow.foundation.fields import Answered, Body
from workflow.foundation.vocabulary import Role
from workflow.people.access import ACCESS
from workflow.year.finding import process_of

PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
REFERENCE = re.compile(r"#/components/(\w+)/([\w-]+)")


@pytest.fixture(scope="module")
def house(superuser: str, template: str) -> Iterator[House]:
    with a_house_with_records(superuser, template) as made:
        yield made


@contextmanager
def a_house_with_records(superuser: str, template: str) -> Iterator[House]:
    """A school with one record of each kind, numbered 1."""
    with a_house(superuser, template) as made:
        secretary, branch = made.as_("张三"), "/cycles/2024/branches/D0101"
        for path, body in (
            ("study-sessions", {"held_on": "2024-12-19"}),
            ("talks", {"held_on": "2024-12-19", "talker": "z3", "partner": "w5"}),
            ("talks/1/follow-ups", {"due_on": "2024-12-30", "what": "家访"}),
            ("self-reviews", {"staff_no": "z3"}),
            ("meetings", {"purpose": "report", "form": "general", "held_on": "2024-12-19", "chair": "z3", "recorder": "w5"}),
            ("waivers", {"requirement": "members_who_have_not_studied", "reason": "外出"}),
            ("problems", {"source": "meeting", "about": "committee", "text": "质量不高"}),
            ("measures", {"text": "完善制度", "problems": [1]}),
            ("measures/1/progress", {"state": "doing"}),
            ("measures/1/comments", {"text": "建议明确到人"}),
            ("commitments", {"staff_no": "w5", "text": "每周自学一次"}),
            ("publications", {"from": "2024-12-19"}),
            ("rectification-filings", {"to": "学院党委", "sent_on": "2024-12-19"}),
        ):
            assert secretary.post(f"{branch}/{path}", body).body["id"] == 1
        assert made.as_("王五").post(f"{branch}/tallies", {name: GOOD[name] for name in TallySchema().load_fields}).body["id"] == 1
        with transaction(made.engine, actor="cli") as session:
            a_counted_ballot(session, process_of(session, 2024, "D0101"))
        for path, body in (
            ("ratings", {"staff_no": "w5", "level": "qualified"}),
            ("help-plans", {"staff_no": "w5"}),
            ("disposition-cases", {"staff_no": "w5", "proposed_on": "2024-12-19"}),
        ):
            assert secretary.post(f"{branch}/{path}", body).body["id"] == 1
        activity = {"kind": "study", "name": "主题党日", "held_on": "2024-12-19"}
        assert made.as_("office").post("/cycles/2024/activities", activity).body["id"] == 1
        yield made


@pytest.fixture(scope="module")
def document(house: House) -> Any:
    answer = house.app.test_client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {(method.upper(), path): each for path, item in document["paths"].items() for method, each in item.items()}


def resolved(document: Any, part: Any) -> Any:
    """A part of the document, or the component that it refers to."""
    if "$ref" not in part:
        return part
    kind, name = part["$ref"].split("/")[-2:]
    return document["components"][kind][name]


def parameters(document: Any, route: Route) -> list[Any]:
    return [resolved(document, each) for each in operations(document)[route.method, path_of(route.rule)]["parameters"]]


def path_of(rule: str) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)


def address(route: Route, values: Mapping[str, str]) -> str:
    """Make the route's address with these values, and 1 for every other number."""
    return PARAMETER.sub(lambda part: values.get(part[1], "1"), route.rule)


def test_it_is_openapi_3_1_and_lists_every_route_and_no_other(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/api/v1"}]
    assert operations(document).keys() == {(route.method, path_of(route.rule)) for route in ROUTES}


def test_every_reference_leads_somewhere(document: Any) -> None:
    found = set(REFERENCE.findall(str(document)))
    assert found
    for kind, name in found:
        assert name in document["components"][kind]


def test_each_operation_says_what_it_takes_and_how_it_refuses(document: Any) -> None:
    for route in ROUTES:
        each = operations(document)[route.method, path_of(route.rule)]
        assert each["summary"], route.name
        assert str(route.status) in each["responses"]
        assert (each["security"] == []) == (route.action is None)
        assert ("requestBody" in each) == (route.body is not None or route.upload)
        assert {p["name"] for p in parameters(document, route) if p["in"] == "path"} == set(re.findall(r"\{(\w+)\}", path_of(route.rule)))
        assert any(p["name"] == "If-Match" for p in parameters(document, route)) == route.if_match
        refusals = {code: resolved(document, answer) for code, answer in each["responses"].items() if code[0] in "45"}
        assert all(answer["content"].keys() == {"application/problem+json"} for answer in refusals.values())
        assert {"401", "403"} <= refusals.keys() or route.action is None


def takes_null(described: Any) -> bool:
    """Judge as readers of the description do, whatever words it is written in."""
    if "anyOf" in described:
        return any(takes_null(each) for each in described["anyOf"])
    return "$ref" not in described and "null" in described.get("type", ["null"]) and None in described.get("enum", [None])


def answered(cls: type[Answered] = Answered) -> Iterator[type[Answered]]:
    for each in cls.__subclasses__():
        yield each
        yield from answered(each)


def test_what_may_be_left_out_is_described_as_null_in_answers(document: Any) -> None:
    described = {name: each.get("properties", {}) for name, each in document["components"]["schemas"].items()}
    shown = {cls.__name__.removesuffix("Schema"): cls for cls in answered()}
    assert {"Talk", "Commitment", "Meeting"} <= shown.keys() & described.keys()
    for name in sorted(shown.keys() & described.keys()):
        for field in shown[name]().dump_fields.values():
            if field.allow_none and field.name in described[name]:
                assert takes_null(described[name][field.name]), f"{name}.{field.name}"


def test_operations_have_names_of_their_own(document: Any) -> None:
    names = [each["operationId"] for each in operations(document).values()]
    assert len(names) == len(set(names))


def test_what_is_required_to_make_something_is_not_required_to_change_it(document: Any) -> None:
    schemas = document["components"]["schemas"]
    made = operations(document)["POST", "/cycles/{year}/branches/{code}/talks"]["requestBody"]["content"]["application/json"]["schema"]
    changed = operations(document)["PATCH", "/cycles/{year}/branches/{code}/talks/{record_id}"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    first, second = (schemas[REFERENCE.findall(str(each))[0][1]] for each in (made, changed))
    assert set(first["required"]) == {"held_on", "talker", "partner"}
    assert not second.get("required")
    assert first["properties"].keys() == second["properties"].keys()


# ── no value in any field is a fault of ours ──────────────────────────────────────────────────────────────────────────

VALUES: list[Any] = [
    None,
    "",
    "x",
    "\0",
    "\ud800",
    10**400,
    -1,
    True,
    [],
    [[]],
    [None],
    ["x", "x"],
    {},
    {"study": "2024-01-01", "x": 1},
    "9999-12-31",
]
GOOD: dict[str, Any] = {
    "number": "党委会〔2024〕12号",
    "issued_on": "2024-12-19",
    "results": {"D0101": {"result": "excellent"}},
    "items": [{}],
    "working": True,
    "typed": {"aspects.A1": "信念坚定"},
    "staff_no": "w5",
    "talker": "z3",
    "partner": "w5",
    "held_on": "2024-12-19",
    "on": "2024-12-20",
    "due_on": "2024-12-30",
    "what": "家访",
    "starts_on": "2024-01-01",
    "ends_on": "2024-12-31",
    "reason": "外出",
    "name": "程序",
    "kind": "study",
    "plan": "2024",
    "deadlines": {"report": "2025-01-01"},
    "trigger": "advance",
    "stage": "study",
    "requirement": "members_who_have_not_studied",
    "password": "一个很长的密码 12",
    "old": "一个很长的密码 12",
    "new": "另一个很长的密码 12",
    "substitute": "s8",
    "branch": "D0101",
    "purpose": "report",
    "form": "general",
    "subject": "committee",
    "issued": 1,
    "returned": 1,
    "valid": 1,
    "void": 0,
    "counts": {item: {"good": 1} for item in ("work", "style", "overall")},
    "source": "meeting",
    "about": "committee",
    "text": "质量不高",
    "state": "doing",
    "from": "2024-12-19",
    "to": "2024-12-30",
    "sent_on": "2024-12-19",
    "given_on": "2024-12-19",
    "way": "face",
    "proposed_on": "2024-12-19",
    "step": "talk",
    "result": "转好",
    "why": "merged",
}


def sent(body: Body) -> dict[str, Any]:
    """List the fields of a body by their names in requests."""
    return {field.data_key or name: field for name, field in body.load_fields.items()}


def who_may(route: Route) -> str:
    roles = ACCESS[route.action] if route.action is not None else {Role.OFFICE}
    school = (Role.OFFICE, Role.ADMINISTRATOR, Role.COMMITTEE)
    return next((role.value for role in school if role in roles), "张三")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is not None], ids=lambda route: f"{route.method} {route.rule}")
def test_whatever_stands_in_a_field_the_answer_is_one_of_those_described(house: House, document: Any, route: Route) -> None:
    assert route.body is not None
    described = {int(code) for code in operations(document)[route.method, path_of(route.rule)]["responses"]}
    fields = sent(route.body)
    required = {name: GOOD[name] for name, field in fields.items() if field.required and route.method != "PATCH"}
    values = {"year": "2024", "code": "D0101", "staff_no": "w5"}
    path = address(route, values)
    headers = {"Authorization": f"Bearer {house.as_(who_may(route)).token}", "If-Match": '"1"', "Content-Type": "application/json"}
    for name in fields:
        for value in VALUES:
            body = json.dumps({**required, name: value})
            answer = house.app.test_client().open(f"/api/v1{path}", method=route.method, data=body, headers=headers)
            assert answer.status_code in described, (name, value, answer.get_data(as_text=True))


def kinds_of_conflict(document: Any, method: str, path: str) -> set[str]:
    described = resolved(document, operations(document)[method, path]["responses"]["409"])
    variants = described["content"]["application/problem+json"]["schema"]["oneOf"]
    return {resolved(document, each)["properties"]["type"]["const"] for each in variants}


def test_what_a_move_conflicts_with_is_described(house: House, document: Any) -> None:
    secretary, branch = house.as_("张三"), "/cycles/2024/branches/D0101"
    described = kinds_of_conflict(document, "POST", "/cycles/{year}/branches/{code}/moves")
    seen = secretary.get(branch).etag
    told = {secretary.post(f"{branch}/moves", {"trigger": trigger}, seen=seen).body["type"] for trigger in ("file", "advance")}
    assert told == {"/docs/problems#move-not-possible", "/docs/problems#requirements-unmet"} <= described


UNKNOWN = {"year": "2023", "code": "D0999", "staff_no": "nobody", "invitation_code": "x" * 43}
ALWAYS_THERE = {"day", "on"}
"""Every day exists in the calendar, and a draft is begun wherever there is a form."""


def test_what_an_address_names_and_is_not_there_is_not_found(house: House) -> None:
    found = []
    for route in ROUTES:
        names = PARAMETER.findall(route.rule)
        for wrong in set(names) - ALWAYS_THERE:
            there = {"year": "2024", "code": "D0101", "staff_no": "w5", "day": "2025-03-03"}
            values = {**there, wrong: UNKNOWN.get(wrong, "987654321")}
            path = address(route, values)
            fields = sent(route.body) if route.body is not None else {}
            body = {name: GOOD[name] for name, field in fields.items() if field.required and route.method != "PATCH"}
            client = house.as_(who_may(route))
            answer = client(route.method, path, body if route.body else None, seen=1)
            found.append((route.method, path, answer.status))
    assert [each for each in found if each[2] != 404] == []
    assert len(found) > 200


def test_the_root_has_what_machines_and_people_ask_for_first(house: House) -> None:
    client = house.app.test_client()
    home = client.get("/")
    assert (home.status_code, home.headers["Location"]) == (303, "/sign-in")
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json().keys() == {"database", "migrations", "worker"}
    assert ready.get_json()["worker"].keys() == {"last_tick", "oldest_unsent"}
    page = client.get("/docs").get_data(as_text=True)
    for address in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        with client.get(address) as found:
            assert found.status_code == 200, address
    assert not re.findall(r"<script(?![^>]*src=)|<style| on\w+=", page), "the policy allows no inline script or style"


def test_an_answer_has_an_etag_where_the_description_says_so_and_304_where_it_is_polled(house: House, document: Any) -> None:
    tagged, without = 0, []
    for route in ROUTES:
        if route.method == "GET":
            client = house.as_(who_may(route))
            path = address(route, {"year": "2024", "code": "D0101", "staff_no": "w5"}) + ("?year=2025" if route.rule == "/calendar" else "")
            answer = client.get(path)
            if answer.status != 200:
                continue
            success = operations(document)["GET", path_of(route.rule)]["responses"]["200"]
            assert "ETag" not in answer.headers or "ETag" in success.get("headers", {}), route.name
            if "ETag" not in answer.headers and "ETag" in success.get("headers", {}):
                without.append(route.rule)
            if "ETag" in answer.headers:
                tagged += 1
                again = client.get(path, **{"If-None-Match": answer.etag})
                assert (again.status == 304) == route.polled, route.name
    assert tagged > 20
    assert [rule for rule in without if not rule.endswith(NOT_THERE_YET)] == []


NOT_THERE_YET = ("/duty-report", "/facts", "/proposal", "/form")
"""Records that are answered empty before their first writing, and have no version then."""
