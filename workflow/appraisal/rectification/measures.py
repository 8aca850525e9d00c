"""整改 (rectification), the fifth stage: the measures, their progress, and comments on them.

The plan: 根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施……整改措施和整改承诺要对着
问题去，落在具体实事上，实打实、可操作，定一条、做一条、兑现一条，不放空炮，不搞大而全……整改措施要向
党员群众公开，向上级党组织报备，接受各方面监督。党支部书记是党支部委员会整改第一责任人。

The records stand in the ledger, below; problems, commitments, publications and filings have rooms
of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from marshmallow import fields
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Measure, MeasureComment, MeasureProblem, MeasureProgress, Problem, problems_named
from workflow.appraisal.rectification.publications import Publication, published, shown
from workflow.foundation.database import act_as
from workflow.foundation.errors import Conflict, Forbidden, Words
from workflow.foundation.fields import (
    Day,
    LongText,
    Sent,
    StaffNo,
    Whole,
    about,
    many,
    one_of,
)
from workflow.foundation.vocabulary import MeasureState, ProblemSource, Role, Severity, Stage, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.evidence import must_stand
from workflow.rules.records import EntrySchema, Records, RecordSchema
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.roll import participants, secretaries

# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class ProgressSchema(EntrySchema):
    """A step of a measure (整改进展): its state and the evidence."""

    state = one_of(
        MeasureState,
        required=True,
        **about("状态", "state", "进展到哪一步，销号由书记确认", "the secretary alone closes it", example="doing"),
    )
    evidence = LongText(**about("佐证", "evidence", "有什么可以证明（F4）", "what shows it (F4)", example="已拟定两次主题党日的方案"))


class CommentSchema(EntrySchema):
    """A comment on a measure (群众意见)."""

    text = LongText(required=True, at_most=2000, **about("意见", "comment", "对这条措施的意见（F7）", "of this measure (F7)", example="建议明确到人"))


class MeasureSchema(RecordSchema):
    """A measure (整改措施); ``problems`` holds those that its reader may know of."""

    problems = many(
        Whole(at_least=1),
        at_most=50,
        **about("对应问题", "problems", "台账中问题的编号（F1）", "their numbers in the ledger (F1)", example=[1], always=True),
    )
    text = LongText(required=True, **about("措施", "measure", "做什么具体实事", "what will be done", example="完善“三会一课”制度"))
    owner = StaffNo(**about("责任人", "owner", "责任人的学工号，不填为书记（F8）", "the secretary if left out (F8)", example="20160001"))
    due_on = Day(**about("完成时限", "due on", "什么时候以前完成（F3）", "until when (F3)", example="2025-06-30"))
    state = one_of(MeasureState, dump_only=True, **about("状态", "state", always=True))
    progress = fields.List(fields.Nested(ProgressSchema), dump_only=True, **about("进展", "progress", always=True))
    comments = fields.List(fields.Nested(CommentSchema), dump_only=True, **about("意见", "comments", always=True))


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def problems_shown(reader: Caller, row: Measure, branch_code: str) -> list[int]:
    """List the problems that a reader sees behind a measure.

    The public part tells nothing of a person, nor of what was said in a talk.
    """
    whole = row.owner == reader.staff_no or not reader.plain_member(branch_code)
    return [each.problem_id for each in row.answers if whole or (each.problem.about is None and each.problem.source is not ProblemSource.TALK)]


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Measures(Records[Measure]):
    """整改措施: recorded by the secretary, taken further by their owners."""

    name, zh, en = "measures", "整改措施", "measure"
    model, schema = Measure, MeasureSchema()
    stages = (Stage.RECTIFICATION,)
    read, write = Action.READ_MEASURES, Action.RECTIFY

    def check(self, session: Session, process: Process, row: Measure | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if "owner" in sent:
            participants(session, process.id, {"owner": [sent["owner"]]})
        problems_named(session, process.id, "problems", sent.get("problems", ()))

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        """Give it to the secretary unless another owner is named (F8)."""
        secretary = None if "owner" in sent else secretaries(session, [process.id]).get(process.id)
        return {"owner": secretary.staff_no if secretary else None, "state": MeasureState.OPEN}

    def fill(self, session: Session, process: Process, row: Measure, sent: Sent, *, by: Caller, now: datetime) -> None:
        self.write_columns(row, sent)
        if "problems" in sent:
            there = {each.problem_id: each for each in row.answers}
            row.answers = [there.get(number) or MeasureProblem(problem_id=number, process_id=process.id) for number in sorted(sent["problems"])]

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Show a plain member the measures they own, and all that count once published."""
        if not reader.plain_member(branch_code):
            return true()
        hangs = exists().where(Publication.process_id == Measure.process_id, shown()).correlate(Measure)
        return or_(Measure.owner == reader.staff_no, and_(Measure.counts, hangs))

    def seen_by(self, call: Call[object]) -> Callable[[Measure], dict[str, object]]:
        """Show measures without the problems that this reader may not see."""
        code = call.process.branch.code
        return lambda row: {**self.schema.shown(row, _PROBLEMS), "problems": problems_shown(call.by, row, code)}


_PROBLEMS = frozenset({"problems"})
MEASURES = Measures()


def record_progress(session: Session, process: Process, row: Measure, body: Sent, *, by: Caller, now: datetime) -> MeasureProgress:
    """Note how far a measure has come. Raises Forbidden, Conflict.

    The owner or the secretary notes it; only the secretary closes a measure (销号).

    It goes on after the branch has filed and after the year is closed: the next year's duty report
    tells of it.
    """
    leads, owns = Role.SECRETARY in by.roles_in(process.branch.code), row.owner == by.staff_no
    if not (leads or owns):
        raise Forbidden(Words("整改进展由责任人或书记登记", "progress is recorded by the owner or the secretary"))
    if body["state"] is MeasureState.CLOSED and not leads:
        raise Forbidden(Words("销号由书记确认", "a measure is closed by the secretary"))
    if row.state is MeasureState.CLOSED and not leads:
        raise Forbidden(Words("已经销号，由书记恢复", "it was closed; the secretary opens it again"))
    must_stand(row)
    if owns and body["state"] is not MeasureState.CLOSED and process.branch.code in by.stands_for:
        # They tell of their own work; what they close, they close for the secretary.
        act_as(session, actor=by.staff_no)
    progress = MeasureProgress(
        measure_id=row.id,
        process_id=process.id,
        state=body["state"],
        evidence=body.get("evidence"),
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    row.progress.append(progress)
    row.state = progress.state
    session.flush()
    return progress


def record_comment(session: Session, process: Process, row: Measure, body: Sent, *, by: Caller, now: datetime) -> MeasureComment:
    """Comment on a measure; the office enters letters in this way.

    Raises Conflict to a plain member before the measures are published.
    """
    if not row.counts:
        raise Conflict(Words("这条整改措施已撤回或退回", "this measure was withdrawn or rejected"))
    if by.plain_member(process.branch.code) and not published(session, process.id):
        raise Conflict(Words("整改措施公开后方可提出意见", "comments are taken once the measures are published"))
    comment = MeasureComment(measure_id=row.id, process_id=process.id, text=body["text"], recorded_by=by.staff_no, recorded_at=now)
    row.comments.append(comment)
    session.flush()
    return comment


PROGRESS, COMMENTS = ProgressSchema(), CommentSchema()
RECORD_PROGRESS: Act[Measure, MeasureProgress] = MEASURES.act(
    "record_progress",
    "登记整改进展",
    "note how far a measure has come",
    lambda call, sent: record_progress(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.PROGRESS_MEASURE,
    on=MEASURES.held,
    sends=PROGRESS,
    shows=PROGRESS,
    closes=(),
)
RECORD_COMMENT: Act[Measure, MeasureComment] = MEASURES.act(
    "record_comment",
    "对整改措施提意见",
    "comment on a measure",
    lambda call, sent: record_comment(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.COMMENT_MEASURE,
    on=MEASURES.held,
    sends=COMMENTS,
    shows=COMMENTS,
    closes=(),
)
ACTS: tuple[AnyAct, ...] = (*MEASURES.acts, RECORD_PROGRESS, RECORD_COMMENT)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "F1",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="支委会还没有制定整改措施",
    en="the committee has no measure yet",
)
def no_measure_of_the_committee() -> Missing:
    """根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施。"""
    made = exists().where(Measure.process_id == Process.id, Measure.counts).correlate(Process)
    return missing(Process.id).where(~made)


@requirement(
    "F1",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="有 {count} 条整改措施没有对应查摆出的问题：{names}",
    en="{count} measures answer no problem: {names}",
)
def measures_without_a_problem() -> Missing:
    """根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施（逐条对应问题）。"""
    answers = exists().where(MeasureProblem.measure_id == Measure.id, Problem.id == MeasureProblem.problem_id, Problem.counts).correlate(Measure)
    return _measures().where(~answers)


@requirement(
    "F3",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="有 {count} 条整改措施没有完成时限：{names}",
    en="{count} measures have no due date: {names}",
)
def measures_not_to_the_point() -> Missing:
    """整改措施要对着问题去，落在具体实事上，实打实、可操作。"""
    return _measures().where(Measure.due_on.is_(None))


@requirement(
    "F4",
    stage=Stage.RECTIFICATION,
    severity=Severity.SOFT,
    todo_for=Role.SECRETARY,
    waivable=Waivable.WHOLE,
    link="measures",
    zh="整改措施的条数多于方案所定（{names}），请说明理由",
    en="more measures than the plan allows ({names}); a reason is asked for",
)
def more_measures_than_the_plan_allows() -> Missing:
    """定一条、做一条、兑现一条，不放空炮，不搞大而全。"""
    number = select(func.count()).where(Measure.process_id == Process.id, Measure.counts).correlate(Process).scalar_subquery()
    at_most = Cycle.plan["rules"]["settings"]["measures_at_most"].as_integer()
    return (
        missing(Process.id, name=func.concat(number, "/", at_most), amount=number).join(Cycle, Cycle.id == Process.cycle_id).where(number > at_most)
    )


@requirement(
    "F8",
    stage=Stage.RECTIFICATION,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="measures",
    zh="有 {count} 条整改措施没有责任人，或责任人已不在名册上：{names}",
    en="{count} measures have no owner, or one who is no longer on the roll: {names}",
)
def measures_without_an_owner_on_the_roll() -> Missing:
    """党支部书记是党支部委员会整改第一责任人。"""
    on_roll = (
        exists()
        .where(Participant.process_id == Measure.process_id, Participant.staff_no == Measure.owner, Participant.left_on.is_(None))
        .correlate(Measure)
    )
    return _measures().where(Measure.state != MeasureState.CLOSED, ~on_roll)


def _measures() -> Missing:
    """Select the measures that count, each named by the beginning of its text."""
    return missing(Measure.process_id, subject=Measure.id, name=func.left(Measure.text, 30)).where(Measure.counts)


REQUIREMENTS = (
    no_measure_of_the_committee,
    measures_without_a_problem,
    measures_not_to_the_point,
    more_measures_than_the_plan_allows,
    measures_without_an_owner_on_the_roll,
)
