"""Rules for every import of a workbook: kept, found, refused with errors, marked once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tests.support.builders import NOW
from workflow.foundation.database import NAMING, Base, constraint
from workflow.foundation.errors import Conflict, NotFound
from workflow.roster.imports import RosterImport
from workflow.workbooks.imports import WorkbookImport, import_by_id, keep_import, mark_applied, must_be_applicable
from workflow.workbooks.sheets import SheetProblem

PROBLEM = SheetProblem("党员", 2, "姓名", "error", "缺少姓名")


def kept(session: Session, *, applicable: bool = True) -> RosterImport:
    problems = [] if applicable else [PROBLEM]
    return keep_import(
        session, RosterImport(roster={}), file_name="名册.xlsx", problems=problems, summary={}, applicable=applicable, by="office", now=NOW
    )


def a_table() -> Table:
    """Declare the table of a kind of import that the school does not have."""

    class Elsewhere(DeclarativeBase):
        metadata = MetaData(naming_convention=NAMING)
        type_annotation_map = Base.type_annotation_map

    class SignIns(WorkbookImport, Elsewhere):
        __tablename__ = "sign_ins"

        signed: Mapped[dict[str, Any]] = mapped_column(JSONB)

    table = SignIns.__table__
    assert isinstance(table, Table)
    return table


def test_what_a_kind_adds_stands_between_the_problems_and_the_summary() -> None:
    about = ["summary", "applicable", "recorded_by", "recorded_at", "applied_by", "applied_at", "id"]
    assert [column.name for column in a_table().columns] == ["file_name", "problems", "signed", *about]


def test_every_kind_has_a_check_of_its_own() -> None:
    assert [each.name for each in a_table().constraints if isinstance(each, CheckConstraint)] == ["ck_sign_ins_applied"]


def test_a_workbook_is_kept_with_its_problems_and_found_again(session: Session) -> None:
    row = kept(session, applicable=False)
    session.expire_all()
    found = import_by_id(session, RosterImport, row.id)
    assert found.problems == [PROBLEM.as_json()]
    assert (found.file_name, found.applicable, found.recorded_by, found.recorded_at) == ("名册.xlsx", False, "office", NOW)
    assert (found.applied_by, found.applied_at) == (None, None)


def test_what_is_not_there_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        import_by_id(session, RosterImport, 2**40, for_update=True)


def test_one_with_errors_is_refused_in_the_words_of_its_kind(session: Session) -> None:
    with pytest.raises(Conflict) as refused:
        must_be_applicable(kept(session, applicable=False))
    assert refused.value.detail.zh == "名册还有错误，改正后重新上传"
    assert refused.value.detail.en == "the roster has errors: mend them and upload it again"
    must_be_applicable(kept(session))


def test_the_first_time_it_was_applied_stands(session: Session) -> None:
    row = kept(session)
    mark_applied(row, by="office", now=NOW)
    mark_applied(row, by="somebody", now=NOW + timedelta(days=1))
    assert (row.applied_by, row.applied_at) == ("office", NOW)


def test_the_table_itself_lets_none_with_errors_be_applied(session: Session) -> None:
    row = kept(session, applicable=False)
    mark_applied(row, by="office", now=NOW)
    with pytest.raises(IntegrityError) as refused:
        session.flush()
    assert constraint(refused.value) == "ck_roster_import_applied"
