"""Handling of a request, in the order in which it may be refused.

429 of an open route · 401 · 404 or 403 of the route · stored replay · 413 · 415 · 428 · 422 · 403
of the named trigger · 412 · 409. One transaction per request, opened here, after the content has
been read; after a deadlock or a lock timeout the whole request is tried once more.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from flask import Response, g
from flask import request as http
from werkzeug.http import unquote_etag

from api.frame.bodies import Content, content_of, sends_much, throw_away
from api.frame.errors import CsrfMissing, PreconditionRequired
from api.frame.routes import Answer, Preview, Route, service
from api.frame.wire import MARK_COOKIE, answered, session_cookie
from workflow.foundation import idempotency
from workflow.foundation.database import ConstraintFault, NoConnectionFree, Session, constraint, transaction, with_one_retry
from workflow.foundation.errors import Busy, Invalid, NotFound, Refusal, Unauthenticated, Words
from workflow.foundation.fields.loading import load
from workflow.foundation.idempotency import Repeatable, RequestInProgress
from workflow.people.access import Caller
from workflow.people.accounts import Token, WebSession, digest
from workflow.people.callers import caller_by_secret
from workflow.people.guard.origin import Origin
from workflow.people.sessions import note_use
from workflow.rules.acts import (
    Address,
    AnyAct,
    Call,
    admit,
    at,
    carry_out,
    enter,
    find,
    keep,
    knock,
    shown_again,
    wants_version,
)
from workflow.year.finding import Lock

KEY_HEADER = "Idempotency-Key"
CSRF_HEADER = "X-CSRF-Token"


def handler(route: Route) -> Callable[..., Response]:
    """Make the function that Flask calls for a route."""
    if route.act is None:
        return lambda **address: with_one_retry(lambda: _read(route, address))
    act = route.act

    def handle(**address: str | int) -> Response:
        # Before any lock is taken: a slow sender holds up no other request.
        try:
            _may_send(act)
        except Refusal:
            throw_away()
            raise
        content = content_of(route)
        try:
            return with_one_retry(lambda: _do(route, act, address, content))
        except ConstraintFault as error:
            if constraint(error) != idempotency.UNIQUE:
                raise
            # An equal request was faster: show its result.
            return with_one_retry(lambda: _do(route, act, address, content))
        except Refusal as refusal:
            # Busy was tried twice already: a third time would wait longer than a caller does.
            if isinstance(refusal, (RequestInProgress, Busy)) or not route.repeatable or KEY_HEADER not in http.headers:
                raise
            # An equal request may have had its effect between our look and the refusal:
            # then its result is stored now.
            return with_one_retry(lambda: _do(route, act, address, content))

    return handle


def _may_send(act: AnyAct) -> None:
    """Count a try of what is open to strangers; let nobody else send much without a sign-in.

    Raises TooManyTries, Unauthenticated, CsrfMissing.
    """
    engine, now = service().engine, service().clock()
    if act.tries is not None:
        with_one_retry(lambda: knock(engine, act, origin_here(), service().settings))
    elif act.action is not None and sends_much():
        with transaction(engine, actor=None) as session:
            _signed_in(session, now)


def _read(route: Route, address: Address) -> Response:
    with transaction(service().engine, actor=None) as session:
        call = call_of(session)
        must_be_printable(address)
        call = replace(call, caller=_signed_in(session, call.now))
        return answered(read(call, route, address, http.args.to_dict()), route.status)


def read(call: Call[object], route: Route, address: Address, parameters: Mapping[str, str]) -> Answer:
    """Answer a reading to a caller who is signed in, for any edge that shows it.

    Raises Forbidden, NotFound, Invalid.
    """
    assert route.action is not None  # noqa: S101  (a reading is never open)
    call = enter(call, route.action, branch_of(route, address), changes=False)
    call, rest = at(call, route.kind, Lock.NONE, address)
    given: list[object] = []
    if route.find is not None:
        given, rest = [route.find(call, **rest)], {}
    if route.query is not None:
        given.append(load(route.query, dict(parameters)))
    else:
        _must_have_no_parameters(parameters)
    answer = route.view(call, *given, **rest)
    return answer if isinstance(answer, Answer) else Answer(answer)


def _do(route: Route, act: AnyAct, address: Address, content: Content) -> Response:
    now = service().clock()
    callers: list[Caller] = []

    def sign_in(session: Session) -> str:
        callers.append(_signed_in(session, now))
        return callers[0].staff_no

    with transaction(service().engine, actor="anonymous" if act.action is None else sign_in) as session:
        call = replace(call_of(session), now=now, caller=callers[0] if callers else None)
        must_be_printable(address)
        preview = _preview(route)
        repeatable = None if preview else _repeatable(route, call.caller, content)
        call, kept = admit(call, act, branch_of(route, address), repeatable)
        if kept is not None:
            call, result = shown_again(call, act, kept, address)
            response = _shown(route, call, result, kept.version)
            response.headers["Idempotent-Replayed"] = "true"
            return response
        call = find(call, act, address)
        content.must_be_taken()
        if wants_version(call, act):
            call = replace(call, version_seen=_version_seen())
        if route.query is None:
            _must_have_no_parameters(http.args)
        else:
            load(route.query, http.args.to_dict())
        sent = content.read()
        if preview:
            return _previewed(preview, call, act, sent)
        result = carry_out(call, act, sent)
        response = _shown(route, call, result, act.version(call, result))
        if repeatable is not None:
            keep(call, act, result, repeatable)
        return response


def _preview(route: Route) -> Preview | None:
    """Return the preview of a route, if only that is asked for."""
    return route.preview if http.args.get("preview") == "true" else None


def _previewed(preview: Preview, call: Call[object], act: AnyAct, sent: object) -> Response:
    """Do an act, show what came of it, and take all of it back."""
    undone = call.session.begin_nested()
    try:
        return answered(preview.view(call, carry_out(call, act, sent)), 200)
    finally:
        undone.rollback()


def _shown(route: Route, call: Call[object], result: object, version: int | None) -> Response:
    """Answer the result of an act as its route shows it."""
    answer = route.view(call, result)
    answer = answer if isinstance(answer, Answer) else Answer(answer)
    return answered(replace(answer, version=version), route.status)


def branch_of(route: Route, address: Address) -> str | None:
    """Find the code of the branch that an address names, if any."""
    return str(address["code"]) if route.of_branch else None


def call_of(session: Session) -> Call[object]:
    return Call(session, service().clock(), service().settings, origin=origin_here(), cookie=http.cookies.get(session_cookie(), ""))


def origin_here() -> Origin:
    """Return the network and the browser of the caller, as far as they can be believed."""
    return Origin(http.remote_addr or "", http.cookies.get(MARK_COOKIE, ""), http.user_agent.string)


def must_be_printable(address: Address) -> None:
    """Raise NotFound for a name that no thing can have."""
    if not all(value.isprintable() for value in address.values() if isinstance(value, str)):
        raise NotFound


def _must_have_no_parameters(parameters: Iterable[str]) -> None:
    """Raise Invalid for query parameters on a route that takes none."""
    if unknown := {name: Words("没有这个参数", "unknown parameter") for name in parameters}:
        raise Invalid(unknown)


def _repeatable(route: Route, caller: Caller | None, content: Content) -> Repeatable | None:
    """Identify a request with an Idempotency-Key: equal requests give equal values.

    Raises Invalid for a key that cannot be one.
    """
    key = http.headers.get(KEY_HEADER)
    if key is None or caller is None or not route.repeatable:
        return None
    usable = idempotency.checked_key(key)
    # What was too large for its route has never been done.
    return Repeatable(caller.person_id, f"{route.method} {http.path}", usable, content.digest) if content.digest is not None else None


def _signed_in(session: Session, now: datetime) -> Caller:
    """Find the caller by bearer token, or by a page's session with its CSRF token.

    Raises Unauthenticated, CsrfMissing.
    """
    scheme, _, secret = http.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return caller_by_secret(session, Token, secret.strip(), now)
    if secret := http.cookies.get(session_cookie(), ""):
        caller = caller_by_secret(session, WebSession, secret, now)
        g.session_used = secret
        if http.method not in ("GET", "HEAD") and not hmac.compare_digest(http.headers.get(CSRF_HEADER, "").encode(), csrf_token(secret).encode()):
            raise CsrfMissing
        return caller
    raise Unauthenticated


def csrf_token(secret: str) -> str:
    """Make the token that a page sends to prove that it is ours.

    Another site can make the browser send the cookie, but cannot read this token.
    """
    key = service().settings.secret_key
    return hmac.new((key.get_secret_value() if key else "").encode(), secret.encode(), sha256).hexdigest()


NOTED_EVERY, MOST_NOTED = timedelta(minutes=10), 10_000


def note_session(response: Response) -> Response:
    """Note that a session was used, for its person to read: at most every ten minutes.

    A transaction of its own after the request, so that a database that takes no changes is read as
    ever.
    """
    secret, now = g.get("session_used"), service().clock()
    if secret is None:
        return response
    noted: dict[str, datetime] = service().kept.setdefault("sessions noted", {})
    name = digest(secret)
    if name not in noted or abs(now - noted[name]) >= NOTED_EVERY:
        if len(noted) >= MOST_NOTED:
            noted.clear()
        noted[name] = now
        with suppress(Refusal, NoConnectionFree), transaction(service().engine, actor=None) as session:
            note_use(session, secret=secret, agent=http.user_agent.string, now=now)
    return response


NO_VERSION = -1


def _version_seen() -> int:
    """Read the version in If-Match.

    ``*``, weak tags and tags that are not ours become a version that no row has, and the refusal
    says so. Raises PreconditionRequired without the header.
    """
    header = http.headers.get("If-Match", "").strip()
    if not header:
        raise PreconditionRequired
    version = unquote_etag(header)[0] or ""
    g.tag_is_ours = header == f'"{version}"' and version.isascii() and version.isdigit() and len(version) <= 18
    return int(version) if g.tag_is_ours else NO_VERSION
