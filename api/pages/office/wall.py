"""The wall (进度): the whole school at a glance, all branches by unit."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import request as http

from api.frame.address import CYCLE
from api.pages.frame.addresses import YEAR
from api.pages.frame.visit import Elsewhere, PageRoute, Shown, Visit
from workflow.foundation.errors import Forbidden
from workflow.foundation.vocabulary import ENDED, MAIN, STAGES

FILTERS = ("stage", "overdue", "unit", "q")


def wall(visit: Visit, year: int) -> Shown | Elsewhere:
    """Show the figures of a year and the row of every branch."""
    try:
        figures: Any = visit.body(f"{CYCLE}/progress", {"year": year})
    except Forbidden:
        # Without a wall, the own desk.
        return Elsewhere("/")
    cycle = visit.body(CYCLE, {"year": year})
    wanted = {name: http.args[name] for name in FILTERS if http.args.get(name)}
    rows = _all_rows(visit, year, wanted)
    filed = sum(figures["by_stage"][stage] for stage in ENDED[MAIN])
    values = {
        "year": year,
        "cycle": cycle,
        "figures": figures,
        "filed": filed,
        "bars": [(stage, figures["by_stage"][stage]) for stage in STAGES[MAIN]],
        "units": [(unit, list(group)) for unit, group in groupby(rows, key=lambda row: row["branch"]["unit"])],
        "wanted": wanted,
        "stages": STAGES[MAIN],
    }
    return Shown("wall.html", str(cycle["title"]), values)


def _all_rows(visit: Visit, year: int, wanted: dict[str, str]) -> list[Any]:
    """Return the rows of all branches, by unit."""
    rows: list[Any] = []
    after: str | None = None
    while True:
        page = visit.body(f"{CYCLE}/branches", {"year": year}, {**wanted, "limit": "200", **({"after": after} if after else {})})
        rows += page["items"]
        after = page["next"]
        if after is None:
            break
    # By unit in the order in which its first branch comes.
    order: dict[str, int] = {}
    for row in rows:
        order.setdefault(row["branch"]["unit"], len(order))
    return sorted(rows, key=lambda row: (order[row["branch"]["unit"]], row["branch"]["code"]))


PAGES = (PageRoute(f"{YEAR}/", wall),)
