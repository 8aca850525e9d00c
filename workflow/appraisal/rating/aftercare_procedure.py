"""组织处置 (disposition): cases of members rated 不合格, and the steps of the procedure in order.

The plan: 对评定为“不合格”的党员，要按规定程序作出相应组织处置。

A step follows the one before it, unless a reason says why not. The measure is chosen by people at
the decision; its term comes from the plan if they name none. No stage closes the procedure.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from marshmallow import fields
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.appraisal.meetings.meetings import VoteSchema
from workflow.appraisal.rating.aftercare import DECIDING, Disposition, DispositionCase, DispositionStep, Step
from workflow.appraisal.rating.aftercare_help import ENDING, end, must_be_of_the_same, must_be_on_roll, must_go_on
from workflow.foundation.errors import Conflict, Exists, Invalid, NotFound, Words
from workflow.foundation.fields import Answered, Day, Inner, Line, LongText, Moment, Sent, StaffNo, Whole, about, many, one_of
from workflow.foundation.vocabulary import Stage, Standing
from workflow.people.access import Action, Caller
from workflow.rules.acts import Act, Call
from workflow.rules.evidence import amendable, must_have_happened
from workflow.rules.records import REASON, Records, RecordSchema
from workflow.year.cycle import Participant, Process
from workflow.year.plan import setting_of
from workflow.year.roll import participants, secretaries

# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class StepSchema(Answered):
    """One step of a disposition that was taken (处置步骤)."""

    step = one_of(Step, required=True, **about("步骤", "step", "办到哪一步", "which step was taken", example="talk"))
    name = Line(dump_only=True, attribute="step.zh", **about("名称", "name", always=True))
    on = Day(required=True, attribute="taken_on", **about("日期", "day", "哪一天办的", "the day on which it was taken", example="2024-12-20"))
    talkers = many(
        StaffNo(),
        at_most=2,
        **about(
            "谈话人",
            "talkers",
            "同本人谈话的两名正式党员",
            "two full members who talked with the person, at the talk",
            example=["20160001", "20160002"],
        ),
    )
    vote = Inner(
        VoteSchema,
        **about("表决", "vote", "党员大会的表决情况", "the vote of the general meeting, at that step", example={"yes": 12, "no": 0, "abstain": 1}),
    )
    statement = LongText(
        at_most=2000,
        **about("本人申辩", "statement", "本人在党员大会上说了什么", "the person's own words at the meeting", example="承认错误，愿意改正"),
    )
    number = Line(**about("文号", "number", "上级批复的文号", "the number of the superior's answer", example="校党组〔2025〕3号"))
    measure = one_of(
        Disposition, **about("处置措施", "measure", "会议决定或上级批准的措施", "chosen at the meeting or by the superior", example="correction")
    )
    until = Day(
        **about("改正期限", "until", "限期改正到哪一天，不填按方案的月数", "the last day of a correction, else by the plan", example="2025-06-30")
    )
    why_without = LongText(
        at_most=1000,
        **about("缺前一步的原因", "why without", "前面的步骤没有办的，写明原因", "why the step before it was not taken", example="已在系统外办理"),
    )
    note = LongText(at_most=2000, **about("情况", "note", "需要写明的情况", "what should be noted of it", example="已报学院党委"))
    recorded_by = StaffNo(dump_only=True, **about("登记人", "recorded by"))
    recorded_at = Moment(dump_only=True, **about("登记时间", "recorded at"))


class ProcedureSchema(StepSchema):
    """One step of the procedure (处置程序); a step without a day was not taken yet."""

    on = Day(dump_only=True, attribute="taken_on", **about("日期", "day"))


class DispositionCaseSchema(RecordSchema):
    """A disposition case (组织处置), with every step of the procedure in its order."""

    staff_no = StaffNo(required=True, **about("何人", "member", "对谁作出处置", "whom it is about", example="20160005"))
    signs = many(
        Whole(at_least=1, at_most=50),
        at_most=50,
        **about(
            "表现",
            "signs",
            "不合格的哪几条表现，按本年度方案的序号（A7）",
            "which signs of A7, by their number in the plan",
            example=[1],
            always=True,
        ),
    )
    facts = LongText(**about("事实", "facts", "有什么事实（A7）", "the facts (A7)", example="两次无故不参加组织安排的任务"))
    proposed_on = Day(required=True, **about("提出日期", "proposed on", "哪一天提出处置建议", "the day of the proposal", example="2024-12-19"))
    responsible = StaffNo(**about("责任人", "responsible", "责任人的学工号，不填为书记", "the secretary if left out", example="20160001"))
    steps = fields.List(fields.Nested(ProcedureSchema), dump_only=True, attribute="procedure", **about("步骤", "steps", always=True))
    ended_on = Day(dump_only=True, **about("办结日期", "ended on"))
    result = LongText(dump_only=True, **about("结果", "result"))


# ── cases ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class DispositionCases(Records[DispositionCase]):
    """Disposition cases (组织处置), with their steps."""

    name, zh, en = "disposition-cases", "组织处置", "disposition case"
    model, schema = DispositionCase, DispositionCaseSchema()
    stages = (Stage.RATING,)
    read, write = Action.READ_PROCESS, Action.RATE

    def check(self, session: Session, process: Process, row: DispositionCase | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if row:
            must_be_of_the_same(row.staff_no, sent)
        if "proposed_on" in sent:
            must_have_happened("proposed_on", sent["proposed_on"], now)
        known = len(process.cycle.plan["rules"]["warning_signs"]["signs"])
        if wrong := [number for number in sent.get("signs", ()) if number > known]:
            raise Invalid({"signs": Words(f"本年度方案列了 {known} 条表现，没有第 {wrong[0]} 条", f"the plan lists {known} signs")})
        named = {"responsible": sent["responsible"]} if "responsible" in sent else {}
        if row is None:
            named["staff_no"] = sent["staff_no"]
        must_be_on_roll(session, process, named)
        if sent.get("responsible") == (row.staff_no if row else sent["staff_no"]):
            raise Invalid({"responsible": Words("责任人应为另一名党员", "another member is responsible")})
        days = [each.taken_on for each in row.steps if each.withdrawn_at is None] if row else []
        if days and "proposed_on" in sent and sent["proposed_on"] > (first := min(days)):
            raise Invalid({"proposed_on": Words(f"不能晚于已登记的步骤 {first}", f"must not be after the step taken on {first}")})

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        secretary = None if "responsible" in sent else secretaries(session, [process.id]).get(process.id)
        named = secretary.staff_no if secretary and secretary.staff_no != sent["staff_no"] else None
        return {"signs": [], "responsible": named}


CASES = DispositionCases()


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_step(session: Session, process: Process, case: DispositionCase, sent: Sent, *, by: Caller, now: datetime) -> DispositionStep:
    """Note a step that was taken. No stage closes it.

    Raises Invalid, Exists, and Conflict naming the step before it if that is not taken and no
    reason is given.
    """
    row = DispositionStep(case_id=case.id, process_id=process.id, step=sent["step"], recorded_by=by.staff_no, recorded_at=now)
    values = _checked(session, process, case, row, sent, now=now)
    must_go_on(case)
    if any(each.step is row.step and each.withdrawn_at is None for each in case.steps):
        raise Exists(Words(f"“{row.step.zh}”已经登记", f"{row.step.value} is recorded already"))
    if (lacking := case.lacking_before(row.step)) and "why_without" not in sent:
        raise Conflict(
            Words(
                f"在“{row.step.zh}”之前还没有办：{'、'.join(each.zh for each in lacking)}；确实没有办的，写明原因",
                f"not taken before {row.step.value}: {', '.join(lacking)}; or say why_without",
            ),
            missing=[each.value for each in lacking],
        )
    _write(row, values)
    case.steps.append(row)
    case.version += 1
    session.flush()
    return row


def amend_step(session: Session, process: Process, row: DispositionStep, sent: Sent, *, seen: int, now: datetime) -> DispositionCase:
    """Correct a step that was recorded wrongly; ``seen`` is the version of its case.

    Raises Invalid, Stale, Conflict.
    """
    case = _case_of(session, row)
    if sent.get("step", row.step) is not row.step:
        raise Invalid({"step": Words("登记错步骤的，请撤回后重新登记", "withdraw it and record another")})
    values = _checked(session, process, case, row, sent, now=now)
    amendable(session, case, seen=seen)
    must_go_on(case)
    if values:
        _write(row, values)
        case.version += 1
    session.flush()
    return case


def withdraw_step(session: Session, row: DispositionStep, sent: Sent, *, by: Caller, now: datetime) -> DispositionCase:
    """Withdraw a step that was not taken after all; the later ones first. Raises Conflict."""
    case = _case_of(session, row)
    must_go_on(case)
    order = list(Step).index
    if later := [each.step for each in case.steps if each.withdrawn_at is None and order(each.step) > order(row.step)]:
        raise Conflict(Words(f"后面的步骤已登记：{'、'.join(each.zh for each in later)}；请先撤回", f"withdraw {', '.join(later)} first"))
    row.withdrawn_by, row.withdrawn_at, row.withdrawn_reason = by.staff_no, now, sent["reason"]
    case.version += 1
    session.flush()
    return case


def _case_of(session: Session, row: DispositionStep) -> DispositionCase:
    return session.get_one(DispositionCase, row.case_id)


def _checked(session: Session, process: Process, case: DispositionCase, row: DispositionStep, sent: Sent, *, now: datetime) -> dict[str, Any]:
    """Check what is sent of a step, and return its columns. Raises Invalid with all faults."""
    values = {name: value for name, value in sent.items() if name not in ("step", "vote")}
    if "vote" in sent:
        values |= {f"vote_{name}": sent["vote"][name] for name in ("yes", "no", "abstain")}
    taken_on: date = sent.get("taken_on", row.taken_on)
    if "taken_on" in sent:
        _must_be_in_order(case, row.step, taken_on, now)
    belong = {"talkers": (Step.TALK,), "vote": (Step.GENERAL_MEETING,), "measure": DECIDING, "until": DECIDING}
    wrong = {name: steps for name, steps in belong.items() if name in sent and row.step not in steps}
    faults = {name: Words(f"只在“{'”或“'.join(each.zh for each in steps)}”登记", f"belongs to {' or '.join(steps)}") for name, steps in wrong.items()}
    if "talkers" in sent and "talkers" not in wrong:
        faults |= _faults_of_talkers(session, process, case, sent["talkers"])
    if "vote" in sent and "vote" not in wrong:
        faults |= _faults_of_vote(session, process, sum(sent["vote"].values()))
    measure = sent.get("measure", row.measure)
    if measure is not Disposition.CORRECTION:
        if "until" in sent:
            faults.setdefault("until", Words("只有限期改正才有期限", "only a correction has a term"))
        if "measure" in sent:
            values["until"] = None
    elif {"measure", "until", "taken_on"} & sent.keys():
        usual, longest = (months_after(taken_on, int(str(setting_of(process.cycle.plan, name)))) for name in _TERMS)
        values["until"] = until = sent.get("until", row.until or usual)
        if not taken_on < until <= longest:
            faults.setdefault(
                "until", Words(f"限期改正应在 {taken_on} 之后，最长到 {longest}（D8）", f"must be after {taken_on} and at most {longest} (D8)")
            )
    if faults:
        raise Invalid(faults)
    return values


_TERMS = ("correction_months", "correction_months_at_most")


def months_after(day: date, months: int) -> date:
    """Return the same day some months later, or the last day of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _must_be_in_order(case: DispositionCase, step: Step, taken_on: date, now: datetime) -> None:
    """Raise Invalid if a day is still to come, or out of order with the other steps."""
    must_have_happened("on", taken_on, now)
    if taken_on < case.proposed_on:
        raise Invalid({"on": Words(f"不能早于提出处置建议的 {case.proposed_on}", f"must not be before the proposal of {case.proposed_on}")})
    order = list(Step).index
    for each in case.steps:
        if each.step is step or each.withdrawn_at is not None:
            continue
        earlier, later = (each.taken_on, taken_on) if order(each.step) < order(step) else (taken_on, each.taken_on)
        if later < earlier:
            raise Invalid(
                {"on": Words(f"与“{each.step.zh}”的日期 {each.taken_on} 先后不符", f"out of order with {each.step.value} on {each.taken_on}")}
            )


def _faults_of_talkers(session: Session, process: Process, case: DispositionCase, talkers: list[str]) -> dict[str, Words]:
    """Find talkers who are not full members of the branch, or the person themself."""
    found = participants(session, process.id, {"talkers": talkers})
    if case.staff_no in talkers:
        return {"talkers": Words("谈话人应为本人以外的党员", "a talker is another member")}
    if wrong := [row.name for row in found.values() if row.standing is not Standing.FULL]:
        return {"talkers": Words(f"谈话人应为正式党员：{'、'.join(wrong)}", f"talkers are full members: {', '.join(wrong)}")}
    return {}


def _faults_of_vote(session: Session, process: Process, given: int) -> dict[str, Words]:
    """Find more votes than members of the branch who may vote."""
    may = session.scalar(select(func.count()).where(Participant.process_id == process.id, Participant.left_on.is_(None), Participant.voting)) or 0
    if given <= may:
        return {}
    return {"vote": Words(f"赞成、反对、弃权合计 {given} 票，多于有表决权的 {may} 人", f"{given} votes by {may} members who may vote")}


def _write(row: DispositionStep, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


# ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _step_held(call: Call[object], record_id: int, step: str) -> DispositionStep:
    """Find the step that stands of a case, and hold its case. Raises NotFound."""
    case = CASES.held(call, record_id=record_id)
    found = next((each for each in case.steps if each.step.value == step and each.withdrawn_at is None), None)
    if found is None:
        raise NotFound
    return found


def end_case(session: Session, case: DispositionCase, sent: Sent, *, now: datetime) -> DispositionCase:
    """Close a case with its result, not before its last step. Raises Invalid, Conflict."""
    days = [each.taken_on for each in case.steps if each.withdrawn_at is None]
    end(session, case, sent, begun_on=max(days, default=case.proposed_on), now=now)
    return case


STEPS = StepSchema()
STEP: Act[DispositionCase, DispositionStep] = CASES.act(
    "record_step",
    "登记处置步骤",
    "record a step of a disposition",
    lambda call, sent: record_step(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.RATE,
    on=CASES.held,
    sends=STEPS,
    shows=STEPS,
    closes=(),
)
AMEND_STEP: Act[DispositionStep, DispositionCase] = CASES.act(
    "amend_step",
    "更正处置步骤",
    "correct a step of a disposition",
    lambda call, sent: amend_step(call.session, call.process, call.on, sent, seen=call.seen, now=call.now),
    action=Action.RATE,
    on=_step_held,
    sends=StepSchema(partial=True),
    shows=CASES.schema,
    wants_version=True,
    closes=(),
)
WITHDRAW_STEP: Act[DispositionStep, DispositionCase] = CASES.act(
    "withdraw_step",
    "撤回处置步骤",
    "withdraw a step of a disposition",
    lambda call, sent: withdraw_step(call.session, call.on, sent, by=call.by, now=call.now),
    action=Action.RATE,
    on=_step_held,
    sends=REASON,
    shows=CASES.schema,
    closes=(),
)
END_CASE: Act[DispositionCase, DispositionCase] = CASES.act(
    "end_disposition_case",
    "办结组织处置",
    "close a disposition case with its result",
    lambda call, sent: end_case(call.session, call.on, sent, now=call.now),
    action=Action.RATE,
    on=CASES.held,
    sends=ENDING,
    shows=CASES.schema,
    closes=(),
)
ACTS = (*CASES.acts, STEP, AMEND_STEP, WITHDRAW_STEP, END_CASE)
