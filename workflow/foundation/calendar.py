"""Chinese working days (工作日): the official calendar, with its holidays and the make-up days that are worked at weekends (调休), and the days
that the office of this school sets itself, which go before it.

The State Council announces a year's days off in the autumn before it. For a year that is not announced yet nobody knows them: Monday to
Friday are taken as working days then, and ``unannounced`` is what the product says about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import chinese_calendar
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base
from workflow.foundation.errors import NotFound, Words
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, personal
from workflow.foundation.vocabulary import Word

FRIDAY = 4
_HOLIDAYS = {holiday.value: holiday.chinese for holiday in chinese_calendar.Holiday}

Overrides = Mapping[date, bool]
"""Whether the school works on the days that its office has set itself."""


class Source(Word):
    """Why a day is a working day or none (依据)."""

    OFFICIAL = "official", "国家放假调休安排"
    WEEKEND = "weekend", "周一至周五上班"
    OFFICE = "office", "党委办公室设定"


@tracked()
class CalendarOverride(Base):
    """A day that the office has set itself (校历调整): the school's winter holiday, or a day worked for another."""

    __tablename__ = "calendar_override"

    day: Mapped[date] = mapped_column(primary_key=True)
    working: Mapped[bool]
    note: Mapped[str | None]


personal(CalendarOverride, Area.SYSTEM, "校历调整", other="day working note")


@dataclass(frozen=True)
class CalendarDay:
    """A day, whether the school works on it, and why."""

    day: date
    working: bool
    source: Source
    note: str | None


# ── the rule ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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


def is_working_day(day: date, overrides: Overrides) -> bool:
    """Whether the school works on a day: a make-up Sunday is one, a holiday's Monday is none, and what the office says goes before both."""
    working = overrides.get(day)
    return _without_the_office(day).working if working is None else working


def working_day_on_or_before(day: date, overrides: Overrides) -> date:
    """The day itself when the school works on it, else the last working day before it."""
    while not is_working_day(day, overrides):
        day -= timedelta(days=1)
    return day


def working_day_on_or_after(day: date, overrides: Overrides) -> date:
    """The day itself when the school works on it, else the next working day."""
    while not is_working_day(day, overrides):
        day += timedelta(days=1)
    return day


# A tick asks it of two thousand days, and nothing of it changes while the program runs.
@cache
def _without_the_office(day: date) -> CalendarDay:
    weekday = day.weekday() <= FRIDAY
    if not year_is_known(day.year):
        return CalendarDay(day, weekday, Source.WEEKEND, None)
    off, holiday = chinese_calendar.get_holiday_detail(day)
    if holiday is None:
        return CalendarDay(day, weekday, Source.WEEKEND, None)
    name = _HOLIDAYS.get(holiday, holiday)
    return CalendarDay(day, not off, Source.OFFICIAL, name if off else f"{name}调休上班")


# ── what the office sets ──────────────────────────────────────────────────────────────────────────────────────────────


def overrides_of(session: Session) -> dict[date, bool]:
    """All days that the office has set, read once for a tick."""
    return {row.day: row.working for row in session.scalars(select(CalendarOverride))}


def set_day(session: Session, day: date, *, working: bool, note: str | None) -> CalendarDay:
    """The office sets a day, or sets it anew."""
    values = {"working": working, "note": note}
    statement = insert(CalendarOverride).values(day=day, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[CalendarOverride.day], set_=values))
    return CalendarDay(day, working, Source.OFFICE, note)


def forget_day(session: Session, day: date) -> None:
    """The official calendar holds for a day again. Raises NotFound when the office had not set it."""
    gone = session.scalars(delete(CalendarOverride).where(CalendarOverride.day == day).returning(CalendarOverride.day)).all()
    if not gone:
        raise NotFound(Words(f"{day} 没有另行设定", f"{day} is not set by the office"))


def days_of(session: Session, year: int, *, after: date | None = None, limit: int = 366) -> list[CalendarDay]:
    """The days of a year in order, each with why."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    if after is not None and after >= first:
        first = min(after, last) + timedelta(days=1)
    rows = session.scalars(select(CalendarOverride).where(CalendarOverride.day.between(first, last)))
    given = {row.day: CalendarDay(row.day, row.working, Source.OFFICE, row.note) for row in rows}
    count = min(limit, (last - first).days + 1)
    return [given.get(day) or _without_the_office(day) for day in (first + timedelta(days=n) for n in range(count))]
