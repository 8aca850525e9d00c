"""情况表的填写项 (the written part of the form): all else on the form is computed.

The plan: 将《2024年度民主评议情况表》交党委办公室。
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, Session

from workflow.foundation.database import Base
from workflow.foundation.errors import Invalid, Words
from workflow.foundation.fields import (
    Answered,
    Line,
    LongText,
    Sent,
    Whole,
    about,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Kind, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    AnyAct,
    Call,
)
from workflow.rules.single import OnProcess, Single
from workflow.year.cycle import Process


@tracked(hidden=("phone",))
class Form(OnProcess, Base):
    """The written part of the form (填表人、联系电话、备注)."""

    __tablename__ = "form"
    __table_args__ = (CheckConstraint("version >= 1", name="version"),)

    prepared_by: Mapped[str | None]
    phone: Mapped[str | None]
    remark: Mapped[str | None]


personal(
    Form,
    Area.APPRAISAL,
    "情况表的填写项",
    Data("prepared_by 填表人, phone 联系电话, remark 备注", "情况表（Q6）", Action.READ_PROCESS),
    of="填表人",
)


class FormSchema(Answered):
    """The written part of the form (填写项)."""

    prepared_by = Line(at_most=50, **about("填表人", "prepared by", "填表人的姓名", "who prepared the form", example="王五"))
    phone = Line(at_most=50, **about("联系电话", "phone", "填表人的电话", "how to reach them", example="8888 0101"))
    remark = LongText(
        at_most=2000,
        **about("备注", "remark", "需要说明的其他情况", "what else should be known", example="一名党员长期外派"),
    )
    version = Whole(dump_only=True, **about("版本", "version", always=True))


class WrittenForm(Single[Form]):
    """情况表的填写项: written field by field by the secretary until the form is filed."""

    name, zh, en = "form", "情况表", "form"
    model, schema = Form, FormSchema()
    kind, stage = Kind.APPRAISAL, Stage.REPORT
    reads, writes = Action.READ_PROCESS, Action.EDIT_FORM
    whole = False

    def check(self, session: Session, process: Process, row: Form | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if not sent:
            raise Invalid({"prepared_by": Words("没有要填写的内容", "nothing to write")})

    def before(self, call: Call[object]) -> Form:
        """Make an empty one, whose version is 0."""
        return Form(process_id=call.process.id, version=0)


FORM = WrittenForm()
ACTS: tuple[AnyAct, ...] = FORM.acts
