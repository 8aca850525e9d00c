"""A school whose history is sealed, and a superuser who goes at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from tests.support.builders import a_school
from tests.support.seals import sealed
from workflow.foundation.database import transaction
from workflow.foundation.seals import sealing, verification

ROWS = 3
"""The rows of one seal in these tests."""


@pytest.fixture
def school(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A school whose history is sealed, in seals of three rows and read three at a time."""
    monkeypatch.setattr(sealing, "MOST_ROWS", ROWS)
    monkeypatch.setattr(verification, "MOST_ROWS", ROWS)
    monkeypatch.setattr(verification, "MOST_BYTES", 2 * ROWS * sealing.ENTRY)
    with transaction(engine, actor="cli") as session:
        a_school(session)
    made = sealed(engine)
    assert made is not None
    assert made.last.number > 5, "several seals"
    return engine


@pytest.fixture
def god(superuser: str, school: Engine) -> Iterator[Connection]:
    """A superuser's connection to the same database; each statement is committed."""
    url = make_url(superuser).set(database=school.url.database)
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection
