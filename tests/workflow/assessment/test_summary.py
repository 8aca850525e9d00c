"""The summary (考核汇总): each number of a sheet against a count of the records in plain Python.

It agrees at any moment, and the sheet names its own gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, a_school, caller
from tests.support.records.assessment import a_duty_report, facts
from tests.support.records.assessment_summary import a_whole_year, an_activity, appraised, assessed, attended, sheet_of
from tests.support.records.evidence import all_evidence, came_to, go, lacking, leaves, statements
from tests.support.records.mixed_assessment import a_reason_for_more, some_activities, some_facts, some_filing, some_report
from tests.support.records.rating import a_counted_ballot, a_rating
from tests.support.records.rectification import the_year_after
from tests.support.records.self_review import a_meeting, a_tally
from tests.workflow.appraisal.report.test_figures import SIZES, a_mixed_year, a_school_of, counted, processes_of, standing
from workflow.appraisal.ledger import Measure
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tallies import CommitteeItem, Tally
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.appraisal.rating.quota import quota_of
from workflow.assessment.activities import Activity, Attendance
from workflow.assessment.arrangement import Arrangement
from workflow.assessment.duty_reports import SECTIONS, DutyReport
from workflow.assessment.facts import DEVELOPMENT, THREE_MEETINGS, Facts
from workflow.assessment.proposals import Proposal
from workflow.assessment.sheet import INPUTS, Sheet, rate
from workflow.assessment.summary import sheets
from workflow.foundation.vocabulary import (
    Kind,
    Level,
    MeasureState,
    MeetingForm,
    MeetingPurpose,
    Post,
    Presence,
    Stage,
    TallySubject,
    Trigger,
)
from workflow.machine.asked import BY_NAME
from workflow.machine.waivers import approve, waive
from workflow.rules.evidence import reject, withdraw
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Participant, Process, StageChange
from workflow.year.deadlines import extend
from workflow.year.following import bring_into_step
from workflow.year.roll import roll

INPUTS_MISSING = BY_NAME["inputs_missing"]
WITH_A_RATE = ["study", "civility", "volunteering"]
EXPECTED = {"general": 4, "committee": 12, "group": 12, "lesson": 4}
FORMS = {"general": MeetingForm.GENERAL, "committee": MeetingForm.COMMITTEE, "group": MeetingForm.GROUP}


@pytest.fixture
def branch(session: Session) -> Process:
    """The assessment of 张三's branch at the beginning."""
    return assessed(session, a_school(session))


# ── a count in plain Python ───────────────────────────────────────────────────────────────────────────────────────────


def per_cent(part: int, whole: int) -> float | None:
    """Compute a rate with one decimal, in whole numbers."""
    return (2000 * part + whole) // (2 * whole) / 10 if whole else None


def written(sheet: Sheet) -> dict[str, Any]:
    """Give the content of a sheet in plain values."""
    report, ballot, share, filing = sheet.report, sheet.committee_appraisal, sheet.excellent, sheet.filing
    return {
        "secretary": sheet.secretary and sheet.secretary.name,
        "people": (sheet.members, sheet.on_committee),
        "report": (report.mode, report.submitted_at, report.late, report.rectification),
        "sections": [(each.id, each.title, each.text) for each in report.sections],
        "main_work": sheet.main_work,
        "three_meetings": {name: (each.held, each.expected, each.gap, each.recorded) for name, each in sheet.three_meetings.items()},
        "development": dict(sheet.development),
        "clean": (sheet.clean_government, sheet.clean_issues, sheet.facts_checked),
        "attendance": {kind: (each.required, each.attended, each.on_leave, each.rate) for kind, each in sheet.attendance.items()},
        "activities": [(line.name, line.kind, line.held_on, line.here.required, line.here.attended, line.here.on_leave) for line in sheet.activities],
        "office": (sheet.conduct, sheet.extra),
        "ballot": ballot and (ballot.issued, ballot.returned, ballot.valid, ballot.void, ballot.marks, ballot.good_rate),
        "share": (share.rated, share.excellent, share.base_count, share.allowed, share.approved, share.rate),
        "rectified": (sheet.rectified.measures, sheet.rectified.done, sheet.rectified.rate),
        "filing": (filing.due_on, filing.filed, filing.filed_at, filing.late, filing.returned),
        "proposal": sheet.proposal and (sheet.proposal.result, sheet.proposal.reason),
    }


def expected_of(line: Sequence[Participant], name: str) -> int | None:
    """Count the meetings that a branch has somebody to hold."""
    here = [row for row in line if row.left_on is None]
    there = {"committee": any(row.on_committee for row in here), "group": any(row.post is Post.GROUP_LEADER for row in here)}
    return EXPECTED[name] if there.get(name, True) else None


def by_hand(session: Session, process: Process) -> dict[str, Any]:
    """Count the same content by loops over the rows."""
    own = appraised(session, process)
    numbers = counted(session, own)
    arrangement, facts, proposal = session.get(Arrangement, process.id), session.get(Facts, process.id), session.get(Proposal, process.id)
    report = next((row for row in standing(session, DutyReport, process) if row.submitted), None)
    sections = report.sections if report else {}
    secretary = next((row for row in roll(session, process.id) if row.post is Post.SECRETARY and row.left_on is None), None)
    meetings = standing(session, Meeting, own)
    told = {name: getattr(facts, name) if facts else None for name in (*THREE_MEETINGS, *DEVELOPMENT)}
    ballot = next((row for row in standing(session, Tally, own) if row.subject is TallySubject.COMMITTEE and row.counted_at), None)
    line = roll(session, own.id)
    reasons = [row for row in standing(session, Waiver, own) if row.requirement == "more_excellent_than_the_quota" and row.approved_at]
    filings = [row.made_at for row in session.scalars(select(StageChange).where(StageChange.process_id == own.id)) if row.trigger is Trigger.FILE]
    filed = own.stage in (Stage.FILED, Stage.ACCEPTED)
    measures = standing(session, Measure, own)
    done = [row for row in measures if row.state in (MeasureState.DONE, MeasureState.CLOSED)]
    lines, kinds = attendance_by_hand(session, process)
    return {
        "secretary": secretary and secretary.name,
        "people": (numbers["total"], numbers["on_committee"]),
        "report": (
            arrangement.mode if arrangement else None,
            report.submitted_at if report else None,
            report is not None and report.late,
            report.rectification if report else None,
        ),
        "sections": [(clause, title, sections.get(clause) or None) for clause, title in SECTIONS.items()],
        "main_work": facts.main_work if facts else None,
        "three_meetings": {
            name: (
                held := told[name],
                expected := expected_of(line, name),
                None if held is None or expected is None else expected - held if held < expected else 0,
                sum(row.form is FORMS[name] for row in meetings) if name in FORMS else None,
            )
            for name in EXPECTED
        },
        "development": {name: told[name] for name in DEVELOPMENT},
        "clean": (facts.clean_government, facts.clean_issues, facts.checked_by is not None) if facts else (None, None, False),
        "attendance": {kind: (*kinds[kind], per_cent(kinds[kind][1], kinds[kind][0])) for kind in WITH_A_RATE},
        "activities": lines,
        "office": (arrangement.conduct, arrangement.extra) if arrangement else (None, None),
        "ballot": ballot
        and (
            *(ballot.issued, ballot.returned, ballot.valid, ballot.void),
            {CommitteeItem(item): votes for item, votes in ballot.figures.items()},
            per_cent(ballot.figures["overall"]["good"], ballot.valid),
        ),
        "share": (
            *(numbers[name] for name in ("rated", "excellent", "base_count", "allowed")),
            max((row.covers[""] for row in reasons), default=None),
            per_cent(numbers["excellent"], numbers["base_count"]),
        ),
        "rectified": (len(measures), len(done), per_cent(len(done), len(measures))),
        "filing": (DEADLINES[Stage.REPORT], filed, max(filings, default=None), own.late if filed else None, own.round - 1),
        "proposal": proposal and (proposal.result, proposal.reason),
    }


def attendance_by_hand(session: Session, process: Process) -> tuple[list[tuple[Any, ...]], dict[str, tuple[int, int, int]]]:
    """List each activity that counts, by day, and add them up by kind."""
    rows = [row for row in session.scalars(select(Activity)) if row.cycle_id == process.cycle_id and not (row.withdrawn_at or row.rejected_at)]
    lines, kinds = [], dict.fromkeys(("study", "civility", "volunteering", "other"), (0, 0, 0))
    for row in sorted(rows, key=lambda row: (row.held_on, row.id)):
        here = [each.presence for each in session.scalars(select(Attendance)) if (each.activity_id, each.process_id) == (row.id, process.id)]
        numbers = (len(here), here.count(Presence.PRESENT), here.count(Presence.ON_LEAVE))
        lines.append((row.name, row.kind, row.held_on, *numbers))
        required, came, on_leave = kinds[row.kind]
        kinds[row.kind] = (required + numbers[0], came + numbers[1], on_leave + numbers[2])
    return lines, kinds


def all_agree(session: Session, processes: Sequence[Process]) -> None:
    """Check each sheet against the count, and the sheets of many against each alone."""
    session.flush()
    session.expire_all()
    many = sheets(session, [row.id for row in processes])
    assert [sheet.process.branch.code for sheet in many] == sorted(row.branch.code for row in processes)
    by_code = {row.branch.code: row for row in processes}
    for sheet in many:
        process = by_code[sheet.process.branch.code]
        assert written(sheet) == by_hand(session, process)
        alone = sheet_of(session, process)
        assert (written(alone), alone.missing) == (written(sheet), sheet.missing)


# ── any moment ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(4))
def test_every_number_of_a_sheet_is_what_a_count_of_its_rows_gives(session: Session, seed: int) -> None:
    a_school_of(session, SIZES)
    dice = Random(seed)  # noqa: S311  (a mixture, no secret)
    own = processes_of(session)
    here = [assessed(session, row) for row in own]
    all_agree(session, here)
    some_activities(session, here, dice)
    for process, year in zip(here, own, strict=True):
        a_mixed_year(session, year, dice)
        some_report(session, process, dice)
        some_facts(session, process, dice)
        a_reason_for_more(session, year, dice)
        some_filing(session, year, dice)
    all_agree(session, here)
    for year in own:
        for row in standing(session, Tally, year):
            reject(row, by="office", now=NOW, reason="票数有误")
    leaves(session, "D0103-21")
    all_agree(session, here)


@pytest.mark.parametrize(("code", "size"), SIZES.items())
def test_a_whole_year_stands_on_the_sheet_with_nothing_missing(session: Session, code: str, size: int) -> None:
    a_school_of(session, {code: size})
    (own,) = processes_of(session, {code: size})
    process = assessed(session, own)
    a_whole_year(session, process)
    sheet = sheet_of(session, process)
    assert written(sheet) == by_hand(session, process)
    assert sheet.missing == []
    assert (sheet.members, sheet.committee_appraisal and sheet.committee_appraisal.good_rate) == (size, 100.0)
    assert (sheet.excellent.excellent, sheet.excellent.rated) == (int(size >= 4), sum(row.voting for row in roll(session, own.id)))


def test_sheets_cost_the_same_few_statements_for_one_branch_and_for_all(session: Session, shared_engine: Engine) -> None:
    a_school_of(session, SIZES)
    here = [assessed(session, row) for row in processes_of(session)]
    some_activities(session, here, Random(5))  # noqa: S311
    for process in here:
        a_whole_year(session, process)
    asked = []
    for some in (here[:1], here):
        session.expunge_all()
        with statements(shared_engine) as sent:
            assert len([sheet.process.cycle.plan for sheet in sheets(session, [row.id for row in some])]) == len(some)
        asked.append(len(sent))
    assert asked == [8, 8]


# ── single numbers ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("part", "whole", "stated"),
    [
        (2, 3, 66.7),
        (1, 3, 33.3),
        (1, 16, 6.3),
        (3, 16, 18.8),
        (9, 16, 56.3),
        (0, 5, 0.0),
        (5, 5, 100.0),
        (1, 2000, 0.1),
        (1, 2001, 0.0),
        (0, 0, None),
    ],
)
def test_a_rate_has_one_decimal_with_a_half_rounded_up_and_there_is_none_of_nothing(part: int, whole: int, stated: float | None) -> None:
    assert rate(part, whole) == stated == per_cent(part, whole)


def test_more_meetings_than_expected_are_no_gap_and_what_was_not_told_is_no_nought(session: Session, branch: Process) -> None:
    facts(session, branch, three_meetings={"general": 6, "committee": 0})
    stated = sheet_of(session, branch).three_meetings
    assert {name: (each.held, each.gap) for name, each in stated.items()} == {
        "general": (6, 0),
        "committee": (0, 12),
        "group": (None, None),
        "lesson": (None, None),
    }


def test_beside_the_meetings_that_are_told_stands_how_many_are_on_record(session: Session, branch: Process) -> None:
    own = appraised(session, branch)
    for form in (MeetingForm.GENERAL, MeetingForm.GENERAL, MeetingForm.GROUP):
        a_meeting(session, own, MeetingPurpose.REPORT, form=form)
    withdraw(a_meeting(session, own, MeetingPurpose.REPORT, form=MeetingForm.GROUP), by="z3", now=NOW, reason="重复")
    recorded = {name: each.recorded for name, each in sheet_of(session, branch).three_meetings.items()}
    assert recorded == {"general": 2, "committee": 0, "group": 1, "lesson": None}


def test_a_draft_does_not_stand_on_the_sheet(session: Session, branch: Process) -> None:
    a_duty_report(session, branch, submitted=False)
    report = sheet_of(session, branch).report
    assert (report.submitted_at, report.rectification, {each.text for each in report.sections}) == (None, None, {None})


def test_the_good_rate_is_that_of_the_committee_as_a_whole(session: Session, branch: Process) -> None:
    own = appraised(session, branch)
    goods = {"work": 5, "style": 4, "overall": 2}
    counts = {item: {"good": good, "fair": 5 - good} for item, good in goods.items()}
    body = {"subject": TallySubject.COMMITTEE, "issued": 6, "returned": 6, "valid": 5, "void": 1, "counts": counts}
    for teller in ("王五", "孙八"):
        TALLIES.record(session, own, body, by=caller(session, teller), now=NOW)
    ballot = sheet_of(session, branch).committee_appraisal
    assert ballot is not None
    assert ({item.value: votes["good"] for item, votes in ballot.marks.items()}, ballot.good_rate) == (goods, 40.0)
    assert (ballot.issued, ballot.returned, ballot.valid, ballot.void) == (6, 6, 5, 1)


def test_the_members_ballot_never_stands_beside_the_committees(session: Session, branch: Process) -> None:
    a_counted_ballot(session, appraised(session, branch))
    assert sheet_of(session, branch).committee_appraisal is None


def test_one_tellers_entry_is_no_result(session: Session, branch: Process) -> None:
    a_tally(session, appraised(session, branch), TallySubject.COMMITTEE, tellers=1)
    assert sheet_of(session, branch).committee_appraisal is None


def test_the_share_of_excellent_members_is_that_of_the_quota(session: Session, branch: Process) -> None:
    own = appraised(session, branch)
    a_counted_ballot(session, own)
    for name in ("王五", "孙八"):
        a_rating(session, own, name, Level.EXCELLENT)
    a_rating(session, own, "李四")
    approve(waive(session, own, {"requirement": "more_excellent_than_the_quota", "reason": "骨干集中"}, by="z3", now=NOW), by="office", now=NOW)
    share, quota = sheet_of(session, branch).excellent, quota_of(session, own)
    assert (share.rated, share.excellent, share.allowed, share.approved, share.rate) == (3, 2, 0, 2, 66.7)
    assert (quota.base_count, quota.excellent, quota.allowed, quota.approved) == (3, 2, 0, 2)


def test_when_the_form_was_filed_and_that_it_was_returned_since(session: Session, branch: Process) -> None:
    own = appraised(session, branch)
    all_evidence(session, own)
    late = NOW.replace(year=2025, month=1, day=28)
    came_to(session, Stage.FILED, now=late)
    filing = sheet_of(session, branch).filing
    assert (filing.due_on, filing.filed, filing.filed_at, filing.late, filing.returned) == (date(2025, 1, 26), True, late, True, 0)
    go(session, Trigger.ACCEPT, now=late + timedelta(days=1))
    filing = sheet_of(session, branch).filing
    assert (filing.filed, filing.filed_at) == (True, late)
    go(session, Trigger.REOPEN, Stage.REPORT, by="office", now=late, due_on=date(2025, 2, 10))
    filing = sheet_of(session, branch).filing
    assert (filing.due_on, filing.filed, filing.filed_at, filing.late, filing.returned) == (date(2025, 2, 10), False, late, None, 1)
    extend(session, own, stage=Stage.REPORT, due_on=date(2025, 2, 20), reason="返校较晚", by="office", now=late)
    assert sheet_of(session, branch).filing.due_on == date(2025, 2, 20)


def test_another_year_of_the_branch_never_counts(session: Session, branch: Process) -> None:
    own = appraised(session, branch)
    a_whole_year(session, branch)
    before = written(sheet_of(session, branch))
    later_own = the_year_after(session, own)
    later = Process(
        cycle_id=later_own.cycle_id,
        branch_id=later_own.branch_id,
        kind=Kind.ASSESSMENT,
        stage=Stage.COLLECTING,
        entered_at=NOW,
        branch_name=later_own.branch_name,
        unit_code=later_own.unit_code,
        unit_name=later_own.unit_name,
        round_due_on=None,
        due_on=None,
    )
    session.add(later)
    session.flush()
    bring_into_step(session, [later_own.id, later.id], now=NOW)
    assert written(sheet_of(session, later))["ballot"] is None
    assert sheet_of(session, later).activities == []
    assert lacking(session, later, INPUTS_MISSING.name) == sorted(INPUTS)
    a_tally(session, later_own, TallySubject.COMMITTEE)
    attended(session, later, an_activity(session, later, name="明年的活动"))
    assert written(sheet_of(session, branch)) == before
    assert [sheet.process.cycle.year for sheet in sheets(session, [branch.id, later.id])].count(2025) == 1
