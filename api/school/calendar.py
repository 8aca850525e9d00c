"""Working days (工作日历): the official calendar, and the days that the office sets itself."""

from __future__ import annotations

from datetime import date
from typing import Any

from typing_extensions import TypedDict

from api.frame.base import Answer, Request, Routes
from api.frame.lists import Page, after_of, listed
from workflow.foundation.calendar import CalendarDay, Source, days_of, forget_day, set_day, year_is_known
from workflow.foundation.errors import NotFound
from workflow.foundation.fields import Body, Day, Line, Parameter, Truth
from workflow.people.access import Action

routes = Routes()


class CalendarQuery(Page):
    """Which year."""

    year = Parameter(required=True, at_least=1900, at_most=2999)


class CalendarBody(Body):
    """What the office says of a day."""

    working = Truth(required=True)
    note = Line()


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


@routes.get("/calendar", action=Action.READ_CALENDAR, query=CalendarQuery, answers=YearShape)
def list_calendar(request: Request, query: dict[str, Any]) -> Any:
    """The days of a year as working days or days off, each with why; and whether the year's days off are announced."""
    year = query["year"]
    days = days_of(request.session, year, after=after_of(query, None, date.fromisoformat), limit=query["limit"] + 1)
    return {"known": year_is_known(year), **listed(days, query, calendar_shape, lambda row: row.day)}


def _named(request: Request, day: str) -> date:
    """The day of the address. Raises NotFound for what is no day."""
    try:
        if not Day.PATTERN.fullmatch(day) or not 1900 <= int(day[:4]) <= 2999:
            raise ValueError(day)
        return date.fromisoformat(day)
    except ValueError:
        raise NotFound from None


@routes.put("/calendar/<day>", action=Action.WRITE_CALENDAR, body=CalendarBody, find=_named, answers=CalendarShape)
def set_calendar_day(request: Request, day: date, body: dict[str, Any]) -> Any:
    """The office sets a day itself, whatever the official calendar says: whole, so that saying it twice changes nothing."""
    return calendar_shape(set_day(request.session, day, working=body["working"], note=body.get("note")))


@routes.delete("/calendar/<day>", action=Action.WRITE_CALENDAR, find=_named, status=204)
def forget_calendar_day(request: Request, day: date) -> Any:
    """The official calendar holds for a day again."""
    forget_day(request.session, day)
    return Answer(status=204)
