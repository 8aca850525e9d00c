"""Plain English in docstrings and comments (用语).

No docstring opens with a riddle, people are "they", lines fit a page.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.support.source import parsed
from tests.test_structure import CODE, sources

OPENINGS = "Who|Whom|Whose|What|Whatever|Where|When|Whether|Which|How|Why|That|Whoever|All that|Those who|Somebody who|Anything|Everything that"
RIDDLE = re.compile(rf"({OPENINGS})\b")
"""A sentence that opens with a free relative has to be read twice."""
HE = re.compile(r"\b(he|she|his|him|her|hers|himself|herself)\b", re.IGNORECASE)
COLUMNS = 100
DIRECTIVE = re.compile("──|type: ignore|noqa")
AT_MOST = 0.02


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a file, those of attributes too, each with its line."""
    for node in ast.walk(parsed(path)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments of a file, but for rules across a section and what tools are told."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT and not DIRECTIVE.search(token.string):
            yield token.start[0], token.string


def test_docstrings_do_not_open_with_a_riddle(project: Path) -> None:
    every = [(path, line, text) for path in sources(project, *CODE) for line, text in docstrings(path)]
    riddles = [f"{path.relative_to(project)}:{line}: {text.splitlines()[0]}" for path, line, text in every if RIDDLE.match(text)]
    assert len(riddles) <= AT_MOST * len(every), "\n".join(riddles)


def test_people_are_they(project: Path) -> None:
    said = [(path, line, text) for path in sources(project, *CODE) for line, text in (*docstrings(path), *comments(path))]
    assert [f"{path.relative_to(project)}:{line}" for path, line, text in said if HE.search(text)] == []


def test_prose_has_at_most_100_columns(project: Path) -> None:
    long = []
    for path in sources(project, *CODE):
        lines = path.read_text(encoding="utf-8").splitlines()
        prose = {number + each for number, text in docstrings(path) for each in range(text.count("\n") + 1)} | {line for line, _ in comments(path)}
        long += [f"{path.relative_to(project)}:{number}" for number in sorted(prose) if len(lines[number - 1]) > COLUMNS]
    assert long == []
