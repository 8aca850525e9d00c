"""Workbooks as offices keep them: old sheets, hidden rows, merged cells, other headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from xlsxwriter import Workbook  # type: ignore[import-untyped]

from tests.support.workbooks import Row, workbook_of
from workflow.workbooks import cells
from workflow.workbooks.sheets import Column, SheetForm, SheetProblem, Table, in_order, read_sheets

FORMS = {
    "名单": SheetForm(
        (
            Column("学工号", "staff_no", cells.staff_no, filled=True, also=("工号", "学号")),
            Column("姓名", "name", cells.person_name, filled=True),
            Column("支部", "branch", cells.text, filled=True),
            Column("小组", "group", cells.text, optional=True, beside=True),
        )
    )
}
HEADINGS = ("学工号", "姓名", "支部")
PEOPLE: tuple[Row, ...] = tuple({"学工号": f"1{n}", "姓名": name, "支部": "一支部"} for n, name in enumerate(("张三", "李四", "王五", "赵六")))


def opened(data: bytes) -> tuple[Table, list[SheetProblem]]:
    tables, problems = read_sheets(data, FORMS)
    return tables["名单"], in_order(problems, FORMS)


def a_list(finish: Any = lambda sheet: None, *, rows: Sequence[Row] = PEOPLE, headings: Sequence[str] = HEADINGS, title: str | None = None) -> bytes:
    return workbook_of({"名单": (headings, rows)}, title=title, finish=lambda book: finish(book.get_worksheet_by_name("名单")))


def of_sheets(hidden: Mapping[str, bool]) -> bytes:
    """Make a workbook of these sheets in order, each with one person named like it."""

    def hide(book: Workbook) -> None:
        book.get_worksheet_by_name(next(name for name, away in hidden.items() if not away)).activate()
        for name, away in hidden.items():
            if away:
                book.get_worksheet_by_name(name).hide()

    rows = {name: (HEADINGS, [{**PEOPLE[0], "支部": name.strip()}]) for name in hidden}
    return workbook_of(rows, finish=hide)


# ── which sheet ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sheets", "read"),
    [
        ({"名单(旧)": True, "名单": False}, "名单"),
        ({"名单 ": True, "名单": False}, "名单"),
        ({"名单（2023年底）": False, "名单": False}, "名单"),
        ({"名单": False, "名单（2023年底）": False}, "名单"),
        ({"名单（2023）": True, "名单（2024）": False}, "名单（2024）"),
    ],
)
def test_the_sheet_of_exactly_this_name_is_read_and_a_visible_one_before_a_hidden_one(sheets: dict[str, bool], read: str) -> None:
    table, problems = opened(of_sheets(sheets))
    assert [row["branch"] for row in table.rows] == [read.replace("（", "(").replace("）", ")")]
    assert [(problem.sheet, problem.severity) for problem in problems] == [(name, "warning") for name in sheets if name != read]


@pytest.mark.parametrize(
    "sheets",
    [{"名单（2023）": False, "名单（2024）": False}, {"名单（2024）": False, "名单": True}, {"名单(1)": True, "名单(2)": True, "封面": False}],
)
def test_two_sheets_that_could_both_be_meant_are_an_error_that_names_both(sheets: dict[str, bool]) -> None:
    _, problems = opened(of_sheets(sheets))
    errors = [problem for problem in problems if problem.severity == "error"]
    assert [problem.sheet for problem in errors] == ["名单"]
    assert [name for name in sheets if name != "封面" and f"“{name}”" not in errors[0].message] == []


def test_a_hidden_sheet_that_is_the_only_one_is_read_and_told() -> None:
    table, problems = opened(of_sheets({"封面": False, "名单": True}))
    assert len(table.rows) == 1
    assert [problem.message for problem in problems if problem.sheet == "名单"] == ["表“名单”是隐藏的，仍已读取，请核对是不是现在用的表"]


# ── hidden rows, merged cells ─────────────────────────────────────────────────────────────────────────────────────────


def test_hidden_rows_are_read_and_told_once() -> None:
    def hide(sheet: Any) -> None:
        for row in (2, 3):
            sheet.set_row(row, None, None, {"hidden": True})

    table, problems = opened(a_list(hide))
    assert len(table.rows) == 4
    assert [(problem.row, problem.severity) for problem in problems] == [(3, "warning")]
    assert problems[0].message == "第 3、4 行被隐藏或筛选掉了，仍已读取；不应在表中的，请删除整行"


def test_rows_that_a_filter_hides_are_told() -> None:
    def filtered(sheet: Any) -> None:
        sheet.autofilter(0, 0, 4, 2)
        sheet.filter_column_list(1, ["张三", "李四", "王五"])
        sheet.set_row(4, None, None, {"hidden": True})

    _, problems = opened(a_list(filtered))
    assert [(problem.row, problem.severity) for problem in problems] == [(5, "warning")]
    assert "筛选" in problems[0].message


def test_a_merged_block_is_read_downwards_and_told_once() -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_range(1, 2, 3, 2, "一支部")

    table, problems = opened(a_list(merge, rows=[{**row, "支部": "二支部" if n == 3 else None} for n, row in enumerate(PEOPLE)]))
    assert [row["branch"] for row in table.rows] == ["一支部", "一支部", "一支部", "二支部"]
    assert [(problem.row, problem.severity) for problem in problems] == [(2, "warning")]
    assert "合并单元格（C2:C4）" in problems[0].message


def test_a_merged_block_ends_where_it_ends() -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_range(1, 2, 2, 2, "一支部")

    _, problems = opened(a_list(merge, rows=[{**row, "支部": None} for row in PEOPLE]))
    assert [(problem.row, problem.message) for problem in problems if problem.severity == "error"] == [(4, "缺少支部"), (5, "缺少支部")]


def test_columns_merged_side_by_side_are_not_one_value() -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_range(1, 0, 1, 1, "10")

    _, problems = opened(a_list(merge, rows=[{**PEOPLE[0], "姓名": None}, *PEOPLE[1:]]))
    assert [problem.message for problem in problems if problem.severity == "error"] == ["缺少姓名"]
    assert "A2:B2" in next(problem.message for problem in problems if problem.severity == "warning")


def test_a_merged_title_and_merged_cells_below_the_list_are_nothing_to_tell() -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_range(10, 0, 11, 2, "")

    table, problems = opened(a_list(merge, title="党员名单"))
    assert (len(table.rows), problems) == (4, [])


def test_ten_blocks_are_named_and_the_rest_counted() -> None:
    rows: list[Row] = [{"学工号": f"1{n:02d}", "姓名": "张三", "支部": "一支部"} for n in range(30)]

    def merge(sheet: Any) -> None:
        for first in range(1, 25, 2):
            sheet.merge_range(first, 2, first + 1, 2, "一支部")

    _, (problem,) = opened(a_list(merge, rows=rows))
    assert problem.message.count(":") == 10
    assert "等 12 处" in problem.message


# ── numbers, headings ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_keeps_the_zeros_that_its_format_shows() -> None:
    def numbers(book: Workbook) -> None:
        zeros = book.add_format({"num_format": "0000000"})
        for row in range(1, 5):
            book.get_worksheet_by_name("名单").write_number(row, 0, 101000 + row, zeros)

    table, problems = opened(workbook_of({"名单": (HEADINGS, PEOPLE)}, finish=numbers))
    assert [row["staff_no"] for row in table.rows] == ["0101001", "0101002", "0101003", "0101004"]
    assert problems == []


def under(heading: str, *more: str) -> bytes:
    """Make the list with 学工号 under another heading, and more columns beside it."""
    rows: list[Row] = [{heading: row["学工号"], **row, **dict.fromkeys(more, "x")} for row in PEOPLE]
    return a_list(rows=rows, headings=(heading, "姓名", "支部", *more))


def test_a_column_is_known_under_its_other_headings() -> None:
    assert opened(under("工号")) == opened(a_list())


def test_a_column_under_its_own_heading_is_that_one_and_the_other_is_told() -> None:
    _, problems = opened(under("学工号", "工号"))
    assert [(problem.heading, problem.severity) for problem in problems] == [("工号", "warning")]


def test_two_other_headings_are_an_error_that_names_both() -> None:
    _, problems = opened(under("工号", "学号"))
    assert [(problem.heading, problem.message) for problem in problems] == [("学工号", "列“工号”和列“学号”都是学工号，请只留一列")]


def test_a_column_beside_the_form_is_read_where_it_is_and_missed_by_nobody() -> None:
    table, problems = opened(a_list())
    assert (set(table.fields), problems) == ({"staff_no", "name", "branch"}, [])
    table, problems = opened(a_list(rows=[{**row, "小组": "第一小组"} for row in PEOPLE], headings=(*HEADINGS, "小组")))
    assert ({row["group"] for row in table.rows}, "group" in table.fields, problems) == ({"第一小组"}, True, [])
