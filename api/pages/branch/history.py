"""The history of a branch (历史): who did what and when, as sentences, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from flask import request as http

from api.frame.address import BRANCH
from api.pages.branch.place import BranchPlace
from api.pages.branch.sentences import Sentence, Writer
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.vocabulary import SCHOOL_ZONE

RECENT = "60"
"""The rows of which the workbench tells the newest sentences."""


def history(visit: Visit, year: int, code: str) -> Shown:
    """Show the changes of a branch as sentences, by day."""
    place = BranchPlace(visit, year, code)
    after = {"after": http.args["after"]} if "after" in http.args else {}
    body = visit.body(f"{BRANCH}/history", place.address, {"newest": "true", "limit": "200", **after})
    days = by_day(Writer(place).sentences(body["items"]))
    values = {"days": days, "older": body["next"], "at": f"{place.path}/history", "first": not after}
    return Shown("history.html", "历史", values, trail=place.trail)


def by_day(sentences: Sequence[Sentence]) -> list[tuple[date, list[Sentence]]]:
    """Group sentences by the school's day on which they happened."""
    return [(day, list(rows)) for day, rows in groupby(sentences, lambda each: each.at.astimezone(SCHOOL_ZONE).date())]


def recent(place: BranchPlace, most: int) -> list[Sentence]:
    """Return the newest sentences; none where the history is not this visitor's to read."""
    return Writer(place).sentences(place.items("history", {"newest": "true", "limit": RECENT}), most)


PAGES = (PageRoute(f"{OF_BRANCH}/history", history),)
