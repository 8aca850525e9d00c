"""Lists (列表): ``{items, next}`` with a limit and an opaque cursor."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from workflow.foundation.errors import Invalid, Words
from workflow.foundation.fields import (
    Body,
    Line,
    Parameter,
    Sent,
    about,
)

T = TypeVar("T")


class Page(Body):
    """The page of a list that is asked for."""

    limit = Parameter(at_least=1, at_most=200, load_default=100, **about("每页条数", "items on a page", example=50))
    after = Line(at_most=500, **about("翻页标记", "cursor", "上一页的 next", "next of the page before"))


def cursor(place: object) -> str:
    """Encode a place in a list; clients only send it back."""
    return urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def after_of(query: Sent, first: T, read: Callable[[str], T], name: str = "after") -> T:
    """Read the place after which a page begins. Raises Invalid for a cursor that is not ours."""
    written = query.get(name)
    if written is None:
        return first
    try:
        return read(urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode())
    except ValueError:
        raise Invalid({name: Words("翻页标记无效", "not a cursor of ours")}) from None


def number(written: str) -> int:
    """Read a row's number. Raises ValueError for one that no row can have."""
    if not (written.isascii() and written.isdigit() and len(written) <= 18):
        raise ValueError(written)
    return int(written)


def natural(written: str) -> str:
    """Read a natural key. Raises ValueError for one that no row can have."""
    if not written.isprintable() or len(written) > 64:
        raise ValueError(written)
    return written


def listed(rows: Sequence[T], query: Sent, shape: Callable[[T], object], key: Callable[[T], object]) -> dict[str, object]:
    """Make a page of at most ``limit`` rows from a query for ``limit + 1``.

    The extra row shows that there is a next page.
    """
    limit = query["limit"]
    page = rows[:limit]
    return {"items": [shape(row) for row in page], "next": cursor(key(page[-1])) if len(rows) > limit else None}
