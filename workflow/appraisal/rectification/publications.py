"""公开与报备 (publications and filings): the measures are shown to members and masses, and sent up.

The plan: 整改措施要向党员群众公开，向上级党组织报备，接受各方面监督。

Records: a publication with its place and days; a filing with whom it went to, and the receipt, which is follow-through.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Mapped, Session

from workflow.foundation.database import Base
from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import Body, Day, Line
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.people.access import Action, Caller
from workflow.rules.evidence import Evidence, amendable, must_be_open, must_have_happened
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Process

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Publication(Evidence, Base):
    """The measures were shown (公开、公示)."""

    __tablename__ = "publication"
    __table_args__ = (CheckConstraint("to_on >= from_on", name="days"),)

    place: Mapped[str | None]
    from_on: Mapped[date]
    to_on: Mapped[date | None]


class RectificationFiling(Evidence, Base):
    """The measures were sent up (报备)."""

    __tablename__ = "rectification_filing"

    sent_to: Mapped[str]
    sent_on: Mapped[date]
    received_by: Mapped[str | None]
    """回执: who of the office confirmed it. Follow-through: it never closes."""
    received_at: Mapped[datetime | None]


for _table in (Publication, RectificationFiling):
    track(_table.__table__)  # type: ignore[arg-type]
personal(Publication, Area.APPRAISAL, "公示", other="place from_on to_on")
personal(
    RectificationFiling,
    Area.APPRAISAL,
    "报备",
    Data("sent_to 报给谁", "整改措施报备（F6）", Action.READ_PROCESS),
    of="登记人，回执人",
    other="sent_on",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────

PublicationBody = Body.from_dict({"place": Line(), "from": Day(required=True), "to": Day()}, name="PublicationBody")
"""A publication as it is sent. Made from a dict, since ``from`` is a word of Python's."""


class FilingBody(Body):
    """A filing as it is sent."""

    to = Line(required=True)
    sent_on = Day(required=True)


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_publication(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Publication:
    """Record where and when the measures are shown. Raises StageClosed, Invalid."""
    _check_days(body, now)
    must_be_open(process, Stage.RECTIFICATION)
    row = Publication(
        process_id=process.id,
        place=body.get("place"),
        from_on=body["from"],
        to_on=body.get("to"),
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    session.add(row)
    session.flush()
    return row


def amend_publication(session: Session, process: Process, row: Publication, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a publication; the old values stay in the history. Raises StageClosed, Stale, Conflict, Invalid."""
    whole = {"place": row.place, "from": row.from_on, "to": row.to_on, **body}
    _check_days(whole, now)
    amendable(session, row, seen=seen)
    must_be_open(process, Stage.RECTIFICATION)
    row.place, row.from_on, row.to_on = whole["place"], whole["from"], whole["to"]
    row.version += 1
    session.flush()


def _check_days(body: Mapping[str, Any], now: datetime) -> None:
    must_have_happened("from", body["from"], now)
    if body.get("to") is not None and body["to"] < body["from"]:
        raise Invalid({"to": Words(f"不能早于开始日期 {body['from']}", f"must not be before {body['from']}")})


def published(session: Session, process_id: int) -> bool:
    """Whether the branch has shown its measures, so that every member reads them and may comment."""
    return session.scalar(select(exists().where(Publication.process_id == process_id, shown()))) or False


def shown() -> ColumnElement[bool]:
    """A publication that counts and says where and until when (F5)."""
    return and_(Publication.counts, Publication.place.is_not(None), Publication.to_on.is_not(None))


def record_filing(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> RectificationFiling:
    """Record that the measures were sent up. Raises StageClosed, Invalid."""
    must_have_happened("sent_on", body["sent_on"], now)
    must_be_open(process, Stage.RECTIFICATION)
    row = RectificationFiling(process_id=process.id, sent_to=body["to"], sent_on=body["sent_on"], recorded_by=by.staff_no, recorded_at=now)
    session.add(row)
    session.flush()
    return row


def amend_filing(
    session: Session, process: Process, row: RectificationFiling, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime
) -> None:
    """Correct a filing; the old values stay in the history. Raises StageClosed, Stale, Conflict, Invalid."""
    if "sent_on" in body:
        must_have_happened("sent_on", body["sent_on"], now)
    amendable(session, row, seen=seen)
    must_be_open(process, Stage.RECTIFICATION)
    row.sent_to, row.sent_on = body.get("to", row.sent_to), body.get("sent_on", row.sent_on)
    row.version += 1
    session.flush()


def confirm_receipt(session: Session, row: RectificationFiling, *, by: Caller, now: datetime) -> None:
    """The office confirms that it has the measures. Raises Conflict when the filing was taken back or is confirmed already."""
    if not row.counts:
        raise Conflict(Words("这次报备的记录已撤回或退回", "this filing was withdrawn or rejected"))
    if row.received_at is not None:
        raise Conflict(Words("这次报备已经回执", "this filing is confirmed already"))
    row.received_by, row.received_at = by.staff_no, now
    row.version += 1
    session.flush()


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "F5",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="publications",
    zh="整改措施还没有公开，或没有记全公开地点和起止日期",
    en="the measures were not published, or place and days are not recorded",
)
def measures_not_published() -> Missing:
    """整改措施要向党员群众公开。"""
    hangs = exists().where(Publication.process_id == Process.id, shown())
    return missing(Process.id).where(~hangs.correlate(Process))


@requirement(
    "F6",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="rectification-filings",
    zh="整改措施还没有向上级党组织报备",
    en="the measures were not sent up",
)
def measures_not_sent_up() -> Missing:
    """整改措施要向上级党组织报备。"""
    sent = exists().where(RectificationFiling.process_id == Process.id, RectificationFiling.counts).correlate(Process)
    return missing(Process.id).where(~sent)


@requirement(
    "F6",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    asked_until=Stage.ACCEPTED,
    link="rectification-filings",
    zh="有 {count} 次报备还没有收到回执：{names}",
    en="{count} filings have no receipt yet: {names}",
)
def filings_without_a_receipt() -> Missing:
    """整改措施要向上级党组织报备（回执）。"""
    return missing(
        RectificationFiling.process_id,
        subject=RectificationFiling.id,
        name=func.concat(RectificationFiling.sent_on, " ", RectificationFiling.sent_to),
    ).where(RectificationFiling.counts, RectificationFiling.received_at.is_(None))


REQUIREMENTS = (measures_not_published, measures_not_sent_up, filings_without_a_receipt)
