"""The school that most tests begin with: its kept rows make the same database as its builder."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from migrations.tables import METADATA
from tests.support.builders import steps_to_a_school
from tests.support.running import standing
from workflow.foundation.database import act_as
from workflow.foundation.vocabulary import Coverage

OF_THE_MOMENT = {
    "history": ["id", "at", "salt", "digest"],
    "progress_delta": ["id", "changed_at"],
    "branch_change": ["id", "xid"],
}
"""Values that triggers take from the clock, the transaction, chance, and the order of the rows."""


@pytest.mark.parametrize("coverage", Coverage)
def test_a_school_that_is_put_in_is_the_one_that_is_built(engine: Engine, owner_url: str, coverage: Coverage) -> None:
    with Session(engine) as session:
        act_as(session, actor="cli")
        assert standing.put(session, coverage.value)
        put = everything(session)
        session.rollback()
    owner = create_engine(owner_url, poolclass=NullPool)
    with owner.begin() as connection:
        standing.leave_room(connection, dict.fromkeys(put, 0))
    with Session(engine) as session:
        act_as(session, actor="cli")
        for step in steps_to_a_school(session, coverage):
            step()
        built = everything(session)
    assert put == built
    assert put.keys() > {"participant", *OF_THE_MOMENT}


def everything(session: Session) -> dict[str, list[str]]:
    """Read the rows of each table that has any."""
    session.flush()
    found = {}
    for table in METADATA.sorted_tables:
        asked = text(f"select to_jsonb(t) - cast(:left_out as text[]) from {table.name} t")  # noqa: S608
        rows = session.scalars(asked, {"left_out": OF_THE_MOMENT.get(table.name, [])}).all()
        if rows:
            found[table.name] = sorted(json.dumps(row, ensure_ascii=False) for row in rows)
    return found
