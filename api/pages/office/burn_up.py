"""The drawing of the burn-up (报送曲线图): lines and labels in the places of an SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from api.pages.frame.look import day

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 96, 30, 30
"""The room around the lines: for the numbers, the labels at the ends, the due day and the days."""
APART = 18
"""The least distance between two labels, one above the other."""
WIDE = 84
"""The least distance between two days below."""


@dataclass(frozen=True)
class Label:
    """A word in its place."""

    x: int
    y: int
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Drawing:
    """The burn-up as it is drawn (报送曲线图)."""

    filed: str
    accepted: str
    """Points of the two lines."""
    all_y: int
    floor_y: int
    due_x: int | None
    labels: Sequence[Label]
    rows: Sequence[Mapping[str, Any]]
    """The same as a table: the days on which something changed, and the last one."""
    said: str


def drawn(seen: Mapping[str, Any], today: date) -> Drawing | None:
    """Draw the burn-up; None before the year is published."""
    days: Sequence[Mapping[str, Any]] = seen["items"]
    if not days or not seen["branches"]:
        return None
    due, most, last = seen["due_on"], int(seen["branches"]), days[-1]
    begins: date = days[0]["day"]
    ends: date = max(filter(None, (today, due)))
    span = max((ends - begins).days, 1)

    def x(when: date) -> int:
        return LEFT + (WIDTH - LEFT - RIGHT) * (when - begins).days // span

    def y(count: int) -> int:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count // most

    at = x(last["day"])
    upper = min(y(last["filed"]), HEIGHT - BOTTOM - APART)
    lower = max(y(last["accepted"]), upper + APART)
    labels = [
        Label(at + 8, upper + 5, f"已报送 {last['filed']}", "start"),
        Label(at + 8, lower + 5, f"已接收 {last['accepted']}", "start"),
        Label(LEFT - 8, y(most) + 5, str(most), "end"),
        Label(LEFT - 8, y(0) + 5, "0", "end"),
        *_days_below(begins, ends, x, [today] if due is None else [today, due]),
    ]
    if due is not None:
        labels.append(Label(x(due), TOP - 12, f"{day(due)}应全部报送", "end" if x(due) > WIDTH / 2 else "start"))
    return Drawing(
        filed=_steps(days, "filed", x, y),
        accepted=_steps(days, "accepted", x, y),
        all_y=y(most),
        floor_y=y(0),
        due_x=None if due is None else x(due),
        labels=labels,
        rows=_changes(days),
        said=f"到{day(last['day'])}，{most} 个支部中已报送 {last['filed']} 个，其中已接收 {last['accepted']} 个"
        + (f"；应于{day(due)}前全部报送" if due else ""),
    )


def _steps(days: Sequence[Mapping[str, Any]], name: str, x: Any, y: Any) -> str:
    """Return the points of a line that rises in steps, for nothing happens between two days."""
    points: list[tuple[int, int]] = []
    for each in days:
        here = (x(each["day"]), y(each[name]))
        if points and points[-1][1] != here[1]:
            points.append((here[0], points[-1][1]))
        if not points or points[-1] != here:
            points.append(here)
    return " ".join(f"{a},{b}" for a, b in points)


def _days_below(begins: date, ends: date, x: Any, told: Sequence[date]) -> list[Label]:
    """Name some days along the foot, none upon another: the told ones first, then Mondays."""
    mondays = [begins + timedelta(days=each) for each in range((ends - begins).days + 1)]
    taken: list[int] = []
    labels = []
    for when in (*told, begins, *(each for each in mondays if each.weekday() == 0)):
        here = x(when)
        if all(abs(here - other) >= WIDE for other in taken):
            taken.append(here)
            labels.append(Label(here, HEIGHT - 8, "今天" if when == told[0] else day(when)))
    return labels


def _changes(days: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    kept = [now for before, now in pairwise(days) if (before["filed"], before["accepted"]) != (now["filed"], now["accepted"])]
    return list({each["day"]: each for each in (days[0], *kept, days[-1])}.values())
