"""Working days (工作日历): the official calendar, and the days that the office sets itself."""

from __future__ import annotations

from datetime import date

from typing_extensions import TypedDict

from api.frame.lists import Page, after_of, listed
from api.frame.routes import Routes, Tag
from workflow.acts.years import FORGET_DAY, SET_DAY
from workflow.foundation.calendar import CalendarDay, Source, days_of, year_is_known
from workflow.foundation.fields import (
    Parameter,
    Sent,
    about,
)
from workflow.people.access import Action
from workflow.rules.acts import Call

routes = Routes(tag=Tag("calendar", "工作日历", "working days and days off"))


class CalendarQuery(Page):
    """A page of one calendar year."""

    year = Parameter(required=True, at_least=1900, at_most=2999, **about("年份", "year", "公历年", "year of the calendar", example=2025))


class CalendarShape(TypedDict):
    """A day of the calendar (日历一天)."""

    day: date
    working: bool
    source: Source
    note: str | None


class YearShape(TypedDict):
    """A page of the days of a year (一年的日历)."""

    known: bool
    """True once the year's days off are announced."""
    items: list[CalendarShape]
    next: str | None


def calendar_shape(day: CalendarDay) -> CalendarShape:
    return {"day": day.day, "working": day.working, "source": day.source, "note": day.note}


@routes.get("/calendar", action=Action.READ_CALENDAR, query=CalendarQuery(), answers=YearShape, zh="列出一年的工作日")
def list_calendar(call: Call[object], query: Sent) -> object:
    """List the days of a year, working or off, each with its source."""
    year = query["year"]
    days = days_of(call.session, year, after=after_of(query, None, date.fromisoformat), limit=query["limit"] + 1)
    return {"known": year_is_known(year), **listed(days, query, calendar_shape, lambda row: row.day)}


@routes.put("/calendar/<day>", SET_DAY, answers=CalendarShape)
def set_calendar_day(call: Call[object], day: CalendarDay) -> object:
    """Set a day against the official calendar. Doing it twice changes nothing."""
    return calendar_shape(day)


@routes.delete("/calendar/<day>", FORGET_DAY, status=204)
def forget_calendar_day(call: Call[object], _: None) -> object:
    """Forget what was set for a day: the official calendar holds again."""
