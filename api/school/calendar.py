"""Working days (工作日历): the official calendar, and the days that the office sets itself."""

from __future__ import annotations

from datetime import date

from typing_extensions import TypedDict

from api.frame.lists import Page, after_of, listed
from api.frame.routes import Routes
from workflow.acts.years import FORGET_DAY, SET_DAY
from workflow.foundation.calendar import CalendarDay, Source, days_of, year_is_known
from workflow.foundation.fields import (
    Parameter,
    Sent,
)
from workflow.people.access import Action
from workflow.rules.acts import Call

routes = Routes()


class CalendarQuery(Page):
    """Which year."""

    year = Parameter(required=True, at_least=1900, at_most=2999)


class CalendarShape(TypedDict):
    """A day as it is answered."""

    day: date
    working: bool
    source: Source
    note: str | None


class YearShape(TypedDict):
    """A page of the days of a year."""

    known: bool
    """Whether the year's days off are announced."""
    items: list[CalendarShape]
    next: str | None


def calendar_shape(day: CalendarDay) -> CalendarShape:
    return {"day": day.day, "working": day.working, "source": day.source, "note": day.note}


@routes.get("/calendar", action=Action.READ_CALENDAR, query=CalendarQuery(), answers=YearShape)
def list_calendar(call: Call[object], query: Sent) -> object:
    """The days of a year as working days or days off, each with why; and whether the year's days off are announced."""
    year = query["year"]
    days = days_of(call.session, year, after=after_of(query, None, date.fromisoformat), limit=query["limit"] + 1)
    return {"known": year_is_known(year), **listed(days, query, calendar_shape, lambda row: row.day)}


@routes.put("/calendar/<day>", SET_DAY, answers=CalendarShape)
def set_calendar_day(call: Call[object], day: CalendarDay) -> object:
    """The office sets a day itself, whatever the official calendar says: whole, so that saying it twice changes nothing."""
    return calendar_shape(day)


@routes.delete("/calendar/<day>", FORGET_DAY, status=204)
def forget_calendar_day(call: Call[object], _: None) -> object:
    """The official calendar holds for a day again."""
