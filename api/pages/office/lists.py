"""The office's lists (党办的清单): what is missing, and the letters."""

from __future__ import annotations

from typing import Any

from flask import request as http

from api.frame.address import CYCLE
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.errors import Invalid, NotFound

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


PAGES = (PageRoute("/office/exceptions", exceptions), PageRoute("/office/letters", letters))
