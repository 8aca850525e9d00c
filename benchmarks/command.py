"""``zhibu bench`` (测量): measure the chosen paths without changing the product.

Everything lives in a temporary folder, or in a data directory that is kept for later runs.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]
from commands.language import say
from workflow.foundation.errors import Words

from benchmarks.bench import Bench, Group
from benchmarks.frame import report
from benchmarks.frame.cluster import a_cluster
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.progress import Progress
from benchmarks.frame.rounds import Beside, Row
from benchmarks.paths import (
    mails,
    moves,
    polls,
    readings,
    records,
    rosters,
    side_by_side,
    starts,
    ticks,
)
from benchmarks.peers.environment import prepare_peers
from benchmarks.peers.running import PEERS
from benchmarks.school.loading import Schools
from benchmarks.school.plan import Scale
from benchmarks.targets import BY_NAME

GROUPS: tuple[Group, ...] = (
    moves.GROUP,
    records.GROUP,
    polls.GROUP,
    side_by_side.GROUP,
    readings.GROUP,
    ticks.GROUP,
    mails.GROUP,
    starts.GROUP,
    rosters.GROUP,
)
"""The groups in the order of a run: those that change the school most come last."""


@dataclass(frozen=True)
class Result:
    """The findings of a run."""

    rows: Sequence[Row]
    beside: Sequence[Beside]
    remarks: Sequence[str]
    """The machine, and the time that loading and the whole run took."""


def run(
    only: Collection[str] = (),
    *,
    rounds: int | None = None,
    data_dir: Path | None = None,
    scale: Scale | None = None,
    quiet: bool = False,
) -> Result:
    """Measure these paths, or all of them. Raises BenchFailed."""
    if sys.platform == "win32":
        en = "the server that is measured does not run on Windows"
        raise BenchFailed(say(Words("要测量的服务器不能在 Windows 上运行", en)))
    wanted = frozenset(only or BY_NAME)
    if unknown := sorted(wanted - BY_NAME.keys()):
        en = f"no such path: {', '.join(unknown)}; there are {', '.join(BY_NAME)}"
        zh = f"没有这条路径：{'、'.join(unknown)}；现有：{'、'.join(BY_NAME)}"
        raise BenchFailed(say(Words(zh, en)))
    groups = [group for group in GROUPS if wanted & set(group.paths)]
    share = {each.name: (rounds or each.rounds) / each.rounds for each in groups}
    parts = [(each.name, each.seconds * share[each.name]) for each in groups]
    progress = Progress(parts, quiet=quiet)
    if wanted & PEERS.keys():
        prepare_peers()
    with _folder(data_dir) as (folder, home), a_cluster(home) as cluster:
        schools = Schools(cluster, folder, scale or Scale(), kept=data_dir is not None)
        bench = Bench(cluster, folder, schools.scale, schools, progress.tell)
        rows: list[Row] = []
        beside: list[Beside] = []
        for group in groups:
            progress.enter(group.name)
            here = wanted & set(group.paths)
            for each in group.measure(bench, rounds or group.rounds, here):
                (rows if isinstance(each, Row) else beside).append(each)  # type: ignore[arg-type]
        version = cluster.version
    order = list(BY_NAME)
    rows.sort(key=lambda row: order.index(row.path.name))
    took = {**schools.took, "the whole": progress.end()}
    return Result(rows, beside, [_machine(version), _durations(took)])


def measured(only: str, *, as_json: bool, rounds: int | None, data_dir: Path | None) -> str:
    """Measure the paths of a comma-separated list and give what to print. Raises BenchFailed."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    result = run(names, rounds=rounds, data_dir=data_dir)
    if as_json:
        return report.as_json(result.rows)
    return "\n\n".join([*result.remarks, report.as_table(result.rows, result.beside)])


@contextmanager
def _folder(data_dir: Path | None) -> Iterator[tuple[Path, Path]]:
    """Give a folder for logs and files, and the data directory of PostgreSQL."""
    kept = nullcontext(str(data_dir)) if data_dir else TemporaryDirectory(prefix="zhibu-bench-")
    with kept as home:
        folder = Path(home) / "run"
        folder.mkdir(parents=True, exist_ok=True)
        yield folder, Path(home)


def _machine(version: str) -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, {version}"
    )


def _durations(took: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in took.items())
