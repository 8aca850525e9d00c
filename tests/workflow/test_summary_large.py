"""考核汇总 at the size of a large university: neither its requirements nor its sheets read a table through to answer for a few."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from tests.builders import TODAY, a_school
from tests.evidence import LARGE, many_branches, statements
from tests.workflow.test_gate_agreement import nodes
from workflow.assessment.summary import sheets
from workflow.cycle import Process, process_of
from workflow.database import transaction
from workflow.gate import requirements_of, unmet
from workflow.people.organisation import Branch
from workflow.vocabulary import Kind, Stage

pytestmark = pytest.mark.slow


@pytest.fixture
def large(engine: Engine, owner_url: str) -> Engine:
    """Five thousand branches with their assessments."""
    with transaction(engine, actor="cli") as session:
        a_school(session)
    many_branches(owner_url, 5_000)
    return engine


def read_through(plan: Any) -> set[str]:
    return {node["Relation Name"] for node in nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"}


def test_the_gate_of_one_assessment_reads_no_table_through(large: Engine) -> None:
    for stage in (Stage.SUMMARISED, Stage.PROPOSED):
        with transaction(large, actor=None) as session:
            process = process_of(session, 2024, "B2500", kind=Kind.ASSESSMENT)
            with statements(large) as sent:
                unmet(session, process, requirements_of(Kind.ASSESSMENT, stage), today=TODAY)
            (sql,) = sent
            for mode in ("force_custom_plan", "force_generic_plan"):
                connection = session.connection()
                connection.exec_driver_sql(f"set local plan_cache_mode = {mode}")
                asked = sql.replace("%(process_id)s", "$1").replace("%(today)s", "$2").replace("%%", "%")
                connection.exec_driver_sql(f"prepare gate(bigint, date) as {asked}")
                ((plan,),) = connection.exec_driver_sql(f"explain (analyze, format json) execute gate({process.id}, '{TODAY}')").all()
                connection.exec_driver_sql("deallocate gate")
                assert not read_through(plan) & LARGE, (stage, mode, json.dumps(plan, ensure_ascii=False))
                assert plan[0]["Execution Time"] < 250, (stage, mode)


def test_a_page_of_sheets_reads_no_table_through(large: Engine) -> None:
    with transaction(large, actor=None) as session:
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
