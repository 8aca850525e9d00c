"""Activities of the year and their attendance sheets, in short acts.

For each of their requirements there is a situation that lacks it and one that meets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, caller
from tests.support.situations import Situation
from tests.support.workbooks import Row, workbook_of
from workflow.assessment.activities import Activity, Attendance, activity_of, record_activity
from workflow.assessment.attendance import SHEET, AttendanceImport, apply_attendance, attendance_import_of, preview_attendance
from workflow.year.cycle import Cycle, Process

HEADINGS = ("学工号", "姓名", "所在党支部", "出勤情况")
BRANCH_OF = {**dict.fromkeys(("张三", "李四", "钱七", "王五", "孙八"), "D0101党支部"), **dict.fromkeys(("赵六", "吴十", "郑一"), "D0201党支部")}
"""The two branches of ``builders.a_school``."""
OF_BOTH = {"张三": "出勤", "李四": "出勤", "王五": "请假", "赵六": "出勤", "吴十": "缺勤"}
HELD_ON = date(2024, 10, 10)


def an_activity(session: Session, cycle: Cycle, **fields: Any) -> Activity:
    """Let the office record an activity that was held in October."""
    body = {"kind": "study", "name": "主题党日", "held_on": HELD_ON, **fields}
    return record_activity(session, cycle, body, by=caller(session, "office"), now=NOW)


def sheet_rows(presence: Mapping[str, str] = OF_BOTH) -> list[Row]:
    """Make a row for each of the cast by name, as in the sheet; the first is in row 2."""
    return [{"学工号": STAFF_NO[name], "姓名": name, "所在党支部": BRANCH_OF[name], "出勤情况": words} for name, words in presence.items()]


def a_sheet(rows: Sequence[Row], *, headings: Sequence[str] = HEADINGS, name: str = SHEET) -> bytes:
    """Make the xlsx of these rows."""
    return workbook_of({name: (headings, rows)})


def read(session: Session, activity: Activity, data: bytes) -> AttendanceImport:
    """Let the office upload a workbook for an activity, and preview it."""
    cycle = session.get_one(Cycle, activity.cycle_id)
    return preview_attendance(session, cycle, activity, data, file_name="出勤表.xlsx", by=caller(session, "office"), now=NOW)


def applied(session: Session, activity: Activity, row: AttendanceImport) -> dict[str, int]:
    """Let the office apply a sheet; give the number of changed lines."""
    cycle = session.get_one(Cycle, activity.cycle_id)
    held = activity_of(session, cycle, activity.id, held=True)
    return apply_attendance(session, cycle, held, attendance_import_of(session, held, row.id, held=True), by=caller(session, "office"), now=NOW)


def attended(session: Session, activity: Activity, presence: Mapping[str, str] = OF_BOTH) -> dict[str, int]:
    """Upload and apply a sheet without a fault."""
    row = read(session, activity, a_sheet(sheet_rows(presence)))
    assert row.applicable, row.problems
    return applied(session, activity, row)


def lines(session: Session, activity: Activity) -> dict[str, tuple[str, int]]:
    """Read the valid attendance: presence and process by 学工号."""
    rows = session.execute(select(Attendance.staff_no, Attendance.presence, Attendance.process_id).where(Attendance.activity_id == activity.id))
    return {staff_no: (presence.value, process_id) for staff_no, presence, process_id in rows}


# ── a situation that lacks each requirement, and one that has it ──────────────────────────────────────────────────────


def _held(session: Session, process: Process) -> Activity:
    return an_activity(session, process.cycle)


def _held_and_attended(session: Session, process: Process) -> None:
    attended(session, _held(session, process), {"张三": "出勤"})


SITUATIONS: dict[str, Situation] = {"activities_without_attendance": Situation(met=_held_and_attended, unmet=_held)}
"""By the requirement's name."""
