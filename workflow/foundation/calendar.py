"""Chinese working days (工作日): official holidays, make-up days (调休), the office's own days.

A make-up day is a weekend day that is worked. A day that the office of this school sets goes before
the official calendar.

The State Council announces a year's days off in the autumn before it. Before that nobody knows
them: Monday to Friday are taken as working days, and ``unannounced`` makes the sentence by which
the product says so.
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
"""The days that the office has set itself, each with True if the school works on it."""


class Source(Word):
    """The reason that a day is a working day or none (依据)."""

    OFFICIAL = "official", "国家放假调休安排"
    WEEKEND = "weekend", "周一至周五上班"
    OFFICE = "office", "党委办公室设定"


@tracked()
class CalendarOverride(Base):
    """A day that the office has set itself (校历调整).

    For example the school's winter holiday, or a day worked in place of another.
    """

    __tablename__ = "calendar_override"

    day: Mapped[date] = mapped_column(primary_key=True)
    working: Mapped[bool]
    note: Mapped[str | None]


personal(CalendarOverride, Area.SYSTEM, "校历调整", other="day working note")


@dataclass(frozen=True)
class CalendarDay:
    """A day with its reason, and True in ``working`` if the school works on it."""

    day: date
    working: bool
    source: Source
    note: str | None


# ── the rule ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def year_is_known(year: int) -> bool:
    """Tell whether the days off of a year are announced: this release knows 2004 to 2026."""
    try:
        chinese_calendar.is_workday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True


def unannounced(year: int) -> Words | None:
    """Return the warning that the days off of a year are not known; None when they are.

    Letters and ``doctor`` show it.
    """
    if year_is_known(year):
        return None
    return Words(
        f"{year}年放假调休安排尚未公布，暂按周一至周五为工作日计算",
        f"the public holidays of {year} are not announced yet; Monday to Friday are taken as working days",
    )


def is_working_day(day: date, overrides: Overrides) -> bool:
    """Tell whether the school works on a day.

    A make-up Sunday is a working day, a Monday in a holiday is none. A day that the office has set
    goes before both.
    """
    working = overrides.get(day)
    return _without_the_office(day).working if working is None else working


def working_day_on_or_before(day: date, overrides: Overrides) -> date:
    """Return the day itself if the school works on it, else the last working day before it."""
    while not is_working_day(day, overrides):
        day -= timedelta(days=1)
    return day


def working_day_on_or_after(day: date, overrides: Overrides) -> date:
    """Return the day itself if the school works on it, else the next working day."""
    while not is_working_day(day, overrides):
        day += timedelta(days=1)
    return day


# A tick asks for two thousand days, and the answers never change while the program runs.
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
    """Return all days that the office has set: read once for a tick."""
    return {row.day: row.working for row in session.scalars(select(CalendarOverride))}


def set_day(session: Session, day: date, *, working: bool, note: str | None) -> CalendarDay:
    """Set a day for the office, or change a day that it has set."""
    values = {"working": working, "note": note}
    statement = insert(CalendarOverride).values(day=day, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[CalendarOverride.day], set_=values))
    return CalendarDay(day, working, Source.OFFICE, note)


def forget_day(session: Session, day: date) -> None:
    """Delete a day of the office, so that the official calendar holds for it again.

    Raises NotFound when the office had not set it.
    """
    gone = session.scalars(delete(CalendarOverride).where(CalendarOverride.day == day).returning(CalendarOverride.day)).all()
    if not gone:
        raise NotFound(Words(f"{day} 没有另行设定", f"{day} is not set by the office"))


def days_of(session: Session, year: int, *, after: date | None = None, limit: int = 366) -> list[CalendarDay]:
    """List the days of a year in order, each with its reason."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    if after is not None and after >= first:
        first = min(after, last) + timedelta(days=1)
    rows = session.scalars(select(CalendarOverride).where(CalendarOverride.day.between(first, last)))
    given = {row.day: CalendarDay(row.day, row.working, Source.OFFICE, row.note) for row in rows}
    count = min(limit, (last - first).days + 1)
    return [given.get(day) or _without_the_office(day) for day in (first + timedelta(days=n) for n in range(count))]
