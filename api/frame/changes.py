"""Changes as answers show them: of a row (变更记录), and of a plan by a notice (补充通知)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from workflow.foundation.database import Session
from workflow.foundation.history import History
from workflow.year.amendments import Amendment, amendments_of


class AmendmentShape(TypedDict):
    """A notice that adds to the plan of a year (补充通知)."""

    id: int
    number: str
    issued_on: date
    reason: str
    required_reading: dict[str, list[str]]
    deadlines: dict[str, str]
    texts: dict[str, str]
    before: dict[str, dict[str, str | None]]
    recorded_by: str
    recorded_at: datetime


def amendment_shape(row: Amendment) -> AmendmentShape:
    return {
        "id": row.id,
        "number": row.number,
        "issued_on": row.issued_on,
        "reason": row.reason,
        "required_reading": {"add": row.required_reading},
        "deadlines": row.deadlines,
        "texts": row.texts,
        "before": row.before,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
    }


class NoticeShape(TypedDict):
    """An amendment as papers name it (补充通知的文号)."""

    number: str
    issued_on: date


def notice_shapes(session: Session, cycle_id: int) -> list[NoticeShape]:
    return [{"number": row.number, "issued_on": row.issued_on} for row in amendments_of(session, [cycle_id])]


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
