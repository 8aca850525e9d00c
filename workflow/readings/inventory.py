"""The inventory of personal data (个人信息清单): the tables' declarations, as Markdown for the office.

It reads declarations and never a row of the database.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import MetaData, Table

from workflow.foundation.history import HIDDEN
from workflow.foundation.personal import TRACES, Area, Data, Declaration, declaration_of
from workflow.foundation.settings import Settings
from workflow.people.access import ACCESS, Action, Scope

Declared = tuple[Table, Declaration]

REACH = {Scope.ALL: "全校", Scope.BRANCH: "本支部", Scope.OWN: "本人"}
HEAD = "| 表 table · 是谁的 of whom | 内容 what | 为什么 why | 谁能看 read by | 留多久 kept |"
NOT_TOLD = "＊"
"""The mark of a column of which the history says only that it changed."""
WITH_THE_PERSON, WITH_THE_YEAR = "随人员", "随年度"


def inventory(metadata: MetaData, *, retention_years: int | None) -> str:
    """Draw the inventory of these tables. ``retention_years`` is the plan's, if it has one."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    declared = [(table, found) for table in tables if (found := declaration_of(table))]
    years = f"方案定为 {retention_years} 年" if retention_years else "方案没有规定年限，长期保存"
    of_area = {area: [each for each in declared if each[1].area is area] for area in Area}
    return (
        f"- **{WITH_THE_YEAR}**：与该年度的评议材料一起整理留存（Q5）。{years}；程序不自动删除。\n"
        f"- **{WITH_THE_PERSON}**：在册、任职期间保存；离开以后，材料仍以学工号指到本人，{WITH_THE_YEAR}。\n"
        f"- **{NOT_TOLD}**：变更记录里只写“有改动”，不写内容。\n"
        + "".join(_section(area, listed) for area, listed in of_area.items())
        + f"\n## 谁办的 · traces\n\n{_named(TRACES)}。"
        + "为的是变更可查（Q2），谁能看、留多久与所在的记录相同。\n"
        + f"\n只有这几项的：{_titles(_without_data(declared, traced=True))}。\n"
        + "\n## 没有个人信息的 · nothing personal\n"
        + f"\n{_titles(_without_data(declared, traced=False))}。\n"
    )


def readers(read_by: str) -> str:
    """Name the readers in Chinese: an action's roles and their reach, or words as they stand."""
    if read_by not in set(Action):
        return read_by
    roles: dict[Scope, list[str]] = {}
    for role, scope in ACCESS[Action(read_by)].items():
        roles.setdefault(scope, []).append(role.zh)
    return "；".join(f"{'、'.join(names)}（{REACH[scope]}）" for scope, names in roles.items())


def _section(area: Area, declared: list[Declared]) -> str:
    lines = "".join(line for each in declared for line in _lines(*each))
    return f"\n## {area.zh} · {area.value}\n\n{HEAD}\n|---|---|---|---|---|\n{lines}"


def _lines(table: Table, found: Declaration) -> Iterator[str]:
    title = f"**{found.zh}** `{table.name}` · {found.of}"
    for data in found.data:
        cells = (title, _columns(table, data), data.why, readers(data.read_by), _kept(found, data))
        yield f"| {' | '.join(cells)} |\n"
        title = "〃"


def _columns(table: Table, data: Data) -> str:
    hidden = table.info.get(HIDDEN, frozenset())
    return _named({name: zh + NOT_TOLD * (name in hidden) for name, zh in data.named.items()})


def _kept(found: Declaration, data: Data) -> str:
    if data.kept:
        return data.kept.format_map(Settings().model_dump())
    return WITH_THE_PERSON if found.area is Area.PEOPLE else WITH_THE_YEAR


def _without_data(declared: list[Declared], *, traced: bool) -> list[Declared]:
    who = {name for name in TRACES if name.endswith("_by")}
    rest = [each for each in declared if not each[1].data]
    return [each for each in rest if who.isdisjoint(each[0].columns.keys()) is not traced]


def _titles(declared: list[Declared]) -> str:
    return "、".join(f"{found.zh} `{table.name}`" for table, found in declared)


def _named(columns: dict[str, str]) -> str:
    return "、".join(f"{zh} `{name}`" for name, zh in columns.items())
