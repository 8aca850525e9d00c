"""The description of the API is complete.

Each part has its words, names can be read, headers and refusals are described.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from api import ROUTES
from api.frame.errors import status_of
from api.frame.openapi import document as made
from api.frame.openapi import path_of
from api.frame.openapi.operations import operation_names, tellings
from api.frame.openapi.refusals import TOLD_APART, every_refusal
from api.frame.openapi.schemas import VOCABULARIES
from api.frame.routes import Route
from api.frame.words.in_one import IN_ONE
from api.frame.words.of_fields import WORDS
from workflow.foundation.errors import Conflict, NotFound, Refusal
from workflow.machine.kinds import KINDS
from workflow.people.access import ACCESS

BOTH = re.compile(r"(?s)[^·]*[一-鿿].* · .*[A-Za-z]")
"""Chinese first, then English."""
MOST_BYTES = 720_000
OPERATIONS = dict(zip(operation_names(ROUTES), ROUTES, strict=True))


@pytest.fixture(scope="module")
def described() -> Any:
    return json.loads(json.dumps(made(ROUTES)))


def operations(described: Any) -> Iterator[tuple[Route, Any]]:
    for item in described["paths"].values():
        for each in item.values():
            yield OPERATIONS[each["operationId"]], each


def properties(part: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every property at every depth, with where it stands."""
    if isinstance(part, dict):
        if part.get("type") == "object" and isinstance(part.get("properties"), dict):
            yield from ((f"{place}.{name}", each) for name, each in part["properties"].items())
        for name, each in part.items():
            if name not in ("examples", "example"):
                yield from properties(each, f"{place}.{name}")
    elif isinstance(part, list):
        for number, each in enumerate(part):
            yield from properties(each, f"{place}.{number}")


def resolved(described: Any, part: Any) -> Any:
    """A part, or the component that it refers to."""
    if "$ref" not in part:
        return part
    kind, name = part["$ref"].split("/")[-2:]
    return described["components"][kind][name]


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_document_is_valid(described: Any) -> None:
    validate(described)


def test_every_property_at_every_depth_is_described_in_both_languages(described: Any) -> None:
    found = dict(properties(described))
    assert len(found) > 1200
    assert [place for place, each in found.items() if not BOTH.match(each.get("description", ""))] == []


def test_every_parameter_and_header_is_described_in_both_languages(described: Any) -> None:
    common = described["components"]
    own = [each for _, operation in operations(described) for each in operation["parameters"] if "$ref" not in each]
    found = [*common["parameters"].values(), *common["headers"].values(), *common["securitySchemes"].values(), *own]
    assert len(found) > 40
    assert [each for each in found if not BOTH.match(each.get("description", ""))] == []


def test_every_component_says_what_it_is(described: Any) -> None:
    common = described["components"]
    found = [(name, each) for kind in ("schemas", "responses") for name, each in common[kind].items()]
    assert [name for name, each in found if not BOTH.match(each.get("description", ""))] == []


def test_no_word_is_kept_for_a_field_that_is_gone(described: Any) -> None:
    names = {place.rpartition(".")[2] for place, _ in properties(described)}
    assert WORDS.keys() - names == set()
    assert {each.rpartition(".")[2] for each in IN_ONE if "." in each} - names == set()


def test_every_operation_says_what_it_does_who_may_and_one_refusal(described: Any) -> None:
    for route, each in operations(described):
        chinese, _, english = each["description"].partition("\n\n")
        assert re.search("[一-鿿]", each["summary"]), route.name
        assert chinese.startswith((f"{each['summary']}。谁可以看：", f"{each['summary']}。谁可以办：")), route.name
        assert english.startswith(f"{route.en.replace('``', '`')} Allowed: "), route.name
        [told] = re.findall(r"例如 `(\d+) ([\w-]+)`", chinese)
        assert f"Refused, for example, with `{told[0]} {told[1]}`" in english
        assert told[0] in each["responses"], route.name
        roles = ACCESS[route.action] if route.action else {}
        assert all(role.zh in chinese and role.value in english for role in roles) or "登录的任何人" in chinese
        closes = route.act.closes if route.act else ()
        assert all(f"“{stage.zh}”" in chinese and f"`{stage.value}`" in english for stage in closes)


def test_a_move_says_what_each_trigger_wants(described: Any) -> None:
    told = {each["operationId"]: each["description"] for _, each in operations(described)}["move_appraisal"]
    for kind in KINDS.values():
        name = f"move_{kind.kind.value}"
        text = next(each["description"] for _, each in operations(described) if each["operationId"] == name)
        for move in kind.moves:
            assert move.together or f"`{move.trigger.value}` {move.trigger.zh}" in text
    assert "`return` 退回（to、reason、due_on）" in told


def test_an_english_description_begins_with_a_verb() -> None:
    """And its first sentence has at most 15 words, as CONTRIBUTING.md asks."""
    riddles = ("Who ", "What ", "Which ", "How ", "That ", "The ", "A ", "One ", "All ", "Each ", "It ")
    assert [route.name for route in ROUTES if not route.en or route.en.startswith(riddles)] == []
    assert [route.en for route in ROUTES if len(route.en.partition(". ")[0].split()) > 15] == []


def test_each_word_of_a_vocabulary_has_its_chinese(described: Any) -> None:
    schemas = described["components"]["schemas"]
    found = {name: cls for name, cls in VOCABULARIES.items() if name in schemas}
    assert len(found) > 15
    for name, cls in found.items():
        assert all(f"{word.value} {word.zh}" in schemas[name]["description"] for word in cls)
    words = {word.value: word.zh for cls in VOCABULARIES.values() for word in cls}
    some = [each for _, each in properties(described) if set(each.get("enum", ())) & words.keys()]
    assert some
    assert all(f"{value} " in each["description"] for each in some for value in each["enum"] if value is not None)


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_operations_have_short_names_of_their_own(described: Any) -> None:
    names = [each["operationId"] for _, each in operations(described)]
    assert len(set(names)) == len(ROUTES)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name) or len(name) > 40] == []
    assert [route.name for route, each in operations(described) if route.act and not each["operationId"].startswith(route.act.name)] == []


def test_every_operation_has_a_noun_that_is_declared_in_both_languages(described: Any) -> None:
    tags = {each["name"]: each for each in described["tags"]}
    assert len(tags) > 25
    assert {tag for _, each in operations(described) for tag in each["tags"]} == tags.keys()
    assert all(len(each["tags"]) == 1 for _, each in operations(described))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) and BOTH.match(each["description"]) for name, each in tags.items())


def test_each_answer_is_a_component_and_none_has_the_name_of_a_class_of_ours(described: Any) -> None:
    for route, each in operations(described):
        if route.status != 204:
            schema = each["responses"][str(route.status)]["content"]["application/json"]["schema"]
            refers = [schema] if "$ref" in schema else schema["anyOf"]
            assert all("$ref" in one for one in refers), route.name
    names = described["components"]["schemas"].keys()
    assert [name for name in names if re.search(r"Schema|Shape|_", name)] == []
    assert {"Talk", "TalkPage", "TalkChanges", "Problem", "Unmet", "Stage"} <= names


def test_a_record_is_one_component_wherever_it_is_answered(described: Any) -> None:
    at = "/cycles/{year}/branches/{code}/talks"
    answers = [
        described["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]["$ref"]
        for path, method, status in (
            (at, "post", "201"),
            (f"{at}/{{record_id}}", "get", "200"),
            (f"{at}/{{record_id}}", "patch", "200"),
            (f"{at}/{{record_id}}/withdraw", "post", "200"),
        )
    ]
    assert set(answers) == {"#/components/schemas/Talk"}


def test_the_document_stays_of_a_bearable_size(described: Any) -> None:
    assert len(json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()) < MOST_BYTES


# ── headers and refusals ──────────────────────────────────────────────────────────────────────────────────────────────


def test_each_operation_names_the_headers_that_it_reads_and_answers(described: Any) -> None:
    for route, each in operations(described):
        parameters = {one["name"] for part in each["parameters"] if (one := resolved(described, part))["in"] == "header"}
        success = each["responses"][str(route.status)].get("headers", {})
        assert "Accept-Language" in parameters
        assert ("Idempotency-Key" in parameters) == ("Idempotent-Replayed" in success) == route.repeatable
        assert ("If-Match" in parameters) == route.if_match
        assert ("If-None-Match" in parameters) == ("304" in each["responses"]) == route.polled
        assert ("X-CSRF-Token" in parameters) == (route.method != "GET" and route.action is not None)
        assert ("Location" in success) == (route.status == 201)
        assert "ETag" in success or not (route.if_match and route.method != "GET")
        for status in ("429", "503"):
            if status in each["responses"]:
                assert "Retry-After" in resolved(described, each["responses"][status])["headers"]


VERSION_OF_EACH = ("/moves/bulk", "/roll/bulk", "/assessments/bulk", "/proposals/bulk")
"""Each of their items says the version that was seen."""


def test_only_statuses_that_can_come_are_declared(described: Any) -> None:
    for route, each in operations(described):
        sent = route.body is not None or route.upload
        assert ("404" in each["responses"]) == ("<" in route.rule or NotFound in route.refuses), route.name
        assert ("415" in each["responses"]) == sent
        assert ("413" in each["responses"]) == (route.method != "GET")
        assert ("422" in each["responses"]) == (sent or route.query is not None or route.repeatable)
        assert ("409" in each["responses"]) == (route.method != "GET")
        assert ("428" in each["responses"]) == route.if_match
        assert ("412" in each["responses"]) == (route.if_match or route.rule.endswith(VERSION_OF_EACH)), route.name


def test_each_operation_says_how_much_it_takes(described: Any) -> None:
    said = {f"{route.method} {route.rule}": each["description"] for route, each in operations(described)}
    for name, most in {"POST /session": "8 KiB", "POST /cycles/<int(max=9999):year>/publish": "8 KiB", "POST /tokens": "1024 KiB"}.items():
        assert f"内容至多 {most}" in said[name]
        assert f"Takes at most {most}" in said[name]
    assert "内容至多 10 MiB 的文件" in said["POST /roster-imports"]
    assert not any("内容至多" in description for name, description in said.items() if name.startswith("GET "))


def test_each_conflict_is_told_apart_by_its_type(described: Any) -> None:
    schemas = described["components"]["schemas"]
    conflicts = {Conflict.slug, *(each.slug for each in every_refusal(Conflict))}
    told = set()
    for _, each in operations(described):
        if "409" in each["responses"]:
            schema = resolved(described, each["responses"]["409"])["content"]["application/problem+json"]["schema"]
            kinds = [resolved(described, one)["properties"]["type"]["const"] for one in schema["oneOf"]]
            assert len(kinds) == len(set(kinds))
            told |= {kind.removeprefix("/docs/problems#") for kind in kinds}
    assert told == conflicts
    assert schemas["RequirementsUnmetProblem"]["properties"]["unmet"]["items"] == {"$ref": "#/components/schemas/Unmet"}
    assert schemas["StaleProblem"]["properties"]["changed"]["items"] == {"$ref": "#/components/schemas/Since"}
    assert schemas["InvalidProblem"]["properties"]["errors"]["additionalProperties"]["type"] == "array"


def test_the_refusal_that_a_description_tells_is_one_of_its_responses() -> None:
    told: set[type[Refusal]] = {next(tellings(route))[0] for route in ROUTES}
    assert len(told) > 6
    assert {status_of(each) for each in told} > set(TOLD_APART)
    assert len({path_of(route.rule) for route in ROUTES}) > 100
