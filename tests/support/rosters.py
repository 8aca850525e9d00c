"""Workbooks in the official form, for every test that needs a roster.

The rows are made first, so that a test can spoil one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from xlsxwriter import Workbook  # type: ignore[import-untyped]

from tests.support.workbooks import Row, workbook_of

MEMBER_HEADINGS = (
    *("学工号", "姓名", "性别", "所在分党委编码", "所在分党委", "所在党支部编码", "所在党支部", "人员类别"),
    *("入党时间", "转正时间", "党内职务", "是否党员领导干部", "邮箱", "备注"),
)
COMMITTEE_HEADINGS = ("所属党支部", "姓名", "学工号", "职务")

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
GIVEN_FIRST = "建文志国秀晓雪思海春"
GIVEN_SECOND = "华明芳军兰平红伟宁涛"
COMMITTEE_POSTS = ("书记", "副书记", "组织委员", "宣传委员", "纪检委员")


@dataclass(frozen=True)
class RosterBranch:
    """A branch by the names of its people; ``posts`` maps a name to 职务 on the committee sheet."""

    code: str = "D0101"
    name: str = "物理学院教工第一党支部"
    members: Sequence[str] = ("张三", "李四", "王五")
    posts: Mapping[str, str] = field(default_factory=lambda: {"张三": "书记"})
    probationary: Sequence[str] = ()
    unit_code: str = "D01"
    unit_name: str = "物理学院党委"


def member_rows(branches: Iterable[RosterBranch] = (RosterBranch(),)) -> list[Row]:
    """Make the rows of the sheet 党员; 学工号 count up from 20240001 in their order."""
    return [row for row, _ in _people(branches)]


def committee_rows(branches: Iterable[RosterBranch] = (RosterBranch(),)) -> list[Row]:
    """Make the rows of the sheet 支部委员会."""
    people = [(row, branch) for row, branch in _people(branches) if row["姓名"] in branch.posts]
    return [{"所属党支部": b.name, "姓名": row["姓名"], "学工号": row["学工号"], "职务": b.posts[str(row["姓名"])]} for row, b in people]


def _people(branches: Iterable[RosterBranch]) -> Iterator[tuple[Row, RosterBranch]]:
    everyone = [(branch, name) for branch in branches for name in (*branch.members, *branch.probationary)]
    for number, (branch, name) in enumerate(everyone, 1):
        full = name not in branch.probationary
        joined = date(2024, 6, 1) if not full else date(1990 + number % 30, 1 + number % 12, 1 + number % 28)
        yield (
            {
                "学工号": f"2024{number:04d}",
                "姓名": name,
                "性别": "女" if number % 2 else "男",
                "所在分党委编码": branch.unit_code,
                "所在分党委": branch.unit_name,
                "所在党支部编码": branch.code,
                "所在党支部": branch.name,
                "人员类别": "正式党员" if full else "预备党员",
                "入党时间": joined,
                "转正时间": joined.replace(year=joined.year + 1) if full else None,
                "党内职务": branch.posts.get(name),
                "是否党员领导干部": None,
                "邮箱": f"m{number}@school.example",
                "备注": None,
            },
            branch,
        )


def a_workbook(
    members: Sequence[Row],
    committee: Sequence[Row],
    *,
    member_headings: Sequence[str] = MEMBER_HEADINGS,
    committee_headings: Sequence[str] = COMMITTEE_HEADINGS,
    title: str | None = None,
    finish: Callable[[Workbook], None] = lambda _: None,
) -> bytes:
    """Make the xlsx of these rows. ``finish`` may add to it before it is closed."""
    sheets = {"党员": (member_headings, members), "支部委员会": (committee_headings, committee)}
    return workbook_of(sheets, title=title, finish=finish)


def a_roster(branches: Iterable[RosterBranch] = (RosterBranch(),)) -> bytes:
    """Make a workbook without a fault."""
    branches = list(branches)
    return a_workbook(member_rows(branches), committee_rows(branches))


def school_branches(branches: int = 60, members: int = 1352) -> list[RosterBranch]:
    """Invent a school, always the same: five branches to a unit.

    In each second branch, every seventh member is probationary.
    """
    names = (f"{surname}{first}{second}" for second in GIVEN_SECOND for first in GIVEN_FIRST for surname in SURNAMES)
    school = []
    for number in range(branches):
        size = members * (number + 1) // branches - members * number // branches
        people = [next(names) for _ in range(size)]
        probationary = people[6::7] if number % 2 else []
        full = [name for name in people if name not in probationary]
        posts = dict(zip(full, COMMITTEE_POSTS if len(full) >= 7 else COMMITTEE_POSTS[:1], strict=False))
        unit, place = number // 5 + 1, number % 5 + 1
        school.append(
            RosterBranch(f"D{unit:02d}{place:02d}", f"第{unit}学院第{place}党支部", full, posts, probationary, f"D{unit:02d}", f"第{unit}学院党委")
        )
    return school


def a_school_roster(branches: int = 60, members: int = 1352) -> bytes:
    """Make the roster of a whole school, at most 3,000 people."""
    return a_roster(school_branches(branches, members))
