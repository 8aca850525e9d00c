"""Origins (来处): the network and the browser of a request, as far as they can be believed.

A browser that has signed in keeps a mark: a random number, and for each of its people a code that
only we can make. Nobody is named in it, and it opens nothing; it gives the browser a count of
tries of its own, which no stranger can use up (docs/0040).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from workflow.foundation.settings import Settings

MARK_KEPT = timedelta(days=400)
"""The longest time for which browsers keep anything; each sign-in begins it anew."""
MOST_PEOPLE = 4
"""The number of people that one mark knows, the last ones: an office may share a computer."""
_PURPOSE = b"zhibu: marks of browsers"
_CODE = 22
"""The characters of a code: more than 80 bits, which nobody guesses over a network."""


@dataclass(frozen=True)
class Origin:
    """The words of a request on its origin (来处)."""

    address: str = ""
    """The network address of the caller."""
    mark: str = ""
    """The mark of the browser, as it was sent."""
    agent: str = ""
    """The browser's name for itself."""


@dataclass(frozen=True)
class BrowserMark:
    """The mark of a browser that has signed in before (浏览器标记)."""

    key: bytes = field(repr=False)
    browser: str
    people: tuple[str, ...] = ()

    def knows(self, staff_no: str) -> bool:
        """Tell whether this person has signed in with this browser."""
        code = _code(self.key, "person", self.browser, staff_no)
        return any(hmac.compare_digest(code.encode(), each.encode()) for each in self.people)

    def with_person(self, staff_no: str) -> str:
        """Write the mark of the same browser, in which this person has signed in last."""
        code = _code(self.key, "person", self.browser, staff_no)
        people = [code, *(each for each in self.people if each != code)][:MOST_PEOPLE]
        return ".".join([self.browser, _code(self.key, "browser", self.browser), *people])


def mark_of(origin: Origin, settings: Settings) -> BrowserMark | None:
    """Read the mark of a browser; None if it has none of ours."""
    key = _key(settings)
    browser, seal, *people = [*origin.mark.split("."), ""][: MOST_PEOPLE + 2]
    ours = key is not None and hmac.compare_digest(_code(key, "browser", browser).encode(), seal.encode())
    return BrowserMark(key, browser, tuple(filter(None, people))) if key is not None and ours else None


def marked(origin: Origin, settings: Settings, staff_no: str) -> str:
    """Write the mark for a browser in which a person has just signed in."""
    key = _key(settings)
    mark = mark_of(origin, settings) or BrowserMark(key or b"", secrets.token_urlsafe(16))
    return mark.with_person(staff_no)


def _key(settings: Settings) -> bytes | None:
    secret = settings.secret_key
    return hmac.new(secret.get_secret_value().encode(), _PURPOSE, sha256).digest() if secret else None


def _code(key: bytes, *of: str) -> str:
    return hmac.new(key, "\0".join(of).encode(), sha256).hexdigest()[:_CODE]
