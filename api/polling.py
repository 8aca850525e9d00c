"""Polls (轮询): however many clients ask, one process asks the database at most twice a second for each year."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from threading import Lock

from api.base import Asked, service
from workflow.cycle import cycle_by_year
from workflow.progress import Overview, overview

AGAIN_AFTER_SECONDS = 0.5


@dataclass
class _Kept:
    lock: Lock = field(default_factory=Lock)
    asked_at: float = 0.0
    seen: Overview | None = None


class Board:
    """The last answer of each year, kept in this process."""

    def __init__(self) -> None:
        self._years: dict[int, _Kept] = {}
        self._lock = Lock()

    def latest(self, asked: Asked, year: int, *, fresh: bool) -> Overview:
        """The counts of a year, at most half a second old, or ``fresh`` from the database. Raises NotFound."""
        with self._lock:
            kept = self._years.setdefault(year, _Kept())
        with kept.lock:  # one asks, the others wait for what it finds
            if kept.seen is not None and not fresh and time.monotonic() - kept.asked_at < AGAIN_AFTER_SECONDS and kept.seen.today == asked.today:
                return kept.seen
            try:
                found = overview(asked.session, cycle_by_year(asked.session, year), now=asked.now)
            except Exception:
                self._years.pop(year, None)
                raise
            # While nothing has changed the answer stays the one that was given, with its moment and its cursor.
            if kept.seen is None or replace(found, as_of=kept.seen.as_of, cursor=kept.seen.cursor) != kept.seen:
                kept.seen = found
            kept.asked_at = time.monotonic()
            return kept.seen


def board() -> Board:
    """The board of this service."""
    return service().kept.setdefault("board", Board())  # type: ignore[no-any-return]
