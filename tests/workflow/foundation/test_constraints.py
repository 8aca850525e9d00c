"""The tables themselves enforce ``tests/expected/constraints.txt``, name by name."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Enum, text
from sqlalchemy.orm import Session

from migrations.tables import METADATA

TABLE = Path(__file__).parents[2] / "expected" / "constraints.txt"
OF_WORDS = "one of its words"
"""The text for a list of words: ``test_schema`` compares the list with its vocabulary."""

DEFINED = text("""
    select conname as name, pg_get_constraintdef(oid) as says from pg_constraint
    where connamespace = 'public'::regnamespace and contype in ('c', 'u', 'x')
    union all
    select relname, regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', 'unique ')
    from pg_index join pg_class on pg_class.oid = indexrelid
    where relnamespace = 'public'::regnamespace and indisunique and not indisprimary
        and not exists (select from pg_constraint where conindid = indexrelid and contype <> 'f')
""")


def _lists_of_words() -> set[str]:
    columns = [column for table in METADATA.tables.values() for column in table.columns]
    kinds = [(each.table.name, each.type) for each in columns]
    return {f"ck_{table}_{kind.name}" for table, kind in kinds if isinstance(kind, Enum)}


def test_the_tables_refuse_what_is_written(session: Session) -> None:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    written = dict(line.split(maxsplit=1) for line in lines)
    of_words = _lists_of_words()
    rows = [(row.name, " ".join(row.says.split())) for row in session.execute(DEFINED)]
    defined = {name: OF_WORDS if name in of_words else says for name, says in rows}
    assert defined == written
    assert len(written) == len(lines), "a constraint stands in two lines"
