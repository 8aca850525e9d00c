"""Letters on help, dispositions and commitments: times, recipients, and their end.

They go on after filing and after the year is closed, to the people in post that day.
"""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, a_school, caller
from tests.support.letters.reminding import BASE, at
from tests.support.records.evidence import leaves, stand_at
from tests.support.records.rating import a_case, a_help_plan, a_step, steps_up_to
from tests.support.records.rectification import a_commitment, a_measure, keeping, secretary_resigns
from workflow.appraisal.rating.aftercare import Disposition, Step
from workflow.appraisal.rating.aftercare_help import end_help, record_review
from workflow.appraisal.rating.aftercare_procedure import end_case
from workflow.appraisal.rectification.handover import hand_over
from workflow.foundation.vocabulary import CycleStatus, MeasureState, Stage
from workflow.reminders import letters_due
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Process
from workflow.year.opening import close_cycle

MONDAY = date(2025, 6, 30)


@pytest.fixture
def branch(session: Session) -> Process:
    return a_school(session)


def told(session: Session, day: str, kind: str) -> dict[str, str]:
    """Find the kinds of the letters that begin so, by the name of their recipient."""
    letters = letters_due(session, at(day), base_url=BASE)
    return {letter.recipient_name: letter.kind for letter in letters if letter.kind.startswith(kind)}


def closed(session: Session, process: Process) -> None:
    stand_at(session, process, Stage.ACCEPTED)
    close_cycle(session, process.cycle, leave_open=True, reason="年底前不再进行", now=NOW)


# ── help ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2025-06-20", None),
        ("2025-06-23", "help-due-7"),
        ("2025-06-27", "help-due-1"),
        ("2025-06-30", "help-due-0"),
        ("2025-07-01", "help-overdue-1"),
        ("2025-07-08", "help-overdue-8"),
    ],
)
def test_helper_and_secretary_are_told_before_the_review_and_after_it(session: Session, branch: Process, day: str, kind: str | None) -> None:
    a_help_plan(session, branch, "王五", helper=STAFF_NO["孙八"], review_on=MONDAY)
    closed(session, branch)
    assert told(session, day, "help-") == ({} if kind is None else {"孙八": kind, "张三": kind})


def test_a_review_without_a_next_day_leaves_it_open_and_its_end_ends_it(session: Session, branch: Process) -> None:
    plan, by = a_help_plan(session, branch, "王五", review_on=MONDAY), caller(session, "张三")
    now = at("2025-06-30", "12:00")
    record_review(session, branch, plan, {"reviewed_on": MONDAY}, by=by, now=now)
    assert told(session, "2025-07-01", "help-") == {"张三": "help-overdue-1"}
    record_review(session, branch, plan, {"reviewed_on": MONDAY, "next_on": date(2025, 9, 30)}, by=by, now=now)
    assert told(session, "2025-07-01", "help-") == {}
    assert told(session, "2025-09-30", "help-") == {"张三": "help-due-0"}
    end_help(session, plan, {"ended_on": MONDAY, "result": "转好"}, now=now)
    assert told(session, "2025-09-30", "help-") == {}


def test_who_has_left_neither_helps_nor_is_helped(session: Session, branch: Process) -> None:
    plan = a_help_plan(session, branch, "王五", helper=STAFF_NO["孙八"], review_on=MONDAY)
    leaves(session, "孙八")
    assert set(told(session, "2025-06-30", "help-")) == {"张三"}
    leaves(session, "王五")
    assert told(session, "2025-06-30", "help-") == {}
    assert plan.counts


# ── dispositions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_case_that_stands_still_reminds_the_branch_weekly_until_it_moves(session: Session, branch: Process) -> None:
    case = a_case(session, branch, "王五", proposed_on=date(2024, 12, 19))
    closed(session, branch)
    assert told(session, "2025-01-17", "case-") == {}, "30 days are not over"
    assert told(session, "2025-01-20", "case-") == {"张三": "case-overdue-1"}
    assert told(session, "2025-01-27", "case-") == {"张三": "case-overdue-8"}
    a_step(session, branch, case, Step.SUPERIOR_FILING, date(2024, 12, 20))
    assert told(session, "2025-01-17", "case-") == {}
    withdraw(case, by="z3", now=NOW, reason="有误")
    session.flush()
    assert told(session, "2025-01-27", "case-") == {}


def test_how_long_a_case_may_stand_is_the_plans_to_say(session: Session, branch: Process) -> None:
    a_case(session, branch, "王五", proposed_on=date(2024, 12, 19))
    rules = branch.cycle.plan["rules"]
    kept = {name: value for name, value in rules["settings"].items() if name != "case_still_after_days"}
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "settings": {**kept, "case_still_after_days": 10}}}
    session.flush()
    assert told(session, "2024-12-30", "case-") == {"张三": "case-overdue-1"}
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "settings": kept}}
    session.flush()
    assert told(session, "2024-12-30", "case-") == {}
    assert told(session, "2025-01-20", "case-") == {"张三": "case-overdue-1"}, "a plan of before has the default"


def test_a_correction_reminds_before_its_end_and_after_it_until_it_is_judged(session: Session, branch: Process) -> None:
    case = a_case(session, branch, "王五")
    steps_up_to(session, branch, case, Step.TOLD, until=MONDAY)
    closed(session, branch)
    assert told(session, "2025-06-23", "correction-") == {"张三": "correction-due-7"}
    assert told(session, "2025-07-08", "correction-") == {"张三": "correction-overdue-8"}
    assert told(session, "2025-07-08", "case-") == {}, "it waits for its day, and does not stand still"
    end_case(session, case, {"ended_on": date(2025, 7, 1), "result": "已改正"}, now=at("2025-07-01"))
    assert told(session, "2025-07-08", "correction-") == {}


def test_another_measure_ends_when_the_person_was_told(session: Session, branch: Process) -> None:
    steps_up_to(session, branch, a_case(session, branch, "王五"), Step.TOLD, measure=Disposition.REMOVAL)
    assert told(session, "2025-07-08", "c") == {}


def test_the_secretary_of_today_is_told_not_the_one_of_then(session: Session, branch: Process) -> None:
    a_case(session, branch, "王五", proposed_on=date(2024, 12, 19))
    closed(session, branch)
    follows = secretary_resigns(session, branch)
    assert set(told(session, "2025-01-20", "case-")) == {follows.name} != {"张三"}


# ── commitments, measures ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("state", "is_told"), [("open", True), ("doing", True), ("done", False), ("closed", False)])
def test_a_member_is_told_of_their_own_commitment_while_it_is_not_kept(session: Session, branch: Process, state: str, is_told: bool) -> None:
    row = a_commitment(session, branch, "王五", due_on=MONDAY)
    closed(session, branch)
    keeping(session, branch, row, MeasureState(state))
    assert told(session, "2025-06-23", "commitment-") == ({"王五": "commitment-due-7"} if is_told else {})
    assert told(session, "2025-07-08", "commitment-") == ({"王五": "commitment-overdue-8"} if is_told else {})


def test_a_member_is_reminded_for_a_month_and_then_left_alone(session: Session, branch: Process) -> None:
    a_commitment(session, branch, "王五", due_on=MONDAY)
    assert told(session, "2025-07-22", "commitment-") == {"王五": "commitment-overdue-22"}
    assert told(session, "2025-07-28", "commitment-") == {"王五": "commitment-overdue-22"}
    assert told(session, "2025-07-29", "commitment-") == {}


def test_a_draft_and_who_has_left_are_told_nothing(session: Session, branch: Process) -> None:
    a_commitment(session, branch, "王五", due_on=MONDAY)
    a_help_plan(session, branch, "孙八", review_on=MONDAY)
    leaves(session, "王五")
    assert told(session, "2025-06-30", "commitment-") == {}
    branch.cycle.status = CycleStatus.DRAFT
    session.flush()
    assert told(session, "2025-06-30", "help-") == {}


def test_what_was_handed_over_reminds_the_new_secretary(session: Session, branch: Process) -> None:
    a_measure(session, branch, due_on=MONDAY)
    stand_at(session, branch, Stage.FILED)
    follows = secretary_resigns(session, branch)
    assert set(told(session, "2025-06-30", "measure-")) == {"张三"}
    hand_over(session, branch, now=NOW)
    assert set(told(session, "2025-06-30", "measure-")) == {follows.name}
