"""Targets (目标): the paths of the bench, the floor of each, and the limit of its figure.

The names of the paths are the contract's. No target is given anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """The limits of a figure: the target, and the minimum below which the work is not done."""

    target: float
    minimum: float
    at_least: bool
    """True if more is better."""

    def reached_by(self, figure: float) -> bool:
        """Compare a figure with the target."""
        return figure >= self.target if self.at_least else figure <= self.target

    def barely_reached_by(self, figure: float) -> bool:
        """Compare a figure with the minimum."""
        return figure >= self.minimum if self.at_least else figure <= self.minimum

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.target:g} ({self.minimum:g})"


def at_least(target: float, minimum: float) -> Limit:
    """Limit a figure from below."""
    return Limit(target, minimum, at_least=True)


def at_most(target: float, minimum: float) -> Limit:
    """Limit a figure from above."""
    return Limit(target, minimum, at_least=False)


@dataclass(frozen=True)
class Path:
    """One path: what the product does, what the floor does, and the limit of the figure."""

    name: str
    work: str
    floor: str
    unit: str
    """The unit of product and floor: ``1/s`` (more is better), ``ms`` or ``s`` (less is)."""
    limit: Limit
    of_product: bool = False
    """True if the limit is for the product's own figure instead of the ratio."""


PER_SECOND, MILLISECONDS, SECONDS = "1/s", "ms", "s"

_TEN = "ten prepared statements by pgbench"
_VIEW = "a constant JSON view, same server, same body"

PATHS = (
    Path(
        "move",
        "POST …/moves, advance from talks to self_review, 16 connections",
        f"{_TEN}, 16 clients",
        PER_SECOND,
        at_least(0.30, 0.15),
    ),
    Path(
        "move_light",
        "POST …/moves, step_back from self_review to talks (no gate), 16 connections",
        f"{_TEN}, 16 clients",
        PER_SECOND,
        at_least(0.30, 0.15),
    ),
    Path(
        "record",
        "POST …/talks, 16 connections",
        f"{_TEN}, 16 clients",
        PER_SECOND,
        at_least(0.30, 0.15),
    ),
    Path(
        "record_key",
        "POST …/talks with an Idempotency-Key, 16 connections",
        f"{_TEN}, 16 clients",
        PER_SECOND,
        at_least(0.25, 0.15),
    ),
    Path(
        "viewflow",
        "the moves of `move`",
        "the same move by Django, REST framework and viewflow.fsm",
        PER_SECOND,
        at_least(3, 1.6),
    ),
    Path(
        "orm",
        "the moves of `move`",
        "the same move by Flask, SQLAlchemy's ORM and transitions",
        PER_SECOND,
        at_least(3, 1.6),
    ),
    Path(
        "poll_304",
        "GET /progress with If-None-Match, 16 connections",
        _VIEW,
        PER_SECOND,
        at_least(1.0, 0.4),
    ),
    Path("poll_200", "GET /progress, 16 connections", _VIEW, PER_SECOND, at_least(0.8, 0.4)),
    Path(
        "poll_beside_moves",
        "GET /progress, 16 connections, while 20 moves a second are made",
        _VIEW,
        PER_SECOND,
        at_least(0.8, 0.4),
    ),
    Path(
        "staleness",
        "from a move's answer until every poll shows it, at most",
        "from a move's answer until SQL shows it, at most",
        SECONDS,
        at_most(1, 1),
        of_product=True,
    ),
    Path(
        "moves_beside_polls",
        "moves, 16 connections, while 50 polls a second are answered",
        "moves alone",
        PER_SECOND,
        at_least(0.9, 0.85),
    ),
    Path(
        "changed_since",
        "GET /branches?changed_since=, nothing new, 16 connections",
        _VIEW,
        PER_SECOND,
        at_least(0.5, 0.2),
    ),
    Path(
        "branches_100",
        "GET /branches?limit=100, 16 connections",
        _VIEW,
        PER_SECOND,
        at_least(0.10, 0.05),
    ),
    Path(
        "poll_by_size",
        "GET /progress among 1,000,000 branches, time of one",
        "the same among 10,000",
        MILLISECONDS,
        at_most(1.2, 1.5),
    ),
    Path(
        "tick_idle",
        "a tick with nothing due, 10,000 branches with evidence, in process",
        "two lookups by index and a heartbeat row",
        MILLISECONDS,
        at_most(10, 50),
        of_product=True,
    ),
    Path(
        "tick_idle_million",
        "a tick with nothing due, 1,000,000 branches, in process",
        "two lookups by index and a heartbeat row",
        MILLISECONDS,
        at_most(10, 50),
        of_product=True,
    ),
    Path(
        "tick_due",
        "queueing the letters of 10,000 branches that are due, in process",
        "INSERT … SELECT of the same rows",
        MILLISECONDS,
        at_most(2, 4),
    ),
    Path(
        "tick_again",
        "queueing once more, nothing new",
        "one anti-join of what is due with what is queued",
        MILLISECONDS,
        at_most(20, 100),
        of_product=True,
    ),
    Path(
        "mail",
        "delivering queued letters to a local SMTP server",
        "smtplib with one ready message on one connection",
        PER_SECOND,
        at_least(0.8, 0.5),
    ),
    Path(
        "todos_member",
        "GET /me/todos of secretaries and members in turn, one caller",
        _VIEW,
        MILLISECONDS,
        at_most(10, 20),
        of_product=True,
    ),
    Path(
        "todos_office",
        "GET /me/todos of the office, one caller",
        _VIEW,
        MILLISECONDS,
        at_most(60, 120),
        of_product=True,
    ),
    Path(
        "exceptions_first",
        "GET /exceptions, first page of 100, one caller",
        _VIEW,
        MILLISECONDS,
        at_most(60, 120),
        of_product=True,
    ),
    Path(
        "exceptions_clause",
        "GET /exceptions?clause=K1, none found, one caller",
        _VIEW,
        MILLISECONDS,
        at_most(60, 120),
        of_product=True,
    ),
    Path(
        "totals",
        "GET /totals, one caller",
        _VIEW,
        MILLISECONDS,
        at_most(300, 600),
        of_product=True,
    ),
    Path(
        "form",
        "GET …/form, one caller",
        _VIEW,
        MILLISECONDS,
        at_most(20, 40),
        of_product=True,
    ),
    Path(
        "start",
        "`zhibu serve` until /healthz answers",
        "importing Flask, SQLAlchemy and psycopg",
        SECONDS,
        at_most(2, 2.5),
    ),
    Path(
        "help",
        "`zhibu --help`",
        "importing click",
        SECONDS,
        at_most(0.4, 0.7),
        of_product=True,
    ),
    Path(
        "roster_preview",
        "`zhibu roster import`, 1,150 branches with 25,200 members",
        "openpyxl reading the cells",
        SECONDS,
        at_most(1.5, 2),
    ),
    Path(
        "roster_apply",
        "`zhibu roster import --apply`, the same file, an empty school",
        "openpyxl reading the cells",
        SECONDS,
        at_most(2, 3),
    ),
)
BY_NAME = {path.name: path for path in PATHS}

BESIDE = {
    "move, CPU in all, ms": at_most(2.0, 4.0),
    "move, p99 ÷ mean of the floor": at_most(8, 16),
    "summary of an assessment, ms": at_most(60, 120),
    "letters of the year, ms": at_most(10, 20),
}
"""Figures with a limit that are no path of their own; they are in the table alone."""
