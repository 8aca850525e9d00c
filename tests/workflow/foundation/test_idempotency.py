"""Repeated requests (重复提交): an outcome is kept with its effect and forgotten after seven days.

It is told again to the same request alone.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import a_branch, person
from tests.support.passing import age_outcomes
from tests.support.records.evidence import statements
from workflow.foundation.database import constraint, transaction
from workflow.foundation.errors import Exists, Invalid
from workflow.foundation.idempotency import (
    KEPT,
    LONGEST_KEY,
    UNIQUE,
    KeptOutcome,
    Repeatable,
    RequestInProgress,
    checked_key,
    forget_old_outcomes,
    keep_outcome,
    kept_before,
)


@pytest.fixture
def asked(engine: Engine) -> Repeatable:
    """A request of 王五."""
    with transaction(engine, actor="cli") as session:
        a_branch(session)
        return Repeatable(person(session, "王五").id, "POST /x", "key", "digest")


def keep(session: Session, asked: Repeatable, number: int = 1) -> None:
    keep_outcome(session, asked, rows=[["talk", number]], facts=None, version=3)


def test_what_came_of_it_is_found_again(engine: Engine, asked: Repeatable) -> None:
    with transaction(engine, actor="cli") as session:
        assert kept_before(session, asked) is None
        keep(session, asked, 7)
    with transaction(engine, actor="cli") as session:
        kept = kept_before(session, asked)
        assert kept is not None
        assert (kept.rows, kept.facts, kept.version) == ([["talk", 7]], None, 3)


def test_looking_is_one_statement_and_keeping_another(engine: Engine, asked: Repeatable) -> None:
    with statements(engine) as sent, transaction(engine, actor=None) as session:
        kept_before(session, asked)
        keep(session, asked)
    assert len(sent) == 2, sent


def test_while_one_does_it_another_is_told_so_and_does_not_wait(engine: Engine, asked: Repeatable) -> None:
    with transaction(engine, actor=None) as first:
        assert kept_before(first, asked) is None
        with transaction(engine, actor=None) as second, pytest.raises(RequestInProgress):
            kept_before(second, asked)
    with transaction(engine, actor=None) as third:
        assert kept_before(third, asked) is None, "it came to nothing, and may be tried again"


@pytest.mark.parametrize("other", [{"key": "other"}, {"route": "POST /y"}])
def test_another_key_or_route_is_another_request(engine: Engine, asked: Repeatable, other: dict[str, str]) -> None:
    another = Repeatable(asked.person_id, other.get("route", asked.route), other.get("key", asked.key), "another digest")
    with transaction(engine, actor=None) as session:
        assert kept_before(session, asked) is None
        keep(session, asked)
        with transaction(engine, actor=None) as beside:
            assert kept_before(beside, another) is None


def test_another_persons_key_is_another_request(engine: Engine, asked: Repeatable) -> None:
    with transaction(engine, actor=None) as session:
        theirs = Repeatable(person(session, "孙八").id, asked.route, asked.key, "another digest")
        keep(session, asked)
    with transaction(engine, actor=None) as session:
        assert kept_before(session, theirs) is None


def test_a_key_that_was_used_for_something_else_is_refused(engine: Engine, asked: Repeatable) -> None:
    with transaction(engine, actor=None) as session:
        keep(session, asked)
    with transaction(engine, actor=None) as session, pytest.raises(Invalid) as refused:
        kept_before(session, Repeatable(asked.person_id, asked.route, asked.key, "another digest"))
    assert list(refused.value.errors) == ["Idempotency-Key"]


def test_of_two_that_both_saw_nothing_one_is_refused_by_the_table(engine: Engine, asked: Repeatable) -> None:
    """The insert at the end refuses the second one.

    One that looks just before the other ends gets its lock just afterwards.
    """
    with transaction(engine, actor=None) as session:
        keep(session, asked)
    with pytest.raises(IntegrityError) as refused, transaction(engine, actor=None) as session:
        keep(session, asked)
    assert constraint(refused.value) == UNIQUE


@pytest.mark.parametrize("key", ["x", "x" * LONGEST_KEY, "a b", "~!@#"])
def test_a_key_is_visible_ascii(key: str) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize("key", ["", "x" * (LONGEST_KEY + 1), "x" * 10_000, "键", "a\x00b", "a\x7f", "a\tb", "é"])
def test_a_key_that_is_empty_too_long_or_not_plain_is_refused(key: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_key(key)
    assert list(refused.value.errors) == ["Idempotency-Key"]


def test_what_an_older_release_did_is_not_done_again(engine: Engine, asked: Repeatable) -> None:
    """An older release kept the answer, which is not kept any more.

    So the caller is told that it was done.
    """
    with transaction(engine, actor=None) as session:
        keep_outcome(session, asked, rows=[], facts=None, version=None)
        with pytest.raises(Exists, match="在升级之前已经办结"):
            kept_before(session, asked)


def test_an_outcome_is_kept_for_seven_days(engine: Engine, asked: Repeatable) -> None:
    with transaction(engine, actor=None) as session:
        keep(session, asked)
        age_outcomes(session, KEPT - timedelta(minutes=1))
        assert forget_old_outcomes(session) == 0
        age_outcomes(session, timedelta(minutes=1))
        assert forget_old_outcomes(session) == 1
        assert session.scalars(select(KeptOutcome)).all() == []
        assert timedelta(days=7) == KEPT
