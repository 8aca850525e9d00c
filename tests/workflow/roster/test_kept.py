"""Personal data of a workbook: only those that the product needs, and no longer than needed."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY
from tests.support.rosters import a_workbook, committee_rows, member_rows
from tests.support.servers import kept_in
from workflow.roster.imports import RosterImport, apply_import, preview_import
from workflow.roster.workbook import read_workbook

REMARK, JOINED, CONFIRMED = "困难补助对象", date(1991, 2, 3), date(1992, 4, 5)
VALUES = ('"女"', '"男"', REMARK, str(JOINED), str(CONFIRMED))
NAMES = ("gender", "joined_on", "confirmed_on")
"""Names of columns and keys that must not be kept anywhere, and neither must their values."""


def imported(session: Session, *, faulty: bool = False) -> RosterImport:
    """Preview a roster with all fields of its form."""
    members = member_rows()
    for row in members:
        row.update({"备注": REMARK, "入党时间": JOINED, "转正时间": CONFIRMED})
    if faulty:
        members[0]["学工号"] = None
    reading = read_workbook(a_workbook(members, committee_rows()), today=TODAY)
    return preview_import(session, reading, file_name="名册.xlsx", by="office", now=NOW)


def test_of_a_roster_nothing_is_kept_that_nothing_here_needs(session: Session) -> None:
    apply_import(session, imported(session), by="office", now=NOW)
    assert kept_in(session, "李四") == {"person", "roster_import", "history"}
    assert [words for words in (*VALUES, *NAMES) if kept_in(session, words)] == []


def test_a_change_of_what_is_not_kept_changes_nobody(session: Session) -> None:
    apply_import(session, imported(session), by="office", now=NOW)
    again = read_workbook(a_workbook(member_rows(), committee_rows()), today=TODAY)
    found = preview_import(session, again, file_name="名册.xlsx", by="office", now=NOW)
    assert found.summary["changed_members"] == 0


def test_of_a_roster_with_errors_only_the_problems_are_kept(session: Session) -> None:
    row = imported(session, faulty=True)
    errors = [problem["message"] for problem in row.problems if problem["severity"] == "error"]
    assert (errors, row.summary["members"]) == (["缺少学工号"], 2)
    assert kept_in(session, "李四") == set()
