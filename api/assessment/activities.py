"""The activities of the year (集中活动), and who was there (出勤)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from flask import request as http
from typing_extensions import TypedDict

from api.frame.address import BASE, CYCLE, NUMBER
from api.frame.base import Answer, Request, Routes
from api.frame.lists import Page, after_of, listed, number
from api.frame.records import ReasonBody
from api.frame.shapes import Listed, RecordShape, record_shape
from api.frame.uploads import ImportShape, import_shape, sent_workbook
from workflow.assessment.activities import (
    Activity,
    ActivityBody,
    Turnout,
    activities_of,
    activity_of,
    amend_activity,
    record_activity,
    turnouts,
    withdraw_activity,
)
from workflow.assessment.attendance import AttendanceImport, apply_attendance, attendance_import_of, preview_attendance
from workflow.foundation.fields import one_of
from workflow.foundation.vocabulary import ActivityKind
from workflow.people.access import Action
from workflow.year.cycle import Cycle, cycle_by_year

routes = Routes()
EVERY = f"{CYCLE}/activities"
ONE = f"{EVERY}/<{NUMBER}:record_id>"
SHEETS = f"{ONE}/attendance-imports"
SHEET = f"{SHEETS}/<{NUMBER}:sheet_id>"


class TurnoutShape(TypedDict):
    """How many of the whole school were expected, came, were on leave and stayed away, as the sheet says."""

    expected: int
    present: int
    on_leave: int
    absent: int


class ActivityShape(RecordShape):
    """An activity of the year. ``imported``: whether its attendance sheet was applied."""

    kind: ActivityKind
    name: str
    held_on: date
    expected: int | None
    imported: bool
    attendance: TurnoutShape


class ActivitiesQuery(Page):
    """Which activities."""

    kind = one_of(ActivityKind)


def activity_shape(row: Activity, counted: Mapping[int, Turnout]) -> ActivityShape:
    turnout = counted.get(row.id)
    return {
        "kind": row.kind,
        "name": row.name,
        "held_on": row.held_on,
        "expected": row.expected,
        "imported": turnout is not None,
        "attendance": asdict(turnout or Turnout()),  # type: ignore[typeddict-item]
        **record_shape(row),
    }


def _answer(request: Request, row: Activity) -> Answer:
    return Answer(activity_shape(row, turnouts(request.session, [row.id])), version=row.version)


def _year(request: Request, year: int) -> Cycle:
    return cycle_by_year(request.session, year)


Found = tuple[Cycle, Activity]


def _one(request: Request, year: int, record_id: int) -> Found:
    cycle = cycle_by_year(request.session, year)
    return cycle, activity_of(request.session, cycle, record_id)


def _held(request: Request, year: int, record_id: int) -> Found:
    cycle = cycle_by_year(request.session, year)
    return cycle, activity_of(request.session, cycle, record_id, held=True)


@routes.get(EVERY, action=Action.READ_ACTIVITIES, find=_year, query=ActivitiesQuery, answers=Listed[ActivityShape])
def list_activities(request: Request, cycle: Cycle, query: dict[str, Any]) -> Any:
    """Activities in the order they were recorded, those taken back included, each with how many came."""
    after = after_of(query, 0, number)
    rows = activities_of(request.session, cycle, kind=query.get("kind"), after=after, limit=query["limit"] + 1)
    counted = turnouts(request.session, [row.id for row in rows])
    return listed(rows, query, lambda row: activity_shape(row, counted), lambda row: row.id)


@routes.post(EVERY, action=Action.ASSESS, find=_year, body=ActivityBody, answers=ActivityShape, status=201)
def record(request: Request, cycle: Cycle, body: dict[str, Any]) -> Any:
    """Record an activity that was held or is planned."""
    row = record_activity(request.session, cycle, body, by=request.by, now=request.now)
    return Answer(activity_shape(row, {}), 201, version=row.version, location=f"{BASE}/cycles/{cycle.year}/activities/{row.id}")


@routes.get(ONE, action=Action.READ_ACTIVITIES, find=_one, answers=ActivityShape)
def read_activity(request: Request, found: Found) -> Any:
    """One activity, with its ETag."""
    return _answer(request, found[1])


@routes.patch(ONE, action=Action.ASSESS, find=_held, body=ActivityBody, answers=ActivityShape)
def amend(request: Request, found: Found, body: dict[str, Any]) -> Any:
    """Correct one; the old values stay in the history."""
    cycle, row = found
    amend_activity(request.session, cycle, row, body, seen=request.seen, now=request.now)
    return _answer(request, row)


@routes.post(f"{ONE}/withdraw", action=Action.ASSESS, find=_held, body=ReasonBody, answers=ActivityShape)
def withdraw(request: Request, found: Found, body: dict[str, Any]) -> Any:
    """The office takes one back, with a reason; its attendance stops counting."""
    cycle, row = found
    withdraw_activity(request.session, cycle, row, by=request.by, now=request.now, reason=body["reason"])
    return _answer(request, row)


# ── attendance ────────────────────────────────────────────────────────────────────────────────────────────────────────


class AppliedAttendanceShape(ImportShape):
    """A sheet that was applied, with how many lines that changed: 0 the second time."""

    changed: dict[str, int]


@routes.post(SHEETS, action=Action.ASSESS, find=_one, upload=True, answers=ImportShape, status=201)
def preview(request: Request, found: Found) -> Any:
    """Read an attendance sheet: every problem by sheet, row and heading, and what applying it will change. Changes nothing."""
    cycle, activity = found
    file = sent_workbook(AttendanceImport)
    row = preview_attendance(request.session, cycle, activity, file.data, file_name=file.name, by=request.by, now=request.now)
    return Answer(import_shape(row), 201, location=f"{BASE}/cycles/{cycle.year}/activities/{activity.id}/attendance-imports/{row.id}")


def _sheet(request: Request, year: int, record_id: int, sheet_id: int) -> tuple[Cycle, Activity, AttendanceImport]:
    applies = http.method == "POST"
    cycle, activity = (_held if applies else _one)(request, year, record_id)
    return cycle, activity, attendance_import_of(request.session, activity, sheet_id, held=applies)


@routes.get(SHEET, action=Action.ASSESS, find=_sheet, answers=ImportShape)
def read_sheet(request: Request, found: tuple[Cycle, Activity, AttendanceImport]) -> Any:
    """A sheet as it was read."""
    return import_shape(found[2])


@routes.post(f"{SHEET}/apply", action=Action.ASSESS, find=_sheet, answers=AppliedAttendanceShape)
def apply(request: Request, found: tuple[Cycle, Activity, AttendanceImport]) -> Any:
    """Apply it, all or nothing; it replaces the attendance of the activity whole. Again, with no second effect."""
    cycle, activity, row = found
    changed = apply_attendance(request.session, cycle, activity, row, by=request.by, now=request.now)
    return {**import_shape(row), "changed": changed}
