"""Rows of a sheet as the file has them (工作表的行): values, number formats, hidden rows, merged cells.

openpyxl's own reader of large sheets leaves out that a row is hidden and that cells are merged. Its
parser, used here, knows the former; the latter stand behind the last row, so they are looked for
beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from openpyxl.cell.read_only import ReadOnlyCell
from openpyxl.utils import column_index_from_string
from openpyxl.worksheet._reader import WorkSheetParser

from workflow.workbooks.cells import GENERAL, Cell

MOST_COLUMNS = 200

_EMPTY = Cell(None, "n")
_MERGED = re.compile(rb"<(?:[\w.-]+:)?mergeCell\s[^>]*?\bref=\"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})\"")
_YES = frozenset({"1", "true"})


@dataclass(frozen=True, slots=True)
class WorkbookRow:
    """A row that holds anything, with Excel's number.

    ``hidden`` also by a filter; ``too_wide``: something stands to the right of the columns read.
    """

    number: int
    cells: list[Cell]
    hidden: bool
    too_wide: bool

    def cell(self, place: int) -> Cell:
        return self.cells[place] if place < len(self.cells) else _EMPTY


@dataclass(frozen=True, slots=True)
class MergedCells:
    """A block of merged cells (合并单元格); its value stands in the first cell."""

    ref: str
    first_row: int
    last_row: int
    first_place: int
    last_place: int

    def covers(self, places: Iterable[int]) -> bool:
        return any(self.first_place <= place <= self.last_place for place in places)


def rows_of(worksheet: Any) -> Iterator[WorkbookRow]:
    """Read the rows that hold anything. A sheet's own word on its size is not believed."""
    book = worksheet.parent
    with worksheet._get_source() as source:
        parser = WorkSheetParser(
            source,
            worksheet._shared_strings,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        last = 0
        for number, found in parser.parse():
            told = parser.row_dimensions.pop(str(number), {})
            held = [cell for cell in found if cell["value"] is not None]
            if not held or number <= last:
                continue
            last = number
            near = [cell for cell in held if cell["column"] <= MOST_COLUMNS]
            cells = [_EMPTY] * max((cell["column"] for cell in near), default=0)
            for cell in near:
                cells[cell["column"] - 1] = Cell(cell["value"], cell["data_type"], book.epoch, _number_format(worksheet, cell))
            yield WorkbookRow(number, cells, hidden=told.get("hidden") in _YES, too_wide=len(near) < len(held))


def _number_format(worksheet: Any, cell: dict[str, Any]) -> str:
    if cell["data_type"] != "n" or not cell["style_id"]:
        return GENERAL
    try:
        return str(ReadOnlyCell(worksheet, **cell).number_format)
    except IndexError:  # a style that the workbook does not have
        return GENERAL


def merged_cells(worksheet: Any) -> list[MergedCells]:
    """List the merged cells of a sheet, from above."""
    with worksheet._get_source() as source:
        blocks = {tuple(part.decode() for part in found.groups()) for found in _MERGED.finditer(source.read())}
    return sorted(
        (MergedCells(f"{left}{top}:{right}{bottom}", int(top), int(bottom), _place(left), _place(right)) for left, top, right, bottom in blocks),
        key=lambda block: (block.first_row, block.first_place),
    )


def _place(column: str) -> int:
    return column_index_from_string(column) - 1


class FillDown:
    """Cells below the first of a merged block get its value, row after row.

    Cells beside the first stay empty: nobody merges two columns and means the same in both.
    """

    def __init__(self, blocks: Iterable[MergedCells]) -> None:
        self._begin = {(block.first_row, block.first_place): block.last_row for block in blocks}
        self._under: dict[int, tuple[int, Cell]] = {}

    def __call__(self, row: WorkbookRow, place: int) -> Cell:
        """Return the cell of a row; rows come in their order."""
        cell = row.cell(place)
        if (last := self._begin.get((row.number, place))) is not None:
            self._under[place] = last, cell
        elif cell.value is None and place in self._under:
            last, above = self._under[place]
            return above if row.number <= last else cell
        return cell
