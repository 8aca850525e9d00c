"""Polls (轮询): a server process keeps the last answer for half a second.

For each year and kind of process, a server process asks the database at most twice a second,
for any number of clients.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock

from api.frame.routes import service
from workflow.foundation.vocabulary import Kind
from workflow.readings.progress import Overview, overview
from workflow.rules.acts import Call
from workflow.year.finding import cycle_by_year

AGAIN_AFTER_SECONDS = 0.5


@dataclass
class _Kept:
    lock: Lock = field(default_factory=Lock)
    asked_at: float = 0.0
    """The moment before the database was asked, not the moment of its answer."""
    seen: Overview | None = None


class Board:
    """The last answer of each year, kept in this process.

    It is kept as the database gave it: while nothing changes, another process, or this one after a
    restart, gives the same answer.
    """

    def __init__(self) -> None:
        self._years: dict[tuple[int, Kind], _Kept] = {}

    def latest(self, call: Call[object], year: int, kind: Kind, *, fresh: bool) -> Overview:
        """Count the branches of a year, at most half a second before the question.

        ``fresh``: from the database now. Raises NotFound.
        """
        oldest = time.monotonic() - (0 if fresh else AGAIN_AFTER_SECONDS)
        kept = self._years.get((year, kind))
        if kept is None:
            # A year that does not exist is not kept: a client may ask for any number of them.
            cycle_by_year(call.session, year)
            kept = self._years.setdefault((year, kind), _Kept())
        with kept.lock:  # one thread asks, the others wait for its answer
            if kept.seen is not None and kept.asked_at >= oldest and kept.seen.today == call.today:
                return kept.seen
            began = time.monotonic()
            kept.seen = overview(call.session, cycle_by_year(call.session, year), now=call.now, kind=kind)
            kept.asked_at = began
            return kept.seen


def board() -> Board:
    """Return the board of this service."""
    return service().kept.setdefault("board", Board())  # type: ignore[no-any-return]
