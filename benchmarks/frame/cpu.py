"""CPU time (处理器时间) by process tree: client, Python and PostgreSQL apart.

Rates drift with whatever else the machine does; CPU per act drifts less, so it stands beside them.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Cpu:
    """Seconds of CPU time, or milliseconds per act after ``per_act``."""

    client: float = 0.0
    python: float = 0.0
    postgres: float = 0.0

    @property
    def in_all(self) -> float:
        """Add up the three."""
        return self.client + self.python + self.postgres

    def since(self, before: Cpu) -> Cpu:
        """Subtract an earlier reading."""
        return Cpu(
            self.client - before.client,
            self.python - before.python,
            self.postgres - before.postgres,
        )

    def per_act(self, acts: float) -> Cpu:
        """Convert seconds of many acts to milliseconds of one."""
        share = 1000 / acts if acts else 0.0
        return Cpu(self.client * share, self.python * share, self.postgres * share)


NO_CPU = Cpu()


@dataclass(frozen=True)
class Meter:
    """Reads the CPU time used so far by servers, by PostgreSQL and by this process.

    Children of this process that have ended (pgbench, a command) count as the client.
    """

    postmaster: int
    servers: Collection[int] = ()

    def read(self) -> Cpu:
        """Read all three."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = os.times()
        return Cpu(
            client=own.user + own.system + ended.ru_utime + ended.ru_stime,
            python=sum(_of_tree(pid) for pid in self.servers),
            postgres=_of_tree(self.postmaster),
        )


def _of_tree(pid: int) -> float:
    """Add up a process, its ended children and its living descendants."""
    try:
        root = psutil.Process(pid)
        times = root.cpu_times()
        used = times.user + times.system + times.children_user + times.children_system
        descendants = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return 0.0
    for each in descendants:
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            used += times.user + times.system
    return float(used)
