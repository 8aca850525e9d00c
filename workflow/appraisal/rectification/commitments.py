"""整改承诺 (commitments): each member's promise to mend something.

The plan: 党员要作出整改承诺。整改措施和整改承诺要对着问题去，落在具体实事上，实打实、可操作。

A commitment has its day and the problem it goes to, in words or as one of the ledger; it is kept
step by step like a measure (定一条、做一条、兑现一条). The records stand in the ledger, below.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from marshmallow import fields
from sqlalchemy import ColumnElement, and_, exists, or_, true
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Commitment, CommitmentProgress, Problem, problems_named
from workflow.appraisal.rectification.progress import PROGRESS, ProgressSchema, may_tell, tell
from workflow.foundation.database import act_as
from workflow.foundation.errors import Forbidden, Invalid, Words
from workflow.foundation.fields import (
    Day,
    LongText,
    Sent,
    StaffNo,
    TextOrNumber,
    about,
    one_of,
)
from workflow.foundation.vocabulary import MeasureState, Role, Severity, Stage, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.records import Records, RecordSchema
from workflow.rules.requirement import Missing, in_a_former_branch, missing, present, requirement
from workflow.year.cycle import Participant, Process
from workflow.year.deadlines import must_lie_ahead, past_due_ok
from workflow.year.roll import participants

# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class CommitmentSchema(RecordSchema):
    """A promise of a member (整改承诺); ``problem`` in words, or its number in the ledger."""

    staff_no = StaffNo(required=True, **about("何人", "who", "作出承诺的党员的学工号", "the member who promises", example="20160005"))
    problem = TextOrNumber(
        **about("问题", "problem", "对着什么问题，写文字或台账中的编号（F3）", "in words, or its number in the ledger (F3)", example="学习不够深入")
    )
    text = LongText(required=True, **about("承诺", "promise", "承诺做什么具体实事", "what is promised", example="每周自学一次"))
    due_on = Day(**about("期限", "due on", "什么时候以前做到（F3）", "until when (F3)", example="2025-06-30"))
    past_due_ok = past_due_ok()
    state = one_of(MeasureState, dump_only=True, **about("状态", "state", always=True))
    progress = fields.List(fields.Nested(ProgressSchema), dump_only=True, **about("进展", "progress", always=True))


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Commitments(Records[Commitment]):
    """整改承诺: members record their own, the secretary anybody's."""

    name, zh, en = "commitments", "整改承诺", "commitment"
    model, schema = Commitment, CommitmentSchema()
    stages = (Stage.RECTIFICATION,)
    read, write = Action.READ_COMMITMENTS, Action.COMMIT

    def check(self, session: Session, process: Process, row: Commitment | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        """Check a commitment. Raises Forbidden, Invalid.

        Forbidden comes first: the caller may learn nothing of another's commitment.
        """
        whose = sent["staff_no"] if row is None else sent.get("staff_no", row.staff_no)
        for staff_no in (whose,) if row is None else (row.staff_no, whose):
            may_commit(session, process, by, staff_no)
        if "staff_no" in sent:
            participants(session, process.id, {"staff_no": [sent["staff_no"]]})
        if "due_on" in sent and (row is None or row.due_on != sent["due_on"]):
            must_lie_ahead({"due_on": sent["due_on"]}, sent, now)
        if isinstance(sent.get("problem"), int):
            (found,) = problems_named(session, process.id, "problem", [sent["problem"]])
            if found.about not in (None, whose):
                wrong = Words(f"台账中没有编号为 {found.id} 的有效问题", f"there is no problem {found.id} that counts")
                # Problems of other people are not theirs, and must not be found by trying numbers.
                raise Invalid({"problem": wrong})

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        return {"state": MeasureState.OPEN}

    def fill(self, session: Session, process: Process, row: Commitment, sent: Sent, *, by: Caller, now: datetime) -> None:
        self.write_columns(row, sent)
        if "problem" in sent:
            named = isinstance(sent["problem"], int)
            row.problem_id, row.problem_text = (sent["problem"], None) if named else (None, sent["problem"])

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Show a plain member only their own."""
        return Commitment.staff_no == reader.staff_no if reader.plain_member(branch_code) else true()

    def may_withdraw(self, by: Caller, process: Process, row: Commitment) -> None:
        _must_be_theirs(by, process, row.staff_no)

    def _withdraw(self, call: Call[Commitment], sent: Sent) -> Commitment:
        may_commit(call.session, call.process, call.by, call.on.staff_no)
        return super()._withdraw(call, sent)


COMMITMENTS = Commitments()


def record_keeping(session: Session, process: Process, row: Commitment, body: Sent, *, by: Caller, now: datetime) -> CommitmentProgress:
    """Note how far a commitment is kept. Raises Forbidden, Conflict."""
    may_tell(session, process, row, row.staff_no, body["state"], by=by)
    entry = {"process_id": process.id, "recorded_by": by.staff_no, "recorded_at": now}
    return tell(session, row, CommitmentProgress(commitment_id=row.id, state=body["state"], evidence=body.get("evidence"), **entry))


RECORD_KEEPING: Act[Commitment, CommitmentProgress] = COMMITMENTS.act(
    "record_commitment_progress",
    "登记承诺兑现情况",
    "note how far a commitment is kept",
    lambda call, sent: record_keeping(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.COMMIT,
    on=COMMITMENTS.held,
    sends=PROGRESS,
    shows=PROGRESS,
    closes=(),
)
ACTS: tuple[AnyAct, ...] = (*COMMITMENTS.acts, RECORD_KEEPING)


def may_commit(session: Session, process: Process, by: Caller, staff_no: str) -> None:
    """Let members write only their own commitment, the secretary any.

    Raises Forbidden.
    """
    _must_be_theirs(by, process, staff_no)
    if staff_no == by.staff_no and process.branch.code in by.stands_for:
        # They promise it themselves, not for the secretary whose substitute they are.
        act_as(session, actor=by.staff_no)


def _must_be_theirs(by: Caller, process: Process, staff_no: str) -> None:
    if Role.SECRETARY not in by.roles_in(process.branch.code) and staff_no != by.staff_no:
        raise Forbidden(Words("党员只登记自己的整改承诺", "members record only their own commitment"))


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

    def promised(line: type[Participant]) -> ColumnElement[bool]:
        return exists().where(Commitment.process_id == line.process_id, Commitment.staff_no == line.staff_no, Commitment.counts).correlate(line)

    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=Participant.person_id).where(
        *present(), ~promised(Participant), ~in_a_former_branch(Participant, promised)
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
