"""The summary of the committee's assessment, in short acts: inputs of a sheet, and proposals.

There is a situation for each of its requirements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, caller
from tests.support.records.assessment import a_duty_report, arranged, facts
from tests.support.records.rating import all_rating
from tests.support.records.rectification import all_rectification
from tests.support.records.self_review import a_tally
from tests.support.situations import Situation
from workflow.appraisal.meetings.tallies import Tally
from workflow.assessment.activities import Activity, Attendance
from workflow.assessment.duty_reports import DutyReport
from workflow.assessment.facts import Facts, check_facts
from workflow.assessment.proposals import PROPOSAL, Proposal
from workflow.assessment.sheet import Sheet
from workflow.assessment.summary import sheets
from workflow.foundation.vocabulary import Kind, Presence, Stage, TallySubject
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.deadlines import change_processes
from workflow.year.finding import process_of
from workflow.year.roll import roll

PROPOSED: Mapping[str, Any] = {"result": "excellent", "reason": "基层党建工作扎实，党员评议满意度高"}


def assessed(session: Session, process: Process) -> Process:
    """Find the assessment of the branch with this appraisal."""
    return process_of(session, process.cycle.year, process.branch.code, kind=Kind.ASSESSMENT)


def appraised(session: Session, process: Process) -> Process:
    """Find the appraisal of the branch with this assessment."""
    return process_of(session, process.cycle.year, process.branch.code)


def checked_facts(session: Session, process: Process, **fields: Any) -> Facts:
    """Record the branch's facts of its year, and let the office check them."""
    return check_facts(session, process, facts(session, process, **fields), by=caller(session, "office"), now=NOW)


KINDS = {"study": "党员教育学习", "civility": "文明创建", "volunteering": "志愿服务", "other": "其他活动"}


def an_activity(session: Session, process: Process, kind: str = "study", **fields: Any) -> Activity:
    """Make an activity of the year."""
    given = {"name": KINDS[kind], "held_on": date(2024, 5, 4), "expected": None, "recorded_by": "office", "recorded_at": NOW, **fields}
    row = Activity(cycle_id=process.cycle_id, kind=kind, **given)
    session.add(row)
    session.flush()
    return row


def attended(session: Session, process: Process, activity: Activity, presence: Mapping[str, Presence] | None = None) -> None:
    """Record the attendance of a branch.

    Everybody is present unless ``presence`` gives another value by 学工号.
    """
    given = {row.staff_no: Presence.PRESENT for row in roll(session, process.id)} if presence is None else presence
    session.add_all(Attendance(activity_id=activity.id, staff_no=no, process_id=process.id, presence=each) for no, each in given.items())
    session.flush()


def propose(session: Session, process: Process, row: Proposal | None, fields: Mapping[str, Any], *, seen: int | None) -> Proposal:
    """Let the office write its proposal, seen in this version."""
    return PROPOSAL.write(session, process, row, fields, seen=seen, by=caller(session, "office"), now=NOW)


def a_proposal(session: Session, process: Process, **fields: Any) -> Proposal:
    """Write the office's proposal, again if there is one."""
    row = PROPOSAL.of(session, process)
    return propose(session, process, row, {**PROPOSED, **fields}, seen=row.version if row else None)


def all_inputs(session: Session, process: Process) -> None:
    """Record the three inputs that the committee considers together."""
    a_duty_report(session, process)
    attended(session, process, an_activity(session, process))
    a_tally(session, appraised(session, process), TallySubject.COMMITTEE)


def sheet_of(session: Session, process: Process) -> Sheet:
    (sheet,) = sheets(session, [process.id])
    return sheet


def a_whole_year(session: Session, process: Process) -> None:
    """Record all that a sheet can hold."""
    own = appraised(session, process)
    all_evidence_of(session, own)
    arranged(session, process, conduct="按时到场，讨论积极")
    a_duty_report(session, process)
    checked_facts(session, process)
    attended(session, process, an_activity(session, process, name=f"{process.branch.name}参加的学习"))
    change_processes(session, [own], {"stage": Stage.FILED})


def all_evidence_of(session: Session, own: Process) -> None:
    for subject in TallySubject:
        a_tally(session, own, subject)
    all_rating(session, own)
    all_rectification(session, own)


# ── situations ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _without(what: Callable[[Session, Process], object]) -> Callable[[Session, Process], None]:
    """Record everything, then do an act by which something counts no more."""

    def done(session: Session, process: Process) -> None:
        all_inputs(session, process)
        what(session, process)
        session.flush()

    return done


def a_draft_again(session: Session, process: Process) -> None:
    """Take the report back and begin it anew."""
    report = session.scalars(select(DutyReport).where(DutyReport.process_id == process.id)).one()
    withdraw(report, by=report.recorded_by, now=NOW, reason="需要补充")
    session.flush()
    a_duty_report(session, process, submitted=False)


def no_activity_left(session: Session, process: Process) -> None:
    for row in session.scalars(select(Activity).where(Activity.cycle_id == process.cycle_id)):
        withdraw(row, by="office", now=NOW, reason="重复登记")


def no_tally_left(session: Session, process: Process) -> None:
    tally = select(Tally).where(Tally.process_id == appraised(session, process).id, Tally.subject == TallySubject.COMMITTEE, Tally.counts)
    reject(session.scalars(tally).one(), by="office", now=NOW, reason="票数有误")


SITUATIONS: dict[str, Situation] = {
    "proposal_incomplete": Situation(met=a_proposal, unmet=lambda session, process: a_proposal(session, process, reason=None)),
    "inputs_missing": Situation(met=all_inputs, unmet=_without(no_tally_left)),
}
"""By the requirement's name; each is given the assessment of 张三's branch."""

MANY = """
alter table attendance disable trigger user; alter table proposal disable trigger user;
select set_config('zhibu.actor', 'cli', true);
insert into activity (cycle_id, kind, name, held_on, version, recorded_by, recorded_at)
    select c.id, 'study', '集中学习', '2024-05-04', 1, 'office', now() from cycle c;
insert into attendance (activity_id, staff_no, process_id, presence)
    select a.id, m.staff_no, p.id, case when m.id % 20 = 0 then 'absent' else 'present' end
    from activity a join process p on p.cycle_id = a.cycle_id and p.kind = 'assessment' join person m on m.branch_id = p.branch_id
    where p.id % 20 <> 9;
insert into proposal (process_id, result, reason, version)
    select p.id, 'qualified', case when p.id % 20 <> 10 then '工作扎实' end, 1 from process p where p.kind = 'assessment' and p.id % 20 <> 11;
"""
"""The summary of 10,000 branches, a twentieth of it missing.

To be run when the assessments are there.
"""
