"""Chinese working days (工作日): the official calendar, with its holidays and the make-up days that are worked at weekends (调休).

The State Council announces a year's days off in the autumn before it. For a year that is not announced yet nobody knows them: Monday to
Friday are taken as working days then, and ``unannounced`` is what the product says about it.
"""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar

from workflow.errors import Words

FRIDAY = 4


def year_is_known(year: int) -> bool:
    """Whether the days off of a year have been announced, as far as this release knows (2004 to 2026)."""
    try:
        chinese_calendar.is_workday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True


def unannounced(year: int) -> Words | None:
    """What letters and ``doctor`` say of a year whose days off are not known; None when they are."""
    if year_is_known(year):
        return None
    return Words(
        f"{year}年放假调休安排尚未公布，暂按周一至周五为工作日计算",
        f"the public holidays of {year} are not announced yet; Monday to Friday are taken as working days",
    )


def is_working_day(day: date) -> bool:
    """Whether the school works on a day: a make-up Sunday is one, a holiday's Monday is none."""
    if not year_is_known(day.year):
        return day.weekday() <= FRIDAY
    return bool(chinese_calendar.is_workday(day))


def working_day_on_or_before(day: date) -> date:
    """The day itself when the school works on it, else the last working day before it."""
    while not is_working_day(day):
        day -= timedelta(days=1)
    return day
