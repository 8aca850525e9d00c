"""A change as the API tells it (一次改动)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from workflow.foundation.history import History


class HistoryShape(TypedDict):
    """A change of one row (一次改动)."""

    id: int
    at: datetime
    by: str
    on_behalf_of: str | None
    what: str
    key: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    reason: str | None


def history_shape(row: History) -> HistoryShape:
    return {
        "id": row.id,
        "at": row.at,
        "by": row.actor,
        "on_behalf_of": row.on_behalf_of,
        "what": row.what,
        "key": row.row_key,
        "old": row.old,
        "new": row.new,
        "reason": row.reason,
    }
