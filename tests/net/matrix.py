"""Every route asked as every role: readings in both languages, and the refusals of each change.

The routes are those of the service's own description (OpenAPI), not the code that declares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from tests.net.recording import BASE, Recorder
from tests.net.year.school import HERE, ROLES, Addressed
from tests.support.servers import YEAR, House

LANGUAGES = ("zh", "en")

QUERIES: dict[str, tuple[str, ...]] = {
    "/calendar": ("?year=2025&limit=40", "?year=2031&limit=5", ""),
    "/cycles/{year}/branches": (
        "",
        "?limit=2",
        "?stage=talks",
        "?overdue=true",
        "?unit=D02",
        "?q=物理",
    ),
    "/cycles/{year}/progress": ("", "?kind=assessment"),
    "/cycles/{year}/exceptions": ("?limit=200", "?limit=3", "?clause=K2", "?unit=D02"),
    "/cycles/{year}/waivers": ("", "?pending=true"),
    "/cycles/{year}/letters": ("?limit=200", f"?branch={HERE}"),
    "/cycles/{year}/assessments": ("", "?limit=2"),
    "/cycles/{year}/branches/{code}/history": ("?limit=200",),
    "/cycles/{year}/assessments/{code}/history": ("?limit=200",),
}
"""Queries that are asked instead of the bare address."""

LAST = ("/disable", "/close")
"""Changes that come last, because after them the others would all be refused."""


@dataclass(frozen=True)
class Operation:
    """One route, as the description has it."""

    path: str
    """With names in braces."""
    method: str
    if_match: bool
    upload: bool
    fields: Mapping[str, Any]
    """The fields of its body with the schema of each."""

    @property
    def wrong(self) -> dict[str, Any]:
        """A body in which each field is of a wrong type, and one is unknown."""
        return {
            **{name: 5 if "string" in each.get("type", ()) else "错" for name, each in self.fields.items() if not each.get("readOnly")},
            "wrong": "没有这一项",
        }

    def address(self, places: Addressed) -> str:
        """Fill in the names in the address."""
        below = f"{self.path}/"
        record = next((number for name, number in places.records.items() if f"/{name}/" in below), 1)
        values: dict[str, Any] = {
            "year": places.year,
            "code": places.code,
            "staff_no": places.staff_no,
            "day": places.day,
            "record_id": record,
            **places.others,
        }
        return self.path.format_map(values)


def operations(house: House) -> list[Operation]:
    """List the operations that the service describes, in an order independent of the code."""
    described: dict[str, Any] = house.app.test_client().get(f"{BASE}/openapi.json").get_json()
    schemas = described["components"]["schemas"]

    def fields(operation: Any) -> Mapping[str, Any]:
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        found: Mapping[str, Any] = (schemas[name] if name else schema).get("properties", {})
        return found

    return [
        Operation(
            path,
            method.upper(),
            any(str(each.get("$ref", "")).rpartition("/")[2].startswith("If-Match") for each in operation["parameters"]),
            "multipart/form-data" in operation.get("requestBody", {}).get("content", {}),
            fields(operation),
        )
        for path, methods in sorted(described["paths"].items())
        for method, operation in sorted(methods.items())
    ]


def look(house: House, recorder: Recorder, places: Addressed) -> None:
    """Ask every GET route as every role, in both languages."""
    for each in operations(house):
        if each.method == "GET":
            for query in QUERIES.get(each.path, ("",)):
                for who in ROLES:
                    for language in LANGUAGES:
                        _ask(house, recorder, each, each.address(places) + query, who, language)


def try_every_change(house: House, recorder: Recorder, places: Addressed) -> None:
    """Ask for every change as every role, with an empty and a wrong body.

    Refusals are asked for in English too.
    """
    changes = [each for each in operations(house) if each.method != "GET"]
    for each in sorted(changes, key=lambda each: each.path.endswith(LAST)):
        path = each.address(places)
        for who in ROLES:
            status = _ask(house, recorder, each, path, who, "zh", body={})
            if 400 <= status < 500:
                _ask(house, recorder, each, path, who, "en", body={})
            _ask(house, recorder, each, path, who, "zh", body=each.wrong)


def _ask(
    house: House,
    recorder: Recorder,
    operation: Operation,
    path: str,
    who: str,
    language: str,
    *,
    body: Mapping[str, Any] | None = None,
) -> int:
    headers = {} if language == "zh" else {"Accept-Language": language}
    number = ROLES[who]
    if number is not None:
        headers["Authorization"] = f"Bearer {house.as_(number).token}"
    if operation.path.endswith("/progress"):
        # One process answers alike for half a second of the machine's clock.
        headers["Cache-Control"] = "no-cache"
    if operation.if_match:
        headers["If-Match"] = '"1"'
    sent: dict[str, Any] = {} if body is None else {"json": body}
    if operation.upload and body == {}:
        sent = {"data": {"file": (BytesIO(b""), "x.xlsx")}}
    with recorder.asked_as(who):
        answer = house.app.test_client().open(f"{BASE}{path}", method=operation.method, headers=headers, **sent)
    return answer.status_code


def places_of(house: House, others: dict[str, str | int], staff_no: str) -> Addressed:
    """Find the values for addresses.

    From each collection of the branch it takes the first record that is valid.
    """
    records = {below.rpartition("/")[2]: _standing(house, below) for below in _collections(house)}
    return Addressed(2024, HERE, staff_no, "2025-01-28", records, others)


def _collections(house: House) -> Iterator[str]:
    """Give the addresses of lists whose records are also read one by one, by number."""
    for each in operations(house):
        found = re.fullmatch(r"(/cycles/\{year\}(?:/branches/\{code\})?/[a-z-]+)/\{record_id\}", each.path)
        if found is not None and each.method == "GET":
            yield found[1].format(year=YEAR.rpartition("/")[2], code=HERE)


def _standing(house: House, path: str) -> int:
    items = house.as_("office").get(f"{path}?limit=200").body["items"]
    standing = [item for item in items if item.get("withdrawn") is None and item.get("rejected") is None]
    return int(next(iter([*standing, *items]), {"id": 1})["id"])
