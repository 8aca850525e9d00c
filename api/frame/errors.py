"""Refusals on the wire (RFC 9457): one table of their statuses, and the answers they become."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from api.frame.shapes import located_shape, unmet_shape
from workflow.foundation import errors
from workflow.foundation.database import ConstraintFault, DatabaseFault, in_short, passing_of, refusal_of
from workflow.foundation.errors import Refusal, Words
from workflow.machine.gate import Unmet
from workflow.people.guard.throttle import TooManyTries

log = structlog.get_logger("zhibu.api")


class PreconditionRequired(Refusal):
    """A move or a change needs If-Match: what version did you see?"""

    slug = "precondition-required"
    title = Words("请带上 If-Match：先读取，再用读到的 ETag 提交", "send If-Match with the ETag that you read")


class Malformed(Refusal):
    """The body is no JSON at all."""

    slug = "malformed"
    title = Words("请求内容不是合法的 JSON", "the body is not valid JSON")


class UnsupportedMediaType(Refusal):
    """The body is in another format than this route takes."""

    slug = "unsupported-media-type"
    title = Words("请求内容的类型不对", "unsupported media type")


class TooLarge(Refusal):
    """More than this service takes at once."""

    slug = "too-large"
    title = Words("内容太大", "too large")


class CsrfMissing(errors.Forbidden):
    """A page's request without the token that proves it came from our page."""

    slug = "csrf"
    title = Words("页面已过期，请刷新后再试", "the X-CSRF-Token header is missing or wrong")


STATUS: Mapping[type[Refusal], int] = {
    Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Stale: 412,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.PlanInvalid: 422,
    PreconditionRequired: 428,
    TooManyTries: 429,
    errors.Busy: 503,
    errors.DatabaseAway: 503,
    errors.DatabaseUnwritable: 503,
    errors.DatabaseBehind: 503,
}


BEYOND: Mapping[str, tuple[int, Words]] = {
    "http-405": (405, Words("这个地址不支持该方法", "method not allowed")),
    "internal": (500, Words("系统内部出错，请把请求编号告诉管理员", "internal error: tell the administrator the request id")),
}
"""Failures that no verb raises, by slug, with status and words."""


NOT_A_TAG = Words(
    'If-Match 应为读到的 ETag 原样（如 "3"）：“*”、弱标签（W/"3"，经过压缩的代理会这样改）和不带引号的都不作数',
    'send in If-Match the ETag that you read, such as "3": "*", a weak tag (W/"3": a proxy that compresses makes it) and one without quotes fit none',
)


def status_of(refusal: type[Refusal]) -> int:
    """Find the status of a refusal: that of its class or nearest base class."""
    return next((STATUS[cls] for cls in refusal.__mro__ if cls in STATUS), 400)


def language() -> str:
    """Choose Chinese, unless the caller prefers English; the pages are Chinese."""
    if "speech" in g:
        return str(g.speech)
    return "en" if request.accept_languages.best_match(["zh", "zh-cn", "en"]) == "en" else "zh"


def problem(
    status: int, slug: str, title: str, detail: str, extra: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Make an ``application/problem+json`` answer; somebody who looks at a page gets a page."""
    if for_page():
        return current_app.extensions["zhibu-failed"](status, title, detail, headers or {})  # type: ignore[no-any-return]
    body = {
        "type": f"/docs/problems#{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": g.get("request_id", ""),
        **(extra or {}),
    }
    response = current_app.response_class(current_app.json.dumps(body).encode("utf-8", "replace"), status=status, mimetype="application/problem+json")
    response.headers.extend({"Cache-Control": "no-store", **(headers or {})})
    return response


def for_page() -> bool:
    """Tell whether this request is for a page: one of ours, or a wrong address in a browser."""
    if "page" in g:
        return bool(g.page)
    outside = not request.path.startswith(("/api/", "/docs", "/metrics", "/healthz", "/readyz"))
    return (
        outside and request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html" and "zhibu-failed" in current_app.extensions
    )


def told(value: object, speech: str, *, of_many: bool = False) -> object:
    """Turn a value that a refusal carries into plain JSON; ``of_many``: name the branches."""
    if isinstance(value, Words):
        return value.speak(speech)
    if isinstance(value, Unmet):
        return located_shape(value, speech) if of_many else unmet_shape(value, speech)
    if isinstance(value, list):
        return [told(each, speech, of_many=of_many) for each in value]
    if isinstance(value, Mapping):
        return {name: told(each, speech, of_many=of_many) for name, each in value.items()}
    return value


def refused(refusal: Refusal) -> Response:
    """Answer a refusal."""
    speech = language()
    of_many = isinstance(refusal, errors.BranchesLack)
    # A tag that is none of ours can be no version: that nothing has changed would be a riddle.
    detail = NOT_A_TAG if isinstance(refusal, errors.Stale) and not g.get("tag_is_ours", True) else refusal.detail
    extra = {name: told(value, speech, of_many=of_many) for name, value in refusal.extra.items()}
    if isinstance(refusal, errors.Invalid):
        extra["errors"] = {field: [words.speak(speech) for words in messages] for field, messages in refusal.errors.items()}
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(refusal, errors.Unauthenticated) else {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return problem(status_of(type(refusal)), refusal.slug, refusal.title.speak(speech), detail.speak(speech), extra, headers)


def went_wrong_in_http(error: HTTPException) -> Response:
    """Answer refusals of the web framework itself: no such route, wrong method, too large."""
    status = error.code or 500
    known = {404: errors.NotFound, 413: TooLarge, 415: UnsupportedMediaType, 400: Malformed}.get(status)
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Location")}
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    if known is not None:
        return refused(known())
    plain = HTTP_STATUS_CODES.get(status, "Error")
    _, words = BEYOND.get(f"http-{status}", (status, Words(plain, plain)))
    return problem(status, f"http-{status}", words.speak(language()), words.speak(language()), None, headers)


def went_wrong_in_database(error: DatabaseFault) -> Response:
    """Answer a "no" of the database: a constraint that refused, or one that passes by itself."""
    if isinstance(error, ConstraintFault):
        return refused(refusal_of(error))
    passing = passing_of(error)
    if passing is None:
        return went_wrong(error)
    log.warning(passing.slug, **in_short(error))
    return refused(passing)


def went_wrong(error: Exception) -> Response:
    """Answer a fault of ours with the request's id.

    The log gets the kind and the place of the error, and none of the values.
    """
    where = [f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
    cause = type(error.orig).__name__ if isinstance(error, DatabaseFault) else None
    log.error("failed", request_id=g.get("request_id"), error=type(error).__name__, cause=cause, where=where)
    return _beyond("internal")


def _beyond(slug: str) -> Response:
    """Answer a failure that no verb raises, by its slug."""
    status, words = BEYOND[slug]
    return problem(status, slug, words.speak(language()), words.speak(language()))


def register(app: Flask) -> None:
    """Make every way to fail answer as a problem."""
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(HTTPException, went_wrong_in_http)
    app.register_error_handler(DatabaseFault, went_wrong_in_database)
    app.register_error_handler(Exception, went_wrong)
