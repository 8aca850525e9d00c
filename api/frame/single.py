"""The routes of a thing that a process has once: read it, write it whole or field by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from api.frame.address import AT
from api.frame.records import tag_of
from api.frame.routes import Answer, Routes
from workflow.rules.acts import Call
from workflow.rules.evidence import Evidence
from workflow.rules.single import OnProcess, Single

S = TypeVar("S", bound=OnProcess | Evidence)


def place(kind: Single[Any]) -> str:
    """Build its rule."""
    return f"{AT[kind.kind]}/{kind.name}"


def single_routes(kind: Single[S], *, shown: Callable[[Call[object], S], object] | None = None, answers: object = None) -> Routes:
    """Declare the two routes of it.

    Give ``shown`` and its type ``answers`` where the answer holds more than is written.
    """
    routes, called = Routes(kind=kind.kind, tag=tag_of(kind)), f"read_{kind.name.replace('-', '_')}"
    answers = kind.schema if answers is None else answers

    def seen(call: Call[object], row: S) -> object:
        return kind.seen_by(call)(row) if shown is None else shown(call, row)

    @routes.get(place(kind), action=kind.reads, find=kind.one, answers=answers, called=called, zh=f"查看{kind.zh}", en=f"Read the {kind.en}.")
    def read_single(call: Call[object], row: S) -> object:
        """Answer it with its ETag."""
        return Answer(seen(call, row), version=row.version)

    if kind.whole:

        @routes.put(place(kind), kind.writing, answers=answers)
        def write_whole(call: Call[object], row: S) -> object:
            """Write it whole: a field that is left out becomes empty.

            Send If-Match once it is there.
            """
            return seen(call, row)

    else:

        @routes.patch(place(kind), kind.writing, answers=answers)
        def write_fields(call: Call[object], row: S) -> object:
            """Write some of its fields; the others stay.

            Before the first writing its version is 0.
            """
            return seen(call, row)

    return routes
