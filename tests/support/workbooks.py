"""Excel workbooks for tests: written from rows, and spoilt afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from xlsxwriter import Workbook  # type: ignore[import-untyped]

Row = dict[str, object]


@dataclass(frozen=True)
class Formula:
    """A cell with a formula; ``value`` is Excel's last result."""

    text: str
    value: str = ""


def workbook_of(
    sheets: Mapping[str, tuple[Sequence[str], Sequence[Row]]], *, title: str | None = None, finish: Callable[[Workbook], None] = lambda _: None
) -> bytes:
    """Make the xlsx of these sheets: headings, then rows by heading.

    ``finish`` may add to it before it is closed.
    """
    content = BytesIO()
    workbook = Workbook(content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    workbook.set_properties({"created": datetime(2024, 12, 1, tzinfo=UTC)})
    day_format = workbook.add_format({"num_format": "yyyy-mm-dd"})
    for name, (headings, rows) in sheets.items():
        sheet = workbook.add_worksheet(name)
        lines: list[Sequence[object]] = [headings, *([row.get(heading) for heading in headings] for row in rows)]
        if title:
            sheet.merge_range(0, 0, 0, len(headings) - 1, title)
        for number, line in enumerate(lines, 1 if title else 0):
            for place, value in enumerate(line):
                if isinstance(value, date):
                    sheet.write_datetime(number, place, value, day_format)
                elif isinstance(value, Formula):
                    sheet.write_formula(number, place, value.text, None, value.value)
                elif value is not None:
                    sheet.write(number, place, value)
    finish(workbook)
    workbook.close()
    return content.getvalue()


def repacked(data: bytes, parts: Mapping[str, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    """Copy an archive with some parts replaced or added."""
    content = BytesIO()
    with ZipFile(BytesIO(data)) as source, ZipFile(content, "w", compression) as target:
        for part in {**{info.filename: b"" for info in source.infolist()}, **parts}:
            target.writestr(part, parts[part] if part in parts else source.read(part))
    return content.getvalue()
