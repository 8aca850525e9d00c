"""The OpenAPI 3.1 document (接口说明).

It is made from the routes, the acts, the schemas and the vocabulary: nothing in it is typed
twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from apispec import APISpec

from api.frame.address import BASE
from api.frame.openapi.headers import REQUEST, RESPONSE, names_in, of_address
from api.frame.openapi.naming import names, renamed
from api.frame.openapi.operations import operation, operation_names, refusals_of
from api.frame.openapi.refusals import by_status, response, response_name, shapes, specialise
from api.frame.openapi.schemas import Described, Schemas, chinese_names, tell_components, tell_of_records
from api.frame.routes import Route
from api.frame.words import both
from workflow.foundation.errors import Words

INFO = """党建考核暨组织生活会：各支部走到哪一步、还缺什么、谁来办。接口一律 JSON，时间为 RFC 3339，日期为 `YYYY-MM-DD`。
错误为 `application/problem+json`，默认中文。不认识的字段和参数一律 422。
从 [/docs/start](/docs/start) 开始，错误说明在 [/docs/problems](/docs/problems)。

The yearly appraisal of Party branches: where each branch stands, what it lacks and who must act.
JSON throughout, RFC 3339 moments, `YYYY-MM-DD` days. Errors are `application/problem+json`, in English with `Accept-Language: en`.
Unknown fields and parameters are refused with 422. Begin at [/docs/start](/docs/start)."""


def path_of(rule: str) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)


def document(routes: Sequence[Route]) -> dict[str, object]:
    """Make the document of these routes. It takes a moment: once in a process is enough."""
    schemas = Schemas()
    info = {"description": INFO}
    spec = APISpec("zhibu", version("zhibu"), "3.1.0", plugins=[schemas.plugin], servers=[{"url": BASE}], info=info, tags=_tags(routes))
    schemas.begin()
    schemas.describe([*(answers for route in routes for answers in (route.answers, route.preview and route.preview.answers)), *shapes()])
    for route, name in zip(routes, operation_names(routes), strict=True):
        spec.path(path=path_of(route.rule), operations={route.method.lower(): operation(route, schemas, name)})
    components = {**schemas.found, **spec.components.schemas}
    specialise(components)
    tell_of_records(components, schemas.plugin, chinese_names(routes))
    tell_components(components)
    whole = spec.to_dict()
    paths = whole["paths"]
    _tell_etags(routes, paths, components)
    shared = _shared_parameters(paths)
    responses = _responses(routes)
    new = names(components, [*_answers(paths), responses], [paths, responses])
    return {
        **{key: value for key, value in whole.items() if key not in ("paths", "components")},
        "paths": renamed(paths, new),
        "components": {
            "schemas": {new[name]: renamed(components[name], new) for name in sorted(new, key=new.__getitem__)},
            "responses": renamed(dict(sorted(responses.items())), new),
            "parameters": {**_parameters(routes), **shared},
            "headers": dict(RESPONSE),
            "securitySchemes": SECURITY,
        },
    }


SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": both(Words("程序用的令牌", "a token, for programs"))},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "zhibu_session",
        "description": both(Words("网页登录后的 Cookie，改动须带 X-CSRF-Token", "the cookie of a page's session; changes send X-CSRF-Token")),
    },
}


def _tags(routes: Sequence[Route]) -> list[Described]:
    """List each noun once, in the order of the routes."""
    found = {route.tag.name: route.tag for route in routes if route.tag}
    return [{"name": tag.name, "x-displayName": tag.zh, "description": both(Words(tag.zh, tag.en))} for tag in found.values()]


def _answers(paths: dict[str, Any]) -> list[Described]:
    return [answer for item in paths.values() for each in item.values() for answer in each["responses"].values()]


def _responses(routes: Sequence[Route]) -> dict[str, Described]:
    """Describe the responses of all refusals, by name."""
    found = [each for route in routes for each in by_status(refusals_of(route)).values()]
    return {response_name(each): response(each) for each in found}


def _parameters(routes: Sequence[Route]) -> dict[str, Described]:
    """Describe the parts of addresses, and the headers that are sent."""
    parts = {name: of_address(name, kind) for route in routes for name, kind in names_in(route.rule)}
    headers = {name: {"in": "header", "name": name, "required": name == "If-Match", **each} for name, each in REQUEST.items()}
    return {**parts, **headers, "If-Match-Once-There": {**headers["If-Match"], "required": False}}


def _tell_etags(routes: Sequence[Route], paths: dict[str, Any], components: dict[str, Described]) -> None:
    """Add the ETag to answers that have one.

    These show a version, or some route changes the same thing by its version.
    """
    answers: list[tuple[Described, str]] = []
    changed = set()
    for route in routes:
        success = paths[path_of(route.rule)][route.method.lower()]["responses"][str(route.status)]
        schema = str(success.get("content", {}).get("application/json", {}).get("schema"))
        answers.append((success, schema))
        if route.if_match:
            changed.add(schema)
    for success, schema in answers:
        named = re.findall(r"schemas/(\w+)", schema)
        if schema in changed or any("version" in components[each].get("properties", {}) for each in named):
            success.setdefault("headers", {})["ETag"] = {"$ref": "#/components/headers/ETag"}


def _shared_parameters(paths: dict[str, Any]) -> dict[str, Described]:
    """Replace query parameters that several operations share by references.

    Returns the shared ones by name.
    """
    lists = [each["parameters"] for item in paths.values() for each in item.values()]
    seen = Counter(str(each) for parameters in lists for each in parameters if "$ref" not in each)
    shared: dict[str, Described] = {}
    for parameters in lists:
        for place, each in enumerate(parameters):
            if "$ref" not in each and seen[str(each)] > 1 and shared.setdefault(each["name"], each) == each:
                parameters[place] = {"$ref": f"#/components/parameters/{each['name']}"}
    return shared
