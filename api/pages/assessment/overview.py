"""The list of assessments (考核一览): each branch's inputs and stage, and the tables to type through.

Many branches are set at once by the bulk acts: the mode of report by ticks, sessions and proposals
as one table each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request as http

from api.frame.address import CYCLE
from api.pages.frame.addresses import YEAR
from api.pages.frame.visit import MOST, PageRoute, Shown, Visit
from workflow.assessment import KIND
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import STAGES, ReportMode, Stage
from workflow.people.access import Action

PROPOSING = (Stage.COLLECTING, Stage.SUMMARISED)
"""The stages in which the office still writes its proposal."""
TABLES = {"sessions": "现场述职场次", "proposals": "考核结果建议"}


def overview(visit: Visit, year: int) -> Shown:
    """Show the assessment of every branch, or one of the tables that are typed through."""
    if not visit.may(Action.READ_SCHOOL):
        raise NotFound
    asked = {name: http.args[name] for name in ("unit", "after") if http.args.get(name)}
    page = visit.body(f"{CYCLE}/assessments", {"year": year}, {"limit": MOST, **asked})
    sheets = {each["branch"]["code"]: each for each in visit.body(f"{CYCLE}/summary", {"year": year}, {"limit": MOST, **asked})["items"]}
    rows = [_row(each, sheets.get(each["branch"]["code"])) for each in page["items"]]
    table = http.args.get("table", "")
    assesses = visit.may(Action.ASSESS)
    values = {
        "year": year,
        "rows": rows,
        "following": page["next"],
        "asked": asked,
        "counts": [(stage, sum(row["stage"] is stage for row in rows)) for stage in STAGES[KIND.kind]],
        "assesses": assesses,
        "modes": list(ReportMode),
        "results": results_of(visit.body(CYCLE, {"year": year})),
        "table": table,
        "ready": {stage: [row for row in rows if row["stage"] is stage and row["ended"] is None] for stage in PROPOSING},
    }
    if assesses and table in TABLES:
        return Shown(f"assessment_{table}.html", TABLES[table], values, trail=trail_of(year))
    return Shown("assessments.html", "党委考核", values)


def trail_of(year: int) -> list[tuple[str, str]]:
    """Return the way to a page below the list."""
    return [(f"/{year}/", f"{year}年度"), (f"/{year}/assessments", "党委考核")]


def results_of(cycle: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Return the results that the plan of a year knows, each with its word."""
    return [(each["key"], each["word"]) for each in cycle["rules"]["branch_results"]]


def _row(row: Mapping[str, Any], sheet: Mapping[str, Any] | None) -> dict[str, Any]:
    """Join the stage of a branch with its sheet."""
    found = sheet or {}
    report, checked = found.get("duty_report") or {}, found.get("clean_government") or {}
    return {
        **row,
        "stage": Stage(row["stage"]),
        "submitted": bool(report.get("submitted")),
        "late": bool(report.get("late")),
        "told": found.get("main_work") is not None,
        "checked": bool(checked.get("checked")),
        "missing": found.get("missing") or [],
        "attendance": [each["rate"] for each in (found.get("attendance") or {}).values()],
        "appraisal": getattr(found.get("committee_appraisal"), "good_rate", None),
        "proposal": found.get("proposal"),
    }


PAGES = (PageRoute(f"{YEAR}/assessments", overview),)
