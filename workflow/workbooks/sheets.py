"""Reading an Excel workbook against its form (读取工作簿): sheets by name, columns by heading.

:func:`read_sheets` answers the rows and every problem by sheet, row and heading. It accepts a title
row, columns in another order, full-width digits, stray spaces and dates as offices write them. It
never raises: a file that is no workbook, or a hostile one, is one problem.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from workflow.workbooks import cells
from workflow.workbooks.cells import Cell, CellFault, quoted
from workflow.workbooks.rows import MOST_COLUMNS, FillDown, MergedCells, WorkbookRow, merged_cells, rows_of

MEGABYTE = 2**20
MOST_BYTES = 64 * MEGABYTE  # of all parts unpacked; a sheet of 50,000 rows has about 32
# Shared strings and styles are read whole, before the first row.
MOST_BYTES_BESIDE_SHEETS = 16 * MEGABYTE
HIGHEST_RATIO = 200  # of unpacked to packed; a roster of a school has about 10
MOST_ROWS = 50_000
TITLE_ROWS = 10  # the headings stand in one of the first ten rows
ROWS_NAMED = 10

_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
_ENCRYPTED_PART = "EncryptedPackage".encode("utf-16-le")
_ZIP = b"PK\x03\x04"
_NOTE = re.compile(r"\([^()]*\)")
_LOCKED = "工作簿有密码保护，请取消密码后再上传"


@dataclass(frozen=True)
class SheetProblem:
    """One finding of the preview (核对问题).

    ``row`` counts as Excel does, ``None`` where the sheet or the file is meant; ``severity`` is
    ``error`` or ``warning``.
    """

    sheet: str | None
    row: int | None
    heading: str | None
    severity: str
    message: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Column:
    """A heading of a sheet.

    ``filled``: no row without it; ``optional``: the sheet is usable without this column, and
    ``beside`` the official form nobody misses it. ``also``: other headings under which offices have
    this column.
    """

    heading: str
    field: str
    read: Callable[[Cell], object]
    filled: bool = False
    optional: bool = False
    beside: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class SheetForm:
    """The form of one sheet (表式).

    ``empty``: the message about a sheet without rows, where that is an error.

    ``any_name``: the only sheet of a workbook is read as this one whatever its name, since lists
    made by hand are often called Sheet1. Problems still use the form's name.

    ``passed_over``: headings of the official form that the product has no use for. Their cells are
    not read: nothing of them is kept, and no fault of theirs is reported.
    """

    columns: tuple[Column, ...]
    empty: str | None = None
    any_name: bool = False
    passed_over: frozenset[str] = frozenset()

    @property
    def headings(self) -> frozenset[str]:
        """Return the headings of the columns that are read."""
        return frozenset(column.heading for column in self.columns)

    def meant(self, written: Sequence[str]) -> list[str]:
        """Return the headings of a row in the words of the form.

        A column under its own heading is that one, whatever else stands beside it.
        """
        others = {other: column.heading for column in self.columns if column.heading not in written for other in column.also}
        return [others.get(heading, heading) for heading in written]


@dataclass
class Table:
    """One sheet as read: the fields of each row by name.

    ``whole``: every heading was found and every row was read; ``fields``: the columns that were
    found. Each row has ``row``, its number in
    Excel, and ``faulty``, the headings whose cell or whole column has been reported already: the
    row lacks their fields.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = False
    fields: frozenset[str] = frozenset()


class _Unusable(Exception):
    """A file that is no workbook that can be read (文件不可用)."""


class _SheetUnusable(Exception):
    """A sheet that cannot be read further (表不可用)."""


def read_sheets(data: bytes, forms: Mapping[str, SheetForm]) -> tuple[dict[str, Table], list[SheetProblem]]:
    """Read the table of each form in these bytes, and all problems of them.

    For any bytes this answers and does not raise. A sheet that is missing or cannot be read is an
    empty table, and a problem.
    """
    try:
        _refuse_hostile(data)
        with warnings.catch_warnings():
            # openpyxl warns about extensions and dates out of range. The former do not matter, the
            # latter come back as error cells.
            warnings.simplefilter("ignore")
            return _read_workbook(data, forms)
    except _Unusable as refusal:
        words = str(refusal)
    # Hostile or broken XML raises anything at all, from KeyError to RecursionError.
    except Exception:
        words = "工作簿已损坏或内容异常，无法读取，请用 Excel 打开后另存为 .xlsx 再上传"
    return {name: Table() for name in forms}, [SheetProblem(None, None, None, "error", words)]


def in_order(problems: Iterable[SheetProblem], forms: Iterable[str]) -> list[SheetProblem]:
    """Sort problems in the order of the workbook.

    First the file, then its sheets in the order of the forms and by row, then sheets that no form
    names.
    """
    places = {name: place for place, name in enumerate((None, *forms))}
    return sorted(problems, key=lambda problem: (places.get(problem.sheet, len(places)), problem.row or 0))


def has_errors(problems: Iterable[SheetProblem]) -> bool:
    """Tell whether anything must be mended; warnings need not be."""
    return any(problem.severity == "error" for problem in problems)


def rows_named(rows: Iterable[int]) -> str:
    """Name rows: ``第 2、3 行``."""
    rows = list(rows)
    listed = "、".join(str(row) for row in rows[:ROWS_NAMED])
    return f"第 {listed} 行" if len(rows) <= ROWS_NAMED else f"第 {listed} 等 {len(rows)} 行"


def _refuse_hostile(data: bytes) -> None:
    """Judge the file by its first bytes and its directory alone: nothing is unpacked here."""
    if data.startswith(_OLE):
        raise _Unusable(_LOCKED if _ENCRYPTED_PART in data else "这是旧版 .xls 文件，请在 Excel 中另存为 .xlsx")
    if not data.startswith(_ZIP):
        raise _Unusable(f"不是 Excel 工作簿（.xlsx）{_another_format(data)}")
    with ZipFile(BytesIO(data)) as archive:
        parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise _Unusable(_LOCKED)
    if not any(part.filename.startswith("xl/") for part in parts):
        raise _Unusable("不是 Excel 工作簿（.xlsx）")
    if any(part.compress_type not in {ZIP_STORED, ZIP_DEFLATED} for part in parts):
        raise _Unusable("工作簿的压缩方式异常，已拒绝读取")  # zipfile unpacks bzip2 and LZMA without a bound
    # zipfile unpacks no more of a part than its directory declares: these sums limit the cost of
    # reading.
    unpacked = sum(part.file_size for part in parts)
    beside = sum(part.file_size for part in parts if not part.filename.startswith("xl/worksheets/"))
    if unpacked > MOST_BYTES or beside > MOST_BYTES_BESIDE_SHEETS:
        raise _Unusable(f"工作簿展开后有 {unpacked // MEGABYTE} MB，超出限度：行数过多、带有大量图片，或者文件内容异常")
    if unpacked > MEGABYTE and unpacked > HIGHEST_RATIO * len(data):
        raise _Unusable("工作簿的压缩比异常，已拒绝读取")


def _another_format(data: bytes) -> str:
    """Name what was sent instead of a workbook, if it is text."""
    begins = data[:1000]
    if not begins or b"\0" in begins:
        return ""
    words = "网页格式的表格" if begins.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else "CSV 或文本文件"
    return f"，像是{words}，请用 Excel 打开后另存为 .xlsx"


def _read_workbook(data: bytes, forms: Mapping[str, SheetForm]) -> tuple[dict[str, Table], list[SheetProblem]]:
    # Formulas are read, not their last values: a formula must be seen so that it is refused.
    with closing(load_workbook(BytesIO(data), read_only=True, data_only=False, keep_links=False)) as workbook:
        found, problems = _by_form(workbook.worksheets, forms)
        tables: dict[str, Table] = {}
        for name, form in forms.items():
            if name in found:
                tables[name], wrong = _Reader(name, form, found[name]).table()
                problems += wrong
            else:
                tables[name] = Table()
                problems.append(SheetProblem(name, None, None, "error", f"缺少表“{name}”"))
    return tables, problems


def _by_form(worksheets: list[Any], forms: Mapping[str, SheetForm]) -> tuple[dict[str, Any], list[SheetProblem]]:
    """Find the sheet of each form, and report the sheets that belong to no form."""
    nameless = next((name for name, form in forms.items() if form.any_name), None)
    if nameless is not None and len(worksheets) == 1 and _heading(worksheets[0].title) not in forms:
        return {nameless: worksheets[0]}, []
    found: dict[str, Any] = {}
    problems: list[SheetProblem] = []
    for name in forms:
        candidates = [worksheet for worksheet in worksheets if _heading(worksheet.title) == name]
        if candidates:
            best = max(candidates, key=lambda worksheet: _claim(name, worksheet))
            problems += _rivals(name, best, candidates)
            found[name] = best
    for worksheet in worksheets:
        if worksheet not in found.values():
            problems.append(SheetProblem(worksheet.title, None, None, "warning", f"表{quoted(worksheet.title)}不在官方表式之内，未读取"))
    return found, problems


def _claim(name: str, worksheet: Any) -> tuple[bool, bool]:
    """Tell what speaks for a sheet: its name is exactly the form's, and it is visible."""
    return worksheet.title == name, worksheet.sheet_state == "visible"


def _rivals(name: str, best: Any, candidates: list[Any]) -> Iterator[SheetProblem]:
    """Report the sheets that could as well be meant, and a hidden sheet that is read."""
    exact, visible = _claim(name, best)
    for other in candidates:
        its_exact, its_visible = _claim(name, other)
        if other is not best and (its_visible > visible or (its_exact, its_visible) == (exact, visible)):
            words = f"表{quoted(best.title)}和表{quoted(other.title)}都可能是“{name}”表，请只留一张，其余的改名或删除"
            yield SheetProblem(name, None, None, "error", words)
    if not visible:
        yield SheetProblem(name, None, None, "warning", f"表{quoted(best.title)}是隐藏的，仍已读取，请核对是不是现在用的表")


class _Reader:
    """A reader of one sheet against its form."""

    def __init__(self, name: str, form: SheetForm, worksheet: Any) -> None:
        self.name = name
        self.form = form
        self.worksheet = worksheet
        self.read = Table()
        self.problems: list[SheetProblem] = []
        self.strays: dict[int, str] = {}
        self.missing: frozenset[str] = frozenset()
        self.hidden: list[int] = []

    def table(self) -> tuple[Table, list[SheetProblem]]:
        try:
            self._read()
        except _SheetUnusable as refusal:
            self.read, self.problems = Table(), []
            self._problem(None, None, str(refusal))
        return self.read, self.problems

    def _problem(self, row: int | None, heading: str | None, message: str, severity: str = "error") -> None:
        self.problems.append(SheetProblem(self.name, row, heading, severity, message))

    def _read(self) -> None:
        rows = self._rows()
        below, places = self._places(rows)
        self.read.fields = frozenset(column.field for column in self.form.columns if column.heading in places)
        self.read.whole = {column.heading for column in self.form.columns if not column.optional} <= places.keys()
        merged = [block for block in merged_cells(self.worksheet) if block.first_row > below and block.covers(places.values())]
        cell_of = FillDown(merged)
        for row in rows:
            self._read_row(row, places, cell_of)
        if not self.read.rows and self.form.empty:
            self._problem(None, None, self.form.empty)
        self._tell_hidden()
        self._tell_merged(merged)

    def _rows(self) -> Iterator[WorkbookRow]:
        """Read the rows that hold anything, within the limits."""
        for row in rows_of(self.worksheet):
            if row.number > MOST_ROWS:
                raise _SheetUnusable(f"第 {row.number} 行超出限度：每张表最多 {MOST_ROWS} 行，请删除其后的内容")
            if row.too_wide:
                raise _SheetUnusable(f"第 {row.number} 行超出限度：每张表最多 {MOST_COLUMNS} 列，请删除表格右侧的内容")
            yield row

    def _places(self, rows: Iterator[WorkbookRow]) -> tuple[int, dict[str, int]]:
        """Find the heading row, the first with at least two of them, and each heading's place."""
        wanted = self.form.headings
        known = wanted | self.form.passed_over
        for row in rows:
            if row.number > TITLE_ROWS:
                break
            written = [_heading(cell.value) for cell in row.cells]
            headings = self.form.meant(written)
            if len(known.intersection(headings)) >= 2:
                self._judge_headings(row.number, headings, written)
                first = dict(reversed([(each, place) for place, each in enumerate(headings)]))
                return row.number, {heading: place for heading, place in first.items() if heading in wanted}
        raise _SheetUnusable(f"前 {TITLE_ROWS} 行中没有找到表头，应有：{'、'.join(column.heading for column in self.form.columns)}")

    def _judge_headings(self, number: int, headings: list[str], written: list[str]) -> None:
        wanted = self.form.headings
        for place, heading in enumerate(headings):
            if heading in wanted and heading in headings[:place]:
                first = written[headings.index(heading)]
                twice = first == written[place]
                words = f"列“{heading}”重复出现" if twice else f"列“{first}”和列“{written[place]}”都是{heading}，请只留一列"
                self._problem(number, heading, words)
            elif heading and heading not in wanted | self.form.passed_over:
                self._problem(number, heading, f"列{quoted(heading)}不在官方表式之内，未读取", "warning")
        self.missing = wanted.difference(headings)
        for column in self.form.columns:
            if column.heading in self.missing and not column.beside:
                self._problem(None, column.heading, f"缺少列“{column.heading}”", "warning" if column.optional else "error")
        self.strays = {place: get_column_letter(place + 1) for place in range(MOST_COLUMNS) if place >= len(headings) or not headings[place]}

    def _read_row(self, row: WorkbookRow, places: dict[str, int], cell_of: FillDown) -> None:
        self._report_strays(row)
        number = row.number
        values: dict[str, Any] = {}
        faults: dict[str, CellFault] = {}
        for column in self.form.columns:
            if column.heading in places:
                try:
                    values[column.field] = column.read(cell_of(row, places[column.heading]))
                except CellFault as fault:
                    faults[column.heading] = fault
                    if fault.taken is not None:
                        values[column.field] = fault.taken
        if not faults and not any(values.values()):
            return
        for heading, reported in faults.items():
            self._problem(number, heading, reported.message, reported.severity)
        for column in self.form.columns:
            if column.filled and column.heading in places and column.heading not in faults and not values.get(column.field):
                self._problem(number, column.heading, f"缺少{column.heading}")
        self.read.rows.append({"row": number, "faulty": frozenset(faults) | self.missing, **values})
        if row.hidden:
            self.hidden.append(number)

    def _report_strays(self, row: WorkbookRow) -> None:
        """Report content under no heading, which is left out: once for each column."""
        for place in [place for place in self.strays if row.cell(place).value is not None]:
            self._problem(row.number, None, f"{self.strays.pop(place)} 列没有表头，其内容未读取", "warning")

    def _tell_hidden(self) -> None:
        if self.hidden:
            words = f"{rows_named(self.hidden)}被隐藏或筛选掉了，仍已读取；不应在表中的，请删除整行"
            self._problem(self.hidden[0], None, words, "warning")

    def _tell_merged(self, merged: list[MergedCells]) -> None:
        """Tell once of merged cells among the rows that were read."""
        last = self.read.rows[-1]["row"] if self.read.rows else 0
        blocks = [block for block in merged if block.first_row <= last]
        if blocks:
            refs = "、".join(block.ref for block in blocks[:ROWS_NAMED]) + (f" 等 {len(blocks)} 处" if len(blocks) > ROWS_NAMED else "")
            words = f"有合并单元格（{refs}）：各行都按合并后的内容读取，请核对"
            self._problem(blocks[0].first_row, None, words, "warning")


def _heading(value: object) -> str:
    """Strip spaces, a note in brackets (``职务（留空默认为委员）``) and a mark from a heading.

    Or from a sheet's name.
    """
    if not isinstance(value, str | int | float):
        return ""
    try:
        return _NOTE.sub("", cells.tidy(str(value)).replace(" ", "")).strip("*:")
    except CellFault:
        return ""
