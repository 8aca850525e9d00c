"""The roster (导入名册): a workbook is sent, read as a page, and applied by a page of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.frame.address import NUMBER
from api.pages.frame.visit import PageRoute, Shown, Visit
from api.school.roster import ONE
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Post
from workflow.people.access import Action

HERE = "/office/roster"


def start(visit: Visit) -> Shown:
    """Show how a roster is brought in, with the form that sends the workbook."""
    if not visit.may(Action.IMPORT_ROSTER):
        raise NotFound
    return Shown("roster.html", "导入名册", trail=[("/office/people", "人员")])


def preview(visit: Visit, import_id: int) -> Shown:
    """Show a workbook as it was read: its problems, and all that applying it will change."""
    row: Any = visit.body(ONE, {"import_id": import_id})
    summary = row["summary"]
    errors = [each for each in row["problems"] if each["severity"] == "error"]
    values = {
        "row": row,
        "at": f"{HERE}/{import_id}",
        "summary": summary,
        "errors": errors,
        "warnings": [each for each in row["problems"] if each["severity"] != "error"],
        # What somebody has to confirm by its number is an error that applying can overcome.
        "guarded": bool(errors) and "gone" in summary,
        "posts": [(words, _posts(summary.get(name) or [])) for name, words in (("given", "新任职务"), ("ended", "结束职务"))],
        "changes": any(summary.get(name) for name in _CHANGES),
    }
    return Shown("roster_preview.html", "核对名册", values, trail=[("/office/people", "人员"), (HERE, "导入名册")])


_CHANGES = ("new_branches", "changed_branches", "new_members", "changed_members", "moved", "gone", "given", "ended")


def _posts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "words": row["title"] or Post(row["post"]).zh, "day": row.get("starts_on") or row.get("ends_on")} for row in rows]


PAGES = (PageRoute(HERE, start), PageRoute(f"{HERE}/<{NUMBER}:import_id>", preview))
