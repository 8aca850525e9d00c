"""Every column is declared: its data about a person, or that it has none."""

from __future__ import annotations

import re
from datetime import date

import pytest
from sqlalchemy import BigInteger, ForeignKey, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from migrations.tables import METADATA
from workflow.foundation.history import HIDDEN
from workflow.foundation.personal import Area, Data, declaration_of, personal, undeclared
from workflow.foundation.settings import Settings
from workflow.machine.asked import CLAUSES
from workflow.people.access import ACCESS, Action
from workflow.readings.inventory import inventory, readers
from workflow.year.plan_files import find_plan, read_plan

FOUND = {name: declaration_of(table) for name, table in METADATA.tables.items()}
DECLARED = {name: found for name, found in FOUND.items() if found}
DATA = [each for found in DECLARED.values() for each in found.data]
CLAUSE = re.compile(r"[A-Z][0-9]")


def test_every_column_is_declared() -> None:
    assert undeclared(METADATA) == [], "say it beside the table: personal(…)"
    assert DECLARED.keys() == METADATA.tables.keys()


def test_no_column_is_declared_twice() -> None:
    for name, found in DECLARED.items():
        columns = [*found.other, *(column for each in found.data for column in each.named)]
        assert len(columns) == len(set(columns)), name


@pytest.mark.parametrize("data", DATA, ids=lambda data: data.columns.split()[0])
def test_what_is_kept_has_a_name_a_reason_and_readers(data: Data) -> None:
    for words in (*data.named.values(), data.why, readers(data.read_by)):
        assert re.search("[\u4e00-\u9fff]", words), words
    name, text = find_plan("2024", None)
    assert set(CLAUSE.findall(data.why)) <= read_plan(text, CLAUSES, name=name).clauses.keys()
    assert "{" not in data.kept.format_map(Settings().model_dump())


# ── a table of a school that is not ours ──────────────────────────────────────────────────────────────────────────────


def a_school(*, declared: bool = True, hidden: tuple[str, ...] = ()) -> MetaData:
    """Declare people, shelves and parcels; the phone of a parcel is not declared."""

    class Elsewhere(DeclarativeBase):
        metadata = MetaData()

    class Person(Elsewhere):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    class Shelf(Elsewhere):
        __tablename__ = "shelf"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    class Parcel(Elsewhere):
        __tablename__ = "parcel"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
        shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
        owner_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
        phone: Mapped[str]
        came_on: Mapped[date]
        recorded_by: Mapped[str]

    if declared:
        data = Data("owner_id 何人, came_on 到的日期", "通知", Action.READ_MEETINGS, "{session_hours} 小时")
        personal(Parcel, Area.APPRAISAL, "包裹", data, of="收件人")
        personal(Person, Area.PEOPLE, "人")
        personal(Shelf, Area.SYSTEM, "货架")
        table = Parcel.__table__
        assert isinstance(table, Table)
        table.info[HIDDEN] = frozenset(hidden)
    return Elsewhere.metadata


def test_a_new_column_that_nobody_declared_is_named() -> None:
    assert undeclared(a_school()) == ["parcel.phone"]


def test_of_a_new_table_also_whom_it_points_to_is_named() -> None:
    everything = undeclared(a_school(declared=False))
    of_parcels = [each for each in everything if each.startswith("parcel.")]
    columns = ("id", "shelf_id", "owner_id", "phone", "came_on", "recorded_by")
    assert of_parcels == [f"parcel.{column}" for column in columns]


def test_a_column_that_the_table_has_not_cannot_be_declared() -> None:
    class Elsewhere(DeclarativeBase):
        metadata = MetaData()

    class Shelf(Elsewhere):
        __tablename__ = "shelf"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    for wrong in ({"other": "colour"}, {"other": "id colour"}):
        with pytest.raises(KeyError, match="colour"):
            personal(Shelf, Area.SYSTEM, "货架", **wrong)
    with pytest.raises(KeyError, match="colour"):
        personal(Shelf, Area.SYSTEM, "货架", Data("colour 颜色", "好看", "谁都能看"))


# ── what the page says ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_tells_what_of_whom_why_for_whom_and_how_long() -> None:
    page = inventory(a_school(hidden=("came_on",)), retention_years=None)
    told = "党委办公室、学校党委、督导人员（全校）；党支部书记、支委（本支部）；党员（本人）"
    columns = "何人 `owner_id`、到的日期＊ `came_on`"
    assert f"| **包裹** `parcel` · 收件人 | {columns} | 通知 | {told} | 12 小时 |\n" in page
    assert page.endswith("## 没有个人信息的 · nothing personal\n\n人 `person`、货架 `shelf`。\n")


def test_how_long_a_year_is_kept_is_the_plans() -> None:
    assert "方案没有规定年限，长期保存" in inventory(a_school(), retention_years=None)
    assert "方案定为 10 年" in inventory(a_school(), retention_years=10)


def test_every_role_that_may_read_is_said_and_words_stay_as_they_are() -> None:
    for action, roles in ACCESS.items():
        assert all(role.zh in readers(action.value) for role in roles), action
    assert readers("谈话人") == "谈话人"
