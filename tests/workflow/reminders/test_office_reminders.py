"""The office's own days: one letter for all branches that it must move on.

No branch gets a letter on them.
"""

from __future__ import annotations

from datetime import date, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, a_branch, a_school, caller
from tests.support.letters.reminding import BASE, at, duties, queue, send, told_of
from tests.support.records.assessment import a_duty_report, an_assessment, arranged
from tests.support.records.evidence import stand_at, statements
from workflow.foundation.vocabulary import LetterState, Role, Stage
from workflow.machine.rolls import rolls_follow
from workflow.people.access import Scope
from workflow.people.roles import create_officer
from workflow.people.substitutes import name_substitute
from workflow.reminders import letters_due
from workflow.reminders.due import Due
from workflow.year.deadlines import change_deadlines, change_processes
from workflow.year.finding import cycle_by_year, process_of

DAY = date(2025, 2, 12)
"""A Wednesday after all the branches' own days: else their letters would be due too."""


@pytest.fixture
def year(session: Session) -> None:
    """Two branches in their assessment, to be collected and summarised by the same day."""
    a_school(session)
    cycle = cycle_by_year(session, 2024)
    days = {**dict.fromkeys(DEADLINES, date(2025, 6, 30)), Stage.COLLECTING: DAY, Stage.SUMMARISED: DAY}
    change_deadlines(session, cycle, days, seen=cycle.version, now=NOW)
    session.expire_all()


def to_office(session: Session, now: datetime) -> list[Due]:
    return [letter for letter in letters_due(session, now, base_url=BASE) if letter.process_id is None and letter.kind != "digest"]


def to_branches(session: Session, now: datetime) -> dict[str, Due]:
    return {letter.recipient_name: letter for letter in letters_due(session, now, base_url=BASE) if letter.process_id is not None}


@pytest.mark.parametrize(("day", "kind"), [("2025-02-05", "due-7"), ("2025-02-10", "due-3"), ("2025-02-11", "due-1"), ("2025-02-12", "due-0")])
def test_each_of_the_office_gets_one_letter_for_all_branches_in_the_rhythm_of_every_day(session: Session, year: None, day: str, kind: str) -> None:
    create_officer(session, staff_no="second", name="党办干事", role=Role.OFFICE, now=NOW, email="second@school.example")
    assert [(letter.kind, letter.recipient_name) for letter in to_office(session, at(day))] == [(kind, "党委办公室"), (kind, "党办干事")]


def test_once_the_day_is_over_it_is_told_so_each_week(session: Session, year: None) -> None:
    assert [letter.kind for letter in to_office(session, at("2025-02-13"))] == ["overdue-1"]
    assert [letter.kind for letter in to_office(session, at("2025-02-20"))] == ["overdue-8"]
    assert "已逾期8天" in to_office(session, at("2025-02-20"))[0].words.subject


def test_it_reads_how_many_branches_stand_where_and_what_the_office_owes_of_all_of_them(session: Session, year: None) -> None:
    first = an_assessment(session)
    arranged(session, first)
    a_duty_report(session, first)
    stand_at(session, first, Stage.SUMMARISED)
    (letter,) = to_office(session, at("2025-02-05"))
    assert [line for line in letter.words.text.splitlines() if line.endswith("个")] == ["述职与材料汇集：1个", "汇总：1个"]
    assert duties(letter.words) == ["还没有确定现场述职或者书面述职（1个党支部）", "考核结果建议还不齐全（1个党支部）"]
    assert f"{BASE}/2024/assessments" in letter.words.text


def test_who_owes_nothing_is_asked_to_move_on(session: Session, year: None) -> None:
    for code in ("D0101", "D0201"):
        arranged(session, an_assessment(session, code))
    (letter,) = to_office(session, at("2025-02-05"))
    assert duties(letter.words) == []
    assert "请在期限前办理下一环节" in letter.words.text


def test_branches_with_another_day_are_another_letter(session: Session, year: None) -> None:
    change_processes(session, [an_assessment(session, "D0201")], {"round_due_on": date(2025, 2, 7)})
    letters = to_office(session, at("2025-02-05"))
    assert [(letter.due_on, letter.kind) for letter in letters] == [(DAY, "due-7"), (date(2025, 2, 7), "due-3")]
    assert len({letter.key for letter in letters}) == 2
    for letter in letters:
        assert "述职与材料汇集：1个" in letter.words.text


def test_a_year_whose_holidays_are_unknown_is_remarked_to_the_office_too(session: Session, year: None) -> None:
    assert "尚未公布" not in to_office(session, at("2025-02-05"))[0].words.text
    for code in ("D0101", "D0201"):
        change_processes(session, [an_assessment(session, code)], {"round_due_on": date(2031, 3, 12)})
    (letter,) = to_office(session, at("2031-03-11"))
    assert "2031年放假调休安排尚未公布" in letter.words.text


def test_nothing_is_told_before_the_first_reminder_nor_of_branches_that_are_decided(session: Session, year: None) -> None:
    assert to_office(session, at("2025-02-04")) == []
    for code, stage in (("D0101", Stage.DECIDED), ("D0201", Stage.PUBLISHED)):
        stand_at(session, an_assessment(session, code), stage)
    assert to_office(session, at("2025-02-05")) == []


def test_a_secretary_is_told_of_his_own_report_while_he_owes_it_and_never_what_the_office_owes(session: Session, year: None) -> None:
    told = to_branches(session, at("2025-02-05"))
    assert set(told) == {"张三", "赵六"}
    assert duties(told["张三"].words) == ["书记还没有提交述职报告"]
    assert "2024年度党委考核支部" in told["张三"].words.text
    assert "“述职与材料汇集”" in told["张三"].words.subject
    assert f"{BASE}/2024/assessments/D0101" in told["张三"].words.text
    a_duty_report(session, an_assessment(session))
    assert set(to_branches(session, at("2025-02-05"))) == {"赵六"}


def test_who_stands_in_for_the_secretary_is_told_of_the_report_as_he_is_and_never_what_the_office_owes(session: Session, year: None) -> None:
    days = {"starts_on": date(2025, 2, 4), "ends_on": date(2025, 2, 10)}
    name_substitute(session, {"substitute": "w5", **days}, by=caller(session, "张三"), reach=[Scope.BRANCH], now=NOW)
    told = to_branches(session, at("2025-02-05"))
    assert set(told) == {"张三", "王五", "赵六"}
    assert duties(told["王五"].words) == duties(told["张三"].words) == ["书记还没有提交述职报告"]
    assert "王五" not in to_branches(session, at("2025-02-11"))
    a_duty_report(session, an_assessment(session))
    assert set(to_branches(session, at("2025-02-05"))) == {"赵六"}


def test_who_must_act_in_the_branches_own_year_is_told_nothing_of_the_assessment(session: Session, year: None) -> None:
    stand_at(session, process_of(session, 2024, "D0101"), Stage.TALKS)
    cycle = cycle_by_year(session, 2024)
    change_deadlines(session, cycle, dict.fromkeys(DEADLINES, DAY), seen=cycle.version, now=NOW)
    session.expire_all()
    letters = letters_due(session, at("2025-02-05"), base_url=BASE)
    told = {
        each.id: {letter.recipient_name for letter in letters if letter.process_id == each.id}
        for each in (process_of(session, 2024, "D0101"), an_assessment(session))
    }
    assert list(told.values()) == [{"张三", "李四", "钱七"}, {"张三"}]


def test_what_the_office_reads_of_the_branches_own_year_is_the_weeks_digest_alone(session: Session, year: None) -> None:
    cycle = cycle_by_year(session, 2024)
    change_deadlines(session, cycle, dict.fromkeys(DEADLINES, DAY), seen=cycle.version, now=NOW)
    session.expire_all()
    for code in ("D0101", "D0201"):
        stand_at(session, an_assessment(session, code), Stage.PUBLISHED)
    assert to_office(session, at("2025-02-05")) == []


def test_a_letter_that_waits_is_moot_once_the_next_is_due(session: Session, year: None) -> None:
    queue(session, at("2025-02-05"))
    queue(session, at("2025-02-10"))
    of_office = [(each.kind, each.state) for each in told_of(session) if each.process_id is None and each.kind.startswith("due-")]
    assert of_office == [("due-7", LetterState.MOOT), ("due-3", LetterState.PENDING)]


@pytest.mark.parametrize(("decided", "told"), [((), True), (("D0101",), True), (("D0101", "D0201"), False)])
def test_a_letter_that_waits_is_sent_while_any_branch_is_near(session: Session, year: None, decided: tuple[str, ...], told: bool) -> None:
    queue(session, at("2025-02-05"))
    for code in decided:
        stand_at(session, an_assessment(session, code), Stage.DECIDED)
    sent = send(session, at("2025-02-05", "10:00"))
    assert ("以下党支部的期限" in sent["党委办公室"].text) is told
    [state] = [each.state for each in told_of(session) if each.process_id is None and each.kind == "due-7"]
    assert state is (LetterState.SENT if told else LetterState.MOOT)


def test_many_branches_are_counted_with_the_statements_of_two(shared_engine: Engine, session: Session, year: None) -> None:
    def cost() -> int:
        with statements(shared_engine) as sent:
            assert len(to_office(session, at("2025-02-05"))) == 1
        return len(sent)

    few = cost()
    for number in range(10):
        a_branch(session, code=f"D05{number:02d}", members=(f"p{number}", f"r{number}"), committee=(f"p{number}",))
    rolls_follow(session, now=NOW)
    session.flush()
    assert cost() == few
