"""In a large university: a query for one branch, person or page reads no table through."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url, select
from sqlalchemy.orm import Session

import migrations
from tests.support.builders import TODAY, a_school, person
from tests.support.records.evidence import LARGE, many_branches, statements
from tests.support.running.postgres import a_clone, url_of
from workflow.assessment.summary import sheets
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.vocabulary import WORKING_STAGES, Kind
from workflow.machine.asked import requirements_of
from workflow.machine.gate import Unmet, exceptions, todos, unmet
from workflow.people.organisation import Branch
from workflow.year.cycle import Process
from workflow.year.finding import process_of

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.thorough]


@pytest.fixture(scope="module")
def large_school(superuser: str, template: str) -> Iterator[Engine]:
    """An engine on a school of ten thousand branches, which tests only read."""
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            a_school(session)
        owner = url_of(superuser, make_url(url).database or "", migrations.OWNER_ROLE)
        many_branches(owner, 10_000)
        yield engine
        engine.dispose()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def read_through(plan: Any) -> set[str]:
    """Find the large tables that a plan reads from end to end."""
    scans = (node for node in nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan")
    return {node["Relation Name"] for node in scans} & LARGE


def test_among_ten_thousand_branches_the_gate_of_one_reads_no_table_through(
    large_school: Engine,
) -> None:
    for kind, stage in ((kind, stage) for kind, stages in WORKING_STAGES.items() for stage in stages):
        with transaction(large_school, actor=None) as session:
            process = process_of(session, 2024, "B5000", kind=kind)
            with statements(large_school) as sent:
                unmet(session, process, requirements_of(kind, stage), today=TODAY)
            for sql in sent:
                # As planned for these values, and as a prepared statement is planned for any
                # values.
                for mode in ("force_custom_plan", "force_generic_plan"):
                    connection = session.connection()
                    connection.exec_driver_sql(f"set local plan_cache_mode = {mode}")
                    asked = sql.replace("%(process_id)s", "$1").replace("%(today)s", "$2").replace("%%", "%")
                    connection.exec_driver_sql(f"prepare gate(bigint, date) as {asked}")
                    ((plan,),) = connection.exec_driver_sql(f"explain (analyze, format json) execute gate({process.id}, '{TODAY}')").all()
                    connection.exec_driver_sql("deallocate gate")
                    assert not read_through(plan), (
                        stage,
                        mode,
                        json.dumps(plan, ensure_ascii=False),
                    )
                    assert plan[0]["Execution Time"] < 250, (stage, mode)


def test_among_ten_thousand_branches_a_persons_to_dos_and_a_late_page_of_exceptions_cost_what_they_show(
    large_school: Engine,
) -> None:
    with transaction(large_school, actor=None) as session:
        me = person(session, "B5001-1").id
        asks: dict[str, Callable[[], list[Unmet]]] = {
            "to-dos": lambda: todos(session, me, today=TODAY),
            "unit": lambda: exceptions(session, 2024, today=TODAY, unit="U5"),
            "first page": lambda: exceptions(session, 2024, today=TODAY),
            "late page": lambda: exceptions(session, 2024, today=TODAY, after=("B9990", 0)),
        }
        took = {}
        for name, ask in asks.items():
            ask()
            before = monotonic()
            assert ask()
            took[name] = monotonic() - before
    # A fraction of the time to read every branch, so that a slow or busy machine does not matter.
    assert {name for name, seconds in took.items() if seconds > 2} == set(), took


def test_among_ten_thousand_branches_a_page_of_sheets_reads_no_table_through(
    large_school: Engine,
) -> None:
    with transaction(large_school, actor=None) as session:
        for count in (1, 200):
            ids = session.scalars(
                select(Process.id).join(Process.branch).where(Process.kind == Kind.ASSESSMENT).order_by(Branch.code).limit(count)
            ).all()
            asked = asked_for(session, ids)
            assert len(asked) == 8
            for sql, parameters in asked:
                ((plan,),) = session.connection().exec_driver_sql(f"explain (analyze, format json) {sql}", parameters).all()
                assert not read_through(plan), (count, json.dumps(plan, ensure_ascii=False))
                assert plan[0]["Execution Time"] < 1000, (count, sql)


def asked_for(session: Session, ids: Any) -> list[tuple[str, Any]]:
    """Collect the statements that make these sheets, with their parameters."""
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
