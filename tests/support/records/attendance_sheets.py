"""A sheet of attendance over two branches, whole or spoilt, and the problems found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, person
from tests.support.records.assessment_activities import a_sheet, read, sheet_rows
from tests.support.workbooks import Row
from workflow.assessment.activities import Activity
from workflow.assessment.attendance import SHEET, AttendanceImport
from workflow.machine.rolls import rolls_follow
from workflow.people.organisation import Branch
from workflow.year.cycle import Cycle, Process


@dataclass(frozen=True)
class School:
    """Two branches, an activity of the year, and the assessments of the branches."""

    cycle: Cycle
    activity: Activity
    here: Process
    there: Process


def found(row: AttendanceImport) -> list[tuple[int | None, str | None, str, str]]:
    """List the problems of a sheet: row, heading, severity, message."""
    assert {problem["sheet"] for problem in row.problems} <= {SHEET}
    return [(problem["row"], problem["heading"], problem["severity"], problem["message"]) for problem in row.problems]


def spoilt(place: int, **cells: object) -> list[Row]:
    """Make the sheet of both branches with one row changed."""
    rows = sheet_rows()
    rows[place] |= cells
    return rows


def looked_at(session: Session, school: School, rows: Sequence[Row]) -> AttendanceImport:
    return read(session, school.activity, a_sheet(rows))


def moves(session: Session, name: str, to: str) -> None:
    """Transfer a member to another branch, and let the rolls follow."""
    person(session, name).branch_id = session.scalars(select(Branch.id).where(Branch.code == to)).one()
    session.flush()
    rolls_follow(session, now=NOW)
