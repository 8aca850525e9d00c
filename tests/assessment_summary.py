"""The summary of the committee's assessment in short: what stands on a sheet, what is proposed; and a situation for each of its requirements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import NOW, caller
from tests.rating import all_rating, secretary_of
from tests.rectification import all_rectification
from tests.self_review import a_tally
from tests.situations import Situation
from workflow.appraisal.tallies import Tally
from workflow.assessment.activities import Activity, Attendance
from workflow.assessment.arrangement import arrange
from workflow.assessment.duty_reports import SECTIONS, DutyReport, write_duty_report
from workflow.assessment.facts import DEVELOPMENT, THREE_MEETINGS, Facts, check_facts, facts_of, state_facts
from workflow.assessment.proposals import Proposal, proposal_of, propose
from workflow.assessment.sheet import Sheet
from workflow.assessment.summary import sheets
from workflow.cycle import Process, process_of, roll
from workflow.deadlines import change_processes
from workflow.evidence import reject, withdraw
from workflow.vocabulary import ActivityKind, Kind, Level, Presence, ReportMode, Stage, TallySubject

WHOLE = {clause: f"{sentence}：已完成" for clause, sentence in SECTIONS.items()}
PROPOSED: Mapping[str, Any] = {"result": Level.EXCELLENT, "reason": "基层党建工作扎实，党员评议满意度高"}
TOLD: Mapping[str, Any] = {
    "main_work": "完成学科评估与专业认证",
    "three_meetings": dict(zip(THREE_MEETINGS, (4, 10, 12, 5), strict=True)),
    "development": dict(zip(DEVELOPMENT, (6, 4, 2, 1, 0), strict=True)),
    "clean_government": {"text": "开展警示教育两次", "issues": False},
}


def of_kind(session: Session, process: Process, kind: Kind) -> Process:
    """The other process of the same branch in the same year."""
    return process_of(session, process.cycle.year, process.branch.code, kind=kind)


def assessed(session: Session, process: Process) -> Process:
    return of_kind(session, process, Kind.ASSESSMENT)


def appraised(session: Session, process: Process) -> Process:
    return of_kind(session, process, Kind.APPRAISAL)


def a_duty_report(session: Session, process: Process, *, submitted: bool = True, now: datetime = NOW, **fields: Any) -> DutyReport:
    """What the secretary reports, all six contents of it."""
    body = {"sections": WHOLE, "rectification": "上年度无整改事项", "submitted": submitted, **fields}
    stated = {name: value for name, value in body.items() if value is not None}
    return write_duty_report(session, process, None, stated, seen=None, by=caller(session, secretary_of(session, process)), now=now)


def the_facts(session: Session, process: Process, *, checked: bool = False, **fields: Any) -> Facts:
    """What the branch tells of its year, anew where it has told something."""
    body = {name: value for name, value in {**TOLD, **fields}.items() if value is not None}
    row = facts_of(session, process)
    by = caller(session, secretary_of(session, process))
    row = state_facts(session, process, row, body, seen=row.version if row else None, by=by, now=NOW)
    return check_facts(session, process, row, by=caller(session, "office"), now=NOW) if checked else row


def an_arrangement(session: Session, process: Process, **fields: Any) -> None:
    """What the office sets: a report in writing, and a word on the branch's conduct."""
    arrange(session, process, {"mode": ReportMode.WRITTEN, "conduct": "按时到场，讨论积极", **fields}, seen=process.version)


def an_activity(session: Session, process: Process, kind: ActivityKind = ActivityKind.STUDY, **fields: Any) -> Activity:
    """An activity of the year."""
    given = {"name": kind.zh, "held_on": date(2024, 5, 4), "expected": None, "recorded_by": "office", "recorded_at": NOW, **fields}
    row = Activity(cycle_id=process.cycle_id, kind=kind, **given)
    session.add(row)
    session.flush()
    return row


def attended(session: Session, process: Process, activity: Activity, presence: Mapping[str, Presence] | None = None) -> None:
    """The attendance of a branch, everybody being there unless ``presence`` says another by 学工号."""
    given = {row.staff_no: Presence.PRESENT for row in roll(session, process.id)} if presence is None else presence
    session.add_all(Attendance(activity_id=activity.id, staff_no=no, process_id=process.id, presence=each) for no, each in given.items())
    session.flush()


def a_proposal(session: Session, process: Process, **fields: Any) -> Proposal:
    """What the office proposes, anew where it has proposed something."""
    row = proposal_of(session, process)
    return propose(session, process, row, {**PROPOSED, **fields}, seen=row.version if row else None)


def all_inputs(session: Session, process: Process) -> None:
    """The three that the committee considers together."""
    a_duty_report(session, process)
    attended(session, process, an_activity(session, process))
    a_tally(session, appraised(session, process), TallySubject.COMMITTEE)


def sheet_of(session: Session, process: Process) -> Sheet:
    (sheet,) = sheets(session, [process.id])
    return sheet


def a_whole_year(session: Session, process: Process) -> None:
    """All that a sheet can hold."""
    own = appraised(session, process)
    all_evidence_of(session, own)
    an_arrangement(session, process)
    a_duty_report(session, process)
    the_facts(session, process, checked=True)
    attended(session, process, an_activity(session, process))
    change_processes(session, [own], {"stage": Stage.FILED})


def all_evidence_of(session: Session, own: Process) -> None:
    for subject in TallySubject:
        a_tally(session, own, subject)
    all_rating(session, own)
    all_rectification(session, own)


# ── situations ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _without(what: Callable[[Session, Process], object]) -> Callable[[Session, Process], None]:
    """Everything was there, and something of it counts no more."""

    def done(session: Session, process: Process) -> None:
        all_inputs(session, process)
        what(session, process)
        session.flush()

    return done


def a_draft_again(session: Session, process: Process) -> None:
    """The report is taken back and begun anew."""
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
alter table attendance disable trigger user; alter table proposal disable trigger user; alter table duty_report disable trigger user;
insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late)
    select p.cycle_id, p.branch_id, 'assessment', case when p.branch_id % 2 = 0 then 'summarised' else 'proposed' end, 1, 1, now(), false
    from process p join branch b on b.id = p.branch_id where p.kind = 'appraisal' and b.code like 'B%'
    on conflict (cycle_id, branch_id, kind) do nothing;
insert into duty_report (process_id, sections, rectification, submitted, submitted_at, late, version, recorded_by, recorded_at)
    select id, '{"C1": "已落实"}', '上年度无整改事项', true, now(), false, 1, 'z3', now()
    from process where kind = 'assessment' and id % 20 <> 0 on conflict do nothing;
select set_config('zhibu.actor', 'cli', true);
insert into activity (cycle_id, kind, name, held_on, version, recorded_by, recorded_at)
    select id, 'study', '集中学习', '2024-05-04', 1, 'office', now() from cycle;
insert into attendance (activity_id, staff_no, process_id, presence)
    select a.id, m.staff_no, p.id, case when m.id % 10 = 0 then 'absent' else 'present' end
    from activity a join process p on p.cycle_id = a.cycle_id and p.kind = 'assessment' join person m on m.branch_id = p.branch_id
    where p.id % 20 <> 1;
insert into proposal (process_id, result, reason, version)
    select id, 'qualified', case when id % 20 <> 2 then '工作扎实' end, 1 from process where kind = 'assessment' and id % 20 <> 3;
"""
"""What a large school records for the committee, a twentieth of it missing. It wants the branches' own year to be there."""
