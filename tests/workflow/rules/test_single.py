"""A single record (一份记录): a process has one of it.

Of two writers who both find none, the slower one is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller
from tests.support.records.evidence import statements
from workflow.appraisal.report.form import FORM
from workflow.assessment.duty_reports import DUTY_REPORT
from workflow.assessment.facts import FACTS
from workflow.assessment.proposals import PROPOSAL
from workflow.foundation.errors import Stale
from workflow.rules.evidence import withdraw
from workflow.rules.single import Single
from workflow.year.cycle import Process
from workflow.year.finding import process_of

KINDS: Mapping[Single[Any], dict[str, Any]] = {
    FORM: {"phone": "8888 0101"},
    FACTS: {"main_work": "完成审核评估迎评", "three_meetings": {"general": 4}, "clean": {"clean_issues": False}},
    PROPOSAL: {"reason": "完成各项任务"},
    DUTY_REPORT: {"sections": {"C1": "落实重大部署"}, "submitted": False},
}
"""Each kind with a first version."""

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture
def branch(session: Session) -> Process:
    return a_school(session)


def written(session: Session, kind: Single[Any], branch: Process, row: Any = None, *, seen: int | None = None) -> Any:
    """Let 张三 write it in their branch."""
    process = process_of(session, 2024, branch.branch.code, kind=kind.kind)
    return kind.write(session, process, row, KINDS[kind], seen=seen, by=caller(session, "张三"), now=NOW)


@each_kind
def test_each_write_is_the_next_version_of_what_stands_there(session: Session, branch: Process, kind: Single[Any]) -> None:
    row = written(session, kind, branch)
    assert (row.version, written(session, kind, branch, row, seen=1) is row, row.version) == (1, True, 2)
    for seen in (None, 0, 1, 3, -1):
        with pytest.raises(Stale) as refused:
            written(session, kind, branch, row, seen=seen)
        assert refused.value.extra["version"] == 2


@each_kind
def test_of_two_who_both_find_none_the_slower_one_is_told_what_the_other_wrote(session: Session, branch: Process, kind: Single[Any]) -> None:
    written(session, kind, branch)
    with pytest.raises(Stale) as refused:
        written(session, kind, branch)
    assert refused.value.extra["version"] == 1
    assert [each["by"] for each in refused.value.extra["changed"]] == ["cli"]


@each_kind
def test_the_first_version_is_one_statement(session: Session, branch: Process, kind: Single[Any], shared_engine: Engine) -> None:
    process = process_of(session, 2024, branch.branch.code, kind=kind.kind)
    by = caller(session, "张三")
    session.flush()
    with statements(shared_engine) as sent:
        row = kind.write(session, process, None, KINDS[kind], seen=None, by=by, now=NOW)
        kind.schema.shown(row)
    assert len(sent) == 1


@each_kind
def test_what_was_written_is_found_alone_and_among_many(session: Session, branch: Process, kind: Single[Any]) -> None:
    row = written(session, kind, branch)
    here, there = (process_of(session, 2024, code, kind=kind.kind) for code in ("D0101", "D0201"))
    assert (kind.of(session, here), kind.of(session, there)) == (row, None)
    assert kind.of_many(session, [here.id, there.id]) == {here.id: row}


def test_after_a_report_was_taken_back_there_is_a_first_one_again(session: Session, branch: Process) -> None:
    row = written(session, DUTY_REPORT, branch)
    withdraw(row, by="z3", now=NOW, reason="重写")
    session.flush()
    another = written(session, DUTY_REPORT, branch)
    assert (another.version, another.id == row.id) == (1, False)


def test_what_is_written_whole_and_left_out_is_empty_and_of_the_form_it_stays(session: Session, branch: Process) -> None:
    told, form = written(session, FACTS, branch), written(session, FORM, branch)
    by = caller(session, "张三")
    FACTS.write(session, process_of(session, 2024, "D0101", kind=FACTS.kind), told, {}, seen=1, by=by, now=NOW)
    FORM.write(session, branch, form, {"remark": "无"}, seen=1, by=by, now=NOW)
    assert (told.main_work, told.general, told.clean_issues) == (None, None, None)
    assert (form.phone, form.remark) == ("8888 0101", "无")
