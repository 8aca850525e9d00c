"""Rows of the wall (进度的行): what stands in each, which are asked for, and in what order.

``static/wall.js`` does the same with the rows that change while the page is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from api.pages.frame.look import chip_of, day
from workflow.foundation.vocabulary import ENDED, MAIN, SCHOOL_ZONE, STAGES, Stage

SOON_DAYS = 7
FILTERS = (("", "全部", "branches"), ("overdue", "逾期", "overdue"), ("due_soon", "七日内到期", "due_soon"), ("returned", "退回修改", "returned"))
"""The filters that are chips: parameter, words, and the figure that counts them."""
SORTS = (("name", "党支部"), ("secretary", "书记"), ("stage", "环节"), ("due", "期限"), ("", "缺项"), ("moved", "最近变动"))
"""The columns; those with a name can be sorted by."""
_ORDERS = tuple(f"{sign}{name}" for name, _ in SORTS if name for sign in ("", "-"))


@dataclass(frozen=True)
class Wanted:
    """The filters and the order that stand in the address (筛选和排序)."""

    flags: frozenset[str] = frozenset()
    stage: str = ""
    unit: str = ""
    words: str = ""
    sort: str = ""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Wanted:
        """Read an address; what is no filter of ours is passed over."""
        flags = frozenset(name for name, _, _ in FILTERS if name and parameters.get(name) == "true")
        stage, sort = parameters.get("stage", ""), parameters.get("sort", "")
        return cls(
            flags,
            stage if stage in STAGES[MAIN] else "",
            parameters.get("unit", "").strip(),
            parameters.get("q", "").strip()[:50],
            sort if sort in _ORDERS else "",
        )

    @property
    def narrow(self) -> bool:
        """Tell whether any row may be left out."""
        return bool(self.flags or self.stage or self.unit or self.words)

    def has(self, name: str) -> bool:
        return name in self.flags if name else not self.narrow

    def address(self, **changed: Any) -> str:
        """Return the query of an address with some of it changed."""
        to = replace(self, **changed)
        parts = [*((flag, "true") for flag in sorted(to.flags)), ("stage", to.stage), ("unit", to.unit), ("q", to.words), ("sort", to.sort)]
        return f"?{urlencode([(name, value) for name, value in parts if value])}"

    def only(self, flag: str) -> str:
        """Return the query of a chip: this filter alone, in the same order of rows."""
        return Wanted(frozenset({flag} - {""}), sort=self.sort).address()

    def turned(self, name: str) -> str:
        """Return the query that sorts by a column, or turns its order."""
        return self.address(sort=f"-{name}" if self.sort == name else name)

    def aria(self, name: str) -> str:
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort, "none") if name else "none"


@dataclass(frozen=True)
class WallRow:
    """One branch on the wall (进度的一行)."""

    code: str
    name: str
    unit: str
    secretary: str
    stage: Stage
    version: int
    round: int
    chip: tuple[str, str]
    due_on: date | None
    left: tuple[str, str]
    """The class and the words of the days that are left or over."""
    moved_at: datetime
    moved: str
    working: bool
    """True while something can be missing."""
    flags: frozenset[str]
    hidden: bool


def row_of(row: Mapping[str, Any], year: int, today: date, wanted: Wanted) -> WallRow:
    """Turn a branch of the API into its row."""
    branch, stage = row["branch"], Stage(row["stage"])
    working = stage not in ENDED[MAIN] and row["ended"] is None
    due = row["due_on"] if working else None
    days = None if due is None else (due - today).days
    soon = days is not None and 0 <= days <= SOON_DAYS
    flags = {"overdue": days is not None and days < 0, "due_soon": soon, "returned": working and row["round"] > 1}
    made = WallRow(
        code=branch["code"],
        name=branch["name"],
        unit=branch["unit"],
        secretary=row["secretary"]["name"] if row["secretary"] else "",
        stage=stage,
        version=row["version"],
        round=row["round"],
        chip=chip_of(row),
        due_on=due,
        left=_left(days),
        moved_at=row["entered_at"],
        moved=recent(row["entered_at"], today),
        working=working,
        flags=frozenset(name for name, holds in flags.items() if holds),
        hidden=False,
    )
    return replace(made, hidden=not _fits(made, wanted))


def _left(days: int | None) -> tuple[str, str]:
    match days:
        case None:
            return "", ""
        case 0:
            return "soon", "今天到期"
        case _ if days < 0:
            return "late", f"逾期 {-days} 天"
        case _:
            return "", f"还有 {days} 天"


def recent(moment: datetime, today: date) -> str:
    """Write when something happened: today's with the time, older things by their day."""
    local = moment.astimezone(SCHOOL_ZONE)
    days = (today - local.date()).days
    return f"今天 {local:%H:%M}" if days == 0 else f"昨天 {local:%H:%M}" if days == 1 else day(local.date())


def _fits(row: WallRow, wanted: Wanted) -> bool:
    words = wanted.words.casefold()
    return (
        wanted.flags <= row.flags
        and wanted.stage in ("", row.stage)
        and wanted.unit in ("", row.unit)
        and (not words or any(words in text.casefold() for text in (row.name, row.code, row.unit, row.secretary)))
    )


def in_order(rows: Sequence[WallRow], sort: str) -> list[WallRow]:
    """Sort rows by a column, across units; by code where they are equal."""
    name = sort.removeprefix("-")
    order = list(STAGES[MAIN])
    keys = {
        "name": lambda row: row.name,
        "secretary": lambda row: row.secretary,
        "stage": lambda row: order.index(row.stage),
        "due": lambda row: row.due_on or date.max,
        "moved": lambda row: row.moved_at,
    }
    return sorted(rows, key=keys[name], reverse=sort.startswith("-")) if name in keys else list(rows)


@dataclass(frozen=True)
class Unit:
    """The branches of a unit (单位): its rows and its counts."""

    name: str
    rows: Sequence[WallRow]

    @property
    def hidden(self) -> bool:
        return all(row.hidden for row in self.rows)

    @property
    def filed(self) -> int:
        return sum(row.stage in ENDED[MAIN] for row in self.rows)

    @property
    def overdue(self) -> int:
        return sum("overdue" in row.flags for row in self.rows)


def units_of(rows: Sequence[WallRow]) -> list[Unit]:
    """Gather rows by unit, in the order in which the first branch of each comes."""
    found: dict[str, list[WallRow]] = {}
    for row in rows:
        found.setdefault(row.unit, []).append(row)
    return [Unit(name, each) for name, each in found.items()]
