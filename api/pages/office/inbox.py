"""The inbox (待我办理): what branches have handed in, each decided where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from api.frame.address import CYCLE
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import MAIN, WORKING_STAGES, Stage
from workflow.people.access import Action

HERE = "/office/inbox"
NAMES_SHOWN = 8
IN_PLACE = frozenset({"filed_and_not_accepted", "reasons_to_approve", "excuses_to_confirm"})
"""The to-dos that have a part of the page of their own."""


@dataclass(frozen=True)
class Waiting:
    """Things of one kind that wait (一类待办): what the plan says, and each with its page."""

    sentence: str
    rows: Sequence[Mapping[str, Any]]
    together: str
    """The page on which all of them are done at once; empty where there is none."""


def inbox(visit: Visit) -> Shown:
    """Show what waits for the office: filed branches, reasons, excuses, receipts, cases."""
    year = visit.year
    if year is None or not visit.may(Action.READ_SCHOOL):
        raise NotFound
    values = {
        "year": year,
        "filed": visit.items(f"{CYCLE}/branches", {"year": year}, {"stage": Stage.FILED.value}),
        "waivers": visit.items(f"{CYCLE}/waivers", {"year": year}, {"pending": "true"}),
        "excuses": visit.items(f"{CYCLE}/excuses", {"year": year}, {"pending": "true"}),
        "others": _others(visit.todos),
        "count": len(visit.todos),
        "decides": visit.may(Action.DECIDE_WAIVER),
        "moves": visit.may(Action.MOVE),
        "stages": WORKING_STAGES[MAIN],
        "clauses": visit.body(CYCLE, {"year": year})["clauses"],
        "own": frozenset(code for code in visit.call.by.branches if visit.call.by.has_post_in(code)),
    }
    return Shown("inbox.html", "待我办理", values)


def _others(todos: Sequence[Mapping[str, Any]]) -> list[Waiting]:
    """Gather the other to-dos by what they ask, in the order of the list."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for each in todos:
        if each["requirement"] not in IN_PLACE:
            kinds.setdefault(each["requirement"], []).append(each)
    return [Waiting(rows[0]["sentence"], [_row(each) for each in rows], _together(name, rows[0])) for name, rows in kinds.items()]


def _together(requirement: str, todo: Mapping[str, Any]) -> str:
    return _TOGETHER.get(requirement, "").format(year=todo["cycle"])


def _row(todo: Mapping[str, Any]) -> dict[str, Any]:
    """Return a to-do with the pages on which it is done, one for each thing where it has some."""
    things = []
    for subject in todo["subjects"][:NAMES_SHOWN]:
        page = _PAGE_OF.get(todo["requirement"])
        if page and subject["id"]:
            things.append((page.format(link=todo["link"], id=quote(subject["id"]), here=HERE), subject["name"]))
    return {**todo, "things": things, "more": todo["count"] - len(things) if things else 0}


_PAGE_OF = {
    "filings_without_a_receipt": "{link}/{id}/receipt?next={here}",
    "cases_to_press": "{link}/{id}",
}
"""The page of each thing of a to-do, where it is done to one thing at a time."""


_TOGETHER = {
    "report_mode_not_set": "/{year}/assessments",
    "session_of_the_report_incomplete": "/{year}/assessments?table=sessions",
    "proposal_incomplete": "/{year}/assessments?table=proposals",
}
"""The page on which a to-do is done for many branches at once."""


PAGES = (PageRoute(HERE, inbox),)
