"""The rectification (整改): problems, measures and commitments side by side; publication, filing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from api.frame.address import BRANCH
from api.pages.branch.place import BranchPlace, stands
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class AnsweredProblem:
    """A problem with the measures and commitments that answer it."""

    problem: Mapping[str, Any]
    whose: str
    measures: Rows
    commitments: Rows
    measure_form: str
    commitment_form: str


def rectification(visit: Visit, year: int, code: str) -> Shown:
    """Show each problem with what answers it, and what answers none."""
    visit.body(BRANCH, {"year": year, "code": code})
    place = BranchPlace(visit, year, code)
    problems, measures, commitments = (_standing(place, noun) for noun in ("problems", "measures", "commitments"))
    known = {row["id"] for row in problems}
    open_ = not place.closed(Stage.RECTIFICATION)
    values = {
        "answered": [_answered(place, row, measures, commitments) for row in problems],
        "loose_measures": [row for row in measures if not known & set(row["problems"])],
        "loose_commitments": [row for row in commitments if row["problem"] not in known],
        "without": [row for row in place.present if row["staff_no"] not in {each["staff_no"] for each in commitments}],
        "publications": _standing(place, "publications"),
        "filings": _standing(place, "rectification-filings"),
        "names": place.names,
        "at": place.path,
        "next": f"{place.path}/rectification",
        "finds": open_ and visit.may(Action.RECORD_PROBLEM, code),
        "rectifies": open_ and visit.may(Action.RECTIFY, code),
        "commits": open_ and visit.may(Action.COMMIT, code),
        "receives": visit.may(Action.CONFIRM_RECEIPT, code),
    }
    return Shown("branch/rectification.html", "整改", values, trail=place.trail)


def _standing(place: BranchPlace, noun: str) -> list[Any]:
    return [row for row in place.items(noun) if stands(row)]


def _answered(place: BranchPlace, problem: Mapping[str, Any], measures: Rows, commitments: Rows) -> AnsweredProblem:
    """Gather what answers a problem, and the forms with it filled in."""
    number, whose, back = problem["id"], problem["about"], f"{place.path}/rectification"
    who = {"staff_no": whose} if whose in place.names else {}
    return AnsweredProblem(
        problem,
        place.names.get(whose, "支部委员会"),
        [row for row in measures if number in row["problems"]],
        [row for row in commitments if row["problem"] == number],
        f"{place.path}/measures/new?{urlencode({'problems': number, 'next': back})}",
        f"{place.path}/commitments/new?{urlencode({**who, 'problem': number, 'next': back})}",
    )


def last_year(visit: Visit, year: int, code: str) -> Shown:
    """Show last year's measures, and what earlier years left open."""
    body = visit.body(f"{BRANCH}/measures/last-year", {"year": year, "code": code})
    place = BranchPlace(visit, year, code)
    return Shown("branch/last_year.html", "上年度整改", {"last": body}, trail=place.trail)


PAGES = (PageRoute(f"{OF_BRANCH}/rectification", rectification), PageRoute(f"{OF_BRANCH}/measures/last-year", last_year))
