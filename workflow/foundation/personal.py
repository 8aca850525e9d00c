"""Personal data (个人信息): what each table keeps of a person, with reason, readers and time limit.

It declares and does nothing else: no row is read, refused or deleted because of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, MetaData, Table

from workflow.foundation.vocabulary import Word

TRACES = {
    "recorded_by": "登记人",
    "recorded_at": "登记时间",
    "withdrawn_by": "撤回人",
    "withdrawn_at": "撤回时间",
    "withdrawn_reason": "撤回原因",
    "rejected_by": "退回人",
    "rejected_at": "退回时间",
    "rejected_reason": "退回原因",
    "approved_by": "批准人",
    "approved_at": "批准时间",
    "confirmed_by": "确认人",
    "confirmed_at": "确认时间",
    "checked_by": "核对人",
    "checked_at": "核对时间",
    "counted_by": "复核计票人",
    "counted_at": "复核时间",
    "received_by": "回执人",
    "received_at": "回执时间",
    "published_by": "公布人",
    "published_at": "公布时间",
    "applied_by": "写入人",
    "applied_at": "写入时间",
    "made_by": "办理人",
    "made_at": "办理时间",
    "given_by": "准许延期的人",
    "given_at": "准许延期的时间",
}
"""The columns for the people who acted and the times.

Many tables have them, for one reason (Q2), so they are declared here once.
"""
STRUCTURE = frozenset({"id", "version"})


class Area(Word):
    """A part of the inventory (类别)."""

    PEOPLE = "people", "人员和账号"
    YEAR = "year", "年度和名册"
    APPRAISAL = "appraisal", "民主评议"
    ASSESSMENT = "assessment", "党委考核支部"
    SYSTEM = "system", "通知邮件和系统"


@dataclass(frozen=True)
class Data:
    """Columns of one table that have the same reason, the same readers and the same time limit."""

    columns: str
    """The columns, each with its Chinese name: ``talker 谈话人, partner 谈话对象``."""
    why: str
    read_by: str
    """An action of the access table, or words in Chinese."""
    kept: str = ""
    """Words in Chinese for the time; empty: the same as the area.

    Settings may stand in it: ``{session_hours}``.
    """

    @property
    def named(self) -> dict[str, str]:
        """Return the columns with their Chinese names."""
        return dict(each.split(" ", 1) for each in self.columns.split(", "))


@dataclass(frozen=True)
class Declaration:
    """The personal data of a table, and its columns that say nothing of a person."""

    area: Area
    zh: str
    of: str
    data: tuple[Data, ...]
    other: frozenset[str]


def personal(
    model: type[Any],
    area: Area,
    zh: str,
    *data: Data,
    of: str = "",
    other: str = "",
) -> None:
    """Declare the personal data of a table, and its columns that say nothing of a person.

    ``of``: the people whose data it is; ``other``: the other columns, with blanks between. Raises
    KeyError for a column that the table does not have.
    """
    table: Table = model.__table__
    rest = frozenset(other.split())
    for column in rest.union(*(each.named for each in data)):
        table.columns[column]
    table.info[__name__] = Declaration(area, zh, of, data, rest)


def declaration_of(table: Table) -> Declaration | None:
    """Return what a table declares, None if it declares nothing."""
    found: Declaration | None = table.info.get(__name__)
    return found


def undeclared(metadata: MetaData) -> list[str]:
    """List the columns that are declared neither as personal data nor as other."""
    return [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if not _is_declared(column, declaration_of(table))
    ]


AnyColumn = Column[Any]


def _is_declared(column: AnyColumn, declared: Declaration | None) -> bool:
    if declared is None:
        return False
    told = declared.other.union(STRUCTURE, TRACES, *(each.named for each in declared.data))
    return column.name in told or _is_structure(column)


def _is_structure(column: AnyColumn) -> bool:
    """Tell whether a column points to a record or a branch.

    A column that points to a person is personal.
    """
    referred = {key.column.table.name for key in column.foreign_keys}
    return bool(referred) and "person" not in referred
