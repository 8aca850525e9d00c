"""Years (年度): each on one page, with plan, days, what each day inherits, and notices."""

from __future__ import annotations

from typing import Any

from api.frame.address import CYCLE
from api.pages.frame.addresses import YEAR
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.assessment import KIND as ASSESSED
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import MAIN, WORKING_STAGES
from workflow.people.access import Action

HERE = "/office/years"


def years(visit: Visit) -> Shown:
    """Show the years with their plans and states."""
    if not visit.may(Action.READ_SCHOOL):
        raise NotFound
    return Shown("years.html", "年度", {"rows": visit.years, "writes": visit.may(Action.WRITE_CYCLES)})


def one_year(visit: Visit, year: int) -> Shown:
    """Show a year on one page: its plan, its days and what each inherits, its notices."""
    if not visit.may(Action.READ_SCHOOL):
        raise NotFound
    cycle: Any = visit.body(CYCLE, {"year": year})
    kinds = ((MAIN, "各支部的期限"), (ASSESSED.kind, "党委考核的期限"))
    values = {
        "cycle": cycle,
        "year": year,
        "writes": visit.may(Action.WRITE_CYCLES),
        "kinds": [(words, [(stage, cycle["days"][stage.value]) for stage in WORKING_STAGES[kind]]) for kind, words in kinds],
        "at": f"{HERE}/{year}",
    }
    return Shown("year.html", f"{year}年度", values, trail=[(HERE, "年度")])


PAGES = (PageRoute(HERE, years), PageRoute(f"{HERE}{YEAR}", one_year))
