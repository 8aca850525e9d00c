"""公开与报备 (publications and filings): the measures are shown to members and masses, and sent up.

The plan: 整改措施要向党员群众公开，向上级党组织报备，接受各方面监督。

Records: a publication with its place and days; a filing with its addressee, and the receipt, which
no stage closes.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Mapped, Session

from workflow.appraisal.ledger import Measure
from workflow.foundation.database import Base
from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import (
    Day,
    Line,
    Moment,
    Sent,
    StaffNo,
    about,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
)
from workflow.rules.evidence import Evidence, must_have_happened
from workflow.rules.records import Records, RecordSchema
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Process

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class Publication(Evidence, Base):
    """A notice by which the measures were shown (公开、公示)."""

    __tablename__ = "publication"
    __table_args__ = (CheckConstraint("to_on >= from_on", name="days"),)

    place: Mapped[str | None]
    from_on: Mapped[date]
    to_on: Mapped[date | None]


@tracked()
class RectificationFiling(Evidence, Base):
    """A filing by which the measures were sent up (报备)."""

    __tablename__ = "rectification_filing"

    sent_to: Mapped[str]
    sent_on: Mapped[date]
    received_by: Mapped[str | None]
    """回执: the person of the office who confirmed it. No stage closes it."""
    received_at: Mapped[datetime | None]


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


class PublicationSchema(RecordSchema):
    """A notice with the measures (公开、公示), its place and days."""

    place = Line(**about("地点", "place", "在哪里公开", "where they are shown", example="学院公示栏"))
    from_on = Day(required=True, data_key="from", **about("开始", "from", "哪一天开始公开", "the first day", example="2024-12-19"))
    to_on = Day(data_key="to", **about("结束", "to", "公开到哪一天", "the last day", example="2024-12-26"))


class FilingSchema(RecordSchema):
    """A filing by which the measures were sent up (报备), and the receipt."""

    sent_to = Line(required=True, data_key="to", **about("报给谁", "to", "报给哪个上级党组织", "which committee above", example="学院党委"))
    sent_on = Day(required=True, **about("日期", "day", "哪一天报送的", "the day on which they were sent", example="2024-12-19"))
    received_by = StaffNo(dump_only=True, **about("回执人", "received by"))
    received_at = Moment(dump_only=True, **about("回执时间", "received at"))


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Publications(Records[Publication]):
    """公示: recorded by the secretary once the measures hang."""

    name, zh, en = "publications", "公示", "publication"
    model, schema = Publication, PublicationSchema()
    stages = (Stage.RECTIFICATION,)
    read, write = Action.READ_PROCESS, Action.RECTIFY

    def check(self, session: Session, process: Process, row: Publication | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        days = {"to_on": None, **({} if row is None else {"from_on": row.from_on, "to_on": row.to_on}), **sent}
        must_have_happened("from", days["from_on"], now)
        if days["to_on"] is not None and days["to_on"] < days["from_on"]:
            raise Invalid({"to": Words(f"不能早于开始日期 {days['from_on']}", f"must not be before {days['from_on']}")})


PUBLICATIONS = Publications()


def published(session: Session, process_id: int) -> bool:
    """Tell whether the measures were shown, so that every member may read and comment."""
    return session.scalar(select(exists().where(Publication.process_id == process_id, shown()))) or False


def shown() -> ColumnElement[bool]:
    """Ask for a publication that counts and names its place and last day (F5)."""
    return and_(Publication.counts, Publication.place.is_not(None), Publication.to_on.is_not(None))


class RectificationFilings(Records[RectificationFiling]):
    """报备: recorded by the secretary, confirmed by the office."""

    name, zh, en = "rectification-filings", "报备", "rectification filing"
    model, schema = RectificationFiling, FilingSchema()
    stages = (Stage.RECTIFICATION,)
    read, write = Action.READ_PROCESS, Action.RECTIFY

    def check(self, session: Session, process: Process, row: RectificationFiling | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if "sent_on" in sent:
            must_have_happened("sent_on", sent["sent_on"], now)


FILINGS = RectificationFilings()


def confirm_receipt(session: Session, row: RectificationFiling, *, by: Caller, now: datetime) -> RectificationFiling:
    """Confirm that the office has the measures.

    Raises Conflict when the filing was taken back or is confirmed already.
    """
    if not row.counts:
        raise Conflict(Words("这次报备的记录已撤回或退回", "this filing was withdrawn or rejected"))
    if row.received_at is not None:
        raise Conflict(Words("这次报备已经回执", "this filing is confirmed already"))
    row.received_by, row.received_at = by.staff_no, now
    row.version += 1
    session.flush()
    return row


RECEIVE: Act[RectificationFiling, RectificationFiling] = FILINGS.act(
    "receive_rectification_filing",
    "报备回执",
    "confirm the receipt of a filing",
    lambda call, sent: confirm_receipt(call.session, call.on, by=call.by, now=call.now),
    action=Action.CONFIRM_RECEIPT,
    on=FILINGS.held,
    shows=FILINGS.schema,
    closes=(),
)
ACTS: tuple[AnyAct, ...] = (*PUBLICATIONS.acts, *FILINGS.acts, RECEIVE)


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
    todo_for=Role.OFFICE,
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


@requirement(
    "F5",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    link="publications",
    zh="公开以后又有 {count} 条整改措施变动，需要重新公开：{names}",
    en="{count} measures changed since they were published; publish them again: {names}",
)
def measures_changed_since_published() -> Missing:
    """整改措施要向党员群众公开（变动以后）。"""
    return _changed_since(Publication, shown())


@requirement(
    "F6",
    stage=Stage.RECTIFICATION,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    link="rectification-filings",
    zh="报备以后又有 {count} 条整改措施变动，需要重新报备：{names}",
    en="{count} measures changed since they were sent up; send them again: {names}",
)
def measures_changed_since_sent_up() -> Missing:
    """整改措施要向上级党组织报备（变动以后）。"""
    return _changed_since(RectificationFiling, and_(RectificationFiling.counts))


def _changed_since(kind: type[Publication] | type[RectificationFiling], counts: ColumnElement[bool]) -> Missing:
    """Select measures that were added, changed or taken back since the last such record.

    One that came and went in between was never shown, and is not missed.
    """
    last = select(func.max(kind.recorded_at)).where(kind.process_id == Measure.process_id, counts).correlate(Measure).scalar_subquery()
    changed = func.greatest(Measure.changed_at, Measure.withdrawn_at, Measure.rejected_at)
    return missing(Measure.process_id, subject=Measure.id, name=func.left(Measure.text, 30)).where(
        changed > last, or_(Measure.counts, Measure.recorded_at <= last)
    )


REQUIREMENTS = (
    measures_not_published,
    measures_not_sent_up,
    filings_without_a_receipt,
    measures_changed_since_published,
    measures_changed_since_sent_up,
)
