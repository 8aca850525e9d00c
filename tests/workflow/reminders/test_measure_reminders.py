"""Letters to the owners of measures: times, recipients, numbers.

They go on after filing and after the year is closed, and some content is forbidden.
"""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller
from tests.support.letters.reminding import BASE, at, queue, send, told_of
from tests.support.records.evidence import leaves, stand_at
from tests.support.records.rectification import a_measure, a_problem, progress
from workflow.appraisal.ledger import Measure
from workflow.appraisal.rectification.measures import MEASURES
from workflow.foundation.calendar import set_day
from workflow.foundation.vocabulary import CycleStatus, LetterState, MeasureState, Stage
from workflow.reminders import letters_due
from workflow.reminders.due import Due
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.opening import close_cycle

MONDAY = date(2025, 6, 30)


@pytest.fixture
def branch(session: Session) -> Process:
    return a_school(session)


def told(session: Session, day: str, clock: str = "09:00") -> dict[str, Due]:
    """Find the letters on measures by the name of their recipient."""
    return {letter.recipient_name: letter for letter in letters_due(session, at(day, clock), base_url=BASE) if letter.kind.startswith("measure-")}


def owned(session: Session, process: Process, *owners: str, due_on: date = MONDAY) -> list[Measure]:
    return [a_measure(session, process, owner=owner, due_on=due_on) for owner in owners]


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2025-06-20", None),
        ("2025-06-23", "measure-due-7"),
        ("2025-06-26", "measure-due-7"),
        ("2025-06-27", "measure-due-1"),
        ("2025-06-30", "measure-due-0"),
        ("2025-07-01", "measure-overdue-1"),
        ("2025-07-07", "measure-overdue-1"),
        ("2025-07-08", "measure-overdue-8"),
        ("2025-07-15", "measure-overdue-15"),
        ("2026-06-30", "measure-overdue-365"),
    ],
)
def test_an_owner_is_told_before_the_day_on_it_and_weekly_after_it(session: Session, branch: Process, day: str, kind: str | None) -> None:
    owned(session, branch, "王五")
    assert {name: letter.kind for name, letter in told(session, day).items()} == ({} if kind is None else {"王五": kind})


def test_a_day_off_moves_the_letter_to_the_working_day_before(session: Session, branch: Process) -> None:
    owned(session, branch, "王五")
    set_day(session, date(2025, 6, 23), working=False, note="校庆")
    assert told(session, "2025-06-19") == {}
    assert told(session, "2025-06-20")["王五"].reason == "整改时限前7天（遇休息日，提前至6月20日）"


def test_nothing_goes_before_the_hours(session: Session, branch: Process) -> None:
    owned(session, branch, "王五")
    assert told(session, "2025-06-30", "08:29") == {}


def test_measures_of_one_day_are_one_letter_that_counts_them_and_another_day_is_another(session: Session, branch: Process) -> None:
    owned(session, branch, "王五", "王五", "孙八")
    letters = told(session, "2025-06-30")
    assert set(letters) == {"王五", "孙八"}
    assert "有2项" in letters["王五"].words.text
    assert "有1项" in letters["孙八"].words.text
    owned(session, branch, "王五", due_on=date(2025, 7, 1))
    both = [letter for letter in letters_due(session, at("2025-06-30"), base_url=BASE) if letter.recipient_name == "王五"]
    assert sorted((letter.kind, letter.due_on) for letter in both) == [("measure-due-0", MONDAY), ("measure-due-1", date(2025, 7, 1))]
    assert len({letter.key for letter in both}) == 2


def test_the_letter_says_neither_what_is_to_be_done_nor_against_what_nor_who_else(session: Session, branch: Process) -> None:
    a_measure(session, branch, a_problem(session, branch, whose="s8", text="孙八缺席较多"), owner="王五", text="约谈孙八")
    owned(session, branch, "李四")
    words = told(session, "2025-06-30")["王五"].words
    for secret in ("约谈", "孙八", "缺席", "李四", "张三"):
        assert secret not in words.subject + words.text + words.html


@pytest.mark.parametrize(("state", "is_told"), [("open", True), ("doing", True), ("done", False), ("closed", False)])
def test_only_who_is_still_at_work_is_told(session: Session, branch: Process, state: str, is_told: bool) -> None:
    (measure,) = owned(session, branch, "王五")
    progress(session, branch, measure, MeasureState(state))
    assert bool(told(session, "2025-06-30")) is is_told


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_measure_that_was_taken_back_is_not_told_of(session: Session, branch: Process, take_back: object) -> None:
    (measure,) = owned(session, branch, "王五")
    take_back(measure, by="z3", now=NOW, reason="重复")  # type: ignore[operator]
    session.flush()
    assert told(session, "2025-06-30") == {}


def test_an_owner_who_has_left_is_not_told(session: Session, branch: Process) -> None:
    owned(session, branch, "王五", "孙八")
    leaves(session, "王五")
    assert set(told(session, "2025-06-30")) == {"孙八"}


@pytest.mark.parametrize("closed", [False, True])
def test_an_owner_who_left_the_school_after_the_report_gets_no_letter(session: Session, branch: Process, closed: bool) -> None:
    owned(session, branch, "王五", "孙八")
    stand_at(session, branch, Stage.FILED)
    if closed:
        close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    leaves(session, "王五")
    for day in ("2025-06-30", "2025-07-08", "2025-07-15"):
        assert send(session, at(day)).keys() & {"王五", "孙八"} == {"孙八"}


@pytest.mark.parametrize("stage", [Stage.STUDY, Stage.RECTIFICATION, Stage.FILED, Stage.ACCEPTED])
def test_it_goes_on_wherever_the_branch_stands(session: Session, branch: Process, stage: Stage) -> None:
    owned(session, branch, "王五")
    stand_at(session, branch, stage)
    assert set(told(session, "2025-06-30")) == {"王五"}


def test_it_goes_on_after_the_year_is_closed_and_a_draft_tells_nobody(session: Session, branch: Process) -> None:
    owned(session, branch, "王五")
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    assert set(told(session, "2025-06-30")) == {"王五"}
    branch.cycle.status = CycleStatus.DRAFT
    session.flush()
    assert told(session, "2025-06-30") == {}


def test_it_is_told_once_and_a_move_does_not_take_it_back(session: Session, branch: Process) -> None:
    owned(session, branch, "王五")

    def measures() -> set[tuple[str, LetterState]]:
        return {(each.kind, each.state) for each in told_of(session, branch) if each.kind.startswith("measure-")}

    queue(session, at("2025-06-23"))
    assert measures() == {("measure-due-7", LetterState.PENDING)}
    stand_at(session, branch, Stage.FILED)
    queue(session, at("2025-06-24"))
    assert measures() == {("measure-due-7", LetterState.PENDING)}
    assert "王五" in send(session, at("2025-06-25"))
    assert "王五" not in send(session, at("2025-06-26"))
    assert measures() == {("measure-due-7", LetterState.SENT)}
    queue(session, at("2025-06-27"))
    queue(session, at("2025-06-30"))
    assert measures() == {("measure-due-7", LetterState.SENT), ("measure-due-1", LetterState.MOOT), ("measure-due-0", LetterState.PENDING)}


def test_what_waits_is_moot_once_the_work_is_done_or_has_another_day(session: Session, branch: Process) -> None:
    done, later = owned(session, branch, "王五")[0], owned(session, branch, "孙八", due_on=date(2025, 7, 1))[0]
    queue(session, at("2025-06-30"))
    progress(session, branch, done, MeasureState.DONE)
    MEASURES.amend(session, branch, later, {"due_on": date(2025, 9, 30)}, seen=1, by=caller(session, "张三"), now=NOW)
    assert {"王五", "孙八"}.isdisjoint(send(session, at("2025-06-30", "10:00")))
    states = {each.state for each in told_of(session, branch) if each.kind.startswith("measure-")}
    assert states == {LetterState.MOOT}
