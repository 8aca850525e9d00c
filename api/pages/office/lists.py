"""The office's lists (党办的清单): what is missing, letters, years, people."""

from __future__ import annotations

from typing import Any

from flask import request as http

from api.frame.address import CYCLE
from api.pages.frame.addresses import YEAR
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.errors import Invalid, NotFound
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action

PAGE_SIZE = "200"


def _year(visit: Visit) -> int:
    """Return the year at work. Raises NotFound while there is none."""
    if visit.year is None:
        raise NotFound
    return visit.year


def _asked(*names: str) -> dict[str, str]:
    """Return the filters that stand in the address, empty ones left out."""
    return {name: wanted for name in (*names, "after") if (wanted := http.args.get(name, "").strip())}


def exceptions(visit: Visit) -> Shown:
    """Show all that is missing in the school, by branch, or of one clause or unit."""
    year, asked = _year(visit), _asked("clause", "unit")
    body: Any = visit.body(f"{CYCLE}/exceptions", {"year": year}, {"limit": PAGE_SIZE, **asked})
    clauses = visit.body(CYCLE, {"year": year})["clauses"]
    values = {"rows": body["items"], "following": body["next"], "year": year, "asked": asked, "clauses": clauses}
    return Shown("exceptions.html", "缺项", values)


def letters(visit: Visit) -> Shown:
    """Show who was told what, and whether the letter was sent."""
    year, asked, wrong = _year(visit), _asked("branch", "recipient"), ""
    try:
        body: Any = visit.body(f"{CYCLE}/letters", {"year": year}, {"limit": PAGE_SIZE, **asked})
    except Invalid as refusal:
        body, wrong = {"items": [], "next": None}, refusal.detail.zh
    values = {"rows": body["items"], "following": body["next"], "year": year, "asked": asked, "wrong": wrong}
    return Shown("letters.html", "通知", values)


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
