"""Importing a roster (导入名册)."""

from __future__ import annotations

from typing import Any

from flask import request as http

from api.frame.address import BASE, NUMBER
from api.frame.base import Answer, Request, Routes
from api.frame.uploads import ImportShape, import_shape, sent_workbook
from workflow.people.access import Action
from workflow.roster.imports import RosterImport, apply_import, preview_import
from workflow.roster.workbook import read_workbook
from workflow.workbooks.imports import import_by_id

routes = Routes()
ONE = f"/roster-imports/<{NUMBER}:import_id>"


class AppliedShape(ImportShape):
    changed: dict[str, Any]


@routes.post("/roster-imports", action=Action.IMPORT_ROSTER, upload=True, answers=ImportShape, status=201)
def preview(request: Request) -> Any:
    """Read a workbook: every problem by sheet, row and heading, and what applying it will change. Changes nothing."""
    file = sent_workbook(RosterImport)
    row = preview_import(request.session, read_workbook(file.data, today=request.today), file_name=file.name, by=request.by.staff_no, now=request.now)
    return Answer(import_shape(row), 201, location=f"{BASE}/roster-imports/{row.id}")


def _import(request: Request, import_id: int) -> RosterImport:
    return import_by_id(request.session, RosterImport, import_id, for_update=http.method == "POST")


@routes.get(ONE, action=Action.IMPORT_ROSTER, answers=ImportShape, find=_import)
def read_import(request: Request, row: RosterImport) -> Any:
    """A workbook as it was read."""
    return import_shape(row)


@routes.post(f"{ONE}/apply", action=Action.IMPORT_ROSTER, answers=AppliedShape, find=_import)
def apply(request: Request, row: RosterImport) -> Any:
    """Apply it, all or nothing. Again, with no second effect."""
    changed = apply_import(request.session, row, by=request.by.staff_no, now=request.now)
    return {**import_shape(row), "changed": changed.summary}
