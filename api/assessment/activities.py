"""The activities of the year (集中活动) and their attendance (出勤)."""

from __future__ import annotations

from api.frame.address import CYCLE, NUMBER, location
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import page_of
from api.frame.uploads import ImportShape, import_shape
from workflow.assessment import attendance
from workflow.assessment.activities import (
    ACTIVITIES,
    AMEND,
    RECORD,
    WITHDRAW,
    Activity,
    a_year,
    activities_of,
    activity_of,
    turnouts,
)
from workflow.assessment.attendance import AttendanceImport, attendance_import_of
from workflow.foundation.fields import (
    Line,
    Sent,
    about,
)
from workflow.people.access import Action
from workflow.rules.acts import Call, Done
from workflow.year.cycle import Cycle
from workflow.year.finding import cycle_by_year

routes = Routes(tag=Tag("activities", "集中活动", "activities of the year and their attendance"))
EVERY = f"{CYCLE}/activities"
ONE = f"{EVERY}/<{NUMBER}:record_id>"
SHEETS = f"{ONE}/attendance-imports"
SHEET = f"{SHEETS}/<{NUMBER}:sheet_id>"


class ActivitiesQuery(Page):
    """A page of activities, of one kind or of all."""

    kind = Line(at_most=32, **about("活动种类", "kind of activity", "方案里列的种类", "a kind that the plan names", example="study"))


def _shown(call: Call[object], row: Activity) -> dict[str, object]:
    """Show an activity with the number of people who came."""
    return ACTIVITIES.shown_with(row, turnouts(call.session, [row.id]).get(row.id))


def _year_of(call: Call[object], row: Activity) -> int:
    return call.session.get_one(Cycle, row.cycle_id).year


@routes.get(EVERY, action=Action.READ_ACTIVITIES, find=a_year, query=ActivitiesQuery(), answers=page_of(ACTIVITIES), zh="列出集中活动")
def list_activities(call: Call[object], cycle: Cycle, query: Sent) -> object:
    """List activities in the order they were recorded, each with how many came."""
    after = after_of(query, 0, number)
    rows = activities_of(call.session, cycle, kind=query.get("kind"), after=after, limit=query["limit"] + 1)
    counted = turnouts(call.session, [row.id for row in rows])
    return listed(rows, query, lambda row: ACTIVITIES.shown_with(row, counted.get(row.id)), lambda row: row.id)


@routes.post(EVERY, RECORD, answers=ACTIVITIES, status=201)
def record(call: Call[object], row: Activity) -> object:
    """Record an activity that was held or is planned."""
    return Answer(ACTIVITIES.shown_with(row, None), location=location(ONE, year=_year_of(call, row), record_id=row.id))


@routes.get(ONE, action=Action.READ_ACTIVITIES, answers=ACTIVITIES, zh="查看集中活动")
def read_activity(call: Call[object], year: int, record_id: int) -> object:
    """Read one activity."""
    row = activity_of(call.session, cycle_by_year(call.session, year), record_id)
    return Answer(_shown(call, row), version=row.version)


@routes.patch(ONE, AMEND, answers=ACTIVITIES)
def amend(call: Call[object], row: Activity) -> object:
    """Correct an activity. The old values stay in the history."""
    return _shown(call, row)


@routes.post(f"{ONE}/withdraw", WITHDRAW, answers=ACTIVITIES)
def withdraw(call: Call[object], row: Activity) -> object:
    """Withdraw an activity as the office, with a reason. Its attendance stops counting."""
    return _shown(call, row)


# ── attendance ────────────────────────────────────────────────────────────────────────────────────────────────────────


class AppliedAttendanceShape(ImportShape):
    """A sheet that was applied, with the number of changed lines: 0 the second time (写入的出勤表)."""

    changed: dict[str, int]


@routes.post(SHEETS, attendance.PREVIEW, answers=ImportShape, status=201)
def preview(call: Call[object], row: AttendanceImport) -> object:
    """Read an attendance sheet; nothing is changed yet.

    The answer lists every problem and what applying the sheet will change.
    """
    year = _year_of(call, call.session.get_one(Activity, row.activity_id))
    return Answer(import_shape(row), location=location(SHEET, year=year, record_id=row.activity_id, sheet_id=row.id))


@routes.get(SHEET, action=Action.ASSESS, answers=ImportShape, zh="查看出勤表")
def read_sheet(call: Call[object], year: int, record_id: int, sheet_id: int) -> object:
    """Read an attendance sheet that was sent."""
    activity = activity_of(call.session, cycle_by_year(call.session, year), record_id)
    return import_shape(attendance_import_of(call.session, activity, sheet_id))


@routes.post(f"{SHEET}/apply", attendance.APPLY, answers=AppliedAttendanceShape)
def apply(call: Call[object], done: Done) -> object:
    """Apply an attendance sheet, all or nothing. It replaces the attendance of the activity."""
    return {**import_shape(done.rows[0]), **done.facts}
