"""Every requirement can be lacked and met, has five columns, and weighs as the rules say."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import a_school, caller
from tests.support.records.evidence import (
    OF_ALL_BRANCHES,
    SITUATIONS,
    in_situation,
    lacking,
    leaves,
    rows_of,
)
from tests.support.situations import a_talk
from workflow.foundation.vocabulary import STAGES, Coverage, Kind, Severity, Stage, Waivable
from workflow.machine.asked import BY_NAME
from workflow.year.finding import process_of

ASKS_A_REASON = {"E4", "K6", "M4", "M6", "D4", "D5", "F4"}
"""Clauses that a branch passes with one written reason."""


# All others are in ``test_two_branches``, beside a branch in the opposite situation.
@pytest.mark.parametrize("name", sorted(OF_ALL_BRANCHES))
def test_what_reads_all_branches_can_be_lacked_and_met(session: Session, name: str) -> None:
    with session.begin_nested() as attempt:
        assert lacking(session, in_situation(session, name, met=False), name) != []
        attempt.rollback()
    session.expire_all()
    assert lacking(session, in_situation(session, name, met=True), name) == []


def test_no_situation_is_left_of_a_requirement_that_is_gone() -> None:
    assert set(SITUATIONS) == set(BY_NAME) >= OF_ALL_BRANCHES


FIVE_COLUMNS = [("process_id", "BIGINT"), ("subject_id", "TEXT"), ("subject_name", "TEXT"), ("person_id", "BIGINT"), ("amount", "INTEGER")]


def test_each_requirement_has_exactly_the_five_columns_in_their_types() -> None:
    columns = {name: [(column.name, str(column.type)) for column in each.query().selected_columns] for name, each in BY_NAME.items()}
    assert columns == dict.fromkeys(BY_NAME, FIVE_COLUMNS)


WAIVABLE = {
    Severity.HARD: {Waivable.NO, Waivable.PER_SUBJECT},
    Severity.SOFT: {Waivable.WHOLE, Waivable.WHOLE_WITH_APPROVAL},
    Severity.SIGN: {Waivable.NO},
}


def test_each_requirement_weighs_and_is_waived_as_the_rules_say() -> None:
    found = {
        name: {
            "soft only where a reason is asked": each.severity is not Severity.SOFT or each.clause in ASKS_A_REASON,
            "waived as its weight allows": each.waivable in WAIVABLE[each.severity],
            "asked around its stage": in_order(each.kind, each.asked_from, each.stage, each.asked_until),
        }
        for name, each in BY_NAME.items()
    }
    broken = {name: [rule for rule, kept in rules.items() if not kept] for name, rules in found.items()}
    assert {name: rules for name, rules in broken.items() if rules} == {}


def in_order(kind: Kind, *stages: Stage) -> bool:
    return sorted(stages, key=STAGES[kind].index) == list(stages)


@pytest.mark.parametrize("mode", Coverage)
def test_someone_who_has_left_is_in_no_requirement(session: Session, mode: Coverage) -> None:
    process = a_school(session, coverage=mode)
    a_talk(session, process, "李四", "王五", focus=True)
    gone = caller(session, "李四").person_id
    before = {name: rows_of(session, process_of(session, 2024, "D0101", kind=each.kind), each) for name, each in BY_NAME.items()}
    leaves(session, "李四")
    after = {name: rows_of(session, process_of(session, 2024, "D0101", kind=each.kind), each) for name, each in BY_NAME.items()}
    assert {name for name, rows in before.items() if names(rows, gone)} != set()
    assert {name: rows for name, rows in after.items() if names(rows, gone)} == {}


def names(rows: list[tuple[str, int | None]], person_id: int | None) -> list[tuple[str, int | None]]:
    """List the rows that 李四 must act on, or that are about 李四."""
    return [row for row in rows if row[1] == person_id or "l4" in row[0].split(":")]


def test_exactly_these_clauses_ask_for_a_reason_and_these_are_waived_one_by_one() -> None:
    assert {each.clause for each in BY_NAME.values() if each.severity is Severity.SOFT} == ASKS_A_REASON
    assert {each.clause for each in BY_NAME.values() if each.waivable is Waivable.PER_SUBJECT} == {"K1", "K2", "G2", "M1", "D6", "F2"}
    assert {each.clause for each in BY_NAME.values() if each.waivable is Waivable.WHOLE_WITH_APPROVAL} == {"D5"}
