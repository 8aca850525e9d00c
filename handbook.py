"""Refresh the parts of the documents made from code (文档中由代码生成的段落): ``python3 run.py docs``.

A page marks a block with ``<!-- generated: name -->`` and ``<!-- end -->``. Reads declarations
only: no database, no network.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import get_args, get_origin

from pydantic.fields import FieldInfo

import workflow
from workflow.foundation.database import Base
from workflow.foundation.vocabulary import STAGES, Kind, Trigger, Word
from workflow.machine.asked import CLAUSES, REQUIREMENTS
from workflow.machine.process import MOVES
from workflow.readings.diagram import FORWARD, mermaid, recorded_in
from workflow.readings.inventory import inventory
from workflow.year.plan import Plan, Rules, words_of
from workflow.year.plan_files import newest_plan, read_plan
from workflow.year.plan_values import Part

ROOT = Path(__file__).resolve().parent
BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
CHINESE_IN_BRACKETS = re.compile(r"\(([^()]*[\u4e00-\u9fff][^()]*)\)")
CHINESE_FIRST = re.compile(r"[\u4e00-\u9fff·、]+")

# The glossary lists what every room declares, whoever imports this module.
for _module in pkgutil.walk_packages(workflow.__path__, "workflow."):
    importlib.import_module(_module.name)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────


def pages(root: Path = ROOT) -> list[Path]:
    """List the pages that may hold generated blocks."""
    return [*sorted(root.glob("*.md")), *sorted(root.glob("docs/*.md"))]


def blocks(root: Path = ROOT) -> dict[str, str]:
    """Make every generated block, by name."""
    name, text = newest_plan(None)
    plan = read_plan(text, CLAUSES, name=name)
    said = words_of(plan.as_json())
    return {
        "road": road(Kind.APPRAISAL),
        "diagram": fenced("mermaid", mermaid(Kind.APPRAISAL)),
        "requirements": requirement_table(Kind.APPRAISAL, said),
        "assessment_diagram": fenced("mermaid", mermaid(Kind.ASSESSMENT)),
        "assessment_requirements": requirement_table(Kind.ASSESSMENT, said),
        "recorded": recorded_table(plan.clauses),
        "plan_keys": plan_key_table(Plan),
        "personal_data": inventory(Base.metadata, retention_years=plan.settings.retention_years),
        "words": word_table(),
        "records": record_table(),
        "rooms": room_table(root),
        "layers": layers((root / "pyproject.toml").read_text(encoding="utf-8")),
        "decisions": decision_table(root),
    }


def with_fresh_blocks(page: str, made: Mapping[str, str]) -> str:
    """Replace the generated blocks of a page. Raises KeyError for an unknown block."""
    return BLOCK.sub(lambda found: found[1] + made[found[2]] + found[3], page)


def refresh(root: Path = ROOT) -> list[Path]:
    """Rewrite the pages whose blocks are stale, and return those pages."""
    made, changed = blocks(root), []
    for page in pages(root):
        before = page.read_text(encoding="utf-8")
        after = with_fresh_blocks(before, made)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed.append(page)
    return changed


# ── the rules ─────────────────────────────────────────────────────────────────────────────────────


def road(kind: Kind) -> str:
    """Draw the way forward through the stages of a kind, one arrow a line."""
    names = {stage: f'{stage}["{stage.zh}"]' for stage in STAGES[kind]}
    lines = ["flowchart LR"]
    for move in MOVES[kind]:
        if move.trigger in FORWARD:
            label = "" if move.trigger is Trigger.ADVANCE else f"|{move.trigger.zh}|"
            # The name of a stage is written where it comes first.
            source = names.pop(move.source, move.source)
            lines.append(f"    {source} -->{label} {names.pop(move.target, move.target)}")
    return fenced("mermaid", "\n".join(lines) + "\n")


def requirement_table(kind: Kind, said: Mapping[str, str]) -> str:
    """Tabulate the requirements of a kind, in the order of the plan's stages."""
    rows = [
        (
            each.clause,
            each.stage.zh,
            each.sentence,
            each.words.format(count="N", names="…", **said).zh,
            each.severity.zh,
            each.waivable.zh,
        )
        for each in REQUIREMENTS[kind]
    ]
    return table(("条款", "环节", "方案原文", "缺什么", "性质", "情况说明"), rows)


def recorded_table(sentences: Mapping[str, str]) -> str:
    """Tabulate the clauses that are only recorded, in the order of the plan."""
    where = {clause: "、".join(columns) for clause, columns in recorded_in().items()}
    rows = [(each, text, where[each]) for each, text in sentences.items() if each in where]
    return table(("条款", "方案原文", "记录在"), rows)


def plan_key_table(part: type[Part]) -> str:
    """Tabulate the keys of a plan file with their effects.

    In the order of the classes that read it.
    """
    return table(("键", "不写时", "写什么，有什么用"), _plan_keys(part, ""))


def _plan_keys(part: type[Part], path: str) -> Iterator[tuple[str, str, str]]:
    # A plan's own keys before the keys that clauses are judged by, as in the file.
    for name, field in sorted(part.model_fields.items(), key=lambda each: part is Plan and each[0] in Rules.model_fields):
        key = f"{path}{name}"
        below = [each for each in (field.annotation, *get_args(field.annotation)) if isinstance(each, type) and issubclass(each, Part)]
        if field.description is not None:
            yield f"`{key}`", _when_left_out(field), field.description.strip()
        for each in below:
            many = get_origin(field.annotation) is tuple
            yield from _plan_keys(each, f"{key}{'[]' if many else ''}.")


def _when_left_out(field: FieldInfo) -> str:
    if field.is_required():
        return "必须写"
    kept = field.get_default(call_default_factory=True)
    if isinstance(kept, bool):
        return str(kept).lower()
    return "、".join(map(str, kept)) if isinstance(kept, tuple) else "—" if kept in (None, {}) else str(kept)


# ── the glossary ──────────────────────────────────────────────────────────────────────────────────


def chinese(docstring: str | None) -> str:
    """Find the Chinese term of a docstring: in brackets, or else as its first words."""
    first = " ".join((docstring or "").partition("\n\n")[0].split())
    if found := CHINESE_IN_BRACKETS.search(first):
        return found[1].partition(";")[0]
    opening = CHINESE_FIRST.match(first)
    return opening[0] if opening else ""


def word_table() -> str:
    """Tabulate the vocabularies with their words."""
    rows = []
    for each in vocabularies():
        values = " · ".join(f"`{word}` {word.zh}" for word in each)
        rows.append((chinese(each.__doc__), f"`{each.__name__}`", values))
    return table(("中文", "代码", "取值"), rows)


def vocabularies() -> list[type[Word]]:
    """List the vocabularies of the product: the shared ones first, then those of single rooms."""
    ours = [each for each in Word.__subclasses__() if each.__module__.startswith("workflow.")]
    return sorted(ours, key=lambda each: (each.__module__ != Kind.__module__, *_declared(each)))


def record_table() -> str:
    """Tabulate the mapped classes with their tables and files."""
    rows = []
    for each in records():
        code = (each.__name__, each.__tablename__, file_of(each.__module__))
        rows.append((chinese(each.__doc__), *(f"`{name}`" for name in code)))
    return table(("中文", "代码", "数据表", "文件"), rows)


def records() -> list[type[Base]]:
    """List the mapped classes by file, in the order of their declaration."""
    return sorted((each.class_ for each in Base.registry.mappers), key=_declared)


def _declared(each: type) -> tuple[str, int]:
    """Sort by module and place in it, in whatever order they were imported."""
    return each.__module__, list(vars(sys.modules[each.__module__])).index(each.__name__)


def room_table(root: Path) -> str:
    """Tabulate the modules whose docstring has a Chinese term."""
    rows = []
    for path in sorted((root / "workflow").rglob("*.py")):
        found = chinese(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))))
        if found:
            name = path.parent.name if path.stem == "__init__" else path.stem
            rows.append((found, f"`{name}`", f"`{path.relative_to(root).as_posix()}`"))
    return table(("中文", "代码", "文件"), rows)


def file_of(module: str) -> str:
    """Name the file of a module of ours."""
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


# ── the architecture ──────────────────────────────────────────────────────────────────────────────


def layers(pyproject: str) -> str:
    """Draw the contracts that import-linter keeps, each as its layers from the top down."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    return "\n".join(f"**{each['name']}**\n\n{_contract(each)}" for each in contracts)


def _contract(contract: Mapping[str, list[str]]) -> str:
    if "layers" in contract:
        inside = [f"{each}:" for each in contract.get("containers", [])]
        indent = "    " if inside else ""
        drawn = [*inside, *(f"{indent}{each}" for each in contract["layers"])]
        return fenced("text", "\n".join(drawn) + "\n")
    never = ", ".join(f"`{each}`" for each in contract["forbidden_modules"])
    sources = ", ".join(f"`{each}`" for each in contract["source_modules"])
    return f"{sources} never imports {never}.\n"


def decision_table(root: Path) -> str:
    """Tabulate the decisions: number, title, date and status as each page tells them."""
    rows = [
        (f"[{page.name[:4]}]({page.name})", title, date, status)
        for page in sorted(root.glob("docs/0*.md"))
        for title, date, status in [heading_of(page.read_text(encoding="utf-8"))]
    ]
    return table(("No.", "Decision", "Date", "Status"), rows)


def heading_of(decision: str) -> tuple[str, str, str]:
    """Read title, date and status of a decision. Raises ValueError where one is missing."""
    found = re.match(r"# (.+)\n\n- Date: (\d{4}-\d\d-\d\d)\n- Status: (.+)\n", decision)
    if found is None:
        raise ValueError(f"no title, date and status at the top: {decision[:80]!r}")
    return found[1], found[2], found[3]


# ── Markdown ──────────────────────────────────────────────────────────────────────────────────────


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return "".join(_lines(list(heading), rows))


def _lines(heading: list[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |\n"
    yield f"|{'---|' * len(heading)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"
