"""Rounds (轮次): product and floor run in turn, and a ratio is made inside each round.

Absolute figures drift with the machine; the median of ratios of neighbours does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from workflow.foundation.errors import Words

from benchmarks.frame.cpu import NO_CPU, Cpu
from benchmarks.targets import BY_NAME, Limit, Path


@dataclass(frozen=True)
class Slice:
    """The figures of one side in one round, or the medians of all its rounds."""

    figure: float
    """Acts per second, or the time of one act, in the unit of the path."""
    cpu: Cpu = NO_CPU
    """Milliseconds per act."""
    mean: float | None = None
    """Milliseconds of an act as the client saw them; p50 and p99 have the same unit."""
    p50: float | None = None
    p99: float | None = None


Side = Callable[[], Slice]
Slices = Mapping[str, Sequence[Slice]]
"""The slices of each side, in the order of the rounds."""
Tell = Callable[[Words], None]
WARMING_UP = Words("预热", "warming up")


def interleave(sides: Mapping[str, Side], rounds: int, tell: Tell) -> Slices:
    """Run every side once a round, in the order given."""
    done: dict[str, list[Slice]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, run in sides.items():
            zh = f"第 {number + 1} 轮，共 {rounds} 轮，{name}"
            tell(Words(zh, f"round {number + 1} of {rounds}, {name}"))
            done[name].append(run())
    return done


@dataclass(frozen=True)
class Row:
    """One path's result."""

    path: Path
    product: Slice
    floor: Slice
    ratios: Sequence[float]
    """Product ÷ floor, one for each round."""
    cpu_ratio: float | None
    """CPU of an act of the floor ÷ CPU of an act of the product."""

    @property
    def ratio(self) -> float:
        """Take the median over the rounds."""
        return median(self.ratios)

    @property
    def judged(self) -> float:
        """The figure to which the limit applies."""
        return self.product.figure if self.path.of_product else self.ratio

    @property
    def holds(self) -> bool:
        """True if the target is reached."""
        return self.path.limit.reached_by(self.judged)

    def as_json(self) -> dict[str, Any]:
        """Give the row as the contract has it."""
        return {
            "path": self.path.name,
            "product": _rounded(self.product.figure),
            "floor": _rounded(self.floor.figure),
            "ratio": _rounded(self.ratio),
            "target": self.path.limit.target,
            "holds": self.holds,
            "unit": self.path.unit,
        }


@dataclass(frozen=True)
class Beside:
    """A figure that is no path of its own, with its limit if it has one."""

    name: str
    figure: float
    limit: Limit | None = None


def row(path: str, product: Sequence[Slice], floor: Sequence[Slice]) -> Row:
    """Make a path's row of the slices of both sides."""
    pairs = list(zip(product, floor, strict=True))
    cpu = [f.cpu.in_all / p.cpu.in_all for p, f in pairs if p.cpu.in_all and f.cpu.in_all]
    return Row(
        path=BY_NAME[path],
        product=medians(product),
        floor=medians(floor),
        ratios=[p.figure / f.figure for p, f in pairs],
        cpu_ratio=median(cpu) if cpu else None,
    )


def medians(slices: Sequence[Slice]) -> Slice:
    """Take the median of each figure of a side."""
    return Slice(
        figure=median(each.figure for each in slices),
        cpu=Cpu(
            client=median(each.cpu.client for each in slices),
            python=median(each.cpu.python for each in slices),
            postgres=median(each.cpu.postgres for each in slices),
        ),
        mean=_median([each.mean for each in slices]),
        p50=_median([each.p50 for each in slices]),
        p99=_median([each.p99 for each in slices]),
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _rounded(figure: float) -> float:
    """Round to four digits that count."""
    return float(f"{figure:.4g}")
