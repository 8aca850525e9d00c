"""The duty report (述职报告) of a branch's secretary.

It is written whole; the branch may withdraw it, the office may reject it.
"""

from __future__ import annotations

from api.frame.routes import Routes
from api.frame.single import place, single_routes
from workflow.assessment.duty_reports import DUTY_REPORT, REJECT, WITHDRAW, DutyReport
from workflow.rules.acts import Call

routes: Routes = single_routes(DUTY_REPORT)


@routes.post(f"{place(DUTY_REPORT)}/withdraw", WITHDRAW)
def withdraw_duty_report(call: Call[object], row: DutyReport) -> object:
    """Withdraw the report as the branch, with a reason. The branch may write another."""
    return DUTY_REPORT.seen_by(call)(row)


@routes.post(f"{place(DUTY_REPORT)}/reject", REJECT)
def reject_duty_report(call: Call[object], row: DutyReport) -> object:
    """Reject the report as the office, with a reason. The branch writes another."""
    return DUTY_REPORT.seen_by(call)(row)
