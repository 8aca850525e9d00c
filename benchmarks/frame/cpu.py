"""CPU time (处理器时间) by process tree: client, Python and PostgreSQL apart.

Rates change with the other work of the machine; CPU per act changes less, so both are shown.
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
        """Add up client, Python and PostgreSQL."""
        return self.client + self.python + self.postgres

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
        """Read all three, this process last: looking at the others costs it something."""
        python, postgres = self._of_servers()
        return Cpu(_of_this_process(), python, postgres)

    def since(self, before: Cpu) -> Cpu:
        """Read all three, this process first, and subtract an earlier reading."""
        own = _of_this_process()
        python, postgres = self._of_servers()
        return Cpu(own - before.client, python - before.python, postgres - before.postgres)

    def _of_servers(self) -> tuple[float, float]:
        return sum(_of_tree(pid) for pid in self.servers), _of_tree(self.postmaster)


def _of_this_process() -> float:
    own, ended = os.times(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.user + own.system + ended.ru_utime + ended.ru_stime


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
