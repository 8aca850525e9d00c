"""Importing a roster (导入名册)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import request
from typing_extensions import TypedDict

from api.address import BASE, NUMBER
from api.base import Answer, Asked, Routes, service
from api.errors import TooLarge
from workflow.errors import Invalid, Words
from workflow.people.access import Action
from workflow.roster.imports import RosterImport, apply_import, import_by_id, preview_import
from workflow.roster.workbook import read_workbook

routes = Routes()
ONE = f"/roster-imports/<{NUMBER}:import_id>"


class ProblemShape(TypedDict):
    """One finding in a workbook."""

    sheet: str | None
    row: int | None
    heading: str | None
    severity: str
    message: str


class ImportShape(TypedDict):
    """A workbook as it was read."""

    id: int
    file_name: str
    problems: list[ProblemShape]
    summary: dict[str, Any]
    applicable: bool
    applied_at: datetime | None
    recorded_at: datetime


class AppliedShape(ImportShape):
    changed: dict[str, Any]


def import_shape(row: RosterImport) -> ImportShape:
    return {
        "id": row.id,
        "file_name": row.file_name,
        "problems": row.problems,
        "summary": row.summary,
        "applicable": row.applicable,
        "applied_at": row.applied_at,
        "recorded_at": row.recorded_at,
    }


@routes.post("/roster-imports", action=Action.IMPORT_ROSTER, upload=True, answers=ImportShape, status=201)
def preview(asked: Asked) -> Any:
    """Read a workbook: every problem by sheet, row and heading, and what applying it will change. Changes nothing."""
    file = request.files.get("file")
    if file is None:
        raise Invalid({"file": Words("请选择名册文件", "choose a workbook")})
    most = service().settings.upload_bytes
    data = file.read(most + 1)
    if len(data) > most:
        raise TooLarge(Words(f"文件超过 {most // 1024 // 1024} MB", f"the file is larger than {most // 1024 // 1024} MB"))
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1][:200]
    name = "".join(character for character in name if character.isprintable())
    row = preview_import(asked.session, read_workbook(data, today=asked.today), file_name=name, by=asked.by.staff_no, now=asked.now)
    return Answer(import_shape(row), 201, location=f"{BASE}/roster-imports/{row.id}")


def _import(asked: Asked, import_id: int) -> RosterImport:
    return import_by_id(asked.session, import_id, for_update=request.method == "POST")


@routes.get(ONE, action=Action.IMPORT_ROSTER, answers=ImportShape, find=_import)
def read_import(asked: Asked, row: RosterImport) -> Any:
    """A workbook as it was read."""
    return import_shape(row)


@routes.post(f"{ONE}/apply", action=Action.IMPORT_ROSTER, answers=AppliedShape, find=_import)
def apply(asked: Asked, row: RosterImport) -> Any:
    """Apply it, all or nothing. Again, with no second effect."""
    changed = apply_import(asked.session, row, by=asked.by.staff_no, now=asked.now)
    return {**import_shape(row), "changed": changed.summary}
