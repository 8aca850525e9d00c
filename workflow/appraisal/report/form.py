"""情况表的填写项 (the written part of the form): who prepared it, his phone, a remark. Everything else on the form is computed.

The plan: 将《2024年度民主评议情况表》交党委办公室。
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base
from workflow.foundation.errors import Invalid, Stale, Words
from workflow.foundation.fields import Body, Line, LongText
from workflow.foundation.history import changed_since, track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action
from workflow.rules.evidence import must_be_open
from workflow.year.cycle import Process


class Form(Base):
    """What of the 情况表 is written and not computed (填表人、联系电话、备注)."""

    __tablename__ = "form"
    __table_args__ = (CheckConstraint("version >= 1", name="version"),)

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"), primary_key=True)
    prepared_by: Mapped[str | None]
    phone: Mapped[str | None]
    remark: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)


track(Form.__table__, hidden=("phone",))  # type: ignore[arg-type]
personal(
    Form,
    Area.APPRAISAL,
    "情况表的填写项",
    Data("prepared_by 填表人, phone 联系电话, remark 备注", "情况表（Q6）", Action.READ_PROCESS),
    of="填表人",
)


class FormBody(Body):
    """What is written on the form."""

    prepared_by = Line(at_most=50)
    phone = Line(at_most=50)
    remark = LongText(at_most=2000)


def form_of(session: Session, process: Process) -> Form | None:
    """The written part, once there is one. Its version before that is 0."""
    return session.get(Form, process.id)


def fill_form(session: Session, process: Process, body: Mapping[str, Any], *, seen: int) -> Form:
    """Write on the form. Raises Invalid, Stale, StageClosed."""
    if not body:
        raise Invalid({"prepared_by": Words("没有要填写的内容", "nothing to write")})
    row = session.get(Form, process.id, with_for_update={"key_share": True}, populate_existing=True)
    if (row.version if row else 0) != seen:
        raise _stale(session, process, row.version if row else 0, seen)
    must_be_open(process, Stage.REPORT)
    if row is None:
        return _first(session, process, body)
    for name, value in body.items():
        setattr(row, name, value)
    row.version += 1
    session.flush()
    return row


def _first(session: Session, process: Process, body: Mapping[str, Any]) -> Form:
    """There was no row to hold: of two who both find none, the slower one is told that it changed."""
    row: Form | None = session.scalar(insert(Form).values(process_id=process.id, version=1, **body).on_conflict_do_nothing().returning(Form))
    if row is None:
        raise _stale(session, process, session.get_one(Form, process.id).version, 0)
    return row


def _stale(session: Session, process: Process, version: int, seen: int) -> Stale:
    return Stale(version=version, changed=changed_since(session, Form.__table__, process.id, seen))  # type: ignore[arg-type]
