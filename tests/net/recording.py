"""The recording: one line per answer, kept in a compressed file and compared line by line."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.net.masks import masked, without_secrets

RECORDED = Path(__file__).with_name("recorded.jsonl.xz")
Line = dict[str, Any]

NOT_RECORDED = {
    "X-Request-ID": "made anew for each request",
    "Content-Length": "follows from the body, in which fields are masked",
}
"""Headers that are left out, each with its reason."""
SAME_EVERYWHERE = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy")
"""Headers of every answer: recorded outside of the API's base alone."""
BASE = "/api/v1"


@dataclass
class Recorder:
    """Keeps each answer of a service as a line."""

    lines: list[Line] = field(default_factory=list)
    moment: str = "walk"
    """The part of the year that is being recorded."""
    names: dict[str, str] = field(default_factory=dict)
    """The name of the person by their token."""
    role: str | None = None
    """The word for the caller, used when there is no token to find them by."""
    answered_well: set[str] = field(default_factory=set)
    """Routes that were answered 2xx, as Flask calls them."""

    def attach(self, app: Flask) -> None:
        """Record all answers of this application to its test clients."""
        recorder = self

        class RecordingClient(FlaskClient):
            def open(self, *args: Any, **kwargs: Any) -> TestResponse:
                answer = super().open(*args, **kwargs)
                recorder.answered(app, answer)
                return answer

        app.test_client_class = RecordingClient

    def answered(self, app: Flask, answer: TestResponse) -> None:
        """Keep one answer."""
        request = answer.request
        path = request.full_path.rstrip("?")
        of_api = path.startswith(BASE)
        headers = {name: value for name, value in answer.headers.items() if name not in NOT_RECORDED and not (of_api and name in SAME_EVERYWHERE)}
        if "Allow" in headers:  # a set, in the order of the run's own hashes
            headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
        body = answer.get_json(silent=True) if answer.is_json else answer.get_data(as_text=True)
        place = f"{request.method} {path}"
        self.lines.append(
            {
                "step": len(self.lines) + 1,
                "moment": self.moment,
                "who": self._who(request.headers.get("Authorization", ""), request.cookies),
                "lang": request.headers.get("Accept-Language", "zh"),
                "method": request.method,
                "path": without_secrets(path),
                "status": answer.status_code,
                **masked(place, {"headers": headers}),
                "body": masked(place, body),
            }
        )
        if answer.status_code < 300:
            endpoint, _ = app.url_map.bind("localhost").match(request.path, method=request.method)
            self.answered_well.add(endpoint)

    @contextmanager
    def asked_as(self, who: str) -> Iterator[None]:
        """Name the caller by this word inside the block."""
        self.role = who
        try:
            yield
        finally:
            self.role = None

    def _who(self, authorization: str, cookies: Any) -> str:
        if self.role is not None:
            return self.role
        token = authorization.removeprefix("Bearer ")
        if token:
            return self.names.get(token, "an unknown token")
        return "a browser" if cookies else "nobody"

    def table(self, name: str, rows: Iterable[Line]) -> None:
        """Keep the rows of a table, each as a line."""
        for row in rows:
            self.lines.append(
                {
                    "step": len(self.lines) + 1,
                    "moment": self.moment,
                    "method": "TABLE",
                    "path": f"{name}/{row['id']}",
                    "body": masked(f"TABLE {name}", row),
                }
            )


def write(lines: Iterable[Line], file: Path) -> None:
    """Write a recording."""
    with lzma.open(file, "wt", encoding="utf-8", preset=9) as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def read(file: Path) -> list[Line]:
    """Read a recording."""
    with lzma.open(file, "rt", encoding="utf-8") as source:
        return [json.loads(line) for line in source]


# ── comparing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Name = tuple[object, ...]


def named(lines: Iterable[Line]) -> dict[Name, Line]:
    """Give each answer a name that stays the same when other answers come or go.

    The name is the request and a count of equal requests.
    """
    found: dict[Name, Line] = {}
    times: Counter[Name] = Counter()
    for line in lines:
        asked = tuple(line.get(name) for name in ("moment", "who", "lang", "method", "path"))
        times[asked] += 1
        found[*asked, times[asked]] = line
    return found


def differences(old: Sequence[Line], new: Sequence[Line]) -> Iterator[str]:
    """Describe each answer that differs, is missing or is new."""
    before, after = named(_history_sorted(old)), named(_history_sorted(new))
    for name, line in before.items():
        if name not in after:
            yield f"{_title(line)}\n    is not asked any more"
        elif changes := list(_changes("", _compared(line), _compared(after[name]))):
            shown = [f"    {at}: {_short(one)} → {_short(other)}" for at, one, other in changes[:8]]
            more = [f"    … and {len(changes) - 8} more"] if len(changes) > 8 else []
            yield "\n".join([_title(line), *shown, *more])
    for name, line in after.items():
        if name not in before:
            yield f"{_title(line)}\n    is new"


def _history_sorted(lines: Sequence[Line]) -> list[Line]:
    """Sort rows of the table by content: one statement changes its rows in any order."""
    rows = [line for line in lines if line.get("path", "").startswith("history/")]
    says = [{**line["body"], "id": 0, "at": None} for line in rows]
    bodies = sorted(says, key=lambda body: json.dumps(body, sort_keys=True))
    others = [line for line in lines if not line.get("path", "").startswith("history/")]
    return [*others, *({**line, "body": body} for line, body in zip(rows, bodies, strict=True))]


def report(old: Sequence[Line], new: Sequence[Line], *, at_most: int = 10) -> str:
    """Describe the first answers that differ; give an empty text if none do."""
    found = list(differences(old, new))
    if not found:
        return ""
    head = f"{len(found)} of {len(old)} answers differ; the first {min(at_most, len(found))}:"
    return "\n".join([head, *found[:at_most]])


def _title(line: Line) -> str:
    asked = " ".join(str(line[name]) for name in ("moment", "who", "lang", "method", "path") if name in line)
    return f"step {line['step']}: {asked}"


def _compared(line: Line) -> Line:
    return {name: line[name] for name in ("status", "headers", "body") if name in line}


def _changes(at: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _changes(f"{at}.{name}" if at else name, old.get(name, "(absent)"), new.get(name, "(absent)"))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(f"{at}[{number}]", one, other)
    elif old != new or type(old) is not type(new):
        yield at, old, new


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:120]} … {text[-60:]}"
