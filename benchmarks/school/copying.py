"""Writing rows by COPY (批量写入), past triggers and foreign keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

AT_ONCE = 2_000
NULL = r"\N"


def unwatched(connection: Connection[Any]) -> None:
    """Let this connection write without triggers and without waiting for the disk.

    Only loading does so: it is not measured, and a checkpoint follows it.
    """
    connection.execute("set session_replication_role = replica")
    connection.execute("set synchronous_commit = off")


def copy(connection: Connection[Any], table: str, columns: str, lines: Iterable[str]) -> None:
    """Write lines of tab-separated values, each with its line end, into columns of a table."""
    names = SQL(", ").join(map(Identifier, columns.split()))
    statement = SQL("copy {} ({}) from stdin").format(Identifier(table), names)
    rows = iter(lines)
    with connection.cursor() as cursor, cursor.copy(statement) as opened:
        while block := "".join(islice(rows, AT_ONCE)):
            opened.write(block)


def continue_numbers(connection: Connection[Any]) -> None:
    """Let every identity column go on behind the numbers that were written."""
    for table in _numbered(connection):
        connection.execute(
            SQL(
                "select setval(pg_get_serial_sequence({name}, 'id'), max(id)) from {table}"
                " having max(id) is not null"
            ).format(name=table, table=Identifier(table))
        )


def _numbered(connection: Connection[Any]) -> Iterator[str]:
    found = connection.execute(
        "select table_name from information_schema.columns"
        " where table_schema = 'public' and column_name = 'id' and is_identity = 'YES'"
    )
    return (name for (name,) in found.fetchall())
