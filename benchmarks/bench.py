"""Parts shared by the groups of paths (共用): the cluster, schools, servers and branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workflow.foundation.errors import Words

from benchmarks.floor import Floor
from benchmarks.frame.cluster import Cluster
from benchmarks.frame.rounds import Beside, Row, Tell
from benchmarks.frame.servers import BASE, Inside, Product, Server, constant_server
from benchmarks.moving import Moving
from benchmarks.school.loading import Schools
from benchmarks.school.plan import OFFICE_TOKEN, YEAR, Scale

CYCLE = f"{BASE}/cycles/{YEAR}"


@dataclass
class Bench:
    """One run."""

    cluster: Cluster
    folder: Path
    scale: Scale
    schools: Schools
    tell: Tell

    @cached_property
    def school(self) -> Product:
        """The product on the school of 10,000 branches with evidence."""
        return self.schools.large(self.tell)

    @cached_property
    def million(self) -> Product:
        """The product on the school of 1,000,000 branches without evidence."""
        return self.schools.million(self.tell)

    @cached_property
    def floor(self) -> Floor:
        """The tables of the ten statements, on the same cluster."""
        self.tell(Words("建立下限的数据表", "making the tables of the floor"))
        return Floor.made(self.cluster, self.scale.branches)

    @cached_property
    def moving(self) -> Moving:
        """The branches that are moved to and fro, with the version of each."""
        return Moving(self.scale)

    @contextmanager
    def constants(self, bodies: Mapping[str, bytes]) -> Iterator[Server]:
        """Serve constants of these bodies, which the product answered."""
        folder = self.folder / "constants"
        folder.mkdir(exist_ok=True)
        for name, body in bodies.items():
            (folder / f"{name}.json").write_bytes(body)
        with constant_server(folder, self.folder) as server:
            yield server

    @contextmanager
    def inside(self, product: Product, smtp_url: str = "smtp://127.0.0.1:9") -> Iterator[Inside]:
        """Have acts of the worker run on a school, in a process of their own."""
        process = Inside(product, smtp_url)
        try:
            yield process
        finally:
            process.close()

    def bodies(self, server: Server, paths: Mapping[str, tuple[str, str]]) -> dict[str, bytes]:
        """Ask the product once for each path and token; its answers are served as constants."""
        return {name: server.body(path, token) for name, (path, token) in paths.items()}


OFFICE = OFFICE_TOKEN
Findings = list[Row | Beside]


@dataclass(frozen=True)
class Group:
    """Paths that share servers and rounds."""

    name: str
    paths: tuple[str, ...]
    rounds: int
    seconds: float
    """Expected seconds of all rounds on two cores, set-up included."""
    measure: Callable[[Bench, int, Set[str]], Findings]
    """The function that measures; it gets the bench, the number of rounds and the wanted paths."""
