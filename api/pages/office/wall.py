"""The wall (进度): the whole school at a glance, all branches by unit; and its meeting-room view."""

from __future__ import annotations

import json
from typing import Any

from flask import request as http

from api.frame.address import CYCLE
from api.pages.frame.addresses import YEAR
from api.pages.frame.visit import MOST, Elsewhere, PageRoute, Shown, Visit
from api.pages.office.burn_up import drawn
from api.pages.office.rows import FILTERS, SORTS, Wanted, in_order, row_of, units_of
from workflow.foundation.errors import Forbidden
from workflow.foundation.vocabulary import ENDED, MAIN, STAGES

FOLDS_FROM = 200
"""The number of branches above which units are folded."""


def wall(visit: Visit, year: int) -> Shown | Elsewhere:
    """Show the figures of a year and the row of every branch."""
    try:
        answer = visit.read(f"{CYCLE}/progress", {"year": year})
    except Forbidden:
        # Without a wall, the own desk.
        return Elsewhere("/")
    figures: Any = answer.body
    meeting = http.args.get("view") == "wall"
    wanted = Wanted.read(http.args)
    # After the figures: the cursor among them is older than the rows, so nothing is missed.
    rows = [row_of(each, year, visit.call.today, wanted) for each in visit.whole(f"{CYCLE}/branches", {"year": year})]
    cycle = visit.body(CYCLE, {"year": year})
    todos = visit.todos
    values = {
        "year": year,
        "cycle": cycle,
        "days_left": _days_left(visit, cycle),
        "figures": figures,
        "waiting": f"{len(todos)}{'+' if len(todos) == int(MOST) else ''}",
        "filed": sum(figures["by_stage"][stage] for stage in ENDED[MAIN]),
        "bars": [(stage, figures["by_stage"][stage], stage in ENDED[MAIN]) for stage in STAGES[MAIN]],
        "burn": drawn(visit.body(f"{CYCLE}/burn-up", {"year": year}), visit.call.today),
        "units": units_of(rows),
        "rows": in_order(rows, wanted.sort),
        "shown": sum(not row.hidden for row in rows),
        "folded": len(rows) > FOLDS_FROM and not wanted.narrow,
        "wanted": wanted,
        "filters": [(name, words, figures[count], wanted.has(name)) for name, words, count in FILTERS],
        "sorts": SORTS,
        "stages": STAGES[MAIN],
        "now": visit.call.now,
        "words": json.dumps({stage.value: stage.zh for stage in STAGES[MAIN]}, ensure_ascii=False),
        "done_stages": " ".join(ENDED[MAIN]),
    }
    return Shown("wall_meeting.html" if meeting else "wall.html", str(cycle["title"]), values)


def _days_left(visit: Visit, cycle: Any) -> int | None:
    """Return the days until all have to file; None while that day is open."""
    day = cycle["days"]["report"]["day"]
    return None if day is None else (day - visit.call.today).days


PAGES = (PageRoute(f"{YEAR}/", wall),)
