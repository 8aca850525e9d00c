"""Activities (集中活动): what was held, who came, and the sheet that says so."""

from __future__ import annotations

from typing import Any

from api.assessment.activities import SHEET
from api.frame.address import CYCLE
from api.pages.frame.addresses import page_of
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Presence
from workflow.people.access import Action

HERE = "/office/activities"


def activities(visit: Visit) -> Shown:
    """Show the activities of the year at work, each with how many came."""
    year = visit.year
    if year is None or not visit.may(Action.READ_SCHOOL):
        raise NotFound
    values = {
        "year": year,
        "rows": visit.items(f"{CYCLE}/activities", {"year": year}),
        "kinds": visit.body(CYCLE, {"year": year})["rules"]["activity_kinds"],
        "records": visit.may(Action.ASSESS),
        "at": f"/office/years/{year}/activities",
    }
    return Shown("activities.html", "集中活动", values, trail=[(f"/{year}/assessments", "党委考核")])


def attendance(visit: Visit, year: int, record_id: int, sheet_id: int) -> Shown:
    """Show an attendance sheet as it was read: its problems, and what applying it changes."""
    row: Any = visit.body(SHEET, {"year": year, "record_id": record_id, "sheet_id": sheet_id})
    at = f"/office/years/{year}/activities/{record_id}"
    values = {
        "row": row,
        "at": f"{at}/attendance-imports/{sheet_id}",
        "again": f"{at}/attendance-imports/new",
        "counts": [(each.zh, row["summary"].get(each.value, 0)) for each in Presence],
        "errors": [each for each in row["problems"] if each["severity"] == "error"],
        "warnings": [each for each in row["problems"] if each["severity"] != "error"],
    }
    return Shown("attendance_preview.html", "核对出勤表", values, trail=[(HERE, "集中活动")])


PAGES = (PageRoute(HERE, activities), PageRoute(page_of(SHEET), attendance))
