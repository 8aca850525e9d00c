"""The weekly letter (每周汇总): one to each person of the office, with the overview's content."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.support.letters.reminding import BASE, at
from tests.support.records.assessment import an_assessment
from tests.support.records.evidence import stand_at
from workflow.foundation.calendar import set_day
from workflow.foundation.vocabulary import Stage
from workflow.readings.progress import overview
from workflow.reminders import letters_due
from workflow.reminders.due import Due
from workflow.year.cycle import Process
from workflow.year.deadlines import change_processes


def digests(session: Session, now: datetime) -> list[Due]:
    return [letter for letter in letters_due(session, now, base_url=BASE) if letter.kind == "digest"]


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        (at("2024-12-23", "08:29"), None),
        (at("2024-12-23"), date(2024, 12, 23)),
        (at("2024-12-27", "17:59"), date(2024, 12, 23)),
        (at("2025-02-04"), None),
        (at("2025-02-05"), date(2025, 2, 3)),
    ],
    ids=["before the hours", "on Monday", "all week", "Monday and Tuesday are 春节", "the first working day"],
)
def test_the_office_has_one_letter_a_week_from_its_first_working_day(session: Session, branch: Process, now: datetime, monday: date | None) -> None:
    assert [(letter.staff_no, letter.due_on) for letter in digests(session, now)] == ([("office", monday)] if monday else [])


def test_the_offices_letter_says_what_its_overview_says(session: Session, branch: Process) -> None:
    now = at("2025-01-06")
    change_processes(session, [branch], {"stage": Stage.SELF_REVIEW, "round": 2})
    seen = overview(session, branch.cycle, now=now)
    assert (seen.overdue, seen.due_soon, seen.returned) == (1, 1, 1)
    [letter] = digests(session, now)
    for line in ("集中学习：1个", "组织生活会·述职评议：1个", "报送：0个", "已逾期：1个", "七日内到期：1个", "退回后尚未重新报送：1个"):
        assert line in letter.words.text
    assert f"{BASE}/2024/" in letter.words.text


def test_the_offices_letter_says_where_the_assessment_stands_once_the_year_has_one(session: Session, branch: Process) -> None:
    stand_at(session, an_assessment(session), Stage.SUMMARISED)
    [letter] = digests(session, at("2025-01-06"))
    assert "党委考核支部：述职与材料汇集1个、汇总1个。\n" in letter.words.text


def test_a_week_without_a_working_day_has_no_letter_of_its_own(session: Session, branch: Process) -> None:
    for n in range(7):
        set_day(session, date(2025, 1, 13) + timedelta(days=n), working=False, note="寒假")
    assert digests(session, at("2025-01-17")) == []
