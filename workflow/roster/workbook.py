"""The roster comes as an Excel workbook (党员名册导入): sheets 党员 and 支部委员会 with the headings of the official form.

:func:`read_workbook` answers the roster and every problem by sheet, row and heading. It takes a title row, columns in
another order, full-width digits, stray spaces and dates as offices write them. It never raises: what is no workbook, or
a hostile one, is one problem.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from workflow.roster import cells
from workflow.roster.cells import Cell, CellFault, MemberRow, Seat, quoted
from workflow.roster.checks import (
    COMMITTEE_SHEET,
    MEMBER_SHEET,
    BothSheets,
    Problem,
    Roster,
    RosterBranch,
    RosterMember,
    check_both,
    check_members,
    make_roster,
)

__all__ = ["Problem", "Reading", "Roster", "RosterBranch", "RosterMember", "read_workbook"]

MEGABYTE = 2**20
MOST_BYTES = 64 * MEGABYTE  # of all parts unpacked; a sheet of 50,000 rows has about 32
MOST_BYTES_BESIDE_SHEETS = 16 * MEGABYTE  # shared strings and styles are read whole, before the first row
HIGHEST_RATIO = 200  # of unpacked to packed; a roster has about 10
MOST_ROWS = 50_000
LAST_ROW = 1_048_576  # Excel's own limit
MOST_COLUMNS = 200
TITLE_ROWS = 10  # the headings stand in one of the first ten rows

_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
_ENCRYPTED_PART = "EncryptedPackage".encode("utf-16-le")
_ZIP = b"PK\x03\x04"
_NOTE = re.compile(r"\([^()]*\)")
_LOCKED = "工作簿有密码保护，请取消密码后再上传"


@dataclass(frozen=True)
class Reading:
    """What came out of a workbook (核对结果)."""

    roster: Roster
    problems: tuple[Problem, ...]

    @property
    def applicable(self) -> bool:
        """Whether it may be applied: no errors, and at least one member."""
        return bool(self.roster.members) and not any(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True)
class Column:
    """A heading of the form. ``filled``: no row without it; ``optional``: the form is usable without this column."""

    heading: str
    field: str
    read: Callable[[Cell], object]
    filled: bool = False
    optional: bool = False


_MEMBER_COLUMNS = (
    Column("学工号", "staff_no", cells.staff_no, filled=True),
    Column("姓名", "name", cells.person_name, filled=True),
    Column("性别", "gender", cells.gender, optional=True),
    Column("所在分党委编码", "unit_code", cells.code, filled=True),
    Column("所在分党委", "unit_name", cells.text, filled=True),
    Column("所在党支部编码", "branch_code", cells.code, filled=True),
    Column("所在党支部", "branch_name", cells.text, filled=True),
    Column("党籍状态", "standing", cells.standing, filled=True),
    Column("入党时间", "joined_on", cells.day),
    Column("转正时间", "confirmed_on", cells.day),
    Column("党内职务", "title", cells.post_words),
    Column("是否党员领导干部", "cadre", cells.cadre),
    Column("邮箱", "email", cells.email, optional=True),
    Column("备注", "remark", cells.remark, optional=True),
)
_COMMITTEE_COLUMNS = (
    Column("所属党支部", "branch_name", cells.text, filled=True),
    Column("姓名", "name", cells.person_name, filled=True),
    Column("学工号", "staff_no", cells.staff_no, filled=True),
    Column("职务", "words", cells.post_words),
)


class Unusable(Exception):
    """The bytes are no workbook that can be read (文件不可用)."""


class SheetUnusable(Exception):
    """One sheet cannot be read on (表不可用)."""


def read_workbook(data: bytes, *, today: date) -> Reading:
    """The roster in these bytes, and all that is wrong with it. Whatever the bytes are, this answers and does not raise."""
    try:
        _refuse_hostile(data)
        with warnings.catch_warnings():
            # openpyxl warns about extensions and dates out of range: the first do not matter, the second come back as error cells
            warnings.simplefilter("ignore")
            tables, problems = _read_sheets(data)
    except Unusable as refusal:
        return Reading(Roster(), (Problem(None, None, None, "error", str(refusal)),))
    except Exception:  # hostile or broken XML raises anything at all, from KeyError to RecursionError
        return Reading(Roster(), (Problem(None, None, None, "error", "工作簿已损坏或内容异常，无法读取，请用 Excel 打开后另存为 .xlsx 再上传"),))
    members, committee = tables[MEMBER_SHEET], tables[COMMITTEE_SHEET]
    sheets = BothSheets([MemberRow(**row) for row in members.rows], [Seat(**row) for row in committee.rows])
    problems += members.problems + committee.problems
    problems += check_members(sheets, today)
    if members.whole and committee.whole:
        problems += check_both(sheets)
    order = (None, MEMBER_SHEET, COMMITTEE_SHEET)
    problems.sort(key=lambda problem: (order.index(problem.sheet) if problem.sheet in order else len(order), problem.row or 0))
    return Reading(make_roster(sheets), tuple(problems))


def _refuse_hostile(data: bytes) -> None:
    """Judge the file by its first bytes and its directory alone: nothing is unpacked here."""
    if data.startswith(_OLE):
        raise Unusable(_LOCKED if _ENCRYPTED_PART in data else "这是旧版 .xls 文件，请在 Excel 中另存为 .xlsx")
    if not data.startswith(_ZIP):
        raise Unusable("不是 Excel 工作簿（.xlsx）")
    with ZipFile(BytesIO(data)) as archive:
        parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise Unusable(_LOCKED)
    if not any(part.filename.startswith("xl/") for part in parts):
        raise Unusable("不是 Excel 工作簿（.xlsx）")
    if any(part.compress_type not in {ZIP_STORED, ZIP_DEFLATED} for part in parts):
        raise Unusable("工作簿的压缩方式异常，已拒绝读取")  # zipfile unpacks bzip2 and LZMA without a bound
    # zipfile unpacks no more of a part than its directory declares, so these sums bound what reading can cost
    unpacked = sum(part.file_size for part in parts)
    beside = sum(part.file_size for part in parts if not part.filename.startswith("xl/worksheets/"))
    if unpacked > MOST_BYTES or beside > MOST_BYTES_BESIDE_SHEETS:
        raise Unusable(f"工作簿展开后有 {unpacked // MEGABYTE} MB，超出限度：行数过多、带有大量图片，或者文件内容异常")
    if unpacked > MEGABYTE and unpacked > HIGHEST_RATIO * len(data):
        raise Unusable("工作簿的压缩比异常，已拒绝读取")


@dataclass
class Table:
    """One sheet of the form as read. ``whole``: every heading was found and every row was read."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = False


def _read_sheets(data: bytes) -> tuple[dict[str, Table], list[Problem]]:
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    forms = {MEMBER_SHEET: _MEMBER_COLUMNS, COMMITTEE_SHEET: _COMMITTEE_COLUMNS}
    # formulas are asked for, not their last values: a formula must be seen to be refused
    with closing(load_workbook(BytesIO(data), read_only=True, data_only=False, keep_links=False)) as workbook:
        for worksheet in workbook.worksheets:
            name = _heading(worksheet.title)
            if name in forms and name not in found:
                found[name] = worksheet
            else:
                problems.append(Problem(worksheet.title, None, None, "warning", f"表{quoted(worksheet.title)}不在官方表式之内，未读取"))
        tables = {name: _Reader(name, columns, found[name]).table() if name in found else _no_sheet(name) for name, columns in forms.items()}
    return tables, problems


def _no_sheet(name: str) -> Table:
    return Table(problems=[Problem(name, None, None, "error", f"缺少表“{name}”")])


class _Reader:
    """Reads one sheet against its form."""

    def __init__(self, name: str, columns: tuple[Column, ...], worksheet: Any) -> None:
        self.name = name
        self.columns = columns
        self.worksheet = worksheet
        self.epoch = worksheet.parent.epoch
        self.read = Table()
        self.strays: dict[int, str] = {}
        self.missing: set[str] = set()

    def table(self) -> Table:
        try:
            self._read()
        except SheetUnusable as refusal:
            self.read = Table()
            self._problem(None, None, str(refusal))
        return self.read

    def _problem(self, row: int | None, heading: str | None, message: str, severity: str = "error") -> None:
        self.read.problems.append(Problem(self.name, row, heading, severity, message))

    def _read(self) -> None:
        rows = self._rows()
        places = self._places(rows)
        for number, row in rows:
            self._read_row(number, row, places)
        if not self.read.rows and self.name == MEMBER_SHEET:
            self._problem(None, None, "表中没有党员")
        self.read.whole = {column.heading for column in self.columns if not column.optional} <= places.keys()

    def _rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """The rows that hold anything, with Excel's numbers. A sheet's own word on its size is not believed."""
        self.worksheet.reset_dimensions()
        for number, row in enumerate(self.worksheet.iter_rows(), 1):
            empty = all(cell.value is None for cell in row)
            if (number > MOST_ROWS and not empty) or number > LAST_ROW:
                raise SheetUnusable(f"第 {number} 行超出限度：每张表最多 {MOST_ROWS} 行，请删除其后的内容")
            if empty:
                continue
            if any(cell.value is not None for cell in row[MOST_COLUMNS:]):
                raise SheetUnusable(f"第 {number} 行超出限度：每张表最多 {MOST_COLUMNS} 列，请删除表格右侧的内容")
            yield number, [Cell(cell.value, cell.data_type, self.epoch) for cell in row[:MOST_COLUMNS]]

    def _places(self, rows: Iterator[tuple[int, list[Cell]]]) -> dict[str, int]:
        """Where each heading stands, from the first row that has at least two of them."""
        known = {column.heading for column in self.columns}
        for number, row in rows:
            if number > TITLE_ROWS:
                break
            headings = [_heading(cell.value) for cell in row]
            if len(known.intersection(headings)) >= 2:
                self._judge_headings(number, headings)
                return {heading: place for place, heading in reversed(list(enumerate(headings))) if heading in known}
        raise SheetUnusable(f"前 {TITLE_ROWS} 行中没有找到表头，应有：{'、'.join(column.heading for column in self.columns)}")

    def _judge_headings(self, number: int, headings: list[str]) -> None:
        known = {column.heading for column in self.columns}
        for place, heading in enumerate(headings):
            if heading in known and heading in headings[:place]:
                self._problem(number, heading, f"列“{heading}”重复出现")
            elif heading and heading not in known:
                self._problem(number, heading, f"列{quoted(heading)}不在官方表式之内，未读取", "warning")
        self.missing = known.difference(headings)
        for column in self.columns:
            if column.heading in self.missing:
                self._problem(None, column.heading, f"缺少列“{column.heading}”", "warning" if column.optional else "error")
        self.strays = {place: get_column_letter(place + 1) for place in range(MOST_COLUMNS) if place >= len(headings) or not headings[place]}

    def _read_row(self, number: int, row: list[Cell], places: dict[str, int]) -> None:
        self._report_strays(number, row)
        values: dict[str, Any] = {}
        faults: dict[str, CellFault] = {}
        for column in self.columns:
            if column.heading in places and places[column.heading] < len(row):
                try:
                    values[column.field] = column.read(row[places[column.heading]])
                except CellFault as fault:
                    faults[column.heading] = fault
        if not faults and not any(values.values()):
            return
        for heading, reported in faults.items():
            self._problem(number, heading, reported.message, reported.severity)
        for column in self.columns:
            if column.filled and column.heading in places and column.heading not in faults and not values.get(column.field):
                self._problem(number, column.heading, f"缺少{column.heading}")
        self.read.rows.append({"row": number, "faulty": frozenset(faults) | self.missing, **values})

    def _report_strays(self, number: int, row: list[Cell]) -> None:
        """Content under no heading is kept out, and said so once for each column."""
        for place in [place for place in self.strays if place < len(row) and row[place].value is not None]:
            self._problem(number, None, f"{self.strays.pop(place)} 列没有表头，其内容未读取", "warning")


def _heading(value: object) -> str:
    """A heading or a sheet's name as the form writes it: no spaces, no note in brackets (``职务（留空默认为委员）``), no mark."""
    if not isinstance(value, str | int | float):
        return ""
    try:
        return _NOTE.sub("", cells.tidy(str(value)).replace(" ", "")).strip("*:")
    except CellFault:
        return ""
