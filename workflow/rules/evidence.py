"""Evidence (佐证记录): the records that a gate reads, and the rules that all of them share.

It may be recorded ahead of its stage, closes when the stage is left, and opens again by return,
step_back, withdraw or reopen. Nothing is deleted: the branch withdraws a record with a reason, the
office rejects one with a reason, and either stops counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Select, and_, select, true
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from workflow.foundation.database import Numbered
from workflow.foundation.errors import Conflict, Invalid, NotFound, StageClosed, Stale, Words
from workflow.foundation.fields import Sent
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import STAGES, Stage, local_day
from workflow.year.cycle import Process, must_run


@dataclass(frozen=True)
class Retraction:
    """The taking back of a record: by which person, when and for what reason."""

    by: str
    at: datetime
    reason: str


def _retraction(by: str | None, at: datetime | None, reason: str | None) -> Retraction | None:
    return None if by is None or at is None or reason is None else Retraction(by, at, reason)


STANDING = "withdrawn_at is null and rejected_at is null"
"""The condition that a record counts, for the indexes of such records."""


class Retractable(Numbered):
    """A record that its maker may withdraw and its judge may reject, each with a reason."""

    version: Mapped[int] = mapped_column(default=1)
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    withdrawn_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None]
    rejected_by: Mapped[str | None]
    rejected_at: Mapped[datetime | None]
    rejected_reason: Mapped[str | None]

    @property
    def withdrawn(self) -> Retraction | None:
        """Return the branch's withdrawal of the record, if there was one."""
        return _retraction(self.withdrawn_by, self.withdrawn_at, self.withdrawn_reason)

    @property
    def rejected(self) -> Retraction | None:
        """Return the office's rejection of the record, if there was one."""
        return _retraction(self.rejected_by, self.rejected_at, self.rejected_reason)

    @hybrid_property
    def counts(self) -> bool:
        """Tell whether the record stands: neither withdrawn nor rejected."""
        return self.withdrawn_at is None and self.rejected_at is None

    @counts.inplace.expression
    @classmethod
    def _counts(cls) -> ColumnElement[bool]:
        return and_(cls.withdrawn_at.is_(None), cls.rejected_at.is_(None))


class Evidence(Retractable):
    """A record of one process, which its branch may withdraw and the office may reject."""

    @declared_attr
    def process_id(cls) -> Mapped[int]:  # noqa: N805
        return mapped_column(BigInteger, ForeignKey("process.id"), index=True, sort_order=1)


class OfMember(Evidence):
    """A record about one member; each member has one."""

    @declared_attr
    def staff_no(cls) -> Mapped[str]:  # noqa: N805
        return mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))


R = TypeVar("R", bound=Evidence)
P = TypeVar("P", bound=OfMember)


def must_be_open(process: Process, stage: Stage) -> None:
    """Raise StageClosed if the process has left the stage that this evidence belongs to.

    The process is held by Lock.EVIDENCE.
    """
    must_run(process)
    if process.has_left(stage):
        raise StageClosed(Words(f"“{stage.zh}”已经结束，不能再改动；如需补充，请先退回到该环节", f"{stage.value} is closed; step back to it first"))


def must_be_unaccepted(process: Process) -> None:
    """Raise Conflict if the office has accepted the branch, or the year is closed.

    A record does not change after the office has accepted it.
    """
    must_run(process)
    if process.stage is STAGES[process.kind][-1]:
        raise Conflict(Words("已接收，不再退回其中的记录；如需更正，请先重新启动", "the branch was accepted; reopen it first"))


def withdraw(record: Retractable, *, by: str, now: datetime, reason: str) -> None:
    """Withdraw a record for its branch. Raises Conflict when it does not stand any more."""
    must_stand(record)
    record.withdrawn_by, record.withdrawn_at, record.withdrawn_reason = by, now, reason
    record.version += 1


def reject(record: Retractable, *, by: str, now: datetime, reason: str) -> None:
    """Reject a record for the office. Raises Conflict when it does not stand any more."""
    must_stand(record)
    record.rejected_by, record.rejected_at, record.rejected_reason = by, now, reason
    record.version += 1


def must_stand(record: Retractable) -> None:
    """Raise Conflict if a record was taken back."""
    if not record.counts:
        raise Conflict(Words("该记录已撤回或已被党委办公室退回，不能再改动", "this record was withdrawn or rejected"))


def amendable(session: Session, record: Retractable, *, seen: int) -> None:
    """Raise Stale if the record changed since it was seen, with the changes.

    Raises Conflict when it does not stand any more.
    """
    if record.version != seen:
        raise Stale(version=record.version, changed=changed_since(session, type(record), record.id, seen))
    must_stand(record)


def record_of(
    session: Session, model: type[R], process_id: int, record_id: int, *, visible: ColumnElement[bool] | None = None, held: bool = False
) -> R:
    """Find one record of a process.

    Raises NotFound, also for a record of another branch and for one that this reader may not know
    of. ``held`` is for a caller that will change it: if two saw the same version, the second then
    reads the first one's change.
    """
    statement = select(model).where(model.id == record_id, model.process_id == process_id, true() if visible is None else visible)
    return _found(session, model, statement, held=held)


def record_of_member(
    session: Session, model: type[P], process_id: int, staff_no: str, *, visible: ColumnElement[bool] | None = None, held: bool = False
) -> P:
    """Find the record of one member, where each has one: the one that stands, or else the latest.

    Raises NotFound as ``record_of`` does.
    """
    his = (model.process_id == process_id, model.staff_no == staff_no, true() if visible is None else visible)
    return _found(session, model, select(model).where(*his).order_by(model.counts.desc(), model.id.desc()).limit(1), held=held)


def _found(session: Session, model: type[R], statement: Select[R], *, held: bool) -> R:
    if held:
        statement = statement.with_for_update(key_share=True, of=model).execution_options(populate_existing=True)
    record = session.scalar(statement)
    if record is None:
        raise NotFound
    return record


def records_of(
    session: Session, model: type[R], process_id: int, *, after: int, limit: int, visible: ColumnElement[bool] | None = None
) -> Sequence[R]:
    """List the records of a process in the order they were made, those taken back included."""
    return session.scalars(
        select(model).where(model.process_id == process_id, model.id > after, true() if visible is None else visible).order_by(model.id).limit(limit)
    ).all()


class Timed:
    """The times of the day at which something began and ended (起止时间)."""

    started_at: Mapped[time | None] = mapped_column(sort_order=100)
    ended_at: Mapped[time | None] = mapped_column(sort_order=100)


def must_end_after_it_began(row: Timed | None, sent: Sent) -> None:
    """Raise Invalid if the end is before the beginning; either may stand on the row already."""
    began, ended = (sent.get(name, getattr(row, name, None)) for name in ("started_at", "ended_at"))
    if began is not None and ended is not None and ended < began:
        raise Invalid({"ended_at": Words(f"不能早于开始时间 {began:%H:%M}", f"must not be before the beginning at {began:%H:%M}")})


def must_have_happened(field: str, day: date, now: datetime) -> None:
    """Raise Invalid if a day is still to come: a record tells what was done."""
    if day > local_day(now):
        raise Invalid({field: Words(f"{day} 还没有到，不能登记为已经进行", f"{day} is still to come")})
