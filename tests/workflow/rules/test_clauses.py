"""The plan's clauses and the code agree: each clause is either asked for or recorded.

Nothing names a clause that is not in the plan.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import handbook
from workflow.foundation.database import Base
from workflow.foundation.errors import PlanInvalid
from workflow.foundation.history import History
from workflow.foundation.vocabulary import Kind
from workflow.machine.asked import BY_NAME, CLAUSES, REQUIREMENTS
from workflow.readings.diagram import recorded_in
from workflow.year.plan_files import find_plan, read_plan

NAME, TEXT = find_plan("2024", None)
SENTENCES = read_plan(TEXT, CLAUSES, name=NAME).clauses
NAMED = re.compile(r"(?<![\w-])[A-Z][0-9](?!\w)")


def test_each_clause_of_the_plan_is_either_asked_for_or_recorded() -> None:
    asked, recorded = set(CLAUSES), set(recorded_in())
    assert asked & recorded == set(), "asked for and recorded: say one of the two"
    assert set(SENTENCES) == asked | recorded


def test_what_the_committee_assesses_is_asked_of_the_assessment_and_the_rest_of_the_branch() -> None:
    of_committee = {each.clause for each in REQUIREMENTS[Kind.ASSESSMENT]}
    assert of_committee == {"C1", "C2", "C3", "C4", "C5", "C6", "F9", "R1", "R2", "R3", "R4", "R5", "R6", "R7"}
    assert of_committee & {each.clause for each in REQUIREMENTS[Kind.APPRAISAL]} == {"F9"}


def test_each_clause_that_the_code_asks_for_or_records_is_in_the_plan() -> None:
    assert (CLAUSES | set(recorded_in())) - SENTENCES.keys() == set()


def test_each_clause_that_a_comment_or_a_message_names_is_in_the_plan(project: Path) -> None:
    files = [path for folder in ("workflow", "api", "schedulers") for path in (project / folder).rglob("*.py")]
    named = {clause: path.name for path in files for clause in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert {clause: where for clause, where in named.items() if clause not in SENTENCES} == {}
    assert len(named) > len(CLAUSES) / 2


def test_each_table_that_records_a_clause_is_written_with_its_history(session: Session) -> None:
    tables = {where.partition(".")[0] for columns in recorded_in().values() for where in columns}
    tracked = set(session.scalars(text("select tgrelid::regclass::text from pg_trigger where tgname = 'zhibu_history'")))
    assert tables - tracked - {History.__tablename__} == set()
    assert tables <= Base.metadata.tables.keys()


@pytest.mark.parametrize("clause", sorted(CLAUSES))
def test_a_plan_without_the_sentence_of_a_clause_that_is_asked_for_is_refused(clause: str) -> None:
    without = re.sub(rf"(?m)^{clause} = .*\n", "", TEXT)
    with pytest.raises(PlanInvalid) as refused:
        read_plan(without, CLAUSES, name=NAME)
    assert [fault.key for fault in refused.value.faults] == [f"clauses.{clause}"]


def test_each_requirement_says_the_plans_words() -> None:
    assert [each.name for each in BY_NAME.values() if not each.sentence or not each.words.zh or not each.words.en] == []


def test_the_page_of_rules_lists_each_clause_as_asked_for_or_as_recorded(project: Path) -> None:
    made = handbook.blocks(project)
    page = (project / "docs" / "rules.md").read_text(encoding="utf-8")
    assert handbook.with_fresh_blocks(page, made) == page
    asked, of_committee, recorded = (
        set(re.findall(r"(?m)^\| ([A-Z][0-9]) \|", made[block]))
        for block in (
            "requirements",
            "assessment_requirements",
            "recorded",
        )
    )
    assert (asked | of_committee) & recorded == set()
    assert asked | of_committee | recorded == set(SENTENCES)
