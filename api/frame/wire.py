"""JSON as it comes in and goes out (报文), and answers turned into responses."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from flask import Response, current_app
from flask import request as http
from flask.json.provider import DefaultJSONProvider

from api.frame.errors import Malformed
from api.frame.routes import Answer, service
from workflow.foundation.errors import Words, short
from workflow.people.guard.origin import MARK_KEPT

SESSION_COOKIE, MARK_COOKIE = "zhibu_session", "zhibu_browser"


def session_cookie() -> str:
    """Return the name of the session's cookie; under https no other host can have set it."""
    return f"__Host-{SESSION_COOKIE}" if _under_https() else SESSION_COOKIE


def _under_https() -> bool:
    return (service().settings.base_url or "").startswith("https")


class JSON(DefaultJSONProvider):
    """JSON with days as YYYY-MM-DD, moments as RFC 3339 in UTC, Chinese unescaped."""

    ensure_ascii = False
    sort_keys = False

    @staticmethod
    def default(o: object) -> object:
        if isinstance(o, datetime):
            return o.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(o, date):
            return o.isoformat()
        if isinstance(o, time):
            return f"{o:%H:%M}"
        return DefaultJSONProvider.default(o)


def read_json(sent: bytes) -> object:
    """Read JSON as RFC 8259 defines it. Raises Malformed.

    UTF-8, no NaN, no key twice, no nesting so deep that it breaks the reader.
    """

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise Malformed(Words(f"“{short(name)}”写了两次", f"{short(name)} is given twice"))
        return found

    def never(constant: str) -> object:
        raise Malformed(Words(f"{constant} 不是合法的 JSON", f"{constant} is not JSON"))

    try:
        return json.loads(sent.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except RecursionError:
        raise Malformed(Words("嵌套太深", "nested too deeply")) from None
    except ValueError:
        raise Malformed from None


def as_bytes(body: object) -> bytes:
    """Write JSON in UTF-8.

    Half a surrogate pair, which may have been sent as a name, becomes a question mark.
    """
    return current_app.json.dumps(body).encode("utf-8", "replace")


def answered(result: object, status: int) -> Response:
    """Turn what a view returned into a response."""
    answer = result if isinstance(result, Answer) else Answer(result)
    text = b"" if status == 204 else as_bytes(answer.body)
    response = current_app.response_class(text, status=status, mimetype="application/json")
    response.autocorrect_location_header = False
    if answer.version is not None:
        response.set_etag(str(answer.version))
    if answer.location is not None:
        response.headers["Location"] = answer.location
    set_cookies(response, answer)
    # Kept on no disk: it may hold what somebody wrote. A poll holds numbers, and is asked for anew.
    response.headers["Cache-Control"] = "private, no-store" if answer.tagged is None else "private, no-cache"
    if answer.tagged is not None:
        response.set_etag(sha256(current_app.json.dumps(answer.tagged).encode()).hexdigest()[:32])
        response.make_conditional(http)
    return response


def set_cookies(response: Response, answer: Answer) -> None:
    """Give a browser the cookie of its session, or take it away, and its mark."""
    if answer.session == "":
        response.delete_cookie(session_cookie(), secure=_under_https(), httponly=True, samesite="Lax")
    elif answer.session is not None:
        _set_cookie(response, session_cookie(), answer.session, timedelta(hours=service().settings.session_hours))
    if answer.mark is not None:
        _set_cookie(response, MARK_COOKIE, answer.mark, MARK_KEPT)


def _set_cookie(response: Response, name: str, value: str, kept: timedelta) -> None:
    """Give a browser a cookie that no script reads and no other site sends."""
    response.set_cookie(name, value, max_age=kept, secure=_under_https(), httponly=True, samesite="Lax")
