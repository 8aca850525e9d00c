"""Take rules out of a copy of the project, one at a time, and tell whether the short tests notice.

``python -m tests.rules.take_out`` tries the thirty drawn rules, or those named in the command. It
never changes the project itself.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.rules.draw import PROJECT, Rule, Sort, drawn, guards
from tests.rules.without import CONSTRAINT, COPY

PYTEST = (
    "-x",
    "-q",
    "-m",
    "not slow",
    "-p",
    "no:cacheprovider",
    "-p",
    "tests.rules.without",
    "--tb=line",
)
"""The command of the short tier; the first red test ends it."""
LEFT_OUT = "not still_in_the_code and not downgrading_leaves_nothing"
"""Tests that see the missing text or migration of a rule, but nothing of its effect."""
AT_MOST_SECONDS = 3600

Change = Callable[[Path], tuple[Path, str]]
"""Finds in the copy the file to write, and makes its text without the rule."""


@dataclass(frozen=True)
class Verdict:
    """The answer of the tests when one rule is out."""

    rule: Rule
    word: str
    test: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.word:6} {self.seconds:6.0f} s  {self.rule}  {self.test}"


def copy_of_the_project(target: Path) -> None:
    """Copy every file that git knows or would add."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    said = subprocess.run(listed, cwd=PROJECT, check=True, capture_output=True).stdout
    for name in filter(None, said.decode().split("\0")):
        if (source := PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


# ── how each sort of rule is taken out ────────────────────────────────────────────────────────


def without_requirement(name: str, copy: Path) -> tuple[Path, str]:
    """Let the named requirement find nothing missing, for any query."""
    path, function = _one(copy, _is_function("requirement"))
    [declare] = [node for node in ast.walk(function) if _is_function("declare")(node)]
    assert isinstance(declare, ast.FunctionDef)
    [query] = declare.args.args
    first, indent = declare.body[0], " " * declare.body[0].col_offset
    added = f"""
if {query.arg}.__name__ == {name!r}:
    import functools, sqlalchemy
    def taken_out(asked={query.arg}):
        rows = asked().subquery()
        return sqlalchemy.select(*rows.columns).where(sqlalchemy.false())
    {query.arg} = functools.wraps({query.arg})(taken_out)
"""
    lines = path.read_text(encoding="utf-8").splitlines()
    here = first.lineno - 1
    lines[here:here] = [indent + line for line in added.strip().splitlines()]
    return path, "\n".join(lines) + "\n"


def _is_function(name: str) -> Callable[[ast.AST], bool]:
    return lambda node: isinstance(node, ast.FunctionDef) and node.name == name


def without_access(name: str, copy: Path) -> tuple[Path, str]:
    """Take one role from one action."""
    action, _, role = name.partition(":")
    path, _ = _one(copy, _is_access_table)
    added = f"""
ACCESS = {{action: dict(roles) for action, roles in ACCESS.items()}}
del ACCESS[{action!r}][{role!r}]
"""
    return path, path.read_text(encoding="utf-8") + added


def _is_access_table(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "ACCESS"


def without_guard(name: str, copy: Path) -> tuple[Path, str]:
    """Put ``pass`` in place of a ``raise``."""
    guard = guards(copy)[name]
    text = guard.module.read_text(encoding="utf-8")
    raises = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise)]
    here = (guard.line, guard.column)
    [statement] = [each for each in raises if (each.lineno, each.col_offset) == here]
    lines = text.splitlines()
    assert statement.end_lineno is not None
    lines[guard.line - 1 : statement.end_lineno] = [" " * guard.column + "pass"]
    return guard.module, "\n".join(lines) + "\n"


def _one(copy: Path, wanted: Callable[[ast.AST], bool]) -> tuple[Path, ast.AST]:
    """Find the one wanted statement at the top of a module of the product."""
    found = [
        (path, node)
        for path in sorted((copy / "workflow").rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if wanted(node)
    ]
    assert len(found) == 1, f"{len(found)} places to take the rule out of"
    return found[0]


WITHOUT = {
    Sort.REQUIREMENT: without_requirement,
    Sort.ACCESS: without_access,
    Sort.GUARD: without_guard,
}


# ── what the tests say ────────────────────────────────────────────────────────────────────────


def try_without(rule: Rule, copy: Path, files: int | None = None) -> Verdict:
    """Run the short tests in the copy without one rule, then put the rule back."""
    began = time.monotonic()
    tests = likely_first(rule, copy)[:files]
    if rule.sort is Sort.CONSTRAINT:
        word, test = _tested(tests, copy, {**_environment(copy), CONSTRAINT: rule.name})
    else:
        path, text = WITHOUT[rule.sort](rule.name, copy)
        before = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        try:
            word, test = _tested(tests, copy, _environment(copy))
        finally:
            path.write_text(before, encoding="utf-8")
    return Verdict(rule, word, test, time.monotonic() - began)


def _environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy), COPY: str(copy)}


def _tested(tests: Sequence[str], copy: Path, environment: dict[str, str]) -> tuple[str, str]:
    command = [sys.executable, "-m", "pytest", *PYTEST, "-k", LEFT_OUT, *tests]
    done = subprocess.run(
        command,
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=AT_MOST_SECONDS,
    )
    red = re.search(r"(?m)^(?:FAILED|ERROR) (\S+)", done.stdout)
    if done.returncode == 0:
        return "GREEN", ""
    if done.returncode == 1 and red:
        return "red", red[1]
    return "BROKEN", f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"


def likely_first(rule: Rule, copy: Path) -> list[str]:
    """List all test files: first those that name the rule, then those that try all of its sort."""
    function, _, _ = rule.name.partition("#")
    named = [rule.name, function.rpartition(".")[2], *TRY_ALL.get(rule.sort, ())]
    alike = re.findall(r"[A-Za-z0-9]+", rule.name)
    module = guards(copy)[rule.name].module.stem if rule.sort is Sort.GUARD else ""

    def likely(path: Path) -> tuple[bool, int, int]:
        text = path.read_text(encoding="utf-8")
        return (
            path.stem == f"test_{module}",
            sum(text.count(word) * len(word) for word in named),
            sum(text.count(word) for word in alike),
        )

    files = sorted((copy / "tests").rglob("test_*.py"))
    return [str(path.relative_to(copy)) for path in sorted(files, key=likely, reverse=True)]


TRY_ALL = {
    Sort.REQUIREMENT: ("OF_ALL_BRANCHES",),
    Sort.ACCESS: ("access.txt",),
    Sort.CONSTRAINT: ("constraints.txt",),
}
"""Words of tests that go through every rule of a sort."""


@click.command()
@click.argument("rules", nargs=-1)
@click.option("--files", type=int, help="Only the likeliest files: then GREEN proves nothing.")
@click.option("--control", is_flag=True, help="First run all short tests with every rule there.")
def main(rules: Sequence[str], files: int | None, control: bool) -> None:
    """Try the named rules ("guard load#1:Invalid"), or all that are drawn."""
    with TemporaryDirectory(prefix="zhibu-rules-") as folder:
        copy = Path(folder).resolve() / "zhibu"
        copy_of_the_project(copy)
        if control and (said := _tested(["tests"], copy, _environment(copy)))[0] != "GREEN":
            raise click.ClickException(f"with every rule in its place: {' '.join(said)}")
        verdicts = []
        for rule in map(Rule.read, rules) if rules else drawn():
            verdicts.append(try_without(rule, copy, files))
            click.echo(str(verdicts[-1]))
    noticed = sum(verdict.word == "red" for verdict in verdicts)
    click.echo(f"{noticed} of {len(verdicts)} noticed")
    sys.exit(noticed != len(verdicts))


if __name__ == "__main__":
    main()
