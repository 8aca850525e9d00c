"""The check that another version of PostgreSQL plans the same statements.

They are all statements that the product sent in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from workflow.foundation.database import APPLICATION_ROLE

PLANNED = ("select", "insert", "update", "delete", "merge", "with")
"""The first words of statements that EXPLAIN plans without running them.

A text with several statements is the tests' own and is left out.
"""


class Sent:
    """The statements of the application that succeeded, each with the values of its first use."""

    def __init__(self) -> None:
        self._first_values: dict[str, Any] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record statements until the block ends."""
        event.listen(Engine, "after_cursor_execute", self._note)
        try:
            yield
        finally:
            event.remove(Engine, "after_cursor_execute", self._note)

    def refused_by(self, engine: Engine) -> dict[str, str]:
        """Find the statements that another PostgreSQL does not plan, with its error."""
        refused = {}
        for statement, values in self._first_values.items():
            try:
                with engine.begin() as connection:
                    connection.exec_driver_sql(f"explain {statement}", values)
            except DBAPIError as error:
                refused[statement] = str(error.orig)
        return refused

    def __len__(self) -> int:
        return len(self._first_values)

    def _note(self, connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if statement in self._first_values or connection.engine.url.username != APPLICATION_ROLE:
            return
        if statement.lstrip(" \n(").lower().startswith(PLANNED) and ";" not in statement:
            self._first_values[statement] = values[0] if isinstance(values, list) else values
