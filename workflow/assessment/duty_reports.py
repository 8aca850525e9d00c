"""述职报告 (duty report): what the secretary reports to the party, in the six contents that the committee assesses.

The plan: 支部书记述职。……重点围绕六个方面的内容。……向上级党组织和党员大会述职时，应报告整改措施落实情况。

Records: one report of a branch, a draft until it is submitted. What became of last year's measures is put before the secretary; where there were none
the product says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Index, Text, cast, literal, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.appraisal.ledger import NOTHING_LAST_YEAR, last_years_measures, rectification_text
from workflow.foundation.database import Base, any_of
from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import Body, ByName, Line, LongText, Truth
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import SCHOOL_ZONE, Role, Severity, Stage
from workflow.people.access import Action, Caller
from workflow.rules.evidence import Evidence, amendable, must_be_open
from workflow.rules.requirement import Missing, Requirement, missing, requirement
from workflow.year.cycle import Cycle, Process

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class DutyReport(Evidence, Base):
    """What the secretary of one branch reports (述职报告)."""

    __tablename__ = "duty_report"
    __table_args__ = (Index("uq_duty_report_standing", "process_id", unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"),)

    sections: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Content (C1 to C6) to text."""
    rectification: Mapped[str | None]
    """整改措施落实情况: what became of last year's measures (F9)."""
    submitted: Mapped[bool]
    """A draft until then, which only the branch reads."""
    submitted_at: Mapped[datetime | None]
    late: Mapped[bool]
    """Submitted after its day: a mark, never a block."""


# A draft is the branch's: the history tells that it changed.
track(DutyReport.__table__, hidden=("sections", "rectification"))  # type: ignore[arg-type]
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


class DutyReportBody(Body):
    """A duty report as it is sent, whole. A section may stand there empty; one that is left out is missing."""

    sections = ByName(keys=Line(at_most=8), values=LongText(blank=True), load_default=dict)
    rectification = LongText()
    submitted = Truth(load_default=False)


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible_duty_report(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """A draft is seen by its branch alone."""
    return or_(DutyReport.submitted, literal(bool(reader.branches.get(branch_code, frozenset()) & {Role.SECRETARY, Role.COMMITTEE_MEMBER})))


def duty_report_of(session: Session, process: Process, *, visible: ColumnElement[bool] | None = None, held: bool = False) -> DutyReport | None:
    """The report that stands, if there is one that this reader may know of; ``held`` for who will change it."""
    statement = select(DutyReport).where(DutyReport.process_id == process.id, DutyReport.counts, true() if visible is None else visible)
    return session.scalar(statement.with_for_update(key_share=True).execution_options(populate_existing=True) if held else statement)


def duty_reports_of(session: Session, process_ids: Sequence[int]) -> dict[int, DutyReport]:
    """The reports of many that are submitted and stand, in one query."""
    submitted = select(DutyReport).where(any_of(DutyReport.process_id, process_ids), DutyReport.counts, DutyReport.submitted)
    return {row.process_id: row for row in session.scalars(submitted.execution_options(populate_existing=True))}


def is_submitted() -> ColumnElement[bool]:
    """That a process has a report which is submitted and stands."""
    return select(DutyReport.id).where(DutyReport.process_id == Process.id, DutyReport.counts, DutyReport.submitted).correlate(Process).exists()


def begun_rectification(session: Session, process: Process) -> str:
    """What a report begins with: last year's measures and how far each has come (F9)."""
    return rectification_text(last_years_measures(session, process))


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_duty_report(
    session: Session, process: Process, row: DutyReport | None, body: Mapping[str, Any], *, seen: int | None, by: Caller, now: datetime
) -> DutyReport:
    """Write the report whole, as a draft or submitted. Raises Invalid, Stale, Conflict, StageClosed."""
    known = {each["id"]: each["text"] for each in process.cycle.plan["rules"]["assessment_contents"]}
    if unknown := [name for name in body["sections"] if name not in known]:
        listed = "、".join(known)
        raise Invalid(
            {
                f"sections.{name}": Words(f"本年度方案没有这一部分；考核内容为 {listed}", f"no such section; there are {', '.join(known)}")
                for name in unknown
            }
        )
    if row is not None and seen is not None:
        amendable(session, row, seen=seen)
        if row.submitted and not body["submitted"]:
            raise Conflict(
                Words("述职报告已提交，不再改回草稿；可以继续修改，或者撤回后重新填写", "it was submitted: go on correcting it, or withdraw it")
            )
    must_be_open(process, Stage.COLLECTING)
    rectification = body.get("rectification")
    if body["submitted"] and rectification is None and not last_years_measures(session, process):
        rectification = NOTHING_LAST_YEAR
    if row is None:
        row = DutyReport(process_id=process.id, submitted=False, submitted_at=None, late=False, recorded_by=by.staff_no, recorded_at=now)
        session.add(row)
    else:
        row.version += 1
    row.sections, row.rectification = body["sections"], rectification
    if body["submitted"] and not row.submitted:
        row.submitted, row.submitted_at, row.late = True, now, process.overdue(now.astimezone(SCHOOL_ZONE).date())
    session.flush()
    return row


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
    """H: the report has the section; S: it has text. Each stands beside its own sentence."""

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
    title = sentence.removesuffix("情况")
    return (
        _asked(clause, zh=f"述职报告缺少“{title}”部分", en=f"the duty report lacks section {clause}")(without),
        _asked(clause, severity=Severity.SIGN, zh=f"述职报告的“{title}”部分没有内容", en=f"section {clause} of the duty report is empty")(empty),
    )


SECTIONS = {
    "C1": "落实中央、省委关于基层党建工作的重大部署情况",
    "C2": "强化政治功能，完成重大任务情况",
    "C3": "中央和省委巡视整改反馈意见落实情况",
    "C4": "持续建强基层组织、夯实基础工作、提升基本能力情况",
    "C5": "推动解决基层党建难题情况",
    "C6": "突出履行基层党建工作责任情况",
}

REQUIREMENTS = (
    duty_report_not_submitted,
    duty_report_without_last_years_measures,
    *(each for clause, sentence in SECTIONS.items() for each in _section(clause, sentence)),
)
