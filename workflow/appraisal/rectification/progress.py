"""整改进展 (progress): the steps of a measure or a commitment until it is closed (销号).

The plan: 整改措施和整改承诺要……定一条、做一条、兑现一条，不放空炮。

No stage closes progress: it goes on after the branch has filed and after the year is closed, and
the next year's duty report tells of it.
"""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Commitment, CommitmentProgress, Measure, MeasureProgress
from workflow.foundation.database import act_as
from workflow.foundation.errors import Forbidden, Words
from workflow.foundation.fields import LongText, about, one_of
from workflow.foundation.vocabulary import MeasureState, Role
from workflow.people.access import Caller
from workflow.rules.evidence import must_stand
from workflow.rules.records import EntrySchema
from workflow.year.cycle import Process

P = TypeVar("P", MeasureProgress, CommitmentProgress)


class ProgressSchema(EntrySchema):
    """A step of a measure or a commitment (整改进展): its state and the evidence."""

    state = one_of(
        MeasureState,
        required=True,
        **about("状态", "state", "进展到哪一步，销号由书记确认", "the secretary alone closes it", example="doing"),
    )
    evidence = LongText(**about("佐证", "evidence", "有什么可以证明（F4）", "what shows it (F4)", example="已拟定两次主题党日的方案"))


PROGRESS = ProgressSchema()


def may_tell(session: Session, process: Process, row: Measure | Commitment, owner: str | None, state: MeasureState, *, by: Caller) -> None:
    """Let the owner or the secretary tell the progress; only the secretary closes it (销号).

    Raises Forbidden, Conflict.
    """
    leads, owns = Role.SECRETARY in by.roles_in(process.branch.code), owner == by.staff_no
    if not (leads or owns):
        raise Forbidden(Words("整改进展由责任人或书记登记", "progress is recorded by the owner or the secretary"))
    if state is MeasureState.CLOSED and not leads:
        raise Forbidden(Words("销号由书记确认", "it is closed by the secretary"))
    if row.state is MeasureState.CLOSED and not leads:
        raise Forbidden(Words("已经销号，由书记恢复", "it was closed; the secretary opens it again"))
    must_stand(row)
    if owns and state is not MeasureState.CLOSED and process.branch.code in by.stands_for:
        # They tell of their own work; what they close, they close for the secretary.
        act_as(session, actor=by.staff_no)


def tell(session: Session, row: Measure | Commitment, told: P) -> P:
    """Write the progress on a measure or a commitment, which is then in that state."""
    session.add(told)
    row.state = told.state
    session.flush()
    # Its own list was read before.
    session.expire(row, ["progress"])
    return told
