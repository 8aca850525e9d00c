"""Drop one constraint, and refuse a tree that is not the copy: ``pytest -p tests.rules.without``.

``take_out.py`` names both in the environment. Nothing else in the tests reads them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import gettempdir

from sqlalchemy import Table, create_engine, text
from sqlalchemy.pool import NullPool

import cli
import migrations
import workflow
from migrations.tables import METADATA

COPY, CONSTRAINT = "ZHIBU_RULES_COPY", "ZHIBU_RULES_CONSTRAINT"


KNOWN = """select 1 from pg_constraint where conname = :name
    union select 1 from pg_class where relname = :name"""


def pytest_configure() -> None:
    """Check that all imports come from the copy, also in other processes; drop the constraint."""
    copy = Path(os.environ[COPY])
    elsewhere = subprocess.run(
        [sys.executable, "-c", "import workflow; print(workflow.__path__[0])"],
        cwd=gettempdir(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    for imported in (cli.__file__, migrations.__file__, workflow.__path__[0], elsewhere):
        if copy not in Path(imported).parents:
            raise RuntimeError(f"{imported} does not belong to the copy {copy}")
    if name := os.environ.get(CONSTRAINT):
        _take_out(name)


def _names(table: Table) -> set[str]:
    constraints = {str(each.name) for each in table.constraints}
    return constraints | {str(each.name) for each in table.indexes}


def _take_out(name: str) -> None:
    """Drop a constraint or unique index from its table, and from each migrated database."""
    [table] = [each for each in METADATA.tables.values() if name in _names(each)]
    is_index = name in {index.name for index in table.indexes}
    table.constraints = {each for each in table.constraints if str(each.name) != name}
    table.indexes = {each for each in table.indexes if each.name != name}
    migrate = migrations.migrate

    def migrate_without(owner_url: str, application_url: str) -> migrations.Migrated:
        migrated = migrate(owner_url, application_url)
        drop = f"drop index {name}"
        if not is_index:
            drop = f"alter table {table.name} drop constraint {name}"
        engine = create_engine(owner_url, poolclass=NullPool)
        with engine.begin() as connection:
            # A database that was migrated before has dropped it already.
            if connection.scalar(text(KNOWN), {"name": name}):
                connection.execute(text(drop))
        return migrated

    migrations.migrate = migrate_without
