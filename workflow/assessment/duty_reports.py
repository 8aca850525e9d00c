"""述职报告 (duty report): the secretary's report to the party.

It has the six contents that the committee assesses.

The plan: 支部书记述职。……重点围绕六个方面的内容。……向上级党组织和党员大会述职时，应报告整改措施落实
情况。

Records: one report of a branch, a draft until it is submitted. The product shows the secretary the
results of last year's measures; if there were none, it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from marshmallow import fields
from sqlalchemy import ColumnElement, Index, Text, cast, column, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.appraisal.ledger import NOTHING_LAST_YEAR, last_year
from workflow.foundation.database import Base
from workflow.foundation.errors import Conflict, Invalid, NotFound, Words
from workflow.foundation.fields import (
    Answered,
    ByName,
    Line,
    LongText,
    Moment,
    Sent,
    Truth,
    about,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Kind, Role, Severity, Stage, local_day
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.evidence import STANDING, Evidence, must_be_open, reject, withdraw
from workflow.rules.records import REASON, RecordSchema
from workflow.rules.requirement import Missing, Requirement, missing, requirement
from workflow.rules.single import Single
from workflow.year.cycle import Cycle, Process

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


# A draft is the branch's: the history tells only that it changed.
@tracked(hidden=("sections", "rectification"))
class DutyReport(Evidence, Base):
    """The report of the secretary of one branch (述职报告)."""

    __tablename__ = "duty_report"
    __table_args__ = (Index("uq_duty_report_standing", "process_id", unique=True, postgresql_where=STANDING),)

    sections: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The text of each content (C1 to C6)."""
    rectification: Mapped[str | None]
    """整改措施落实情况: the results of last year's measures (F9)."""
    submitted: Mapped[bool]
    """False for a draft, which only the branch reads."""
    submitted_at: Mapped[datetime | None]
    late: Mapped[bool]
    """True if submitted after its day: a mark, never a block."""

    @property
    def record(self) -> DutyReport:
        """The report itself: the answer reads from it what all records have in common."""
        return self


@dataclass(frozen=True)
class BegunReport:
    """A report that is not begun (尚未填写).

    It tells of last year's measures, with their present state (F9).
    """

    rectification: str
    sections: Mapping[str, str] = field(default_factory=dict)
    submitted: bool = False
    submitted_at: None = None
    late: bool = False
    record: None = None
    version: None = None


personal(
    DutyReport,
    Area.ASSESSMENT,
    "述职报告",
    Data(
        "sections 六个方面的述职, rectification 上年度整改落实情况, submitted_at 提交时间",
        "支部书记述职（R1、C1 至 C6、F9）；提交前只有本支部看得到",
        Action.READ_DUTY_REPORT,
    ),
    of="支部书记",
    other="submitted late",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class DutyReportSchema(Answered):
    """A duty report, whole (述职报告).

    A section may be empty; a section that is left out is missing.
    """

    sections = ByName(
        at_most=50,
        keys=Line(at_most=8),
        values=LongText(blank=True),
        load_default=dict,
        **about("六个方面", "sections", "按考核内容逐项述职（C1 至 C6）", "content by content (C1 to C6)", example={"C1": "落实部署"}, always=True),
    )
    rectification = LongText(
        **about(
            "整改落实情况", "rectification", "上年度整改措施落实情况（F9）", "what became of last year's measures (F9)", example=NOTHING_LAST_YEAR
        )
    )
    submitted = Truth(
        load_default=False,
        **about("提交", "submitted", "提交前只有本支部看得到", "a draft of the branch's own until it is submitted", example=True, always=True),
    )
    submitted_at = Moment(dump_only=True, **about("提交时间", "submitted at"))
    late = Truth(dump_only=True, **about("逾期", "late", always=True))
    record = fields.Nested(RecordSchema, dump_only=True, **about("登记", "record"))


# ── what others ask ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_submitted() -> ColumnElement[bool]:
    """Ask whether a process has a report that is submitted and stands."""
    return select(DutyReport.id).where(DutyReport.process_id == Process.id, DutyReport.counts, DutyReport.submitted).correlate(Process).exists()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class SecretaryReport(Single[DutyReport]):
    """述职报告: a draft that its branch alone reads, until it is submitted."""

    name, zh, en = "duty-report", "述职报告", "duty report"
    model, schema = DutyReport, DutyReportSchema()
    kind, stage = Kind.ASSESSMENT, Stage.COLLECTING
    reads, writes = Action.READ_DUTY_REPORT, Action.WRITE_DUTY_REPORT

    def check(self, session: Session, process: Process, row: DutyReport | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        known = {each["id"]: each["text"] for each in process.cycle.plan["rules"]["assessment_contents"]}
        if unknown := [name for name in sent["sections"] if name not in known]:
            wrong = Words(f"本年度方案没有这一部分；考核内容为 {'、'.join(known)}", f"no such section; there are {', '.join(known)}")
            raise Invalid({f"sections.{name}": wrong for name in unknown})

    def must_fit(self, row: DutyReport, sent: Sent) -> None:
        if row.submitted and not sent["submitted"]:
            raise Conflict(
                Words("述职报告已提交，不再改回草稿；可以继续修改，或者撤回后重新填写", "it was submitted: go on correcting it, or withdraw it")
            )

    def begin(self, *, by: Caller, now: datetime) -> Mapping[str, object]:
        return {"recorded_by": by.staff_no, "recorded_at": now}

    def values(self, session: Session, process: Process, row: DutyReport | None, sent: Sent, *, by: Caller, now: datetime) -> Mapping[str, object]:
        submitted, rectification = sent["submitted"], sent.get("rectification")
        if submitted and rectification is None and last_year(session, process).nothing:
            rectification = NOTHING_LAST_YEAR
        written = {"sections": sent["sections"], "rectification": rectification}
        # The time of the first submission stays.
        if row is not None and row.submitted:
            return written
        late = submitted and process.overdue(local_day(now))
        return {**written, "submitted": submitted, "submitted_at": now if submitted else None, "late": late}

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Show a draft only to the leaders of its branch."""
        return or_(DutyReport.submitted, literal(bool(reader.branches.get(branch_code, frozenset()) & {Role.SECRETARY, Role.COMMITTEE_MEMBER})))

    def before(self, call: Call[object]) -> BegunReport:
        return BegunReport(last_year(call.session, call.process).text)

    def held_visible(self, call: Call[object]) -> DutyReport:
        """Find the report that stands, to take it back.

        Raises NotFound, also to readers who may not know of a draft.
        """
        row = self.of(call.session, call.process, visible=self.visible(call.by, call.process.branch.code), held=True)
        if row is None:
            raise NotFound
        return row


DUTY_REPORT = SecretaryReport()


def _withdraw(call: Call[DutyReport], sent: Sent) -> DutyReport:
    must_be_open(call.process, Stage.COLLECTING)
    withdraw(call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
    return call.on


def _reject(call: Call[DutyReport], sent: Sent) -> DutyReport:
    must_be_open(call.process, Stage.COLLECTING)
    reject(call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
    return call.on


WITHDRAW: Act[DutyReport, DutyReport] = DUTY_REPORT.act(
    "withdraw_duty_report",
    "撤回述职报告",
    "withdraw the duty report",
    _withdraw,
    action=Action.WRITE_DUTY_REPORT,
    on=DUTY_REPORT.held_visible,
    sends=REASON,
    shows=DUTY_REPORT.schema,
)
REJECT: Act[DutyReport, DutyReport] = DUTY_REPORT.act(
    "reject_duty_report",
    "退回述职报告",
    "reject the duty report",
    _reject,
    action=Action.REJECT_EVIDENCE,
    on=DUTY_REPORT.held_visible,
    sends=REASON,
    shows=DUTY_REPORT.schema,
)
ACTS: tuple[AnyAct, ...] = (*DUTY_REPORT.acts, WITHDRAW, REJECT)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────

_asked = partial(requirement, stage=Stage.COLLECTING, severity=Severity.HARD, todo_for=Role.SECRETARY, link="duty-report")


@_asked("R1", zh="书记还没有提交述职报告", en="the secretary has not submitted the duty report")
def duty_report_not_submitted() -> Missing:
    """支部书记述职。"""
    return missing(Process.id).where(~is_submitted())


@_asked("F9", zh="述职报告还没有报告上年度整改措施的落实情况", en="the duty report does not tell what became of last year's measures")
def duty_report_without_last_years_measures() -> Missing:
    """党支部书记是党支部委员会整改第一责任人，向上级党组织和党员大会述职时，应报告整改措施落实情况。"""
    return missing(DutyReport.process_id).where(DutyReport.counts, DutyReport.submitted, DutyReport.rectification.is_(None))


def _section(clause: str, sentence: str) -> tuple[Requirement, Requirement]:
    """Make the two requirements for one section, each beside its own sentence.

    H: the report has the section; S: it has text.
    """

    def submitted() -> Missing:
        asked = Cycle.plan["rules"]["assessment_contents"].contains(cast(literal(f'[{{"id": "{clause}"}}]', Text), JSONB))
        return (
            missing(DutyReport.process_id)
            .join(Process, Process.id == DutyReport.process_id)
            .join(Cycle, Cycle.id == Process.cycle_id)
            .where(DutyReport.counts, DutyReport.submitted, asked)
        )

    def without() -> Missing:
        return submitted().where(~DutyReport.sections.has_key(clause))

    def empty() -> Missing:
        return submitted().where(DutyReport.sections[clause].as_string() == "")

    without.__name__, empty.__name__ = f"duty_report_without_{clause.lower()}", f"duty_report_empty_in_{clause.lower()}"
    without.__doc__ = empty.__doc__ = sentence
    return (
        _asked(clause, zh=f"述职报告缺少“{{{clause}}}”部分", en=f"the duty report lacks section {clause}")(without),
        _asked(clause, severity=Severity.SIGN, zh=f"述职报告的“{{{clause}}}”部分没有内容", en=f"section {clause} of the duty report is empty")(empty),
    )


SECTIONS = {
    "C1": "落实中央、省委关于基层党建工作的重大部署情况",
    "C2": "强化政治功能，完成重大任务情况",
    "C3": "中央和省委巡视整改反馈意见落实情况",
    "C4": "持续建强基层组织、夯实基础工作、提升基本能力情况",
    "C5": "推动解决基层党建难题情况",
    "C6": "突出履行基层党建工作责任情况",
}


def _of_other_sections(lacks: Callable[[ColumnElement[str]], ColumnElement[bool]]) -> Missing:
    """Select the contents that another year's plan has besides, a row each."""
    asked = func.jsonb_array_elements(Cycle.plan["rules"]["assessment_contents"]).table_valued(column("value", JSONB), name="asked")
    content = asked.c.value["id"].as_string()
    return (
        missing(DutyReport.process_id, subject=content, name=asked.c.value["text"].as_string())
        .join(Process, Process.id == DutyReport.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(asked, true())
        .where(DutyReport.counts, DutyReport.submitted, content.not_in(SECTIONS), lacks(content))
    )


@_asked("R1", zh="述职报告缺少以下部分：{names}", en="the duty report lacks these sections: {names}")
def duty_report_without_other_sections() -> Missing:
    """支部书记述职。"""
    return _of_other_sections(lambda content: ~DutyReport.sections.has_key(content))


@_asked("R1", severity=Severity.SIGN, zh="述职报告的以下部分没有内容：{names}", en="these sections of the duty report are empty: {names}")
def duty_report_empty_in_other_sections() -> Missing:
    """支部书记述职。"""
    return _of_other_sections(lambda content: DutyReport.sections.op("->>")(content) == "")


REQUIREMENTS = (
    duty_report_not_submitted,
    duty_report_without_last_years_measures,
    *(each for clause, sentence in SECTIONS.items() for each in _section(clause, sentence)),
    duty_report_without_other_sections,
    duty_report_empty_in_other_sections,
)
