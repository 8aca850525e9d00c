"""Draw thirty rules by lot from all requirements, access rows, guards and constraints.

It calls rules by their names in the code, never by a path, so that files may move. It changes no
rule: ``take_out.py`` does.
"""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from migrations.tables import METADATA
from tests.support.source import parsed
from workflow.machine.asked import BY_NAME
from workflow.people.access import ACCESS

SEED = 20261129
PROJECT = Path(__file__).parents[2]
DRAWN = Path(__file__).with_name("drawn.txt")


class Sort(StrEnum):
    """The sorts of rules, by their place in the code."""

    REQUIREMENT = "requirement"
    ACCESS = "access"
    GUARD = "guard"
    CONSTRAINT = "constraint"


SHARES = {Sort.REQUIREMENT: 10, Sort.ACCESS: 5, Sort.GUARD: 9, Sort.CONSTRAINT: 6}
"""The number drawn from each sort, thirty together."""
NO_GUARD_ANY_MORE = 1
"""The number of drawn guards that are none now.

The range of a whole number is a validator of marshmallow now, and no ``raise`` of ours.
"""

OTHER_REFUSALS = frozenset({"ValidationError", "CellFault"})
"""Errors that refuse input too, but do not derive from ``Refusal``."""


@dataclass(frozen=True, order=True)
class Rule:
    """One rule by its sort and name, as a line of ``drawn.txt`` gives it."""

    sort: Sort
    name: str

    def __str__(self) -> str:
        return f"{self.sort} {self.name}"

    @classmethod
    def read(cls, line: str) -> Rule:
        sort, _, name = line.partition(" ")
        return cls(Sort(sort), name)


def all_rules(project: Path = PROJECT) -> dict[Sort, list[Rule]]:
    """Give every rule that can be drawn, by sort, in the order of names."""
    names = {
        Sort.REQUIREMENT: BY_NAME,
        Sort.ACCESS: [f"{action}:{role}" for action, roles in ACCESS.items() for role in roles],
        Sort.GUARD: guards(project),
        Sort.CONSTRAINT: constraints(),
    }
    return {sort: sorted(Rule(sort, name) for name in found) for sort, found in names.items()}


def constraints() -> list[str]:
    """Name all CHECKs, unique keys, unique indexes and exclusions of the tables."""
    declared = [
        str(each.name)
        for table in METADATA.tables.values()
        for each in table.constraints
        if isinstance(each, CheckConstraint | UniqueConstraint | ExcludeConstraint)
    ]
    indexes = [index for table in METADATA.tables.values() for index in table.indexes]
    return [*declared, *(str(index.name) for index in indexes if index.unique)]


# ── guards ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Guard:
    """One ``raise`` of a refusal: its function, its number in that function, its error."""

    name: str
    module: Path
    line: int
    column: int


@cache
def guards(project: Path = PROJECT) -> dict[str, Guard]:
    """Find every guard of the product by name.

    Functions of one name that both refuse are left out.
    """
    found = list(_guards(project))
    written = Counter(guard.name for guard in found)
    return {guard.name: guard for guard in found if written[guard.name] == 1}


def _guards(project: Path) -> Iterator[Guard]:
    files = sorted((project / "workflow").rglob("*.py"))
    modules = {path: parsed(path) for path in files}
    known = _refusals(modules.values())
    for path, module in modules.items():
        for function, raises in _functions(module):
            named = [(each, error) for each in raises if (error := _error_of(each)) in known]
            for number, (each, error) in enumerate(named, 1):
                yield Guard(f"{function}#{number}:{error}", path, each.lineno, each.col_offset)


def _refusals(modules: Iterable[ast.Module]) -> set[str]:
    """Name ``Refusal``, all classes below it, and the other errors that refuse input."""
    bases = {
        each.name: {base.id for base in each.bases if isinstance(base, ast.Name)}
        for module in modules
        for each in ast.walk(module)
        if isinstance(each, ast.ClassDef)
    }
    known = {"Refusal"}
    while more := {name for name, above in bases.items() if above & known} - known:
        known |= more
    return known | OTHER_REFUSALS


def _functions(module: ast.Module) -> Iterator[tuple[str, list[ast.Raise]]]:
    """Yield each function by its qualified name, with the ``raise`` statements of its own body."""

    def walk(node: ast.AST, within: str) -> Iterator[tuple[str, list[ast.Raise]]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                name = f"{within}.{child.name}".lstrip(".")
                if isinstance(child, ast.FunctionDef):
                    yield name, sorted(_own_raises(child), key=lambda each: each.lineno)
                yield from walk(child, name)
            else:
                yield from walk(child, within)

    yield from walk(module, "")


def _own_raises(node: ast.AST) -> Iterator[ast.Raise]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise):
            yield child
        elif not isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield from _own_raises(child)


def _error_of(statement: ast.Raise) -> str | None:
    raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return raised.id if isinstance(raised, ast.Name) else None


# ── the lot ───────────────────────────────────────────────────────────────────────────────────


def draw(rules: dict[Sort, list[Rule]], seed: int = SEED) -> list[Rule]:
    """Draw each sort's share; the same rules and seed give the same thirty."""
    lot = random.Random(seed)  # noqa: S311  (a lot that anybody can draw again)
    shares = [lot.sample(rules[sort], share) for sort, share in SHARES.items()]
    return [rule for share in shares for rule in sorted(share)]


def drawn() -> list[Rule]:
    """Read the committed thirty."""
    return [Rule.read(line) for line in DRAWN.read_text(encoding="utf-8").splitlines() if line]


if __name__ == "__main__":
    DRAWN.write_text("".join(f"{rule}\n" for rule in draw(all_rules())), encoding="utf-8")
