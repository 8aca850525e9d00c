"""Polls and moves side by side (轮询与推进同时): the cost of each to the other, delays of polls."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import ExitStack
from functools import partial
from typing import Any

import psycopg

from benchmarks.bench import CYCLE, OFFICE, Bench, Findings, Group
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.load import Crew, always, by_rate, get, run, slice_of, warm_up
from benchmarks.frame.rounds import WARMING_UP, Side, Slice, interleave, row
from benchmarks.frame.servers import Inside, Server
from benchmarks.paths.polls import PROGRESS
from benchmarks.school.loading import SCHOOL

MOVES_BESIDE, POLLS_BESIDE = 20, 50
"""Moves and polls a second."""
STALE_MOVES = 8
"""Moves in one round."""
CALLERS = 4
"""Connections that must all show a move: each process of the server caches its own answer."""
PAUSE_SECONDS = 0.01
GIVE_UP_SECONDS = 10
FOLLOWER_PAGE = 7
_NEEDS = {
    "poll_beside_moves": ("constant", "poll_beside_moves"),
    "moves_beside_polls": ("moves alone", "moves_beside_polls"),
    "staleness": ("staleness", "staleness by SQL"),
}


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Run polls beside moves, moves beside polls, and follow single moves to the dashboard."""
    with ExitStack() as stack:
        server = stack.enter_context(bench.school.server())
        inside = stack.enter_context(bench.inside(bench.school))
        bodies = bench.bodies(server, {"progress": (PROGRESS, OFFICE)})
        constant = stack.enter_context(bench.constants(bodies))
        watch = Watch(bench, server, inside)
        sides: dict[str, Side] = {
            "constant": partial(_constant, bench, constant),
            "poll_beside_moves": partial(_polls, bench, server, inside),
            "moves alone": partial(_moves, bench, server, 0),
            "moves_beside_polls": partial(_moves, bench, server, POLLS_BESIDE),
            "staleness": watch.by_polls,
            "staleness by SQL": watch.by_sql,
        }
        needed = {side for path in wanted for side in _NEEDS[path]}
        sides = {name: side for name, side in sides.items() if name in needed}
        bench.tell(WARMING_UP)
        warm_up(server.port, bench.moving.either, bench.scale.connections)
        warm_up(server.port, always(get(PROGRESS, OFFICE)), bench.scale.connections)
        done = interleave(sides, rounds, bench.tell)
        if "staleness" in wanted:
            watch.follower.compare()
    found: Findings = []
    for name in GROUP.paths:
        if name in wanted:
            one, other = _NEEDS[name]
            product, floor = (one, other) if name == "staleness" else (other, one)
            found.append(row(name, done[product], done[floor]))
    return found


def _constant(bench: Bench, constant: Server) -> Slice:
    crew = Crew(constant.port, always(get("/view/progress", OFFICE)), bench.scale.connections)
    return by_rate(crew, bench.cluster.meter(constant.pid), bench.scale.seconds * 2 / 3)


def _polls(bench: Bench, server: Server, inside: Inside) -> Slice:
    """Poll as fast as possible while moves are made at their pace."""
    inside.do("fold")
    polls = Crew(server.port, always(get(PROGRESS, OFFICE)), bench.scale.connections)
    moves = Crew(server.port, bench.moving.either, CALLERS, per_second=MOVES_BESIDE)
    run([polls, moves], bench.scale.seconds)
    return slice_of(polls, polls.rate)


def _moves(bench: Bench, server: Server, polls_a_second: int) -> Slice:
    """Move as fast as possible, alone or while polls come at their pace."""
    moves = Crew(server.port, bench.moving.either, bench.scale.connections)
    polls = Crew(
        server.port, always(get(PROGRESS, OFFICE)), CALLERS, per_second=polls_a_second or None
    )
    run([moves, polls] if polls_a_second else [moves], bench.scale.seconds)
    return slice_of(moves, moves.rate)


class Watch:
    """Follows single moves: from the move's answer until the dashboard shows it."""

    def __init__(self, bench: Bench, server: Server, inside: Inside) -> None:
        self.bench, self.server, self.inside = bench, server, inside
        self.follower = Follower(server)

    def by_polls(self) -> Slice:
        """Ask on several connections until each of them shows the move."""
        callers = [Caller(self.server) for _ in range(CALLERS)]
        try:
            return self._longest([partial(_shown, each) for each in callers])
        finally:
            for each in callers:
                each.close()

    def by_sql(self) -> Slice:
        """Ask the database itself on a connection of its own."""
        with self.bench.cluster.connect(SCHOOL) as connection:
            return self._longest([partial(_counted, connection)])

    def _longest(self, questions: Sequence[Callable[[], int]]) -> Slice:
        self.inside.do("fold")
        moving, lags = self.bench.moving, []
        with self.bench.cluster.connect(SCHOOL) as connection:
            for _ in range(STALE_MOVES):
                forward = len(moving.at_talks) >= len(moving.at_self_review)
                wanted = _counted(connection) + (1 if forward else -1)
                run([Crew(self.server.port, moving.either, 1, enough=1)], GIVE_UP_SECONDS)
                lags.append(_until_shown(questions, wanted))
                self.follower.go_on()
        return Slice(max(lags))


def _until_shown(questions: Sequence[Callable[[], int]], wanted: int) -> float:
    began = time.perf_counter()
    open_ = list(questions)
    while open_ := [question for question in open_ if question() != wanted]:
        if time.perf_counter() > began + GIVE_UP_SECONDS:
            raise BenchFailed(f"a move was not shown within {GIVE_UP_SECONDS} s")
        time.sleep(PAUSE_SECONDS)
    return time.perf_counter() - began


class Caller:
    """One keep-alive connection that reads JSON."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def read(self, path: str) -> Any:
        """GET a path as the office. Raises BenchFailed."""
        try:
            response = self._ask(path)
        except (http.client.RemoteDisconnected, ConnectionError):
            # A server may close what was idle for seconds.
            self.connection.close()
            response = self._ask(path)
        body = response.read()
        if response.status != 200:
            raise BenchFailed(f"GET {path} was answered {response.status} {body[:500]!r}")
        return json.loads(body)

    def _ask(self, path: str) -> http.client.HTTPResponse:
        self.connection.request("GET", path, headers={"Authorization": OFFICE})
        return self.connection.getresponse()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def _shown(caller: Caller) -> int:
    return int(caller.read(PROGRESS)["by_stage"]["self_review"])


def _counted(connection: psycopg.Connection[Any]) -> int:
    found = connection.execute(
        "select count(*) from process where kind = 'appraisal' and stage = 'self_review'"
    ).fetchone()
    return int(found[0]) if found else 0


class Follower:
    """Keeps rows by asking only for changes, and compares them with rows read anew."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.next: str = server.read(PROGRESS, OFFICE)["cursor"]

    def go_on(self) -> None:
        """Ask until nothing more comes."""
        caller = Caller(self.server)
        while True:
            query = f"changed_since={self.next}&limit={FOLLOWER_PAGE}"
            answer = caller.read(f"{CYCLE}/branches?{query}")
            self.rows |= {each["branch"]["code"]: each for each in answer["items"]}
            if not answer["items"] and answer["next"] == self.next:
                break
            self.next = answer["next"]
        caller.close()

    def compare(self) -> None:
        """Read every row it was told of once more. Raises BenchFailed where one differs."""
        self.go_on()
        caller = Caller(self.server)
        for code, told in self.rows.items():
            fresh = caller.read(f"{CYCLE}/branches/{code}")
            if any(fresh[name] != told[name] for name in ("stage", "version", "due_on")):
                raise BenchFailed(f"changed_since told {told} of {code}, and it is {fresh}")
        caller.close()


GROUP = Group("side by side", tuple(_NEEDS), 4, 110, measure)
