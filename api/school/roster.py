"""Importing a roster (导入名册)."""

from __future__ import annotations

from typing import Any

from api.frame.address import NUMBER, location
from api.frame.routes import Answer, Routes, Tag
from api.frame.uploads import ImportShape, import_shape
from workflow.people.access import Action
from workflow.roster.imports import APPLY, PREVIEW, RosterImport
from workflow.rules.acts import Call, Done
from workflow.workbooks.imports import import_by_id

routes = Routes(tag=Tag("roster-imports", "导入名册", "importing the roster"))
ONE = f"/roster-imports/<{NUMBER}:import_id>"


class AppliedShape(ImportShape):
    """A roster that was applied, with the numbers of its changes (写入的名册)."""

    changed: dict[str, Any]


@routes.post("/roster-imports", PREVIEW, answers=ImportShape, status=201)
def preview(call: Call[object], row: RosterImport) -> object:
    """Read a workbook; nothing is changed yet.

    The answer lists every problem and what applying the workbook will change.
    """
    return Answer(import_shape(row), location=location(ONE, import_id=row.id))


@routes.get(ONE, action=Action.IMPORT_ROSTER, answers=ImportShape, zh="查看导入")
def read_import(call: Call[object], import_id: int) -> object:
    """Read a workbook that was sent."""
    return import_shape(import_by_id(call.session, RosterImport, import_id))


@routes.post(f"{ONE}/apply", APPLY, answers=AppliedShape)
def apply(call: Call[object], done: Done) -> object:
    """Apply a workbook, all or nothing and once: neither again, nor after a later one.

    Where more than a twentieth of the people or a whole branch is gone, gone confirms the number.
    With only_branches the workbook is about these branches alone.
    """
    return {**import_shape(done.rows[0]), **done.facts}
