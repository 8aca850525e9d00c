"""The migration to digests: a database of before is sealed from its first row."""

from __future__ import annotations

from threading import Event

from alembic import command
from sqlalchemy import Engine, text

import migrations
from tests.support.builders import a_school, person
from tests.support.seals import KEYS, verified
from workflow.foundation.database import transaction
from workflow.foundation.seals.sealing import seal

BEFORE = "20250104_excuses"


def rows_of(engine: Engine) -> list[object]:
    with transaction(engine, actor=None) as session:
        shown = "id, at, actor, on_behalf_of, reason, what, row_key, process_id, old, new"
        return list(session.execute(text(f"select {shown} from history order by id")).all())  # noqa: S608


def test_a_database_of_before_keeps_its_history_and_is_sealed_from_its_first_row(engine: Engine, owner_url: str) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    command.downgrade(migrations.configuration(owner_url), BEFORE)
    with transaction(engine, actor="cli") as session:
        session.execute(text("update person set email = 'wang5@school.example' where name = '王五'"))
    before = rows_of(engine)
    command.upgrade(migrations.configuration(owner_url), "head")
    assert rows_of(engine) == before
    report = verified(engine)
    assert (report.fault, report.unsealed) == (None, len(before)), "digests are as the trigger makes them"
    made = seal(engine, KEYS, actor="worker", pause=Event().wait)
    assert made is not None
    assert made.rows == len(before)
    with transaction(engine, actor="cli") as session:
        person(session, "王五").email = "w5@school.example"
    seal(engine, KEYS, actor="worker", pause=Event().wait)
    report = verified(engine)
    assert (report.fault, report.rows, report.before) == (None, len(before) + 1, len(before)), "what was before is told apart"
