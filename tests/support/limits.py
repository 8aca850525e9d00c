"""The limits of bodies as ``expected/limits.txt`` has them, and bodies that use all of them.

It reads no limit from the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "expected" / "limits.txt"


@dataclass(frozen=True)
class Limit:
    """One line of the table: the limit of a field."""

    path: str
    kind: str
    words: tuple[str, ...]

    @property
    def least(self) -> int:
        return int(self.words[0].partition("..")[0])

    @property
    def most(self) -> int:
        return int(self.words[0].partition("..")[2])


def written_limits() -> dict[str, list[Limit]]:
    """Read the lines of the table by body."""
    found: dict[str, list[Limit]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(" "):
            found[line] = []
        elif line:
            path, kind, *words = line.split()
            found[list(found)[-1]].append(Limit(path, kind, tuple(words)))
    return found


LIMITS = written_limits()


def at_most(body: str, **instead: Any) -> dict[str, Any]:
    """Make a body whose texts, lists of texts and numbers are as long and large as allowed."""
    by_path = {limit.path: limit for limit in LIMITS[body]}
    full: dict[str, Any] = {}
    for limit in by_path.values():
        if limit.kind in ("text", "line"):
            full[limit.path] = "字" * limit.most
        elif limit.kind == "number":
            full[limit.path] = limit.most
        elif limit.kind == "items" and (item := by_path[f"{limit.path}[]"]).kind == "line":
            numbers = range(limit.most)
            full[limit.path] = [f"{number:03d}".ljust(item.most, "字") for number in numbers]
    return {name: value for name, value in full.items() if name.isidentifier()} | instead


def text_at_most(body: str, path: str) -> str:
    """Make the longest text of one line of the table, such as ``aspects{}``."""
    [limit] = [limit for limit in LIMITS[body] if limit.path == path]
    return "字" * limit.most
