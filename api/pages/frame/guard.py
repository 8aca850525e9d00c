"""Protection of forms (表单的防护): where they come from, how old they are, where they lead."""

from __future__ import annotations

import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from flask import request as http
from itsdangerous import BadData, URLSafeTimedSerializer

from api.frame.errors import CsrfMissing
from api.frame.routes import service

FORM_HOURS = 12
"""The time for which a form may be sent after it was shown."""


def _signer() -> URLSafeTimedSerializer:
    key = service().settings.secret_key
    return URLSafeTimedSerializer(key.get_secret_value() if key else "", salt="zhibu.form")


def form_token(secret: str) -> str:
    """Make the token of a form, for the session whose secret this is; empty before signing in."""
    return _signer().dumps(sha256(secret.encode()).hexdigest()[:32])


def from_elsewhere() -> bool:
    """Tell whether another site's page sent this."""
    place = http.headers.get("Origin")
    elsewhere = http.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
    return elsewhere or (place is not None and urlsplit(place).netloc != http.host)


def must_be_ours(secret: str) -> None:
    """Raise CsrfMissing for a form that is not ours, is another's, or is too old."""
    if from_elsewhere():
        raise CsrfMissing
    try:
        found = _signer().loads(http.form.get("_csrf", ""), max_age=FORM_HOURS * 3600)
    except BadData:
        raise CsrfMissing from None
    if not secrets.compare_digest(str(found), sha256(secret.encode()).hexdigest()[:32]):
        raise CsrfMissing


def new_key() -> str:
    """Make the key of a form: sent twice, it has one effect."""
    return secrets.token_urlsafe(12)


def safe_place(wanted: str | None, otherwise: str = "/") -> str:
    """Return an address of ours to go on to; another site's, or none at all, becomes another."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return otherwise
    parts = urlsplit(wanted)
    return otherwise if parts.scheme or parts.netloc or "\\" in wanted else wanted
