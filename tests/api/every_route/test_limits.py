"""Every limit of every body and query: its maximum is taken, and one more is refused.

The limits are those of ``tests/expected/limits.txt``. The limits of the database are tried over
HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields

from api import ROUTES
from tests.support.limits import LIMITS, Limit
from workflow.appraisal.meetings.tellers import CommitteeCounts, MemberCounts
from workflow.foundation.errors import Invalid
from workflow.foundation.fields import ByName, ItemsOf
from workflow.foundation.fields.loading import load

DAY = "2024-12-19"
READ_BY_THEIR_VERB: tuple[type[Schema], ...] = (CommitteeCounts, MemberCounts)
"""Bodies inside another one that are read after it."""


# ── every field has its line ──────────────────────────────────────────────────────────────────


def all_bodies() -> dict[str, type[Schema]]:
    """Find all bodies and queries of the routes, and the bodies inside, by name."""
    found: dict[str, type[Schema]] = {}

    def add(body: type[Schema]) -> None:
        if found.setdefault(body.__name__, body) is not body:
            raise AssertionError(f"two bodies are called {body.__name__}")
        for name, each in body().load_fields.items():
            for _, part in parts(name, each):
                if isinstance(part, fields.Nested):
                    add(type(part.schema))

    for body in (
        *(type(each) for route in ROUTES for each in (route.body, route.query) if each),
        *READ_BY_THEIR_VERB,
    ):
        add(body)
    return found


def parts(path: str, each: fields.Field[Any]) -> Iterator[tuple[str, fields.Field[Any]]]:
    """Yield a field, its items ``[]``, its names ``{key}`` and its values ``{}``."""
    yield path, each
    if isinstance(each, fields.List):
        yield from parts(f"{path}[]", each.inner)
    if isinstance(each, fields.Dict) and each.value_field is not None:
        assert each.key_field is not None
        yield from parts(f"{path}{{key}}", each.key_field)
        yield from parts(f"{path}{{}}", each.value_field)


def paths_of(body: Schema) -> Iterator[str]:
    for name, each in body.load_fields.items():
        yield from (path for path, _ in parts(each.data_key or name, each))


def test_every_field_of_every_body_has_its_line_and_no_line_is_left_over() -> None:
    declared = {name: set(paths_of(body())) for name, body in all_bodies().items()}
    assert {name: {limit.path for limit in limits} for name, limits in LIMITS.items()} == declared


# ── the most is taken, one beyond is refused ──────────────────────────────────────────────────


SAMPLES = {"day": DAY, "clock": "14:30", "email": "a@school.example", "moment": "2025-01-26T09:00:00+08:00", "truth": True, "yes_no": "true"}


def sample(limit: Limit, number: int = 0) -> Any:
    """Make a value that the line allows; another number gives another value."""
    if limit.kind in ("text", "line"):
        return str(number)[: limit.most]
    if limit.kind in ("number", "digits"):
        return limit.least + number if limit.kind == "number" else str(limit.least)
    if limit.kind == "one_of":
        return limit.words[number % len(limit.words)]
    if limit.kind == "object":
        return whole(limit.words[0]) if limit.words else {}
    return {"staff_no": f"p{number}", "items": [], "names": {}, **SAMPLES}[limit.kind]


def whole(body: str) -> dict[str, Any]:
    """Make an object of this body with every field in it."""
    return {limit.path: sample(limit) for limit in LIMITS[body] if limit.path.isidentifier()}


Tries = tuple[list[Any], list[Any]]
"""The values that must be taken, and those that must be refused."""


def of_text(limit: Limit) -> Tries:
    taken, refused = ["字" * limit.most, "字" * max(limit.least, 1)], ["字" * (limit.most + 1)]
    (taken if limit.least == 0 else refused).extend(["", " "])
    if limit.most >= len("一\n二"):
        (taken if limit.kind == "text" else refused).append("一\n二")
    return taken, refused


def of_number(limit: Limit) -> Tries:
    return [limit.least, limit.most], [limit.least - 1, limit.most + 1]


def of_digits(limit: Limit) -> Tries:
    taken, refused = of_number(limit)
    return [str(each) for each in taken], [str(each) for each in refused]


def of_staff_no(limit: Limit) -> Tries:
    return ["p", "p" * limit.most], ["", "p" * (limit.most + 1), "张三"]


def of_items(limit: Limit, item: Limit) -> Tries:
    full = [sample(item, number) for number in range(limit.most + 1)]
    refused = [full, *([full[: limit.least - 1]] if limit.least else [])]
    if "distinct" in limit.words:
        refused.append(full[:1] * 2)
    return [full[: limit.most], full[: limit.least]], refused


TRIES: Mapping[str, Callable[[Limit], Tries]] = {
    "text": of_text,
    "line": of_text,
    "number": of_number,
    "digits": of_digits,
    "staff_no": of_staff_no,
    "email": lambda limit: (["a@school.example"], ["a", "a@", "a b@school.example", f"{'a' * 200}@school.example"]),
    "clock": lambda limit: (["00:00", "23:59"], ["24:00", "9:30", "09:60", "09:30:00"]),
    "day": lambda limit: (["1900-01-01", "2999-12-31"], ["1899-12-31", "3000-01-01"]),
    "one_of": lambda limit: (list(limit.words), ["no such word"]),
}


def tries(limit: Limit, by_path: Mapping[str, Limit]) -> Tries:
    if limit.kind == "items":
        return of_items(limit, by_path[f"{limit.path}[]"])
    if limit.kind == "names":
        return of_names(limit, by_path)
    return TRIES[limit.kind](limit) if limit.kind in TRIES else ([sample(limit)], ["no such thing"])


def put(limit: Limit, value: Any, by_path: Mapping[str, Limit]) -> tuple[dict[str, Any], str]:
    """Make a body with only this value, and the name under which it is refused."""
    name = re.split(r"[\[{]", limit.path)[0]
    match limit.path[len(name) :]:
        case "":
            return {name: value}, name
        case "[]":
            return {name: [value]}, f"{name}.0"
        case "{key}":
            return {name: {value: sample(by_path[f"{name}{{}}"])}}, f"{name}.{value}"
        case _:
            return {name: {"A1": value}}, f"{name}.A1"


def of_names(limit: Limit, by_path: Mapping[str, Limit]) -> Tries:
    key, value = by_path.get(f"{limit.path}{{key}}"), by_path.get(f"{limit.path}{{}}")
    names = [str(number) if key is None else sample(key, number) for number in range(limit.most + 1)]
    full = {name: sample(value) if value else {} for name in names}
    return [dict(islice(full.items(), limit.most)), {}], [full]


def is_refused(body: type[Schema], sent: dict[str, Any], where: str) -> bool:
    try:
        load(body(partial=True), sent)
    except Invalid as refused:
        return any(f"{name}.".startswith(f"{where}.") for name in refused.errors)
    return False


def test_the_most_is_taken_and_one_beyond_is_refused() -> None:
    wrong: list[str] = []
    tried = 0
    for name, body in all_bodies().items():
        by_path = {limit.path: limit for limit in LIMITS[name]}
        for limit in LIMITS[name]:
            taken, refused = tries(limit, by_path)
            for value, expected in (
                *((each, False) for each in taken),
                *((each, True) for each in refused),
            ):
                tried += 1
                if is_refused(body, *put(limit, value, by_path)) is not expected:
                    does = "takes" if expected else "refuses"
                    wrong.append(f"{name}.{limit.path} {does} {str(value)[:40]!r}")
    assert wrong == []
    assert tried > 900


# ── collections ───────────────────────────────────────────────────────────────────────────────


class Read(Exception):
    """An item was read."""


class Untouched(fields.Field[Any]):
    """An item that may not be read."""

    def deserialize(self, *_: Any, **__: Any) -> Any:
        raise Read


def collections() -> Iterator[ItemsOf | ByName]:
    """Yield every list and every object of free names that may be sent, the inner ones too."""
    for name, body in all_bodies().items():
        for path, each in body().load_fields.items():
            for place, part in parts(f"{name}.{path}", each):
                if isinstance(part, fields.List | fields.Dict):
                    assert isinstance(part, ItemsOf | ByName), f"{place} has no at_most"
                    yield part


def test_a_collection_that_is_too_long_is_refused_before_an_item_is_read() -> None:
    found = list(collections())
    assert len(found) > 20
    for each in found:
        sent: Any
        if isinstance(each, ItemsOf):
            each.inner, sent = Untouched(), [0] * ((each.limit.max or 0) + 1)
        else:
            each.key_field, sent = Untouched(), dict.fromkeys(map(str, range(each.at_most + 1)), 0)
        with pytest.raises(ValidationError):
            each.deserialize(sent)
