"""Working days: the official calendar in the years for which it is known.

In other years Monday to Friday, with a remark.
"""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from workflow.foundation.calendar import (
    Source,
    days_of,
    forget_day,
    is_working_day,
    overrides_of,
    set_day,
    unannounced,
    working_day_on_or_after,
    working_day_on_or_before,
    year_is_known,
)
from workflow.foundation.errors import NotFound

NONE: dict[date, bool] = {}


def test_a_make_up_sunday_is_a_working_day() -> None:
    assert date(2025, 1, 26).weekday() == 6
    assert is_working_day(date(2025, 1, 26), NONE)


def test_a_holiday_in_the_week_is_no_working_day() -> None:
    assert date(2025, 1, 28).weekday() == 1
    assert not is_working_day(date(2025, 1, 28), NONE)


def test_an_ordinary_week_is_worked_from_monday_to_friday() -> None:
    assert [is_working_day(date(2025, 3, day), NONE) for day in range(10, 17)] == [True] * 5 + [False] * 2


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
    assert working_day_on_or_before(day, NONE) == before


def test_a_year_that_is_not_announced_has_its_weekends_off_and_says_so() -> None:
    assert [is_working_day(date(2031, 1, day), NONE) for day in range(6, 13)] == [True] * 5 + [False] * 2
    remark = unannounced(2031)
    assert remark is not None
    assert remark.zh == "2031年放假调休安排尚未公布，暂按周一至周五为工作日计算"


def test_nothing_is_said_of_a_year_that_is_announced() -> None:
    assert unannounced(2025) is None


def test_the_years_that_are_known_are_those_of_the_calendar() -> None:
    assert [year_is_known(year) for year in (2003, 2004, 2026)] == [False, True, True]


def test_the_next_working_day_after_a_day_off() -> None:
    assert working_day_on_or_after(date(2025, 1, 28), NONE) == date(2025, 2, 5)
    assert working_day_on_or_after(date(2025, 2, 5), NONE) == date(2025, 2, 5)


def test_what_the_office_sets_goes_before_the_official_calendar_until_it_is_taken_back(session: Session) -> None:
    make_up_sunday, monday = date(2025, 1, 26), date(2025, 1, 20)
    set_day(session, make_up_sunday, working=False, note="寒假")
    set_day(session, monday, working=True, note=None)
    set_day(session, monday, working=False, note="寒假")
    overrides = overrides_of(session)
    assert not is_working_day(make_up_sunday, overrides)
    assert working_day_on_or_before(make_up_sunday, overrides) == date(2025, 1, 24)
    assert working_day_on_or_after(monday, overrides) == date(2025, 1, 21)
    forget_day(session, monday)
    assert is_working_day(monday, overrides_of(session))
    with pytest.raises(NotFound):
        forget_day(session, monday)


def test_each_day_of_a_year_says_why_it_is_a_working_day_or_none(session: Session) -> None:
    set_day(session, date(2025, 1, 20), working=False, note="寒假")
    days = {each.day: (each.working, each.source, each.note) for each in days_of(session, 2025)}
    assert len(days) == 365
    assert days[date(2025, 1, 17)] == (True, Source.WEEKEND, None)
    assert days[date(2025, 1, 18)] == (False, Source.WEEKEND, None)
    assert days[date(2025, 1, 20)] == (False, Source.OFFICE, "寒假")
    assert days[date(2025, 1, 26)] == (True, Source.OFFICIAL, "春节调休上班")
    assert days[date(2025, 1, 28)] == (False, Source.OFFICIAL, "春节")
    assert {each.source for each in days_of(session, 2031)} == {Source.WEEKEND}
    assert [each.working == is_working_day(each.day, overrides_of(session)) for each in days_of(session, 2025)] == [True] * 365


def test_the_days_of_a_year_come_in_pages(session: Session) -> None:
    assert [each.day for each in days_of(session, 2024, after=date(2024, 12, 29), limit=5)] == [date(2024, 12, 30), date(2024, 12, 31)]
    assert days_of(session, 2024, after=date(2024, 12, 31)) == []
    assert days_of(session, 2024, after=date(2030, 1, 1)) == []
    assert days_of(session, 2024, after=date(2020, 1, 1), limit=1)[0].day == date(2024, 1, 1)
