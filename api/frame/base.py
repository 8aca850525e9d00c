"""How a route is declared: who may, on what, with which body; and the order in which that is asked.

401 · 404 or 403 of the route · stored replay · 415 · 428 · 422 · 403 of the named trigger · 412 · 409. One transaction per request, opened
here, with its process held as the route says; a deadlock or a lock that timed out is tried again once, whole.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from flask import Response, current_app
from flask import request as http
from flask.json.provider import DefaultJSONProvider
from marshmallow import Schema
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.frame.errors import CsrfMissing, Malformed, PreconditionRequired, UnsupportedMediaType
from workflow.foundation import idempotency
from workflow.foundation.database import act_as, constraint, transaction, with_one_retry
from workflow.foundation.errors import Invalid, NotFound, Refusal, Unauthenticated, Words
from workflow.foundation.fields import load
from workflow.foundation.idempotency import KeptAnswer, Repeatable, RequestInProgress
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import SCHOOL_ZONE, Kind, Role
from workflow.people.access import Action, Caller, Scope
from workflow.people.accounts import Token, WebSession
from workflow.people.callers import caller_by_secret
from workflow.year.cycle import Lock, Process, process_of

SESSION_COOKIE = "zhibu_session"
KEY_HEADER = "Idempotency-Key"
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True)
class Service:
    """What the edge was started with."""

    engine: Engine
    settings: Settings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    kept: dict[str, Any] = field(default_factory=dict)
    """What one process keeps between requests, by what keeps it."""


def service() -> Service:
    return current_app.extensions["zhibu"]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Request:
    """One request, understood: who asks, when, on which process, and by which roles he may."""

    session: Session
    now: datetime
    caller: Caller | None
    by_roles: Mapping[Role, Scope] = field(default_factory=dict)
    on_process: Process | None = None
    if_match: int | None = None

    @property
    def by(self) -> Caller:
        assert self.caller is not None  # noqa: S101  (an open route has no caller and does not ask)
        return self.caller

    @property
    def process(self) -> Process:
        assert self.on_process is not None  # noqa: S101
        return self.on_process

    @property
    def seen(self) -> int:
        assert self.if_match is not None  # noqa: S101
        return self.if_match

    @property
    def today(self) -> date:
        return self.now.astimezone(SCHOOL_ZONE).date()


@dataclass(frozen=True)
class Answer:
    """A body with what goes around it."""

    body: Any = None
    status: int = 200
    version: int | None = None
    """Becomes the strong ETag."""
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tagged: Any = None
    """What the strong ETag is the hash of: a caller who has it already is answered 304."""


View = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One route, as data: the handler, the OpenAPI document and the walk of roles × routes all read it."""

    method: str
    rule: str
    """Below ``/api/v1``. A ``<code>`` in it means a branch's process."""
    view: View
    action: Action | None
    """None is open without sign-in."""
    lock: Lock = Lock.NONE
    kind: Kind = Kind.APPRAISAL
    """Which of a branch's processes a ``<code>`` means."""
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    upload: bool = False
    answers: Any = None
    """The type of what it answers with, for the description."""
    if_match: bool = False
    """A PUT wants it once the thing exists."""
    find: Callable[..., Any] | None = None
    """Looks up what the address names, before anything that was sent is judged: what is not there is missing first of all. The view gets it."""
    refuses: tuple[int, ...] = ()
    """Statuses that only this route's own verb can answer, for the description."""
    secret: bool = False
    """Takes or answers a secret: such an answer is never kept, so an Idempotency-Key is ignored."""
    status: int = 200

    @property
    def repeatable(self) -> bool:
        return self.method == "POST" and self.action is not None and not self.secret

    @property
    def of_branch(self) -> bool:
        return "<code>" in self.rule

    @property
    def name(self) -> str:
        """Flask's name for it; a dot would mean a blueprint."""
        return f"{self.method} {self.rule}".replace(".", "·")


class Routes(list[Route]):
    """The routes of one noun. ``@routes.get(rule, action=…)`` declares one; nothing is registered by importing."""

    def __init__(self, rows: Iterable[Route] = (), *, kind: Kind = Kind.APPRAISAL) -> None:
        super().__init__(rows)
        self.kind = kind

    def _declare(self, method: str, rule: str, options: Mapping[str, Any]) -> Callable[[View], View]:
        def declare(view: View) -> View:
            self.append(Route(method, rule, view, **{"kind": self.kind, **options}))
            return view

        return declare

    def get(self, rule: str, **options: Any) -> Callable[[View], View]:
        return self._declare("GET", rule, options)

    def post(self, rule: str, **options: Any) -> Callable[[View], View]:
        return self._declare("POST", rule, options)

    def patch(self, rule: str, **options: Any) -> Callable[[View], View]:
        return self._declare("PATCH", rule, {"if_match": True, **options})

    def put(self, rule: str, **options: Any) -> Callable[[View], View]:
        return self._declare("PUT", rule, options)

    def delete(self, rule: str, **options: Any) -> Callable[[View], View]:
        return self._declare("DELETE", rule, options)


class JSON(DefaultJSONProvider):
    """Days as YYYY-MM-DD, moments as RFC 3339 in UTC, Chinese as it is written."""

    ensure_ascii = False
    sort_keys = False

    @staticmethod
    def default(o: Any) -> Any:
        if isinstance(o, datetime):
            return o.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(o, date):
            return o.isoformat()
        return DefaultJSONProvider.default(o)


def handler(route: Route) -> Callable[..., Response]:
    """The function that Flask calls for a route."""

    def handle(**path: Any) -> Response:
        sent = b"" if route.upload else http.get_data(cache=True)  # before any lock is taken: a slow sender holds up nobody
        try:
            return with_one_retry(lambda: _answer(route, dict(path), sent))
        except IntegrityError as error:
            if constraint(error) != idempotency.UNIQUE:
                raise
            return with_one_retry(lambda: _answer(route, dict(path), sent))  # the other was faster: replay what it answered
        except Refusal as refusal:
            if isinstance(refusal, RequestInProgress) or not route.repeatable or KEY_HEADER not in http.headers:
                raise
            # An equal request may have had its effect between the look and the refusal: then its answer is there now.
            return with_one_retry(lambda: _answer(route, dict(path), sent))

    return handle


def _answer(route: Route, path: dict[str, Any], sent: bytes) -> Response:
    now = service().clock()
    callers: list[Caller] = []

    def sign_in(session: Session) -> str:
        callers.append(_signed_in(session, now))
        return callers[0].staff_no

    reads = route.method == "GET"
    with transaction(service().engine, actor=None if reads else "anonymous" if route.action is None else sign_in) as session:
        request = Request(session, now, None)
        repeated = None
        if not all(value.isprintable() for value in path.values() if isinstance(value, str)):
            raise NotFound
        if route.action is not None:
            caller = callers[0] if callers else _signed_in(session, now)
            by_roles = caller.may(route.action, path["code"] if route.of_branch else None)
            if not reads and route.of_branch and (absent := caller.stands_for.get(path["code"])) is not None:
                act_as(session, actor=caller.staff_no, on_behalf_of=absent)
            repeated = _repeatable(route, caller, sent)
            if repeated is not None and (kept := idempotency.answered_before(session, repeated)) is not None:
                return _replayed(kept)
            process = process_of(session, path.pop("year"), path.pop("code"), kind=route.kind, lock=route.lock) if route.of_branch else None
            request = Request(session, now, caller, by_roles, process)
        given: list[Any] = []
        if route.find is not None:
            given.append(route.find(request, **path))
            path = {}
        if route.body is not None and http.mimetype != "application/json":
            raise UnsupportedMediaType(Words("请以 application/json 提交", "send application/json"))
        if route.upload and http.mimetype != "multipart/form-data":
            raise UnsupportedMediaType(Words("请以 multipart/form-data 上传文件", "send multipart/form-data"))
        if route.if_match and not (route.method == "PUT" and given == [None]):
            request = replace(request, if_match=_version_seen())
        if route.query is not None:
            given.append(load(route.query(), http.args.to_dict()))
        elif http.args:
            raise Invalid({name: Words("没有这个参数", "unknown parameter") for name in http.args})
        if route.body is not None:
            given.append(load(route.body(partial=route.method == "PATCH"), read_json(sent)))
        response = answered(route.view(request, *given, **path), route.status)
        if repeated is not None:
            headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
            body = response.get_data(as_text=True)
            idempotency.keep_answer(session, repeated, status=response.status_code, headers=headers, body=body, now=now)
        return response


KEPT_HEADERS = ("Location", "ETag")


def _repeatable(route: Route, caller: Caller, sent: bytes) -> Repeatable | None:
    """What makes this request the same request, when it comes with an Idempotency-Key. Raises Invalid for a key that cannot be one."""
    key = http.headers.get(KEY_HEADER)
    if key is None or not route.repeatable:
        return None
    digest = sha256(sent)
    if route.upload:  # the boundary of a multipart body is another one each time: the file is what was sent
        for name, file in sorted(http.files.items()):
            digest.update(f"{name} {file.filename} ".encode())
            digest.update(file.read())
            file.seek(0)
    return Repeatable(caller.person_id, f"{route.method} {http.path}", idempotency.checked_key(key), digest.hexdigest())


def _replayed(kept: KeptAnswer) -> Response:
    response = current_app.response_class(kept.body, status=kept.status, mimetype="application/json")
    response.headers.extend({**kept.headers, "Idempotent-Replayed": "true", "Cache-Control": "private, no-cache"})
    response.autocorrect_location_header = False
    return response


def _signed_in(session: Session, now: datetime) -> Caller:
    """Who asks: by bearer token, or by a page's session with its CSRF token. Raises Unauthenticated, CsrfMissing."""
    scheme, _, secret = http.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return caller_by_secret(session, Token, secret.strip(), now)
    if secret := http.cookies.get(SESSION_COOKIE, ""):
        caller = caller_by_secret(session, WebSession, secret, now)
        if http.method not in ("GET", "HEAD") and not hmac.compare_digest(http.headers.get(CSRF_HEADER, "").encode(), csrf_token(secret).encode()):
            raise CsrfMissing
        return caller
    raise Unauthenticated


def csrf_token(secret: str) -> str:
    """What a page sends along to prove that it is ours: another site can make the browser send the cookie, but cannot read this."""
    key = service().settings.secret_key
    return hmac.new((key.get_secret_value() if key else "").encode(), secret.encode(), sha256).hexdigest()


NO_VERSION = -1


def _version_seen() -> int:
    """The version in If-Match; for ``*``, weak tags and what is no tag of ours one that no row has. Raises PreconditionRequired without one."""
    tag = http.headers.get("If-Match", "").strip()
    if not tag:
        raise PreconditionRequired
    digits = tag[1:-1]
    if len(tag) < 3 or tag[0] != '"' or tag[-1] != '"' or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return NO_VERSION
    return int(digits)


def read_json(sent: bytes) -> Any:
    """JSON as RFC 8259 has it: UTF-8, no NaN, no key twice, no depth that breaks the reader. Raises Malformed."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise Malformed(Words(f"“{name}”写了两次", f"{name} is given twice"))
            found[name] = value
        return found

    def never(constant: str) -> Any:
        raise Malformed(Words(f"{constant} 不是合法的 JSON", f"{constant} is not JSON"))

    try:
        return json.loads(sent.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except RecursionError:
        raise Malformed(Words("嵌套太深", "nested too deeply")) from None
    except ValueError:
        raise Malformed from None


def as_bytes(body: Any) -> bytes:
    """JSON as it goes out. Half a surrogate pair, which somebody may have sent as a name, cannot."""
    return current_app.json.dumps(body).encode("utf-8", "replace")


def answered(result: Any, status: int) -> Response:
    """Turn what a view returned into a response."""
    answer = result if isinstance(result, Answer) else Answer(result, status)
    text = b"" if answer.status == 204 else as_bytes(answer.body)
    response = current_app.response_class(text, status=answer.status, mimetype="application/json")
    if answer.version is not None:
        response.set_etag(str(answer.version))
    if answer.location is not None:
        response.headers["Location"] = answer.location
        response.autocorrect_location_header = False
    response.headers.extend(answer.headers)
    response.headers["Cache-Control"] = "private, no-cache"
    if answer.tagged is not None:
        response.set_etag(sha256(current_app.json.dumps(answer.tagged).encode()).hexdigest()[:32])
        response.make_conditional(http)
    return response
