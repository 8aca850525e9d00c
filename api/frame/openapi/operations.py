"""One operation for each route (接口): purpose, roles, closing stage, refusals, headers, bodies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from marshmallow import fields

from api.frame.errors import CsrfMissing, Malformed, PreconditionRequired, TooLarge, UnsupportedMediaType, status_of
from api.frame.openapi.examples import examples
from api.frame.openapi.headers import names_in, wanted
from api.frame.openapi.refusals import ALWAYS, by_status, response_name
from api.frame.openapi.schemas import Described, Schemas
from api.frame.routes import Route
from api.frame.words import both
from workflow.foundation import errors
from workflow.foundation.errors import Refusal, Words
from workflow.foundation.idempotency import RequestInProgress
from workflow.foundation.settings import UPLOAD_BYTES
from workflow.foundation.vocabulary import Role
from workflow.people.access import ACCESS, Scope

OUTCOME = {200: Words("成功", "done"), 201: Words("已登记", "made"), 204: Words("已办理，没有内容", "done, without content")}


def operation(route: Route, schemas: Schemas, name: str) -> Described:
    """Describe the operation of one route; ``name`` is its operationId."""
    refusals = by_status(refusals_of(route))
    described: Described = {
        "operationId": name,
        "tags": [route.tag.name] if route.tag else [],
        "summary": route.zh,
        "description": description(route),
        "parameters": _parameters(route),
        "responses": {str(route.status): _success(route, schemas)},
        "security": [] if route.action is None else [{"bearer": []}, {"session": []}],
    }
    if route.preview is not None:
        shown = {"application/json": {"schema": schemas.of(route.preview.answers)}}
        described["responses"]["200"] = {"description": both(Words("预览：什么也没有写入", "a preview: nothing was written")), "content": shown}
    if route.polled:
        described["responses"]["304"] = {"description": both(Words("没有变化", "nothing has changed")), "headers": _headers(["ETag"])}
    for status, each in sorted(refusals.items()):
        described["responses"][str(status)] = {"$ref": f"#/components/responses/{response_name(each)}"}
    if route.body is not None and route.act is not None:
        content = {"schema": schemas.of(route.body), "examples": examples(route.act, name)}
        described["requestBody"] = {"required": not route.body_optional, "content": {"application/json": content}}
    if route.upload and route.act is not None and route.act.uploads is not None:
        file = {"type": "string", "format": "binary", "description": both(Words(f"{route.act.uploads.called.zh}文件（.xlsx）", "workbook (.xlsx)"))}
        form = {"type": "object", "required": ["file"], "properties": {"file": file}}
        described["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    return described


def _parameters(route: Route) -> list[Described | str]:
    """List the parameters of a route; a name alone refers to a component."""
    found: list[Described | str] = [name for name, _ in names_in(route.rule)]
    if route.query is not None:
        found.append({"in": "query", "schema": route.query})
    optional = route.method == "PUT"
    headers = [f"{name}-Once-There" if name == "If-Match" and optional else name for name in wanted(route)]
    return [*found, *headers]


def _success(route: Route, schemas: Schemas) -> Described:
    described: Described = {"description": both(OUTCOME[route.status])}
    if route.status != 204:
        described["content"] = {"application/json": {"schema": schemas.of(route.answers)}}
    names = ["ETag"] if route.polled else []
    if route.status == 201:
        names.append("Location")
    if route.repeatable:
        names.append("Idempotent-Replayed")
    return {**described, "headers": _headers(names)} if names else described


def _headers(names: Sequence[str]) -> Described:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


# ── how it refuses ────────────────────────────────────────────────────────────────────────────────────────────────────


def refusals_of(route: Route) -> list[type[Refusal]]:
    """List the refusals of a route; its own come first among those of one status."""
    found = list(route.refuses)
    if route.method != "GET":
        found += [*ALWAYS, errors.StageClosed] if route.act and route.act.closes else ALWAYS
    if route.action is not None:
        found += [errors.Unauthenticated, errors.Forbidden]
    if names_in(route.rule):
        found.append(errors.NotFound)
    if route.method != "GET":
        found.append(TooLarge)
    if route.body is not None or route.upload:
        found.append(UnsupportedMediaType)
    if route.body is not None:
        found.append(Malformed)
    if route.body is not None or route.upload or route.query is not None or route.repeatable:
        found.append(errors.Invalid)
    if route.if_match:
        found += [errors.Stale, PreconditionRequired]
    elif _sees_versions(route):
        found.append(errors.Stale)
    if route.repeatable:
        found.append(RequestInProgress)
    return list(dict.fromkeys([*found, errors.Busy, errors.DatabaseAway, errors.DatabaseUnwritable, errors.DatabaseBehind]))


def _sees_versions(route: Route) -> bool:
    """Tell whether each of many items says the version that was seen."""
    items = route.body.load_fields.get("items") if route.body is not None else None
    return isinstance(items, fields.List) and isinstance(items.inner, fields.Nested) and "version" in items.inner.schema.load_fields


def tellings(route: Route) -> Iterator[tuple[type[Refusal], Words]]:
    """Yield the refusals of a route in words, the most specific first."""
    yield from ((each, each.title) for each in route.refuses)
    if route.act is not None and route.act.closes:
        yield errors.StageClosed, errors.StageClosed.title
    if route.if_match or _sees_versions(route):
        yield errors.Stale, errors.Stale.title
    if route.body is not None and not route.body.partial:
        needed = (field.data_key or name for name, field in route.body.load_fields.items() if field.required)
        yield from ((errors.Invalid, Words(f"{name}：必须填写", f"{name}: is required")) for name in needed)
    if names_in(route.rule):
        yield errors.NotFound, errors.NotFound.title
    if route.query is not None:
        yield errors.Invalid, Words("没有这个参数", "unknown parameter")
    if route.method != "GET" and route.action is not None:
        yield CsrfMissing, CsrfMissing.title
    yield errors.Unauthenticated, errors.Unauthenticated.title


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────────────────

REACH = {Scope.ALL: Words("", ""), Scope.BRANCH: Words("（本支部）", " (own branch)"), Scope.OWN: Words("（本人的）", " (own)")}


def who_may(route: Route) -> Words:
    """Name the roles that may ask, from the access table."""
    if route.action is None:
        return Words("不用登录", "everybody, without signing in")
    roles = ACCESS[route.action]
    if len(roles) == len(Role):
        return Words("登录的任何人", "everybody who is signed in")
    zh = "、".join(f"{role.zh}{REACH[scope].zh}" for role, scope in roles.items())
    return Words(zh, ", ".join(f"{role.value}{REACH[scope].en}" for role, scope in roles.items()))


def most_of(route: Route) -> Words:
    """Tell how much a route takes."""
    if route.at_most_bytes is None:
        most = f"{UPLOAD_BYTES // 1024 // 1024} MiB"
        return Words(f"{most} 的文件（学校可另设 `ZHIBU_UPLOAD_BYTES`）", f"a file of {most} (unless the school sets `ZHIBU_UPLOAD_BYTES`)")
    most = f"{route.at_most_bytes // 1024} KiB"
    return Words(most, most)


def description(route: Route) -> str:
    """Describe a route, Chinese first: purpose, roles, closing stage, and one refusal."""
    who, (refusal, why) = who_may(route), next(tellings(route))
    code = f"`{status_of(refusal)} {refusal.slug}`"
    closes = route.act.closes if route.act else ()
    do = "看" if route.method == "GET" else "办"
    zh = [f"谁可以{do}：{who.zh}。", f"不能{do}时，例如 {code}：{why.zh}。"]
    en = [f"Allowed: {who.en}.", f"Refused, for example, with {code}: {why.en}."]
    if closes:
        zh.insert(1, f"办到何时：{'、'.join(f'“{stage.zh}”' for stage in closes)}环节结束为止。")
        en.insert(1, f"Closes with the stage {', '.join(f'`{stage.value}`' for stage in closes)}.")
    if route.method != "GET":
        most = most_of(route)
        zh.append(f"内容至多 {most.zh}，超出的答 `413 too-large`。")
        en.append(f"Takes at most {most.en}, else `413 too-large`.")
    if route.more is not None:
        zh.append(route.more.zh)
        en.append(route.more.en)
    lines = (f"{route.zh}。{''.join(zh)}", f"{route.en.replace('``', '`')} {' '.join(en)}")
    return "\n\n".join(lines).replace("..", ".").replace("。。", "。")


def operation_names(routes: Sequence[Route]) -> list[str]:
    """Name the operation of each route: its ``operationId``.

    Where several routes have one name, the kind of process is added.
    """
    called = [route.called for route in routes]
    return [f"{name}_{route.kind.value}" if called.count(name) > 1 and route.kind else name for name, route in zip(called, routes, strict=True)]
