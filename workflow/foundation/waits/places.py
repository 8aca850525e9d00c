"""Places (名额): who may use the database now, and until when."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Condition

from workflow.foundation.errors import Busy

STANDSTILL_SECONDS = 0.5
"""The time without a place given back after which no further request waits for one."""
LONGEST_QUEUE_SECONDS = 5


class Places:
    """The places at the database (名额), fewer than the threads that answer requests."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._changed = Condition()
        self._moved = time.monotonic()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place while the block lasts. Raises Busy when there is none and nothing moves."""
        self._take()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._moved = time.monotonic()
                self._changed.notify()

    def _take(self) -> None:
        with self._changed:
            give_up = time.monotonic() + LONGEST_QUEUE_SECONDS
            while self._free == 0:
                left = min(give_up, self._moved + STANDSTILL_SECONDS) - time.monotonic()
                if left <= 0:
                    raise Busy
                self._changed.wait(left)
            self._free -= 1
            self._moved = time.monotonic()


@dataclass
class _Bound:
    ends_at: float
    places: Places | None
    has_place: bool = False


_BOUND: ContextVar[_Bound | None] = ContextVar("bound", default=None)


@contextmanager
def within(seconds: float, places: Places | None = None) -> Iterator[None]:
    """Bound all waits of the block for the database, and let it take one of the places.

    Inside another bound the earlier end counts.
    """
    outer, ends_at = _BOUND.get(), time.monotonic() + seconds
    inner = _Bound(ends_at, places) if outer is None else _Bound(min(ends_at, outer.ends_at), outer.places, outer.has_place)
    token = _BOUND.set(inner)
    try:
        yield
    finally:
        _BOUND.reset(token)


def bound_ends_at() -> float | None:
    """Return the end of the bound, on the monotonic clock, if there is one."""
    bound = _BOUND.get()
    return bound.ends_at if bound is not None else None


@contextmanager
def in_turn() -> Iterator[None]:
    """Hold a place while a transaction lasts; one inside it needs no second one. Raises Busy."""
    bound = _BOUND.get()
    if bound is None or bound.places is None or bound.has_place:
        yield
        return
    with bound.places.taken():
        bound.has_place = True
        try:
            yield
        finally:
            bound.has_place = False
