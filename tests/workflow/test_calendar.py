"""Working days: the official calendar where it is known, Monday to Friday and a remark where it is not."""

from __future__ import annotations

from datetime import date

import pytest

from workflow.calendar import is_working_day, unannounced, working_day_on_or_before, year_is_known


def test_a_make_up_sunday_is_a_working_day() -> None:
    assert date(2025, 1, 26).weekday() == 6
    assert is_working_day(date(2025, 1, 26))


def test_a_holiday_in_the_week_is_no_working_day() -> None:
    assert date(2025, 1, 28).weekday() == 1
    assert not is_working_day(date(2025, 1, 28))


def test_an_ordinary_week_is_worked_from_monday_to_friday() -> None:
    assert [is_working_day(date(2025, 3, day)) for day in range(10, 17)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize(
    ("day", "before"),
    [
        (date(2025, 1, 17), date(2025, 1, 17)),
        (date(2025, 1, 19), date(2025, 1, 17)),
        (date(2025, 2, 4), date(2025, 1, 27)),
        (date(2025, 1, 1), date(2024, 12, 31)),
    ],
    ids=["a working day is itself", "a Sunday gives Friday", "the end of 春节 gives the day before it", "New Year gives the old year"],
)
def test_the_working_day_before_a_day_off(day: date, before: date) -> None:
    assert working_day_on_or_before(day) == before


def test_a_year_that_is_not_announced_has_its_weekends_off_and_says_so() -> None:
    assert [is_working_day(date(2031, 1, day)) for day in range(6, 13)] == [True] * 5 + [False] * 2
    remark = unannounced(2031)
    assert remark is not None
    assert remark.zh == "2031年放假调休安排尚未公布，暂按周一至周五为工作日计算"


def test_nothing_is_said_of_a_year_that_is_announced() -> None:
    assert unannounced(2025) is None


def test_the_years_that_are_known_are_those_of_the_calendar() -> None:
    assert [year_is_known(year) for year in (2003, 2004, 2026)] == [False, True, True]
