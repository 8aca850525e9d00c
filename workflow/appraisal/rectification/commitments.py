"""整改承诺 (commitments): what each member promises to mend.

The plan: 党员要作出整改承诺。整改措施和整改承诺要对着问题去，落在具体实事上，实打实、可操作。

Records: a commitment with the problem it goes to, in words or as one of the ledger, and its day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, and_, exists, or_, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.appraisal.ledger import Problem, problems_named
from workflow.foundation.database import Base, act_as
from workflow.foundation.errors import Forbidden, Invalid, Words
from workflow.foundation.fields import Body, Day, LongText, StaffNo, TextOrNumber
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Role, Severity, Stage, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.evidence import Evidence, amendable, must_be_open
from workflow.rules.requirement import Missing, missing, present, requirement
from workflow.year.cycle import Participant, Process, participants

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Commitment(Evidence, Base):
    """What a member promises to mend (整改承诺)."""

    __tablename__ = "commitment"
    __table_args__ = (
        CheckConstraint("problem_id is null or problem_text is null", name="one_problem"),
        Index("ix_commitment_problem_id", "problem_id"),
    )

    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    problem_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("problem.id"))
    """One of the ledger, or else"""
    problem_text: Mapped[str | None]
    """what is wrong, in the member's words."""
    text: Mapped[str]
    due_on: Mapped[date | None]


track(Commitment.__table__)  # type: ignore[arg-type]
personal(
    Commitment,
    Area.APPRAISAL,
    "整改承诺",
    Data(
        "staff_no 何人, problem_text 存在的问题, text 承诺, due_on 期限",
        "党员作出整改承诺（F2）",
        Action.READ_COMMITMENTS,
    ),
    of="每名党员",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class CommitmentBody(Body):
    """A commitment as it is sent."""

    staff_no = StaffNo(required=True)
    problem = TextOrNumber()
    text = LongText(required=True)
    due_on = Day()


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible_commitments(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """Which commitments of a branch this reader knows of: a plain member his own."""
    return Commitment.staff_no == reader.staff_no if reader.plain_member(branch_code) else true()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_commitment(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Commitment:
    """Record a commitment. A member records his own, the secretary any. Raises StageClosed, Invalid, Forbidden."""
    may_commit(session, process, by, body["staff_no"])
    _check(session, process, body, body["staff_no"])
    must_be_open(process, Stage.RECTIFICATION)
    row = Commitment(process_id=process.id, recorded_by=by.staff_no, recorded_at=now)
    _fill(row, body)
    session.add(row)
    session.flush()
    return row


def amend_commitment(session: Session, process: Process, row: Commitment, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a commitment; the old values stay in the history. Raises StageClosed, Stale, Conflict, Invalid, Forbidden."""
    for staff_no in (row.staff_no, body.get("staff_no", row.staff_no)):
        may_commit(session, process, by, staff_no)
    _check(session, process, body, body.get("staff_no", row.staff_no))
    amendable(session, row, seen=seen)
    must_be_open(process, Stage.RECTIFICATION)
    _fill(row, body)
    row.version += 1
    session.flush()


def may_commit(session: Session, process: Process, by: Caller, staff_no: str) -> None:
    """The secretary writes any commitment of his branch, a member his own. Raises Forbidden."""
    if Role.SECRETARY not in by.roles_in(process.branch.code) and staff_no != by.staff_no:
        raise Forbidden(Words("党员只登记自己的整改承诺", "a member records his own commitment"))
    if staff_no == by.staff_no and process.branch.code in by.stands_for:
        # What he promises himself he does not promise for the secretary whose substitute he is.
        act_as(session, actor=by.staff_no)


def _check(session: Session, process: Process, body: Mapping[str, Any], staff_no: str) -> None:
    if "staff_no" in body:
        participants(session, process.id, {"staff_no": [body["staff_no"]]})
    if isinstance(body.get("problem"), int):
        (found,) = problems_named(session, process.id, "problem", [body["problem"]])
        if found.about not in (None, staff_no):
            wrong = Words(f"台账中没有编号为 {found.id} 的有效问题", f"there is no problem {found.id} that counts")
            raise Invalid({"problem": wrong})  # one of somebody else is none of his, and not to be found by trying numbers


def _fill(row: Commitment, body: Mapping[str, Any]) -> None:
    for name in ("staff_no", "text", "due_on"):
        if name in body:
            setattr(row, name, body[name])
    if "problem" in body:
        named = isinstance(body["problem"], int)
        row.problem_id, row.problem_text = (body["problem"], None) if named else (None, body["problem"])


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "F2",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.MEMBER,
    waivable=Waivable.PER_SUBJECT,
    link="commitments",
    zh="还有 {count} 名党员没有作出整改承诺：{names}",
    en="{count} members have made no commitment: {names}",
)
def members_without_a_commitment() -> Missing:
    """党员要作出整改承诺。"""
    promised = (
        exists()
        .where(Commitment.process_id == Participant.process_id, Commitment.staff_no == Participant.staff_no, Commitment.counts)
        .correlate(Participant)
    )
    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=Participant.person_id).where(
        *present(), ~promised
    )


@requirement(
    "F3",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.MEMBER,
    link="commitments",
    zh="有 {count} 项整改承诺没有写明对着什么问题或完成时限：{names}",
    en="{count} commitments do not say which problem they go to or until when: {names}",
)
def commitments_not_to_the_point() -> Missing:
    """整改承诺要对着问题去，落在具体实事上，实打实、可操作。"""
    of_the_ledger = exists().where(Problem.id == Commitment.problem_id, Problem.counts).correlate(Commitment)
    return (
        missing(Commitment.process_id, subject=Commitment.id, name=Participant.name, person=Participant.person_id)
        .join(Participant, and_(Participant.process_id == Commitment.process_id, Participant.staff_no == Commitment.staff_no))
        .where(
            Commitment.counts,
            Participant.left_on.is_(None),
            or_(Commitment.due_on.is_(None), and_(Commitment.problem_text.is_(None), ~of_the_ledger)),
        )
    )


REQUIREMENTS = (members_without_a_commitment, commitments_not_to_the_point)
