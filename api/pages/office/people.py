"""People (人员): search of a person and all that leads on, posts, accounts, the calendar."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import request as http

from api.pages.frame.visit import PageRoute, Shown, Visit
from api.pages.records import buttons_below, facts_of
from api.people.people import ONE
from workflow.foundation.errors import NotFound
from workflow.people.access import Action
from workflow.roster.people import PERSON

HERE = "/office/people"


def people(visit: Visit) -> Shown:
    """Show the people with some words in name or number, each with the way to their page."""
    if not visit.may(Action.READ_PEOPLE):
        raise NotFound
    words = http.args.get("q", "").strip()[:50]
    body: Any = visit.body("/people", {}, {"limit": "100", "q": words}) if words else {"items": [], "next": None}
    values = {
        "words": words,
        "rows": body["items"],
        "more": body["next"] is not None,
        "writes": visit.may(Action.WRITE_PEOPLE),
        "imports": visit.may(Action.IMPORT_ROSTER),
        "slips": visit.may(Action.PRINT_SLIPS),
    }
    return Shown("people.html", "人员", values)


def person(visit: Visit, staff_no: str) -> Shown:
    """Show a person: their branch, their line on its roll, their posts, and their letters."""
    row: Any = visit.body(ONE, {"staff_no": staff_no})
    address: dict[str, str | int] = {"staff_no": staff_no}
    values = {
        "row": row,
        "facts": facts_of(PERSON, row, {}),
        "posts": [each for each in visit.whole("/appointments") if each["staff_no"] == staff_no],
        "punishments": visit.items(f"{ONE}/punishments", address),
        "year": visit.year,
        "buttons": buttons_below(visit, f"{HERE}/<staff_no>", address),
        "at": f"{HERE}/{staff_no}",
        "slips": visit.may(Action.PRINT_SLIPS),
        "writes": visit.may(Action.WRITE_PEOPLE),
        "appoints": visit.may(Action.WRITE_APPOINTMENTS),
    }
    return Shown("person.html", str(row["name"]), values, trail=[(HERE, "人员")])


def appointments(visit: Visit) -> Shown:
    """Show posts and roles by branch, those of today or all, and the substitutes."""
    everyone = http.args.get("past") == "true"
    today = visit.call.today
    rows = [row for row in visit.whole("/appointments") if everyone or row.get("ends_on") is None or row["ends_on"] >= today]
    rows.sort(key=lambda row: (row.get("branch") or "", row["id"]))
    values = {
        "groups": [(branch, list(group)) for branch, group in groupby(rows, key=lambda row: row.get("branch"))],
        "everyone": everyone,
        "substitutes": visit.items("/substitutes") if visit.may(Action.READ_SUBSTITUTES) else [],
        "writes": visit.may(Action.WRITE_APPOINTMENTS),
        "names": visit.may(Action.WRITE_SUBSTITUTES),
    }
    return Shown("appointments.html", "任职", values, trail=[(HERE, "人员")] if visit.may(Action.READ_PEOPLE) else [])


def accounts(visit: Visit) -> Shown:
    """Show accounts, each with what can be done to it."""
    body: Any = visit.body("/accounts", {}, {"limit": "200", **({"after": http.args["after"]} if http.args.get("after") else {})})
    return Shown("accounts.html", "账号", {"rows": body["items"], "following": body["next"], "writes": visit.may(Action.WRITE_ACCOUNTS)})


def calendar(visit: Visit) -> Shown:
    """Show the working days of a calendar year by months; the office sets a day by its link."""
    if not visit.may(Action.WRITE_CALENDAR):
        raise NotFound
    asked = http.args.get("year", "")
    year = int(asked) if asked.isascii() and asked.isdigit() and 1900 <= int(asked) <= 2999 else visit.call.today.year
    known = visit.body("/calendar", {}, {"year": str(year), "limit": "1"})["known"]
    days = visit.whole("/calendar", {}, {"year": str(year)})
    months = [(month, list(group)) for month, group in groupby(days, key=lambda row: row["day"].month)]
    return Shown(
        "calendar.html", "工作日历", {"year": year, "known": known, "months": [(month, _weeks(each)) for month, each in months], "days": days}
    )


def _weeks(days: list[Any]) -> list[list[Any]]:
    """Lay the days of a month out by weeks from Monday, None where a week has none of them."""
    cells: list[Any] = [None] * days[0]["day"].weekday() + days
    cells += [None] * (-len(cells) % 7)
    return [cells[at : at + 7] for at in range(0, len(cells), 7)]


PAGES = (
    PageRoute(HERE, people),
    PageRoute(f"{HERE}/<staff_no>", person),
    PageRoute("/office/appointments", appointments),
    PageRoute("/office/accounts", accounts),
    PageRoute("/office/calendar", calendar),
)
