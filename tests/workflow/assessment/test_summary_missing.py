"""Gaps of the summary (考核汇总): each missing part of a sheet is named by itself.

The parts that the committee considers together are asked for (R6).
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, person
from tests.support.records.assessment import REPORTED, facts
from tests.support.records.assessment_summary import (
    SITUATIONS,
    a_draft_again,
    a_whole_year,
    all_inputs,
    appraised,
    assessed,
    checked_facts,
    no_activity_left,
    no_tally_left,
    sheet_of,
)
from tests.support.records.evidence import lacking, stand_at
from tests.support.records.rating import a_counted_ballot
from tests.support.records.self_review import a_tally
from tests.support.situations import on_roll
from tests.workflow.appraisal.report.test_figures import standing
from workflow.appraisal.ledger import Measure
from workflow.appraisal.rating.ratings import Rating
from workflow.assessment.arrangement import Arrangement
from workflow.assessment.duty_reports import SECTIONS, DutyReport
from workflow.assessment.sheet import INPUTS
from workflow.foundation.vocabulary import Kind, Role, Severity, Stage, TallySubject
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import blocking, todos
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of

INPUTS_MISSING = BY_NAME["inputs_missing"]


@pytest.fixture
def branch(session: Session) -> Process:
    """The assessment of 张三's branch at the beginning."""
    return assessed(session, a_school(session))


def lacks(session: Session, process: Process) -> list[str]:
    return [each.id for each in sheet_of(session, process).missing]


# ── what is not there ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_branch_lacks_all_in_the_order_of_the_sheet(session: Session, branch: Process) -> None:
    assert lacks(session, branch) == [
        *("report_mode", "duty_report", "main_work", "three_meetings", "development", "clean_government", "activities", "conduct"),
        *("committee_appraisal", "ratings", "measures", "form"),
    ]


def no_mode(session: Session, process: Process) -> None:
    session.get_one(Arrangement, process.id).mode = None


def no_conduct(session: Session, process: Process) -> None:
    session.get_one(Arrangement, process.id).conduct = None


def an_empty_section(session: Session, process: Process) -> None:
    report = standing(session, DutyReport, process)[0]
    report.sections = {clause: "" if clause == "C3" else text for clause, text in REPORTED.items() if clause != "C5"}


def no_rectification(session: Session, process: Process) -> None:
    standing(session, DutyReport, process)[0].rectification = None


def no_secretary(session: Session, process: Process) -> None:
    on_roll(session, process, "张三").post = None


def untold(**fields: Any) -> Any:
    return lambda session, process: checked_facts(session, process, **fields)


def back_at_its_report(session: Session, process: Process) -> None:
    stand_at(session, appraised(session, process), Stage.REPORT)


def taken_back(model: Any) -> Any:
    def done(session: Session, process: Process) -> None:
        for row in standing(session, model, appraised(session, process)):
            withdraw(row, by="z3", now=NOW, reason="有误")

    return done


@pytest.mark.parametrize(
    ("what", "id_", "named"),
    [
        (no_secretary, "secretary", "党支部书记"),
        (no_mode, "report_mode", "述职方式"),
        (a_draft_again, "duty_report", "述职报告"),
        (an_empty_section, "sections", f"述职报告的内容：{SECTIONS['C3']}、{SECTIONS['C5']}"),
        (no_rectification, "rectification_report", "述职报告中的整改措施落实情况"),
        (untold(main_work=None), "main_work", "完成主要工作情况"),
        (untold(three_meetings={"general": 4, "committee": 12, "group": 0}), "three_meetings", "三会一课次数：党课"),
        (untold(development={"activists": 2, "confirmed": 0}), "development", "党员培养发展：入党申请人、发展对象、接收预备党员"),
        (untold(clean={"clean_government": "开展警示教育"}), "clean_government", "党风廉政建设情况"),
        (untold(clean={"clean_issues": False}), "clean_government", "党风廉政建设情况"),
        (facts, "facts_check", "党委办公室对年度情况的核对"),
        (no_activity_left, "activities", "参加集中活动的出勤情况"),
        (no_conduct, "conduct", "集中活动中的表现"),
        (no_tally_left, "committee_appraisal", "党员对支部委员会的评议结果"),
        (taken_back(Rating), "ratings", "对党员的评定"),
        (taken_back(Measure), "measures", "整改措施"),
        (back_at_its_report, "form", "民主评议情况表（尚未报送）"),
    ],
)
def test_what_is_not_there_is_named_alone(session: Session, branch: Process, what: Any, id_: str, named: str) -> None:
    a_whole_year(session, branch)
    assert lacks(session, branch) == []
    what(session, branch)
    session.flush()
    assert [(each.id, each.name) for each in sheet_of(session, branch).missing] == [(id_, named)]


# ── R6: the three that the committee considers together ───────────────────────────────────────────────────────────────


def test_the_requirement_has_a_situation_that_lacks_it_and_one_that_meets_it(session: Session, branch: Process) -> None:
    SITUATIONS["inputs_missing"].unmet(session, branch)
    assert lacking(session, branch, INPUTS_MISSING.name) == ["committee_appraisal"]


def test_nothing_is_missing_once_the_three_are_there(session: Session, branch: Process) -> None:
    assert lacking(session, branch, INPUTS_MISSING.name) == sorted(INPUTS)
    SITUATIONS["inputs_missing"].met(session, branch)
    assert lacking(session, branch, INPUTS_MISSING.name) == []


@pytest.mark.parametrize(("what", "id_"), [(a_draft_again, "duty_report"), (no_activity_left, "activities"), (no_tally_left, "committee_appraisal")])
def test_each_of_the_three_is_asked_for_by_itself_and_says_what_the_sheet_says(session: Session, branch: Process, what: Any, id_: str) -> None:
    all_inputs(session, branch)
    what(session, branch)
    session.flush()
    assert lacking(session, branch, INPUTS_MISSING.name) == [id_]
    assert set(lacks(session, branch)) & INPUTS.keys() == {id_}


def test_what_another_branch_has_is_no_input_of_this_one(session: Session, branch: Process) -> None:
    other = process_of(session, 2024, "D0201", kind=Kind.ASSESSMENT)
    all_inputs(session, other)
    assert (lacking(session, other, INPUTS_MISSING.name), lacking(session, branch, INPUTS_MISSING.name)) == ([], sorted(INPUTS))
    assert set(lacks(session, branch)) >= INPUTS.keys()


def test_neither_the_members_ballot_nor_one_tellers_entry_is_an_input(session: Session, branch: Process) -> None:
    own = appraised(session, branch)
    a_counted_ballot(session, own)
    a_tally(session, own, TallySubject.COMMITTEE, tellers=1)
    assert "committee_appraisal" in lacking(session, branch, INPUTS_MISSING.name)


def test_the_office_is_told_from_the_summary_on_and_it_blocks_nothing(session: Session, branch: Process) -> None:
    assert (INPUTS_MISSING.severity, INPUTS_MISSING.todo_for, INPUTS_MISSING.stage) == (Severity.SIGN, Role.OFFICE, Stage.PROPOSED)
    told = {}
    for stage in (Stage.COLLECTING, Stage.SUMMARISED, Stage.PROPOSED, Stage.DECIDED):
        stand_at(session, branch, stage)
        found = todos(session, person(session, "office").id, today=TODAY, school=[Role.OFFICE])
        told[stage] = [each.message.zh for each in found if each.requirement is INPUTS_MISSING and each.at.branch_code == "D0101"]
    words = "党委研究前还缺：参加集中活动的出勤情况、党员对支部委员会的评议结果、述职报告"
    assert told == {Stage.COLLECTING: [], Stage.SUMMARISED: [words], Stage.PROPOSED: [words], Stage.DECIDED: []}
    assert INPUTS_MISSING not in [each.requirement for each in blocking(session, branch, Stage.PROPOSED)]
