"""情况表的填写项 (the written part of the form): who prepared it, his phone, a remark. Everything else on the form is computed.

The plan: 将《2024年度民主评议情况表》交党委办公室。
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.cycle import Process
from workflow.database import Base
from workflow.errors import Invalid, Stale, Words
from workflow.evidence import must_be_open
from workflow.fields import Body, Line
from workflow.fields import Text as LongText
from workflow.history import changed_since, track
from workflow.vocabulary import Stage


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
        since = changed_since(session, Form.__table__, process.id, seen)  # type: ignore[arg-type]
        raise Stale(version=row.version if row else 0, changed=since)
    must_be_open(process, Stage.REPORT)
    if row is None:
        row = Form(process_id=process.id, prepared_by=None, phone=None, remark=None, version=0)
        session.add(row)
    for name, value in body.items():
        setattr(row, name, value)
    row.version += 1
    session.flush()
    return row
