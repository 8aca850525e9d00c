"""The duty report (述职报告) of a branch's secretary: written whole, withdrawn by the branch, rejected by the office."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import ASSESSMENT
from api.frame.base import Answer, Request, Routes
from api.frame.records import ReasonBody
from api.frame.shapes import RecordShape, record_shape
from workflow.assessment.duty_reports import (
    DutyReport,
    DutyReportBody,
    begun_rectification,
    duty_report_of,
    visible_duty_report,
    write_duty_report,
)
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Kind, Stage
from workflow.people.access import Action
from workflow.rules.evidence import must_be_open, reject, withdraw
from workflow.year.cycle import Lock

routes = Routes(kind=Kind.ASSESSMENT)


class DutyReportShape(TypedDict):
    """A duty report. Before there is one: what it begins with."""

    sections: dict[str, str]
    rectification: str | None
    submitted: bool
    submitted_at: datetime | None
    late: bool
    record: RecordShape | None


def duty_report_shape(row: DutyReport) -> DutyReportShape:
    return {
        "sections": row.sections,
        "rectification": row.rectification,
        "submitted": row.submitted,
        "submitted_at": row.submitted_at,
        "late": row.late,
        "record": record_shape(row),
    }


def _held_report(request: Request) -> DutyReport | None:
    return duty_report_of(request.session, request.process, held=True)


def _standing_report(request: Request) -> DutyReport:
    visible = visible_duty_report(request.by, request.process.branch.code)
    row = duty_report_of(request.session, request.process, visible=visible, held=True)
    if row is None:
        raise NotFound
    return row


@routes.get(f"{ASSESSMENT}/duty-report", action=Action.READ_DUTY_REPORT, answers=DutyReportShape)
def read_duty_report(request: Request) -> Any:
    """The duty report. Before it is begun, last year's measures stand in it as far as they have come."""
    visible = visible_duty_report(request.by, request.process.branch.code)
    row = duty_report_of(request.session, request.process, visible=visible)
    if row is not None:
        return Answer(duty_report_shape(row), version=row.version)
    begun: DutyReportShape = {
        "sections": {},
        "rectification": begun_rectification(request.session, request.process),
        "submitted": False,
        "submitted_at": None,
        "late": False,
        "record": None,
    }
    return begun


@routes.put(
    f"{ASSESSMENT}/duty-report",
    action=Action.WRITE_DUTY_REPORT,
    lock=Lock.EVIDENCE,
    find=_held_report,
    body=DutyReportBody,
    answers=DutyReportShape,
    if_match=True,
)
def put_duty_report(request: Request, row: DutyReport | None, body: dict[str, Any]) -> Any:
    """Write the report whole, as a draft or submitted."""
    written = write_duty_report(request.session, request.process, row, body, seen=request.if_match, by=request.by, now=request.now)
    return Answer(duty_report_shape(written), version=written.version)


@routes.post(
    f"{ASSESSMENT}/duty-report/withdraw",
    action=Action.WRITE_DUTY_REPORT,
    lock=Lock.EVIDENCE,
    find=_standing_report,
    body=ReasonBody,
    answers=DutyReportShape,
)
def withdraw_duty_report(request: Request, row: DutyReport, body: dict[str, Any]) -> Any:
    """The branch takes its report back, with a reason, and may write another."""
    must_be_open(request.process, Stage.COLLECTING)
    withdraw(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
    return Answer(duty_report_shape(row), version=row.version)


@routes.post(
    f"{ASSESSMENT}/duty-report/reject", action=Action.ASSESS, lock=Lock.EVIDENCE, find=_standing_report, body=ReasonBody, answers=DutyReportShape
)
def reject_duty_report(request: Request, row: DutyReport, body: dict[str, Any]) -> Any:
    """The office does not accept the report, with a reason; the branch writes another."""
    must_be_open(request.process, Stage.COLLECTING)
    reject(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
    return Answer(duty_report_shape(row), version=row.version)
