"""The school of the recorded year: four branches, their people, and the caller of each role."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.rosters import RosterBranch, committee_rows, member_rows
from tests.support.workbooks import Row

ROSTER = (
    RosterBranch(
        "D0101",
        "物理学院教工党支部",
        ("张三", "李四", "钱七", "王五", "孙八", "周九"),
        {"张三": "书记", "李四": "副书记", "钱七": "组织委员"},
        ("冯二",),
        "D01",
        "物理学院党委",
    ),
    RosterBranch("D0102", "物理学院研究生党支部", ("陈一", "褚二", "卫三"), {"陈一": "书记"}, (), "D01", "物理学院党委"),
    RosterBranch(
        "D0201",
        "化学学院教工党支部",
        ("赵六", "吴十", "郑一", "何四", "吕五", "施六", "张七"),
        {"赵六": "书记", "吴十": "副书记", "郑一": "组织委员"},
        (),
        "D02",
        "化学学院党委",
    ),
    RosterBranch("D0202", "化学学院离退休党支部", ("孔一", "曹二", "严三"), {"孔一": "书记"}, (), "D02", "化学学院党委"),
)
HERE, SMALL, THERE, SLOW = (branch.code for branch in ROSTER)
"""Codes of the four branches.

The branch whose people are asked; one without a committee; another one; one that is late.
"""


def members(roster: tuple[RosterBranch, ...] = ROSTER) -> list[Row]:
    """Make the rows of the sheet 党员; one person has no email address, and one is a cadre."""
    rows = member_rows(roster)
    for row in rows:
        if row["姓名"] == "严三":
            row["邮箱"] = None
        if row["姓名"] == "周九":
            row["是否党员领导干部"] = "是"
    return rows


def committees(roster: tuple[RosterBranch, ...] = ROSTER) -> list[Row]:
    """Make the rows of the sheet 支部委员会."""
    return committee_rows(roster)


NUMBERS = {str(row["姓名"]): str(row["学工号"]) for row in member_rows(ROSTER)}
"""学工号 by name."""

ROLES: dict[str, str | None] = {
    **{role: role for role in ("office", "committee", "auditor", "administrator")},
    "secretary": NUMBERS["张三"],
    "deputy": NUMBERS["李四"],
    "committee member": NUMBERS["钱七"],
    "member": NUMBERS["王五"],
    "another branch's secretary": NUMBERS["赵六"],
    "nobody": None,
}
"""The callers of each route, by 学工号."""


@dataclass(frozen=True)
class Addressed:
    """Values of the addresses that are asked as each role."""

    year: int
    code: str
    staff_no: str
    day: str
    records: dict[str, int]
    """The number of a record, by the collection in its address."""
    others: dict[str, str | int]
    """Other values in addresses, by their name in the rule."""
