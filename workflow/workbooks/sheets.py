"""Reading an Excel workbook against its form (读取工作簿): sheets by name, columns by heading.

:func:`read_sheets` answers the rows and every problem by sheet, row and heading. It accepts a title
row, columns in another order, full-width digits, stray spaces and dates as offices write them. It
never raises: a file that is no workbook, or a hostile one, is one problem.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from workflow.workbooks import cells
from workflow.workbooks.cells import Cell, CellFault, quoted

MEGABYTE = 2**20
MOST_BYTES = 64 * MEGABYTE  # of all parts unpacked; a sheet of 50,000 rows has about 32
# Shared strings and styles are read whole, before the first row.
MOST_BYTES_BESIDE_SHEETS = 16 * MEGABYTE
HIGHEST_RATIO = 200  # of unpacked to packed; a roster of a school has about 10
MOST_ROWS = 50_000
LAST_ROW = 1_048_576  # Excel's own limit
MOST_COLUMNS = 200
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

    ``filled``: no row without it; ``optional``: the sheet is usable without this column.
    """

    heading: str
    field: str
    read: Callable[[Cell], object]
    filled: bool = False
    optional: bool = False


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


@dataclass
class Table:
    """One sheet as read: the fields of each row by name.

    ``whole``: every heading was found and every row was read. Each row has ``row``, its number in
    Excel, and ``faulty``, the headings whose cell or whole column has been reported already: the
    row lacks their fields.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = False


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
        raise _Unusable("不是 Excel 工作簿（.xlsx）")
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
    for worksheet in worksheets:
        name = _heading(worksheet.title)
        if name in forms and name not in found:
            found[name] = worksheet
        else:
            problems.append(SheetProblem(worksheet.title, None, None, "warning", f"表{quoted(worksheet.title)}不在官方表式之内，未读取"))
    return found, problems


class _Reader:
    """A reader of one sheet against its form."""

    def __init__(self, name: str, form: SheetForm, worksheet: Any) -> None:
        self.name = name
        self.form = form
        self.worksheet = worksheet
        self.epoch = worksheet.parent.epoch
        self.read = Table()
        self.problems: list[SheetProblem] = []
        self.strays: dict[int, str] = {}
        self.missing: frozenset[str] = frozenset()

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
        places = self._places(rows)
        for number, row in rows:
            self._read_row(number, row, places)
        if not self.read.rows and self.form.empty:
            self._problem(None, None, self.form.empty)
        self.read.whole = {column.heading for column in self.form.columns if not column.optional} <= places.keys()

    def _rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Read the rows that hold anything, with Excel's numbers.

        A sheet's own word on its size is not believed.
        """
        self.worksheet.reset_dimensions()
        for number, row in enumerate(self.worksheet.iter_rows(), 1):
            empty = not row or all(cell.value is None for cell in row)
            if (number > MOST_ROWS and not empty) or number > LAST_ROW:
                raise _SheetUnusable(f"第 {number} 行超出限度：每张表最多 {MOST_ROWS} 行，请删除其后的内容")
            if empty:
                continue
            if any(cell.value is not None for cell in row[MOST_COLUMNS:]):
                raise _SheetUnusable(f"第 {number} 行超出限度：每张表最多 {MOST_COLUMNS} 列，请删除表格右侧的内容")
            yield number, [Cell(cell.value, cell.data_type, self.epoch) for cell in row[:MOST_COLUMNS]]

    def _places(self, rows: Iterator[tuple[int, list[Cell]]]) -> dict[str, int]:
        """Find the place of each heading, in the first row that has at least two of them."""
        wanted = self.form.headings
        known = wanted | self.form.passed_over
        for number, row in rows:
            if number > TITLE_ROWS:
                break
            headings = [_heading(cell.value) for cell in row]
            if len(known.intersection(headings)) >= 2:
                self._judge_headings(number, headings)
                first = dict(reversed([(each, place) for place, each in enumerate(headings)]))
                return {heading: place for heading, place in first.items() if heading in wanted}
        raise _SheetUnusable(f"前 {TITLE_ROWS} 行中没有找到表头，应有：{'、'.join(column.heading for column in self.form.columns)}")

    def _judge_headings(self, number: int, headings: list[str]) -> None:
        wanted = self.form.headings
        for place, heading in enumerate(headings):
            if heading in wanted and heading in headings[:place]:
                self._problem(number, heading, f"列“{heading}”重复出现")
            elif heading and heading not in wanted | self.form.passed_over:
                self._problem(number, heading, f"列{quoted(heading)}不在官方表式之内，未读取", "warning")
        self.missing = wanted.difference(headings)
        for column in self.form.columns:
            if column.heading in self.missing:
                self._problem(None, column.heading, f"缺少列“{column.heading}”", "warning" if column.optional else "error")
        self.strays = {place: get_column_letter(place + 1) for place in range(MOST_COLUMNS) if place >= len(headings) or not headings[place]}

    def _read_row(self, number: int, row: list[Cell], places: dict[str, int]) -> None:
        self._report_strays(number, row)
        values: dict[str, Any] = {}
        faults: dict[str, CellFault] = {}
        for column in self.form.columns:
            if column.heading in places:
                place = places[column.heading]
                try:
                    values[column.field] = column.read(row[place] if place < len(row) else Cell(None))
                except CellFault as fault:
                    faults[column.heading] = fault
        if not faults and not any(values.values()):
            return
        for heading, reported in faults.items():
            self._problem(number, heading, reported.message, reported.severity)
        for column in self.form.columns:
            if column.filled and column.heading in places and column.heading not in faults and not values.get(column.field):
                self._problem(number, column.heading, f"缺少{column.heading}")
        self.read.rows.append({"row": number, "faulty": frozenset(faults) | self.missing, **values})

    def _report_strays(self, number: int, row: list[Cell]) -> None:
        """Report content under no heading, which is left out: once for each column."""
        for place in [place for place in self.strays if place < len(row) and row[place].value is not None]:
            self._problem(number, None, f"{self.strays.pop(place)} 列没有表头，其内容未读取", "warning")


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
