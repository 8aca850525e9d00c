"""The office's own list of people in two years, on paper: who is counted where, and how.

Plain data, and plain counts of it. Nothing here asks the product. A member is called after their
branch: 甲转乙 moved from 甲 to 乙 in the season of 2024.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CODES = {"甲": "D0101", "乙": "D0102", "丙": "D0103", "丁": "D0201", "己": "D0202", "戊": "D0203"}
"""The branches. 戊 is merged into 甲 in the season of 2024."""
RUNNING = ("甲", "乙", "丙", "丁", "己")
LEVELS = ("excellent", "qualified", "basic", "unqualified")
EXCUSES = ("abroad", "ill", "old", "mobile", "other")


@dataclass(frozen=True)
class Someone:
    """A member in one year."""

    name: str
    form: str
    """The branch on whose form they stand."""
    level: str | None = "qualified"
    """Their level; None with ``why``, or where the branch has not rated yet."""
    why: str | None = None
    """Why they have no level: ``unvoted`` came after the ballot, ``pending`` is not rated yet."""
    roll: str | None = ""
    """The one roll on which they stand at the end, if it is another; None for somebody who left."""
    standing: str = "full"
    excused: str | None = None

    @property
    def stands(self) -> str | None:
        return self.form if self.roll == "" else self.roll


def core(branch: str, *, without: str = "", **fields: Any) -> list[Someone]:
    return [Someone(f"{branch}{each}", branch, **fields) for each in ("书记", "组织", "宣传", "党员") if each not in without]


# Each of the four states in which a branch can be when somebody leaves it, with each in which the
# other one can be: 甲 has no ballot yet, 乙 has held it, 丙 has rated, 丁 has filed; 己 is the second
# branch of each state in its turn.
IN_2024: Sequence[Someone] = (
    *core("甲", without="宣传"),
    Someone("甲宣传", "甲", "excellent"),
    *core("乙", without="组织"),
    Someone("乙组织", "乙", "excellent"),
    Someone("乙除名", "乙", "unqualified", roll=None),
    *core("丙", without="党员"),
    Someone("丙党员", "丙", "basic"),
    *core("丁", without="宣传"),
    Someone("丁宣传", "丁", "excellent"),
    *core("己", without="组织党员"),
    Someone("己组织", "己", "excellent"),
    Someone("己党员", "己", None, excused="ill"),
    # No ballot yet in the old branch: counted in the new one, without a level if that had voted.
    Someone("甲转己", "己"),
    Someone("甲转乙", "乙", None, why="unvoted"),
    Someone("甲转丙", "丙", None, why="unvoted"),
    Someone("甲转丁", "丁", None, why="unvoted"),
    # The old branch had voted on them: it rates and counts them.
    Someone("乙转甲", "乙", roll="甲"),
    Someone("乙转己", "乙", roll="己"),
    Someone("乙转丙", "乙", roll="丙"),
    Someone("乙转丁", "乙", roll="丁"),
    # The old branch had rated them.
    Someone("丙转甲", "丙", roll="甲"),
    Someone("丙转乙", "丙", roll="乙"),
    Someone("丙转己", "丙", "basic", roll="己"),
    Someone("丙转丁", "丙", roll="丁"),
    # The old branch had filed. Its roll followed when it was returned, but for the last of them.
    Someone("丁转甲", "丁", "excellent", roll="甲"),
    Someone("丁转乙", "丁", roll="乙"),
    Someone("丁转丙", "丁", roll="丙"),
    Someone("丁转己", "丁"),
    # On no ballot anywhere: counted where they are.
    Someone("己预备", "甲", None, standing="probationary"),
    # 戊 had voted, and was merged into 甲 before 甲 voted: its ballot counts for nobody any more.
    Someone("戊书记", "甲"),
    Someone("戊党员", "甲"),
    Someone("戊转甲", "甲"),
)

IN_2025: Sequence[Someone] = (
    *core("甲", without="组织宣传"),
    Someone("甲组织", "甲", "excellent"),
    Someone("甲宣传", "甲", "excellent"),
    Someone("乙转甲", "甲"),
    Someone("丙转甲", "甲", "basic"),
    Someone("丁转甲", "甲"),
    Someone("戊书记", "甲"),
    Someone("戊党员", "甲"),
    Someone("戊转甲", "甲"),
    Someone("己预备", "甲"),
    Someone("甲转丙", "甲"),
    *core("乙"),
    Someone("甲转乙", "乙", "excellent"),
    Someone("丙转乙", "乙", "excellent"),
    Someone("丁转乙", "乙"),
    *core("丙", without="党员"),
    Someone("丙党员", "丙", None, excused="abroad"),
    Someone("乙转丙", "丙", "excellent"),
    Someone("丁转丙", "丙"),
    Someone("丙新人", "丙", None, standing="probationary"),
    *core("丁", without="党员", level=None, why="pending"),
    *(Someone(name, "丁", None, why="pending") for name in ("甲转丁", "乙转丁", "丙转丁")),
    *core("己", level=None, why="pending"),
    *(Someone(name, "己", None, why="pending") for name in ("甲转己", "乙转己", "丙转己", "丁转己")),
)
"""丁党员 has graduated. 甲转丙 came back. 丁 and 己 have not rated yet."""


def counted(people: Iterable[Someone]) -> dict[str, Any]:
    """Count people as a form does: its basics, its levels, and how many were told theirs."""
    people = list(people)
    by_level, by_excuse = Counter(each.level for each in people), Counter(each.excused for each in people)
    full = [each for each in people if each.standing == "full"]
    without = [each for each in people if each.level is None and each.why != "pending"]
    return {
        "basics": {
            "total": len(people),
            "full": len(full),
            "probationary": len(people) - len(full),
            "due": sum(each.excused is None for each in full),
            "excused": len(people) - by_excuse[None],
            "excused_by_kind": {kind: by_excuse[kind] for kind in EXCUSES},
        },
        "levels": {**{level: by_level[level] for level in LEVELS}, "none": len(without), "total": len(people)},
        "fed_back": sum(by_level[level] for level in LEVELS),
    }


def on_form(people: Iterable[Someone], branch: str) -> list[Someone]:
    return [each for each in people if each.form == branch]


def allowed_in_2024(people: Iterable[Someone]) -> int:
    """A quarter of those who are rated, rounded down."""
    return sum(each.level is not None for each in people) // 4


def allowed_in_2025(people: Iterable[Someone]) -> int:
    """A third of the full members who are not excused, to the nearest, but at least one."""
    due = sum(each.standing == "full" and each.excused is None for each in people)
    return max(1, round(due / 3))


def rolls(people: Iterable[Someone]) -> Mapping[str, list[str]]:
    """Give the names on each roll."""
    people = list(people)
    return {branch: sorted(each.name for each in people if each.stands == branch) for branch in RUNNING}
