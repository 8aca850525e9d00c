"""Fields that differ from run to run, each with its reason.

All other fields must be equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

MASKED = "<masked>"


@dataclass(frozen=True)
class Mask:
    """Fields that are not compared. A null stays visible: only a value is masked."""

    place: str
    """A pattern for "METHOD /path?query" of the answer, or "TABLE name"."""
    field: str
    """A pattern for the path of JSON keys (``*`` for a place in a list).

    Headers are below ``headers``.
    """
    reason: str


MASKS = (
    Mask(".*", r"request_id", "made anew for each request"),
    Mask(".*", r"headers\.Date", "the machine's own clock"),
    Mask(r"POST /api/v1/tokens", "token", "a random secret"),
    Mask(r"POST /api/v1/session", "csrf_token", "derived from the random secret of the session"),
    Mask(r"GET /api/v1/cycles/.*/history.*", r"items\.\*\.at", "the database's own clock"),
    Mask(".*", r"changed\.\*\.at", "a stale If-Match is answered with moments of the history: the database's own clock"),
    Mask(r"GET /api/v1/cycles/.*/progress.*", "as_of", "moments of counted changes: the database's own clock"),
    Mask(r"GET /api/v1/cycles/.*/progress.*", "cursor", "holds the cluster's number and a transaction id"),
    Mask(r"GET /api/v1/cycles/.*/progress.*", r"headers\.ETag", "the hash of a body with both of these"),
    Mask(r"GET /api/v1/cycles/.*/branches\?.*changed_since=.*", "next", "holds the cluster's number and a transaction id"),
    Mask(r"GET /api/v1/cycles/.*/letters.*", r"items\.\*\.sent_at", "the tick's moment and the time that sending took"),
    Mask("TABLE letter", "sent_at", "the tick's moment and the time that sending took"),
    Mask("TABLE letter", "next_at", "of a letter that was put off: the moment after sending took its time"),
    Mask("TABLE history", "at", "the database's own clock"),
)


@dataclass(frozen=True)
class Secret:
    """A secret inside a text, at any place. The first group of the pattern is kept."""

    pattern: re.Pattern[str]
    reason: str


SECRETS = (
    Secret(re.compile(r"(/invitations/)(?!<)[\w-]{40,}"), "the random code of a one-time link"),
    Secret(re.compile(r"(zhibu_session=)[\w-]{40,}"), "the random secret of a session"),
    Secret(re.compile(r"(zhibu_session=.*; Expires=)[A-Z]\w+, \d+ \w+ 20[2-9]\d [\d:]+ GMT"), "the machine's own clock"),
    Secret(re.compile(r"(changed_since=)[\w-]+"), "holds the cluster's number and a transaction id"),
)


def without_secrets(text: str) -> str:
    """Replace each secret of a text."""
    for secret in SECRETS:
        text = secret.pattern.sub(rf"\g<1>{MASKED}", text)
    return text


def masked(place: str, value: Any) -> Any:
    """Mask the fields of an answer that differ from run to run."""
    fields = [re.compile(mask.field) for mask in MASKS if re.fullmatch(mask.place, place)]

    def walk(value: Any, at: str) -> Any:
        if value is not None and any(field.fullmatch(at) for field in fields):
            return MASKED
        if isinstance(value, dict):
            return {name: walk(each, f"{at}.{name}" if at else name) for name, each in value.items()}
        if isinstance(value, list):
            return [walk(each, f"{at}.*" if at else "*") for each in value]
        return without_secrets(value) if isinstance(value, str) else value

    return walk(value, "")
