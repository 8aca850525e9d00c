"""Signs of aftercare (D7, D8): what waits, for whom it waits, and when it is over."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school
from tests.support.records.evidence import leaves, stand_at
from tests.support.records.rating import a_case, a_help_plan, a_step, steps_up_to
from workflow.appraisal.rating.aftercare import Disposition, DispositionCase, Step
from workflow.appraisal.rating.aftercare_help import end_help
from workflow.appraisal.rating.aftercare_procedure import end_case, months_after
from workflow.foundation.vocabulary import Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import exceptions, unmet
from workflow.rules.evidence import reject
from workflow.year.cycle import Process

STILL, LACKS, HELP = "cases_standing_still", "steps_that_lack_something", "help_waits_for_a_review"
LATER = TODAY + timedelta(days=400)


@pytest.fixture
def branch(session: Session) -> Process:
    return stand_at(session, a_school(session), Stage.ACCEPTED)


def named(session: Session, process: Process, name: str, on: date = TODAY) -> list[str]:
    found = unmet(session, process, [BY_NAME[name]], today=on)
    return [subject.name for row in found for subject in row.open]


def opened(session: Session, process: Process, name: str = "王五") -> DispositionCase:
    """Open a case before the branch left the stage in which it is opened."""
    stand_at(session, process, Stage.RATING)
    case = a_case(session, process, name)
    stand_at(session, process, Stage.ACCEPTED)
    return case


@pytest.mark.parametrize(
    ("last", "waits_for"),
    [
        (None, "报上级党组织预审"),
        (Step.SUPERIOR_FILING, "调查核实"),
        (Step.INVESTIGATION, "两名正式党员同本人谈话"),
        (Step.GENERAL_MEETING, "上级批准"),
        (Step.APPROVAL, "告知本人"),
        (Step.TOLD, "限期改正"),
    ],
)
def test_a_case_that_stands_still_says_what_it_waits_for(session: Session, branch: Process, last: Step | None, waits_for: str) -> None:
    case = opened(session, branch)
    if last is not None:
        steps_up_to(session, branch, case, last)
    assert named(session, branch, STILL) == []
    assert named(session, branch, STILL, LATER) == [f"王五（{waits_for}）"]
    assert STILL in {row.requirement.name for row in exceptions(session, 2024, today=LATER)}


def test_a_correction_is_still_once_its_term_is_over(session: Session, branch: Process) -> None:
    case = opened(session, branch)
    steps_up_to(session, branch, case, Step.TOLD, until=date(2025, 6, 30))
    assert named(session, branch, STILL, date(2025, 6, 30)) == []
    assert named(session, branch, STILL, date(2025, 7, 1)) == ["王五（限期改正）"]
    end_case(session, case, {"ended_on": TODAY, "result": "已改正"}, now=NOW)
    assert named(session, branch, STILL, date(2025, 7, 1)) == []


@pytest.mark.parametrize("measure", [Disposition.PERSUASION, Disposition.REMOVAL])
def test_another_measure_is_over_when_the_person_was_told(session: Session, branch: Process, measure: Disposition) -> None:
    steps_up_to(session, branch, opened(session, branch), Step.TOLD, measure=measure)
    assert named(session, branch, STILL, LATER) == []


def test_the_superiors_choice_goes_before_the_meetings(session: Session, branch: Process) -> None:
    case = opened(session, branch)
    steps_up_to(session, branch, case, Step.GENERAL_MEETING)
    a_step(session, branch, case, Step.APPROVAL, number="校党组〔2024〕3号", measure=Disposition.REMOVAL)
    a_step(session, branch, case, Step.TOLD)
    assert case.decided is not None
    assert case.decided.measure is Disposition.REMOVAL
    assert named(session, branch, STILL, LATER) == []


def test_a_case_that_is_ended_taken_back_or_of_somebody_who_left_stands_no_more(session: Session, branch: Process) -> None:
    ended, rejected, _ = (opened(session, branch, who) for who in ("王五", "孙八", "李四"))
    assert len(named(session, branch, STILL, LATER)) == 3
    end_case(session, ended, {"ended_on": TODAY, "result": "转出"}, now=NOW)
    reject(rejected, by="office", now=NOW, reason="材料不实")
    stand_at(session, branch, Stage.REPORT)
    leaves(session, "李四")
    assert named(session, branch, STILL, LATER) == []


def test_what_a_step_lacks_is_named(session: Session, branch: Process) -> None:
    case = opened(session, branch)
    for step in (Step.SUPERIOR_FILING, Step.INVESTIGATION, Step.TALK, Step.GENERAL_MEETING, Step.APPROVAL):
        a_step(session, branch, case, step, TODAY, **({"talkers": ["z3"]} if step is Step.TALK else {}))
    assert sorted(named(session, branch, LACKS)) == ["王五（两名谈话人）", "王五（文号）", "王五（表决、本人申辩、处置措施）"]


def test_help_waits_once_its_day_is_over_until_it_is_ended(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.RATING)
    plan = a_help_plan(session, branch, "王五", review_on=TODAY)
    assert named(session, branch, HELP) == []
    assert named(session, branch, HELP, TODAY + timedelta(days=1)) == ["王五"]
    end_help(session, plan, {"ended_on": TODAY, "result": "转好"}, now=NOW)
    assert named(session, branch, HELP, LATER) == []


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 12, 20), 6, date(2025, 6, 20)),
        (date(2024, 8, 31), 6, date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2024, 12, 31), 12, date(2025, 12, 31)),
    ],
)
def test_months_later_is_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later
