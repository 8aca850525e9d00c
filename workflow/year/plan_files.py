"""Plan files (方案文件): found by their name, read from TOML, checked whole.

All faults of a file are told at once.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from workflow.foundation.errors import Fault, NotFound, PlanInvalid, Words
from workflow.year.plan import Plan
from workflow.year.plan_values import WRONG

MOST_BYTES = 256 * 1024
"""A plan is a few pages; a larger file is the wrong file."""

_PACKAGED = Path(__file__).parent / "plans"
_NAME = re.compile(r"[0-9A-Za-z_-]{1,32}")

FILE = Words("文件", "the file")
TOO_LARGE = Words(f"超过 {MOST_BYTES // 1024} KiB，不像是一份方案", f"larger than {MOST_BYTES // 1024} KiB, which no plan is")
NOT_TOML = Words(
    "不符合 TOML 语法：请检查引号、等号、括号，以及同一个键是否写了两次",
    "not TOML: please check quotes, equals signs and brackets, and whether a key is written twice",
)
NOT_UTF_8 = Words("不是 UTF-8 编码，请另存为 UTF-8", "not in UTF-8; please save it as UTF-8")
NO_SENTENCE = Words(
    "缺少这一条款的方案原文；本年度不要求的，写进 [not_asked]",
    "the plan's sentence for this clause is missing; one that this year does not ask goes into [not_asked]",
)
NOT_CHECKED = Words("系统没有检查这一条款的要求，不必列出", "no requirement checks this clause; it need not be listed")

NO_READING = Words(
    "至少要有 1 项；方案没有指定必读文件的，写成 []，并把 E3、E4 写进 [not_asked]",
    "should have at least 1; a plan that names none has [] here, and E3 and E4 in [not_asked]",
)

ONCE_ASKED = frozenset({"K4"})
"""Clauses that are recorded and were asked before: plans of then may still list them as dropped."""


def read_plan(text: str, clauses: Collection[str], *, name: str) -> Plan:
    """Read a plan file's text.

    ``clauses`` are those that the product reports, and each needs its sentence. Raises PlanInvalid
    with every fault at once. Keys are paths, entries counted from 1 as in the file:
    ``aspects[2].text``.
    """
    if len(text.encode()) > MOST_BYTES:
        raise PlanInvalid(name, [Fault(FILE, TOO_LARGE)])
    try:
        written = tomllib.loads(text)
        # In JSON, texts become words of the vocabulary and lists become tuples, but no number
        # becomes text.
        as_json = json.dumps(written, default=str)
    except (ValueError, RecursionError) as error:
        raise PlanInvalid(name, [Fault(_place(error), NOT_TOML)]) from error
    sentences, dropped = (table if isinstance(table := written.get(key, {}), dict) else {} for key in ("clauses", "not_asked"))
    without = sorted(set(clauses) - sentences.keys() - dropped.keys()) if sentences else []
    faults = [Fault(_same(f"clauses.{clause}"), NO_SENTENCE) for clause in without]
    faults += [Fault(_same(f"not_asked.{clause}"), NOT_CHECKED) for clause in sorted(dropped.keys() - set(clauses) - ONCE_ASKED)]
    try:
        plan = Plan.model_validate_json(as_json)
    except ValidationError as error:
        raise PlanInvalid(name, [*map(_fault, error.errors()), *faults]) from error
    if not plan.required_reading and not {"E3", "E4"} <= dropped.keys():
        faults.append(Fault(_same("required_reading"), NO_READING))
    if faults:
        raise PlanInvalid(name, faults)
    return plan


def find_plan(name: str, data_dir: Path | None) -> tuple[str, str]:
    """Find a plan; return its file name and its text.

    It is the office's own in ``data_dir/plans``, or else the one that comes with the product.
    Raises NotFound, and PlanInvalid when the file is not UTF-8.
    """
    for folder in _folders(data_dir):
        path = folder / f"{name}.toml"
        if _NAME.fullmatch(name) and path.is_file():
            return plan_file(path)
    known = available_plans(data_dir)
    raise NotFound(Words(f"没有这个方案；现有方案：{'、'.join(known)}", f"There is no such plan; there are: {', '.join(known)}"))


def plan_file(path: Path) -> tuple[str, str]:
    """Read a plan file; return its name and its text. Raises PlanInvalid when it is not UTF-8."""
    try:
        # Windows' editor puts a mark before the text.
        with path.open(encoding="utf-8-sig") as file:
            return path.name, file.read(MOST_BYTES + 1)
    except UnicodeDecodeError as error:
        raise PlanInvalid(path.name, [Fault(FILE, NOT_UTF_8)]) from error


def newest_plan(data_dir: Path | None) -> tuple[str, str]:
    """Find the plan whose name comes last, the newest year's; return file name and text."""
    return find_plan(available_plans(data_dir)[-1], data_dir)


def available_plans(data_dir: Path | None) -> list[str]:
    """List the names that ``find_plan`` knows, in order."""
    return sorted({path.stem for folder in _folders(data_dir) for path in folder.glob("*.toml") if _NAME.fullmatch(path.stem)})


def _folders(data_dir: Path | None) -> list[Path]:
    return [_PACKAGED] if data_dir is None else [data_dir / "plans", _PACKAGED]


_REASONS = {
    "missing": Words("缺少这一项", "missing"),
    "extra_forbidden": Words("没有这个键，请检查拼写和所在的表", "no such key; please check its spelling and its table"),
    "string_type": Words("应为文字，写在引号里", "should be text in quotes"),
    "string_too_short": Words("不能为空", "must not be empty"),
    "int_type": Words("应为整数", "should be a whole number"),
    "bool_type": Words("应为 true 或 false", "should be true or false"),
    "date_type": Words("应为日期，如 2024-01-02", "should be a date such as 2024-01-02"),
    "date_parsing": Words("应为日期，如 2024-01-02", "should be a date such as 2024-01-02"),
    "model_type": Words("应为一张表", "should be a table"),
    "dict_type": Words("应为一张表", "should be a table"),
    "tuple_type": Words("应为列表", "should be a list"),
    "too_short": Words("至少要有 {min_length} 项", "should have at least {min_length}"),
    "greater_than_equal": Words("不能小于 {ge}", "must not be below {ge}"),
    "less_than_equal": Words("不能大于 {le}", "must not be above {le}"),
    "enum": Words("只能是 {expected}", "should be {expected}"),
    "literal_error": Words("只能是 {expected}", "should be {expected}"),
}
_WRONG_VALUE = Words("填写有误", "not valid")


def _fault(error: ErrorDetails) -> Fault:
    known = error.get("ctx", {})
    if error["type"] == WRONG:
        return Fault(_path(error["loc"]), Words(error["msg"], known["en"].format(**known)))
    reason = _REASONS.get(error["type"], _WRONG_VALUE).format(**known)
    return Fault(_path(error["loc"]), Words(reason.replace(" or ", " 或 ").replace("', '", "'、'"), reason.en))


def _same(key: str) -> Words:
    return Words(key, key)


def _path(steps: Sequence[int | str]) -> Words:
    # pydantic marks a fault of the key itself with a last step "[key]".
    path = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in steps if step != "[key]")
    return _same(path.removeprefix(".")) if path else FILE


def _place(error: Exception) -> Words:
    found = re.search(r"at line (\d+)", str(error))
    return Words(f"第 {found[1]} 行", f"line {found[1]}") if found else FILE
