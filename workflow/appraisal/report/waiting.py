"""待办 (waiting): what branches have sent in, and what was sent back to them.

It stands in to-dos alone. Neither the branch lacks it nor is it an exception, so no checklist, form
or list of exceptions shows it.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import and_, func, select, true

from workflow.appraisal.rating.aftercare_signs import cases_standing_still
from workflow.appraisal.report.requirements import no_secretary_named
from workflow.foundation.database import any_of
from workflow.foundation.vocabulary import Kind, Role, Severity, Stage
from workflow.rules.requirement import Missing, Waiver, missing, requirement
from workflow.year.cycle import SENDS_BACK, Participant, Process, StageChange

_waits = partial(requirement, severity=Severity.SIGN, todo_for=Role.OFFICE)


@_waits("Q6", stage=Stage.FILED, link="", zh="情况表和材料已报送，待接收或退回", en="the branch has filed: accept or return it")
def filed_and_not_accepted() -> Missing:
    """1月26日前将《2024年度民主评议情况表》交党委办公室。"""
    return missing(Process.id).where(Process.stage == Stage.FILED)


@_waits(
    "D5",
    stage=Stage.RATING,
    asked_from=Stage.STUDY,
    asked_until=Stage.ACCEPTED,
    link="waivers",
    zh="有 {count} 条情况说明待批准：{names}",
    en="{count} reasons wait for approval: {names}",
)
def reasons_to_approve() -> Missing:
    """评定为“优秀”的党员比例一般不超过四分之一。"""
    return missing(Waiver.process_id, subject=Waiver.id, name=func.left(Waiver.reason, 30)).where(
        Waiver.counts, Waiver.needs_approval, Waiver.approved_at.is_(None)
    )


@_waits(
    "Q2",
    stage=Stage.REPORT,
    asked_from=Stage.STUDY,
    link="roll",
    zh="有 {count} 名党员不参加的原因待确认：{names}",
    en="{count} excuses wait to be confirmed: {names}",
)
def excuses_to_confirm() -> Missing:
    """各支部要结合党员队伍现状，按照党员评议标准，坚持实事求是，客观公正，严格程序"""
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name)
        .join(Process, Process.id == Participant.process_id)
        .where(
            Process.kind == Kind.APPRAISAL,
            Participant.left_on.is_(None),
            Participant.excused_reason.is_not(None),
            Participant.excused_confirmed_by.is_(None),
            Participant.excused_refused_by.is_(None),
        )
    )


@_waits(
    "D8",
    stage=Stage.RATING,
    asked_until=Stage.ACCEPTED,
    link="disposition-cases",
    zh="有 {count} 件组织处置停滞，请督促支部办理：{names}",
    en="{count} disposition cases stand still: press the branch: {names}",
)
def cases_to_press() -> Missing:
    """对评定为“不合格”的党员，要按规定程序作出相应组织处置（督促）。"""
    return cases_standing_still.query()


@_waits("Q1", stage=Stage.REPORT, asked_from=Stage.STUDY, link="roll", zh="没有党支部书记，请任命", en="the branch has no secretary: name one")
def secretaries_to_name() -> Missing:
    """党支部书记为第一责任人，要亲自抓，扎实抓好每一阶段、每一环节的工作。"""
    return no_secretary_named.query()


@_waits(
    "Q6",
    stage=Stage.REPORT,
    asked_from=Stage.STUDY,
    todo_for=Role.SECRETARY,
    link="next",
    zh="材料已被退回，请修改后重新报送：{names}",
    en="it was sent back: mend it and file again: {names}",
)
def sent_back_to_the_branch() -> Missing:
    """1月26日前将《2024年度民主评议情况表》交党委办公室。"""
    in_this_round = and_(StageChange.process_id == Process.id, StageChange.round == Process.round, any_of(StageChange.trigger, SENDS_BACK))
    last = select(StageChange.reason).where(in_this_round).order_by(StageChange.id.desc()).limit(1).correlate(Process).lateral("last")
    return missing(Process.id, name=func.left(last.c.reason, 60)).join(last, true()).where(Process.kind == Kind.APPRAISAL, Process.round > 1)


WAITING = (filed_and_not_accepted, reasons_to_approve, excuses_to_confirm, cases_to_press, secretaries_to_name, sent_back_to_the_branch)
