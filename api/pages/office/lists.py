"""The office's lists (党办的清单): what is missing, letters, years, people."""

from __future__ import annotations

from typing import Any

from flask import request as http

from api.frame.address import CYCLE
from api.pages.frame.addresses import YEAR
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action

PAGE_SIZE = "200"


def _year(visit: Visit) -> int:
    """Return the year at work. Raises NotFound while there is none."""
    if visit.year is None:
        raise NotFound
    return visit.year


def exceptions(visit: Visit) -> Shown:
    """Show all that is missing in the school, by branch."""
    year = _year(visit)
    asked = {name: http.args[name] for name in ("clause", "unit", "after") if http.args.get(name)}
    body: Any = visit.body(f"{CYCLE}/exceptions", {"year": year}, {"limit": PAGE_SIZE, **asked})
    return Shown("exceptions.html", "缺项", {"rows": body["items"], "following": body["next"], "year": year, "asked": asked})


def letters(visit: Visit) -> Shown:
    """Show who was told what, and whether the letter was sent."""
    year = _year(visit)
    asked = {name: http.args[name] for name in ("branch", "recipient", "after") if http.args.get(name)}
    body: Any = visit.body(f"{CYCLE}/letters", {"year": year}, {"limit": PAGE_SIZE, **asked})
    return Shown("letters.html", "通知", {"rows": body["items"], "following": body["next"], "year": year, "asked": asked})


def years(visit: Visit) -> Shown:
    """Show the years with their plans and states."""
    if not visit.may(Action.READ_SCHOOL):
        raise NotFound
    return Shown("years.html", "年度", {"rows": visit.years, "writes": visit.may(Action.WRITE_CYCLES)})


def one_year(visit: Visit, year: int) -> Shown:
    """Show a year on one page: its plan, its days and what each inherits, its notices."""
    if not visit.may(Action.READ_SCHOOL):
        raise NotFound
    cycle = visit.body(CYCLE, {"year": year})
    values = {"cycle": cycle, "year": year, "writes": visit.may(Action.WRITE_CYCLES), "stage_of": Stage}
    return Shown("year.html", f"{year}年度", values, trail=[("/office/years", "年度")])


def people(visit: Visit) -> Shown:
    """Show accounts, posts and substitutes, as far as this visitor sees them."""
    values = {
        "accounts": visit.items("/accounts") if visit.may(Action.READ_ACCOUNTS) else None,
        "appointments": visit.items("/appointments") if visit.may(Action.READ_APPOINTMENTS) else None,
        "writes_accounts": visit.may(Action.WRITE_ACCOUNTS),
        "writes_people": visit.may(Action.WRITE_PEOPLE),
        "imports": visit.may(Action.IMPORT_ROSTER),
    }
    if values["accounts"] is None and values["appointments"] is None:
        raise NotFound
    return Shown("people.html", "人员", values)


PAGES = (
    PageRoute("/office/exceptions", exceptions),
    PageRoute("/office/letters", letters),
    PageRoute("/office/years", years),
    PageRoute(f"/office/years{YEAR}", one_year),
    PageRoute("/office/people", people),
)
