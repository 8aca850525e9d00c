"""The committee's assessment of a branch, in short acts.

For each of its requirements there is a situation that lacks it and one that meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, caller
from tests.support.records.rectification import another_year
from tests.support.situations import Situation, nothing
from workflow.appraisal.rectification.measures import MEASURES
from workflow.assessment.arrangement import arrange
from workflow.assessment.decision import Decision, enter_decision
from workflow.assessment.duty_reports import DUTY_REPORT, SECTIONS, DutyReport
from workflow.assessment.facts import DEVELOPMENT, FACTS, THREE_MEETINGS, Facts
from workflow.foundation.vocabulary import Kind, ReportMode
from workflow.people.access import Caller
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of
from workflow.year.roll import secretaries

ON_SITE = {"held_on": date(2025, 1, 8), "place": "学术报告厅", "position": 1}
REPORTED = {clause: f"{sentence}：……" for clause, sentence in SECTIONS.items()}


def an_assessment(session: Session, code: str = "D0101", *, lock: Lock = Lock.NONE) -> Process:
    """Find the assessment of a branch in 2024; it exists once the year is published."""
    return process_of(session, 2024, code, kind=Kind.ASSESSMENT, lock=lock)


def _secretary(session: Session, process: Process) -> Caller:
    return caller(session, secretaries(session, [process.id])[process.id].staff_no)


def arranged(session: Session, process: Process, mode: ReportMode = ReportMode.WRITTEN, **more: Any) -> None:
    """Let the office set the way of the secretary's report, and other fields about the branch."""
    arrange(session, process, {"mode": mode, **more}, seen=process.version)


def a_duty_report(session: Session, process: Process, sections: Mapping[str, str] = REPORTED, *, submitted: bool = True, **fields: Any) -> DutyReport:
    """Let the secretary write the whole report and submit it.

    A report that was begun before is continued.
    """
    row = DUTY_REPORT.of(session, process)
    body = {"sections": dict(sections), "submitted": submitted, **fields}
    return DUTY_REPORT.write(session, process, row, body, seen=row.version if row else None, by=_secretary(session, process), now=NOW)


def facts(session: Session, process: Process, **fields: Any) -> Facts:
    """Let the branch report the facts of its year, without those given as None."""
    body = {
        "main_work": "完成本科教学工作审核评估迎评",
        "three_meetings": dict.fromkeys(THREE_MEETINGS, 4),
        "development": dict.fromkeys(DEVELOPMENT, 1),
        "clean": {"clean_government": "集中观看警示教育片一次", "clean_issues": False},
        **fields,
    }
    row = FACTS.of(session, process)
    told = {name: value for name, value in body.items() if value is not None}
    return FACTS.write(session, process, row, told, seen=row.version if row else None, by=_secretary(session, process), now=NOW)


def all_assessment(session: Session, process: Process) -> None:
    """Record all that an assessment needs to come to its decision."""
    arranged(session, process)
    a_duty_report(session, process)
    facts(session, process)


def a_decision(session: Session, process: Process, result: str = "excellent", *, also: Collection[str] = (), **fields: Any) -> Decision:
    """Let the office enter the committee's decision on this branch, and on ``also`` by their codes.

    The decision is not final yet.
    """
    came = fields.get("attendees", ["committee", "auditor"])
    vote = {"yes": len(came), "no": 0, "abstain": 0}
    body = {"held_on": TODAY, "number": "党委会〔2024〕12号", "attendees": came, "due": 3, "vote": vote}
    results = {code: {"result": result} for code in (process.branch.code, *also)}
    return enter_decision(session, process.cycle, {**body, "results": results, **fields}, by=caller(session, "office"), now=NOW)


# ── a situation that lacks each requirement, and one that has it ──────────────────────────────────────────────────────


def _last_years_measures_untold(session: Session, process: Process) -> None:
    before = another_year(session, process_of(session, 2024, process.branch.code), 2023)
    MEASURES.record(session, before, {"text": "完善“三会一课”制度"}, by=_secretary(session, process), now=NOW)
    a_duty_report(session, process)


def _confirmed(session: Session, process: Process) -> None:
    row = a_decision(session, process)
    row.confirmed_by, row.confirmed_at = "committee", NOW
    session.flush()


def _more_than_none(session: Session, process: Process) -> None:
    rules = process.cycle.plan["rules"]
    process.cycle.plan = {**process.cycle.plan, "rules": {**rules, "settings": {**rules["settings"], "excellent_branches_at_most": 0}}}
    a_decision(session, process)


def _without(clause: str) -> Callable[[Session, Process], object]:
    return lambda session, process: a_duty_report(session, process, {name: text for name, text in REPORTED.items() if name != clause})


def _empty_in(clause: str) -> Callable[[Session, Process], object]:
    return lambda session, process: a_duty_report(session, process, {**REPORTED, clause: ""})


def _asked_also(**told: str) -> Callable[[Session, Process], object]:
    """Write a report in a year whose plan has a seventh content, with a text for it."""

    def done(session: Session, process: Process) -> object:
        rules = process.cycle.plan["rules"]
        more = {"id": "C7", "text": "抓党建促中心工作情况"}
        process.cycle.plan = {**process.cycle.plan, "rules": {**rules, "assessment_contents": [*rules["assessment_contents"], more]}}
        return a_duty_report(session, process, {**REPORTED, **told})

    return done


SITUATIONS: dict[str, Situation] = {
    "report_mode_not_set": Situation(met=arranged, unmet=nothing),
    "session_of_the_report_incomplete": Situation(
        met=lambda session, process: arranged(session, process, ReportMode.ON_SITE, on_site=ON_SITE),
        unmet=lambda session, process: arranged(session, process, ReportMode.ON_SITE, on_site={"place": "学术报告厅"}),
    ),
    "duty_report_not_submitted": Situation(met=a_duty_report, unmet=lambda session, process: a_duty_report(session, process, submitted=False)),
    "duty_report_without_last_years_measures": Situation(met=a_duty_report, unmet=_last_years_measures_untold),
    **{f"duty_report_without_{clause.lower()}": Situation(met=_empty_in(clause), unmet=_without(clause)) for clause in SECTIONS},
    **{f"duty_report_empty_in_{clause.lower()}": Situation(met=a_duty_report, unmet=_empty_in(clause)) for clause in SECTIONS},
    "duty_report_without_other_sections": Situation(met=_asked_also(C7=""), unmet=_asked_also()),
    "duty_report_empty_in_other_sections": Situation(met=_asked_also(C7="已落实"), unmet=_asked_also(C7="")),
    "branch_without_a_result": Situation(met=a_decision, unmet=nothing),
    "decision_without_a_quorum": Situation(met=a_decision, unmet=lambda session, process: a_decision(session, process, attendees=["committee"])),
    "decision_without_its_vote": Situation(met=a_decision, unmet=lambda session, process: a_decision(session, process, vote={})),
    "no_excellent_branch": Situation(met=a_decision, unmet=lambda session, process: a_decision(session, process, "qualified")),
    "more_excellent_branches_than_allowed": Situation(met=a_decision, unmet=_more_than_none),
    "decision_to_confirm": Situation(met=_confirmed, unmet=a_decision),
    "main_work_not_told": Situation(met=facts, unmet=lambda session, process: facts(session, process, main_work=None)),
}
"""By the requirement's name. A new requirement of the assessment needs its line here."""


# ── a large school ────────────────────────────────────────────────────────────────────────────────────────────────────

MANY = """
alter table arrangement disable trigger user; alter table duty_report disable trigger user; alter table facts disable trigger user;
insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late, branch_name, unit_code, unit_name)
    select c.id, b.id, 'assessment', case b.id % 3 when 0 then 'collecting' when 1 then 'summarised' else 'proposed' end, 1, 1, now(), false,
        b.name, b.unit_code, b.unit_name
    from cycle c, branch b where b.code like 'B%';
insert into participant (process_id, person_id, staff_no, name, standing, post, on_committee, leads, cadre, voting, rated_here, version)
    select q.id, r.person_id, r.staff_no, r.name, r.standing, r.post, r.on_committee, r.leads, r.cadre, r.voting, r.rated_here, 1
    from participant r join process p on p.id = r.process_id join process q on q.branch_id = p.branch_id and q.kind = 'assessment'
        join branch b on b.id = p.branch_id
    where p.kind = 'appraisal' and b.code like 'B%';
insert into arrangement (process_id, cycle_id, mode, held_on, place, position, conduct)
    select p.id, p.cycle_id, 'on_site', '2025-01-08', '学术报告厅', case when p.id % 20 <> 0 then p.id end, '积极参加'
    from process p join branch b on b.id = p.branch_id where p.kind = 'assessment' and b.code like 'B%' and p.id % 20 <> 1;
insert into duty_report (process_id, sections, rectification, submitted, submitted_at, late, version, recorded_by, recorded_at)
    select p.id, case when p.id % 20 = 2 then '{"C1": "有", "C2": ""}' else
        '{"C1": "有", "C2": "有", "C3": "有", "C4": "有", "C5": "有", "C6": "有"}' end::jsonb,
        case when p.id % 20 <> 3 then '上年度无整改事项' end, p.id % 20 <> 4, now(), false, 1, b.code || '-1', now()
    from process p join branch b on b.id = p.branch_id where p.kind = 'assessment' and b.code like 'B%' and p.id % 20 <> 5;
insert into facts (process_id, main_work, recorded_by, recorded_at, version)
    select p.id, case when p.id % 20 <> 6 then '完成审核评估' end, b.code || '-1', now(), 1
    from process p join branch b on b.id = p.branch_id where p.kind = 'assessment' and b.code like 'B%' and p.id % 20 <> 7;
alter table decision disable trigger user; alter table decision_attendee disable trigger user; alter table decision_result disable trigger user;
insert into decision (cycle_id, held_on, number, due, version, recorded_by, recorded_at)
    select c.id, '2024-12-20', '党委会〔2024〕12号', 9, 1, 'office', now() from cycle c;
insert into decision_attendee (decision_id, staff_no) select d.id, 'committee' from decision d;
insert into decision_result (decision_id, process_id, result)
    select d.id, p.id, 'qualified' from decision d join process p on p.cycle_id = d.cycle_id and p.kind = 'assessment' where p.id % 20 <> 8;
"""
"""The assessments of 10,000 branches, a twentieth of their records missing.

To be run last: it covers every process there is by then.
"""
