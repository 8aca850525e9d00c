"""汇总 (the summary): the sheets of the branches, read from the records when asked for.

The plan: 党办牵头汇总情况提出考核结果建议。……校党委综合以上述职、参加活动和各支部对本支部委员会的评
议结果等情况，研究确定优秀党支部。

The same few statements make one sheet or all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import Session, aliased, contains_eager

from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tallies import MARKS, CommitteeItem, Tally
from workflow.appraisal.rating.quota import covered
from workflow.appraisal.report.figures import BALLOT, figures, records
from workflow.assessment.activities import Activity, Attendance, turnouts_of_branches
from workflow.assessment.arrangement import Arrangement, arrangements_of
from workflow.assessment.duty_reports import DUTY_REPORT, DutyReport, is_submitted
from workflow.assessment.facts import DEVELOPMENT, FACTS, THREE_MEETINGS, Facts
from workflow.assessment.proposals import PROPOSAL, Proposal
from workflow.assessment.sheet import (
    INPUTS,
    ActivityLine,
    Attended,
    CommitteeAppraisal,
    ExcellentShare,
    Filing,
    MeetingCount,
    Rectified,
    Reported,
    Section,
    Sheet,
)
from workflow.foundation.database import any_of
from workflow.foundation.vocabulary import ENDED, Kind, MeetingForm, Post, Role, Severity, Stage, TallySubject, Trigger
from workflow.people.organisation import Branch
from workflow.rules.requirement import Missing, blanks, missing, requirement
from workflow.year.cycle import Participant, Process, StageChange
from workflow.year.deadlines import due_day
from workflow.year.roll import secretaries

# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_FORMS = {"general": MeetingForm.GENERAL, "committee": MeetingForm.COMMITTEE, "group": MeetingForm.GROUP}


def sheets(session: Session, process_ids: Sequence[int]) -> list[Sheet]:
    """Read the sheets of these assessments, by branch code, in eight statements for any number."""
    rows = _beside_their_own_year(session, process_ids)
    named, arranged, proposed = secretaries(session, process_ids), arrangements_of(session, process_ids), PROPOSAL.of_many(session, process_ids)
    reports, told = DUTY_REPORT.of_many(session, process_ids, DutyReport.submitted), FACTS.of_many(session, process_ids)
    attended = _attended(session, process_ids)
    activities = _activities(session, {row.assessed.cycle_id for row in rows})
    return [
        _sheet(
            row,
            secretary=named.get(row.assessed.id),
            arrangement=arranged.get(row.assessed.id),
            report=reports.get(row.assessed.id),
            facts=told.get(row.assessed.id),
            lines=[
                ActivityLine(each.id, each.kind, each.name, each.held_on, attended.get((row.assessed.id, each.id), NOBODY))
                for each in activities.get(row.assessed.cycle_id, [])
            ],
            proposal=proposed.get(row.assessed.id),
        )
        for row in rows
    ]


NOBODY = Attended(0, 0, 0)


def _beside_their_own_year(session: Session, process_ids: Sequence[int]) -> Sequence[Any]:
    """Read each assessment with the numbers of the branch's appraisal in the same year.

    One statement reads them, so that they are of one moment.
    """
    assessed, f = aliased(Process, name="assessed"), figures().c
    last_filed = (
        select(func.max(StageChange.made_at))
        .where(StageChange.process_id == Process.id, StageChange.trigger == Trigger.FILE)
        .correlate(Process)
        .scalar_subquery()
    )
    numbers = [
        *(f[name] for name in ("total", "on_committee", "rated", "excellent", "base_count", "allowed", "measures", "measures_done")),
        *(f[f"committee_{name}"] for name in BALLOT),
        *(f[f"{item.value}_{mark}"] for item in CommitteeItem for mark in MARKS),
        *(records(Meeting, Meeting.form == form).label(f"{name}_recorded") for name, form in _FORMS.items()),
        _has_groups().label("has_groups"),
        covered().label("approved"),
        due_day(literal(Stage.REPORT, Process.stage.type), Process.round, Process.round_due_on).label("report_due_on"),
        last_filed.label("filed_at"),
        any_of(Process.stage, ENDED[Kind.APPRAISAL]).label("filed"),
        Process.late,
        Process.round,
    ]
    return session.execute(
        select(assessed, *numbers)
        .select_from(assessed)
        .join(Process, _of_the_same_year(assessed, Process))
        .join(f.process_id.table, f.process_id == Process.id)
        .join(assessed.cycle)
        .join(assessed.branch)
        .options(contains_eager(assessed.cycle), contains_eager(assessed.branch))
        .where(any_of(assessed.id, process_ids))
        .order_by(Branch.code)
        .execution_options(populate_existing=True)
    ).all()


def _has_groups() -> ColumnElement[bool]:
    """Ask whether a branch has party groups: somebody on its roll is in one, or leads one."""
    grouped = or_(Participant.party_group.is_not(None), Participant.post == Post.GROUP_LEADER)
    return (
        select(Participant.person_id).where(Participant.process_id == Process.id, Participant.left_on.is_(None), grouped).correlate(Process).exists()
    )


def _of_the_same_year(assessed: Any, appraised: Any) -> ColumnElement[bool]:
    """Ask whether these are the assessment and the appraisal of one branch and year."""
    return and_(appraised.cycle_id == assessed.cycle_id, appraised.branch_id == assessed.branch_id, appraised.kind == Kind.APPRAISAL)


def _activities(session: Session, cycle_ids: Iterable[int]) -> dict[int, list[Activity]]:
    """List the activities of each year, by day."""
    found: dict[int, list[Activity]] = {}
    statement = select(Activity).where(any_of(Activity.cycle_id, list(cycle_ids)), Activity.counts).order_by(Activity.held_on, Activity.id)
    for row in session.scalars(statement.execution_options(populate_existing=True)):
        found.setdefault(row.cycle_id, []).append(row)
    return found


def _attended(session: Session, process_ids: Sequence[int]) -> dict[tuple[int, int], Attended]:
    """Count attendance by assessment and activity."""
    found = turnouts_of_branches(session, process_ids)
    return {key: Attended(turnout.expected, turnout.present, turnout.on_leave) for key, turnout in found.items()}


def _sheet(
    row: Any,
    *,
    secretary: Participant | None,
    arrangement: Arrangement | None,
    report: DutyReport | None,
    facts: Facts | None,
    lines: Sequence[ActivityLine],
    proposal: Proposal | None,
) -> Sheet:
    rules, numbers = row.assessed.cycle.plan["rules"], row._mapping
    expected = rules["settings"]["three_meetings"]
    held_here = {"committee": row.on_committee > 0, "group": row.has_groups}
    sections = report.sections if report else {}
    return Sheet(
        process=row.assessed,
        secretary=secretary,
        members=row.total,
        on_committee=row.on_committee,
        report=Reported(
            mode=arrangement.mode if arrangement else None,
            submitted_at=report.submitted_at if report else None,
            late=report.late if report else False,
            sections=[Section(each["id"], each["text"], sections.get(each["id"]) or None) for each in rules["assessment_contents"]],
            rectification=report.rectification if report else None,
        ),
        main_work=facts.main_work if facts else None,
        three_meetings={
            name: MeetingCount(getattr(facts, name, None), expected[name] if held_here.get(name, True) else None, numbers.get(f"{name}_recorded"))
            for name in THREE_MEETINGS
        },
        development={name: getattr(facts, name, None) for name in DEVELOPMENT},
        clean_government=facts.clean_government if facts else None,
        clean_issues=facts.clean_issues if facts else None,
        facts_told=facts is not None,
        facts_checked=facts is not None and facts.checked_by is not None,
        attendance={kind: _all_of(kind, lines) for kind in rules["activity_kinds"]},
        activities=lines,
        conduct=arrangement.conduct if arrangement else None,
        extra=arrangement.extra if arrangement else None,
        committee_appraisal=_committee_appraisal(numbers) if row.committee_valid else None,
        excellent=ExcellentShare(row.rated, row.excellent, row.base_count, row.allowed, row.approved),
        rectified=Rectified(row.measures, row.measures_done),
        filing=Filing(row.report_due_on, row.filed, row.filed_at, row.late if row.filed else None, row.round - 1),
        proposal=proposal,
    )


def _all_of(kind: str, lines: Sequence[ActivityLine]) -> Attended:
    here = [line.here for line in lines if line.kind == kind]
    return Attended(sum(each.required for each in here), sum(each.attended for each in here), sum(each.on_leave for each in here))


def _committee_appraisal(numbers: Mapping[str, Any]) -> CommitteeAppraisal:
    """Read the counted ballot: one without a valid vote is never counted."""
    issued, returned, valid, void = (int(numbers[f"committee_{name}"]) for name in BALLOT)
    marks = {item: {mark: int(numbers[f"{item.value}_{mark}"]) for mark in MARKS} for item in CommitteeItem}
    return CommitteeAppraisal(issued, returned, valid, void, marks)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "R6",
    stage=Stage.PROPOSED,
    severity=Severity.SIGN,
    todo_for=Role.OFFICE,
    asked_from=Stage.SUMMARISED,
    link="summary",
    zh="党委研究前还缺：{names}",
    en="the committee has not before it: {names}",
)
def inputs_missing() -> Missing:
    """校党委综合以上述职、参加活动和各支部对本支部委员会的评议结果等情况"""
    appraised = aliased(Process)
    there = {
        "duty_report": is_submitted(),
        "activities": select(Attendance.staff_no)
        .join(Activity, Activity.id == Attendance.activity_id)
        .where(Attendance.process_id == Process.id, Activity.counts)
        .correlate(Process)
        .exists(),
        "committee_appraisal": select(Tally.id)
        .join(appraised, appraised.id == Tally.process_id)
        .where(_of_the_same_year(Process, appraised), Tally.subject == TallySubject.COMMITTEE, Tally.counts, Tally.counted_at.is_not(None))
        .correlate(Process)
        .exists(),
    }
    lacks = blanks({name: (INPUTS[name], ~present) for name, present in there.items()})
    return missing(Process.id, subject=lacks.c.field, name=lacks.c.zh).join(lacks, lacks.c.blank)


REQUIREMENTS = (inputs_missing,)
