"""What one PostgreSQL took is planned by another version as well: every statement that the tests made the product send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from workflow.foundation.database import APPLICATION_ROLE

PLANNED = ("select", "insert", "update", "delete", "merge", "with")
"""How a statement begins that EXPLAIN takes. It plans and does not run it. Several in one are the tests' own."""


class Sent:
    """The statements of the application that succeeded, each with the values of its first use."""

    def __init__(self) -> None:
        self._first_values: dict[str, Any] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record while the block runs."""
        event.listen(Engine, "after_cursor_execute", self._note)
        try:
            yield
        finally:
            event.remove(Engine, "after_cursor_execute", self._note)

    def refused_by(self, engine: Engine) -> dict[str, str]:
        """The statements that another PostgreSQL does not plan, with what it says."""
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
