"""The bench: every path of the contract has its floor, and a tiny run works. No time is judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from benchmarks.command import GROUPS, run
from benchmarks.frame.cpu import Cpu
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.load import Crew, Request, always, get
from benchmarks.frame.load import run as run_crews
from benchmarks.frame.report import as_json, as_table
from benchmarks.frame.rounds import Beside, Slice, row
from benchmarks.school.plan import Scale
from benchmarks.targets import BY_NAME, PATHS, Path, at_most

CONTRACT = """
    move move_light record record_key viewflow orm poll_304 poll_200 poll_beside_moves staleness
    moves_beside_polls changed_since branches_100 poll_by_size tick_idle tick_idle_million tick_due
    tick_again mail todos_member todos_office exceptions_first exceptions_clause totals form start
    help roster_preview roster_apply
"""
TINY = Scale(branches=100, million=300, connections=4, seconds=0.5, letters=5)


def test_the_paths_are_those_of_the_contract_and_each_is_measured_once() -> None:
    assert [path.name for path in PATHS] == CONTRACT.split()
    assert sorted(name for group in GROUPS for name in group.paths) == sorted(CONTRACT.split())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_path_has_a_floor_and_a_minimum_easier_than_its_target(path: Path) -> None:
    assert path.work
    assert path.floor
    assert path.limit.barely_reached_by(path.limit.target)
    assert path.limit.reached_by(path.limit.target)


def test_a_whole_run_is_planned_for_at_most_25_minutes() -> None:
    assert sum(group.seconds for group in GROUPS) <= 25 * 60


def test_a_ratio_is_made_inside_each_round_and_the_median_is_judged() -> None:
    product = [Slice(30, Cpu(1, 1, 2)), Slice(50, Cpu(1, 1, 2)), Slice(90, Cpu(1, 1, 2))]
    floor = [Slice(100, Cpu(0, 0, 1)), Slice(100, Cpu(0, 0, 1)), Slice(300, Cpu(0, 0, 1))]
    made = row("move", product, floor)
    assert list(made.ratios) == [0.3, 0.5, 0.3]
    assert made.cpu_ratio == 0.25
    (told,) = json.loads(as_json([made]))
    assert told == {
        "path": "move",
        "product": 50,
        "floor": 100,
        "ratio": 0.3,
        "target": 0.3,
        "holds": True,
        "unit": "1/s",
    }


def test_a_limit_of_the_products_own_figure_is_not_one_of_the_ratio() -> None:
    slow = row("tick_idle", [Slice(12.0)], [Slice(2.0)])
    assert not slow.holds
    assert row("tick_idle", [Slice(9.0)], [Slice(0.1)]).holds
    table = as_table([slow], [Beside("letters of the year, ms", 4.2, at_most(10, 20))])
    assert "| tick_idle | 12 | 2 | ms | 6 (6–6) |" in table
    assert table.splitlines()[-1].endswith("| ≤ 10 (20) | yes |")


def test_a_path_that_does_not_exist_is_refused_before_anything_starts() -> None:
    with pytest.raises(BenchFailed, match="没有这条路径：mvoe；现有：move、"):
        run(["mvoe"])


# ── the load client ───────────────────────────────────────────────────────────────────────────────


class _Echo(BaseHTTPRequestHandler):
    """Answers with the status in the path; the length of the body depends on it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = int(self.path.strip("/"))
        body = b"" if status == 304 else b"x" * 70_000
        self.send_response(status)
        if body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def echo() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_crew_gets_as_many_answers_as_are_enough(echo: int) -> None:
    large = Crew(echo, always(get("/200")), 2, enough=7)
    unchanged = Crew(echo, always(get("/304"), 304), 1, per_second=1000, enough=5)
    run_crews([large, unchanged], 60)
    assert [large.answers, len(large.latencies), unchanged.answers] == [7, 7, 5]
    assert large.rate > 0


def test_a_paced_crew_waits_for_its_last_answers(echo: int) -> None:
    """All is asked and one connection is idle while the other's answer is still on its way."""
    crew = Crew(echo, always(get("/304"), 304), 2, per_second=10_000, enough=500)
    run_crews([crew], 60)
    assert [crew.asked, crew.answers] == [500, 500]


def test_a_crew_that_has_nothing_left_to_ask_ends_before_its_time(echo: int) -> None:
    left = [Request(get("/200"))] * 3
    crew = Crew(echo, lambda: left.pop() if left else None, 2)
    run_crews([crew], 60)
    assert crew.answers == 3


def test_an_answer_that_was_not_expected_ends_the_run(echo: int) -> None:
    with pytest.raises(BenchFailed, match=r"GET /404 HTTP/1\.1 was answered HTTP/1\.1 404"):
        run_crews([Crew(echo, always(get("/404")), 1)], 60)


# ── a whole run ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.thorough
def test_a_tiny_run_gives_a_row_for_each_path_that_is_asked_for() -> None:
    asked = ["move_light", "poll_304", "tick_again"]
    found = run(asked, rounds=1, scale=TINY, quiet=True)
    assert [each.path.name for each in found.rows] == asked
    assert all(each.product.figure > 0 and each.floor.figure > 0 for each in found.rows)
    assert [each.path.unit for each in found.rows] == [BY_NAME[name].unit for name in asked]
