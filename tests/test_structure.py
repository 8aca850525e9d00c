"""The structure of the code (结构): clear folders, readable file sizes, one meaning of a name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.source import parsed

LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 60
MODULES_OF_A_FOLDER = 12
PRODUCT = ("workflow", "api", "schedulers")
CODE = (*PRODUCT, "benchmarks", "migrations", "tests")


def sources(project: Path, *folders: str) -> Iterator[Path]:
    """List the Python files of these top folders and of the top itself.

    A released migration stays as it was applied, so it is left out.
    """
    yield from project.glob("*.py")
    for folder in folders:
        yield from (path for path in (project / folder).rglob("*.py") if "versions" not in path.parts)


@cache
def definitions(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, ...]:
    """List the functions and classes of a file, nested ones too.

    A file is parsed once for all tests.
    """
    statements: list[ast.stmt] = list(parsed(path).body)
    found = []
    for statement in statements:
        statements.extend(node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt))
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(statement)
    return tuple(found)


def test_no_file_is_longer_than_400_lines(project: Path) -> None:
    lengths = {str(path.relative_to(project)): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(project, *CODE)}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_OF_A_FILE} == {}


def test_no_function_is_longer_than_60_lines(project: Path) -> None:
    lengths = {
        f"{path.relative_to(project)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in sources(project, *CODE)
        for node in definitions(path)
        if not isinstance(node, ast.ClassDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LINES_OF_A_FUNCTION} == {}


def test_no_folder_holds_more_than_twelve_modules(project: Path) -> None:
    modules = Counter(str(path.parent.relative_to(project)) for path in sources(project, *CODE) if path.name != "__init__.py")
    assert {folder: count for folder, count in modules.items() if count > MODULES_OF_A_FOLDER} == {}


def test_no_two_classes_of_the_product_share_a_name(project: Path) -> None:
    """A name with two meanings is misread in one of its places.

    Two shapes of one name overwrite each other in the OpenAPI document.
    """
    names = Counter(
        node.name
        for path in sources(project, *PRODUCT)
        for node in definitions(path)
        if isinstance(node, ast.ClassDef) and not node.col_offset and not node.name.startswith("_")
    )
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_no_year_is_written_in_the_code(project: Path) -> None:
    """A year comes from its plan. The demonstration has one, and examples show one."""
    code = [path for path in sources(project, *PRODUCT) if "demo" not in path.parts]
    years = [
        f"{path.relative_to(project)}:{node.lineno}"
        for path in code
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and node.value in (2024, "2024") and node.lineno not in _lines_of_examples(path)
    ]
    assert years == []


def _lines_of_examples(path: Path) -> set[int]:
    given = [node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.keyword) and node.arg == "example"]
    return {line for value in given for line in range(value.lineno, (value.end_lineno or value.lineno) + 1)}
