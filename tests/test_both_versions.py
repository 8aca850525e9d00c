"""The check that both versions of PostgreSQL take the same statements."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from tests.support.running.both_versions import Sent


def test_a_statement_that_succeeded_and_is_not_planned_elsewhere_is_named(engine: Engine, owner_url: str) -> None:
    owner, sent = create_engine(owner_url, poolclass=NullPool), Sent()
    with owner.begin() as connection:
        connection.execute(text("create function only_here(n int) returns int return n"))
    with sent.recorded(), engine.begin() as connection:
        connection.execute(text("select only_here(:n)"), {"n": 1})
        connection.execute(text("delete from attempt where key = :key"), {"key": "w5"})
        connection.execute(text("lock table attempt"))
    assert len(sent) == 2
    assert sent.refused_by(engine) == {}
    with owner.begin() as connection:
        connection.execute(text("drop function only_here"))
    assert [*sent.refused_by(engine)] == ["select only_here(%(n)s)"]
