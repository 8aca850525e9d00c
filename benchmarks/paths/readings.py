"""Readings (查询) of one caller: to-dos, exceptions, totals, form; each beside a constant.

The floor is a constant JSON view of the same body: the cost of the wire and the server alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from functools import partial
from itertools import cycle

from workflow.foundation.errors import Words

from benchmarks.bench import CYCLE, OFFICE, Bench, Findings, Group
from benchmarks.frame.load import Crew, Request, Requests, by_time, get
from benchmarks.frame.rounds import Beside, Side, Slice, interleave, medians, row
from benchmarks.frame.servers import BASE, Server
from benchmarks.school.plan import MEMBER_PLACE, branches
from benchmarks.targets import BESIDE

OF_CONSTANT = 500
"""Requests for a constant in one slice."""
SLICE_SECONDS, MOST_TIMES = 1.5, 100
SUMMARY, LETTERS = "summary of an assessment, ms", "letters of the year, ms"

Asked = Sequence[tuple[str, str]]
"""Path and token of each question, in turn."""


def readings(bench: Bench) -> dict[str, Asked]:
    """List the questions of each path, by the name of the path."""
    every = list(branches(bench.scale))
    some = every[:: max(1, len(every) // 20)]
    reported = [b for b in every if b.stage == "report"] or every
    middle = every[len(every) // 2].code
    return {
        "todos_member": [(f"{BASE}/me/todos", b.token(k)) for b in some for k in (1, MEMBER_PLACE)],
        "todos_office": [(f"{BASE}/me/todos", OFFICE)],
        "exceptions_first": [(f"{CYCLE}/exceptions", OFFICE)],
        "exceptions_clause": [(f"{CYCLE}/exceptions?clause=K1", OFFICE)],
        "totals": [(f"{CYCLE}/totals", OFFICE)],
        "form": [(f"{CYCLE}/branches/{b.code}/form", b.token(1)) for b in reported[:20]],
        SUMMARY: [(f"{CYCLE}/assessments/{middle}/summary", OFFICE)],
        LETTERS: [(f"{CYCLE}/letters", OFFICE)],
    }


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Ask one thing after another, and the constant of each beside it."""
    beside = (SUMMARY, LETTERS) if wanted >= set(GROUP.paths) else ()
    asked = {name: each for name, each in readings(bench).items() if name in {*wanted, *beside}}
    with bench.school.server() as server:
        bench.tell(Words("全部问一遍", "asking everything once"))
        first = {_file(name): each[0] for name, each in asked.items()}
        with bench.constants(bench.bodies(server, first)) as constant:
            sides: dict[str, Side] = {}
            for name, each in asked.items():
                sides[name] = partial(_slice, bench, server, each, _times(server, each))
                view = [(f"/view/{_file(name)}", OFFICE)]
                sides[f"constant of {name}"] = partial(_slice, bench, constant, view, OF_CONSTANT)
            done = interleave(sides, rounds, bench.tell)
    return [
        *(
            row(name, done[name], done[f"constant of {name}"])
            for name in GROUP.paths
            if name in wanted
        ),
        *(Beside(name, medians(done[name]).figure, BESIDE[name]) for name in beside),
    ]


def _times(server: Server, asked: Asked) -> int:
    """Choose how often to ask in a slice: slow questions are asked less often."""
    began = time.perf_counter()
    server.body(*asked[0])
    return min(MOST_TIMES, max(1, round(SLICE_SECONDS / (time.perf_counter() - began))))


def _slice(bench: Bench, server: Server, asked: Asked, times: int) -> Slice:
    crew = Crew(server.port, _in_turn(asked), 1, enough=times)
    return by_time(crew, bench.cluster.meter(server.pid))


def _in_turn(asked: Asked) -> Requests:
    requests = cycle([Request(get(path, token)) for path, token in asked])
    return lambda: next(requests)


def _file(name: str) -> str:
    """Make a name that an address can hold."""
    return name.split(",", maxsplit=1)[0].replace(" ", "-")


GROUP = Group(
    "readings",
    ("todos_member", "todos_office", "exceptions_first", "exceptions_clause", "totals", "form"),
    4,
    90,
    measure,
)
