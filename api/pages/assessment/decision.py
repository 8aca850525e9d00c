"""The decision of the committee (党委会决定): entered by the office, confirmed, published.

The inputs that the committee had before it stand side by side with the result of each branch.
"""

from __future__ import annotations

from typing import Any

from api.frame.address import CYCLE
from api.pages.assessment.overview import results_of, trail_of
from api.pages.frame.addresses import YEAR
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Role, Stage
from workflow.people.access import Action


def decision(visit: Visit, year: int) -> Shown:
    """Show the last decision of a year, with what can be done about it; the list, to branches."""
    body: Any = visit.body_if_any(f"{CYCLE}/decision", {"year": year})
    if not visit.may(Action.READ_SCHOOL):
        if body is None:
            raise NotFound
        return Shown("decision_list.html", "优秀党支部", {"body": body, "year": year})
    cycle = visit.body(CYCLE, {"year": year})
    pending = body is not None and body["confirmed_at"] is None and body["withdrawn"] is None and body["rejected"] is None
    enters = visit.may(Action.ASSESS) and not pending
    values = {
        "year": year,
        "body": body,
        "pending": pending,
        "published": body is not None and body["published_at"] is not None,
        "confirmed": body is not None and body["confirmed_at"] is not None,
        "confirms": visit.may(Action.CONFIRM_DECISION),
        "assesses": visit.may(Action.ASSESS),
        "kinds": cycle["rules"]["activity_kinds"],
        "results": results_of(cycle),
        "names": {row["staff_no"]: row["name"] for row in _committee(visit)},
        "earlier": [row for row in visit.items(f"{CYCLE}/decisions", {"year": year}) if body is None or row["id"] != body["id"]],
        "table": _to_decide(visit, year) if enters else [],
        "enters": enters,
        "before": [(row["staff_no"], row["name"]) for row in _committee(visit) if row["ends_on"] is None],
    }
    return Shown("decision.html", "党委会决定", values, trail=trail_of(year))


def _committee(visit: Visit) -> list[Any]:
    """Return the members of the committee with an account, former ones too."""
    if not visit.may(Action.READ_APPOINTMENTS):
        return []
    return [{"ends_on": None, **row} for row in visit.whole("/appointments") if row.get("role") == Role.COMMITTEE]


def _to_decide(visit: Visit, year: int) -> list[Any]:
    """Return the sheets of the branches that the office has proposed a result for."""
    sheets = visit.whole(f"{CYCLE}/summary", {"year": year})
    return [sheet for sheet in sheets if sheet["stage"] in (Stage.PROPOSED, Stage.DECIDED, Stage.PUBLISHED)]


PAGES = (PageRoute(f"{YEAR}/decision", decision),)
