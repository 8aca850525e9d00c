"""The OpenAPI 3.1 document (接口说明), made from the routes themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema
from pydantic import TypeAdapter

from api.frame.address import BASE
from api.frame.routes import Route
from workflow.foundation.fields import Body

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "unmet": {"type": "array", "items": {"type": "object"}},
        "changed": {"type": "array", "items": {"type": "object"}},
    },
}


def document(routes: Sequence[Route]) -> dict[str, object]:
    """Every route with its body, its parameters and its errors."""
    marshmallow = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec("zhibu", "v1", "3.1.0", plugins=[marshmallow], servers=[{"url": BASE}], info={"description": "党建考核暨组织生活会"})
    spec.components.schema("Problem", PROBLEM)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": "zhibu_session"})
    answers = Answers()
    for route in routes:
        spec.path(path=path_of(route.rule), operations={route.method.lower(): _operation(route, answers)})
    described = spec.to_dict()
    described["components"]["schemas"] |= answers.found
    return described


Described = dict[str, Any]
"""A part of the document."""


class Answers:
    """The schemas of what is answered, made from the types of ``api/frame/shapes.py`` and found once each."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def of(self, answer: Any) -> object:
        """A schema by itself, or a reference to one."""
        if answer is None:
            return {"type": "object"}
        if isinstance(answer, Body | dict):
            return answer  # marshmallow's, which apispec resolves
        schema = TypeAdapter(answer).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        self.found |= schema.pop("$defs", {})
        return schema


def _schema_name(schema: Schema | type[Schema]) -> str:
    cls = schema if isinstance(schema, type) else type(schema)
    partial = not isinstance(schema, type) and schema.partial
    name = cls.__name__
    return f"{name}Changes" if partial else name


def path_of(rule: str) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)


def _in_path(converter: str) -> Described:
    """What may stand in one part of an address."""
    if found := re.fullmatch(r"int\(max=(\d+)\)", converter):
        return {"type": "integer", "minimum": 0, "maximum": int(found[1])}
    return {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,32}$"}


def _parameters(route: Route) -> list[Described]:
    found: list[Described] = [
        {"in": "path", "name": name, "required": True, "schema": _in_path(kind)}
        for kind, name in re.findall(r"<(?:([^:<>]+):)?([^<>]+)>", route.rule)
    ]
    if route.if_match:
        found.append({"in": "header", "name": "If-Match", "required": route.method != "PUT", "schema": {"type": "string"}})
    if route.query is not None:
        found.append({"in": "query", "schema": route.query})
    return found


def _operation(route: Route, schemas: Answers) -> Described:
    refusals = {404, 422, *route.refuses}
    if route.action is not None:
        refusals |= {401, 403}
    if route.body is not None:
        refusals |= {400, 413, 415}
    if route.upload:
        refusals |= {413, 415}
    if route.if_match:
        refusals |= {412, 428}
    if route.method != "GET":
        refusals |= {409, 503}
    problem = {"application/problem+json": {"schema": "Problem"}}
    responses: dict[str, Any] = {str(code): {"description": HTTPStatus(code).phrase, "content": problem} for code in sorted(refusals)}
    success: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.status != 204:
        success["content"] = {"application/json": {"schema": schemas.of(route.answers)}}
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{re.sub(r'[^A-Za-z0-9]+', '_', path_of(route.rule)).strip('_')}",
        "summary": (route.view.__doc__ or "").strip().partition("\n")[0],
        "parameters": _parameters(route),
        "responses": {str(route.status): success, **responses},
        "security": [] if route.action is None else [{"bearer": []}, {"session": []}],
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    if route.upload:
        form = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    return operation
