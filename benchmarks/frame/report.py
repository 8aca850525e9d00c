"""The table and the JSON of a run (结果)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.frame.cpu import Cpu
from benchmarks.frame.rounds import Beside, Row, Slice

HEADINGS = (
    *("path", "product", "floor", "unit", "ratio (lowest–highest)", "CPU ratio"),
    *("CPU ms, product", "CPU ms, floor", "p50 / p99 ms", "target (minimum)", "holds"),
)


def as_json(rows: Sequence[Row]) -> str:
    """Write the rows as the contract has them."""
    return json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=2)


def as_table(rows: Sequence[Row], beside: Sequence[Beside]) -> str:
    """Write rows, and the figures beside them, as Markdown."""
    lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS)), *(_line(_cells(r)) for r in rows)]
    for each in beside:
        limit = str(each.limit) if each.limit else ""
        verdict = _verdict(each.limit.reached_by(each.figure)) if each.limit else ""
        cells = [each.name, _figure(each.figure)] + [""] * (len(HEADINGS) - 4)
        lines.append(_line([*cells, limit, verdict]))
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    spread = f"{_figure(min(row.ratios))}–{_figure(max(row.ratios))}"
    subject = f"product {row.path.unit}" if row.path.of_product else "ratio"
    return [
        row.path.name,
        _figure(row.product.figure),
        _figure(row.floor.figure),
        row.path.unit,
        f"{_figure(row.ratio)} ({spread})",
        _figure(row.cpu_ratio) if row.cpu_ratio is not None else "",
        _cpu(row.product.cpu),
        _cpu(row.floor.cpu),
        _latencies(row.product),
        f"{subject} {row.path.limit}",
        _verdict(row.holds),
    ]


def _cpu(cpu: Cpu) -> str:
    """Write client, Python and PostgreSQL."""
    if not cpu.in_all:
        return ""
    return " + ".join(_figure(each) for each in (cpu.client, cpu.python, cpu.postgres))


def _latencies(product: Slice) -> str:
    if product.p50 is None or product.p99 is None:
        return ""
    return f"{_figure(product.p50)} / {_figure(product.p99)}"


def _figure(value: float) -> str:
    """Write three digits that count, and no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or value == 0 else f"{value:.4f}"


def _verdict(holds: bool) -> str:
    return "yes" if holds else "no"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
