"""考核汇总 at the size of a large university: a page of sheets reads no table through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from tests.support.builders import a_school
from tests.support.records.evidence import LARGE, many_branches
from tests.workflow.machine.test_gate_agreement import nodes
from workflow.assessment.summary import sheets
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Kind
from workflow.people.organisation import Branch
from workflow.year.cycle import Process

pytestmark = pytest.mark.slow


def read_through(plan: Any) -> set[str]:
    return {node["Relation Name"] for node in nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"}


def test_among_five_thousand_branches_a_page_of_sheets_reads_no_table_through(engine: Engine, owner_url: str) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    many_branches(owner_url, 5_000)
    with transaction(engine, actor=None) as session:
        for count in (1, 200):
            ids = session.scalars(select(Process.id).join(Branch).where(Process.kind == Kind.ASSESSMENT).order_by(Branch.code).limit(count)).all()
            asked = asked_for(session, ids)
            assert len(asked) == 8
            for sql, parameters in asked:
                ((plan,),) = session.connection().exec_driver_sql(f"explain (analyze, format json) {sql}", parameters).all()
                assert not read_through(plan) & LARGE, (count, json.dumps(plan, ensure_ascii=False))
                assert plan[0]["Execution Time"] < 1000, (count, sql)


def asked_for(session: Session, ids: Any) -> list[tuple[str, Any]]:
    """The statements that make these sheets, with their parameters."""
    asked: list[tuple[str, Any]] = []
    connection = session.connection()

    def listen(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", listen)
    try:
        assert len(sheets(session, ids)) == len(ids)
    finally:
        event.remove(connection, "before_cursor_execute", listen)
    return asked
