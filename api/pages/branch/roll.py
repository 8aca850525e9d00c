"""The roll of a branch (名册): its people, who is excused, who left; and the reasons given."""

from __future__ import annotations

from api.frame.address import BRANCH
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.visit import PageRoute, Shown, Visit
from api.pages.records import trail_of
from workflow.machine.asked import BY_NAME
from workflow.people.access import Action


def roll(visit: Visit, year: int, code: str) -> Shown:
    """Show the people of a branch in a year."""
    rows = visit.items(f"{BRANCH}/roll", {"year": year, "code": code})
    values = {
        "rows": rows,
        "whole": bool(rows) and "standing" in rows[0],
        "edits": visit.may(Action.EDIT_ROLL, code),
        "confirms": visit.may(Action.CONFIRM_EXCUSE, code),
        "at": f"/{year}/{code}/roll",
    }
    return Shown("roll.html", "名册", values, trail=trail_of(visit, {"year": year, "code": code}))


def reasons(visit: Visit, year: int, code: str) -> Shown:
    """Show the reasons given in place of what is missing."""
    rows = visit.items(f"{BRANCH}/waivers", {"year": year, "code": code})
    clauses = {name: each.sentence for name, each in BY_NAME.items()}
    values = {
        "rows": rows,
        "clauses": clauses,
        "at": f"/{year}/{code}/reasons",
        "gives": visit.may(Action.WAIVE, code),
        "decides": visit.may(Action.DECIDE_WAIVER, code),
    }
    return Shown("reasons.html", "理由", values, trail=trail_of(visit, {"year": year, "code": code}))


PAGES = (PageRoute(f"{OF_BRANCH}/roll", roll), PageRoute(f"{OF_BRANCH}/reasons", reasons))
