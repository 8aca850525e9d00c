"""Serving of pages (页面的应答): sign-in, one transaction, the page or the way elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from flask import Response, g, redirect
from flask import request as http

from api.frame.base import call_of, must_be_printable
from api.frame.routes import OPEN_BYTES, Answer, service
from api.frame.wire import session_cookie, set_cookies
from api.pages.frame.guard import must_be_ours
from api.pages.frame.look import rendered
from api.pages.frame.visit import Elsewhere, PageRoute, Shown, Visit
from workflow.foundation.database import Session, transaction, with_one_retry
from workflow.foundation.errors import Forbidden, NotFound, Unauthenticated
from workflow.people.accounts import WebSession
from workflow.people.callers import caller_by_secret
from workflow.rules.acts import Address, Call


def begin_page(address: Address) -> None:
    """Note that what follows is a page: refusals become pages, and speak Chinese.

    Raises NotFound for a name that no thing can have.
    """
    g.page = True
    g.speech = "zh"
    must_be_printable(address)


def to_sign_in() -> Response:
    """Send somebody to the sign-in, and back to where they wanted to go."""
    wanted = http.full_path.rstrip("?") if http.method == "GET" else ""
    return redirect(f"/sign-in?next={quote(wanted, safe='/')}" if wanted not in ("", "/") else "/sign-in", 303)  # type: ignore[return-value]


def handler(page: PageRoute) -> Callable[..., Response]:
    """Make the function that Flask calls for a page."""

    def handle(**address: str | int) -> Response:
        begin_page(address)
        try:
            if http.method == "POST":
                return _taken(page, address)
            return with_one_retry(lambda: _show(page, address))
        except Unauthenticated:
            if page.open:
                raise
            return to_sign_in()
        except Forbidden as refusal:
            if type(refusal) is Forbidden and http.method == "GET":
                # Not mine is not there: pages do not tell the two apart.
                raise NotFound from None
            raise

    return handle


def signed_in(call: Call[object]) -> Call[object]:
    """Find the visitor of a page by their session. Raises Unauthenticated."""
    if not call.cookie:
        raise Unauthenticated
    caller = caller_by_secret(call.session, WebSession, call.cookie, call.now)
    g.session_used = call.cookie
    return replace(call, caller=caller)


def visitor(session: Session, *, anybody: bool, cookie: str | None = None) -> Visit:
    """Return who visits; ``anybody``: also somebody who is not signed in.

    ``cookie`` is the secret of a session that begins with this request.
    """
    call = call_of(session)
    if cookie is not None:
        call = replace(call, cookie=cookie)
    try:
        return Visit(signed_in(call))
    except Unauthenticated:
        if not anybody:
            raise
        return Visit(call)


def _show(page: PageRoute, address: dict[str, str | int]) -> Response:
    with transaction(service().engine, actor=None) as session:
        visit = visitor(session, anybody=page.open)
        return response_of(visit, page.view(visit, **address))


def _taken(page: PageRoute, address: dict[str, str | int]) -> Response:
    """Take the form of a page that has one of its own."""
    assert page.post is not None  # noqa: S101  (the page is registered for GET alone otherwise)
    take_at_most(OPEN_BYTES)
    must_be_ours("" if page.open else http.cookies.get(session_cookie(), ""))
    result = page.post(**address)
    if isinstance(result, Elsewhere):
        return _sent_on(result)
    with transaction(service().engine, actor=None) as session:
        return response_of(visitor(session, anybody=page.open), result)


def take_at_most(most: int) -> None:
    """Let the form of this request be at most so large; a larger one is 413."""
    http.max_content_length = http.max_form_memory_size = most


def response_of(visit: Visit, result: Shown | Elsewhere) -> Response:
    """Turn what a page said into a response."""
    return rendered(visit, result) if isinstance(result, Shown) else _sent_on(result)


def _sent_on(result: Elsewhere) -> Response:
    response: Response = redirect(result.address, 303)  # type: ignore[assignment]
    response.headers["Cache-Control"] = "no-store"
    set_cookies(response, Answer(session=result.session, mark=result.mark))
    return response
