"""Loading (读取): input by its schema, or its faults by their fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from marshmallow import Schema, ValidationError

from workflow.foundation.errors import MOST_FAULTS, Invalid, Words


def load(schema: Schema, data: Any, where: str = "") -> dict[str, Any]:
    """Read input by its schema; ``where`` is its place in a larger one.

    Raises Invalid with the faults by field, as many as it tells.
    """
    try:
        return dict(schema.load(data))
    except ValidationError as error:
        # marshmallow's own frame and its error hold one another, and all that was sent.
        error.__traceback__ = None
        raise Invalid(dict(islice(_by_field(error.messages, where), MOST_FAULTS + 1))) from None


def _by_field(messages: object, where: str = "") -> Iterator[tuple[str, list[Words]]]:
    """Yield marshmallow's messages with their place: ``aspects.A1``, ``present.0``."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _by_field(inner, _within(where, str(name)))
    else:
        listed = messages if isinstance(messages, list) else [messages]
        yield where or "_schema", [each if isinstance(each, Words) else Words(str(each), str(each)) for each in listed]


def _within(where: str, name: str) -> str:
    return where if name == "_schema" and where else f"{where}.{name}" if where else name
