"""Workbooks that are sent (上传工作簿): the file of a form, and the answer to an import."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict
from werkzeug.datastructures import FileStorage

from api.frame.errors import TooLarge
from workflow.foundation.errors import Invalid, Words
from workflow.workbooks.imports import Upload, WorkbookImport


class SheetProblemShape(TypedDict):
    """A finding in a workbook (工作簿里的问题)."""

    sheet: str | None
    row: int | None
    heading: str | None
    severity: str
    message: str


class ImportShape(TypedDict):
    """A workbook as it was read (工作簿核对结果)."""

    id: int
    file_name: str
    problems: list[SheetProblemShape]
    summary: dict[str, Any]
    applicable: bool
    applied_at: datetime | None
    recorded_at: datetime


def import_shape(row: WorkbookImport) -> ImportShape:
    return {
        "id": row.id,
        "file_name": row.file_name,
        "problems": row.problems,
        "summary": row.summary,
        "applicable": row.applies_as_it_is,
        "applied_at": row.applied_at,
        "recorded_at": row.recorded_at,
    }


def sent_workbook(kind: type[WorkbookImport], file: FileStorage | None, most: int) -> Upload:
    """Read the part ``file`` of a form, for an import of this kind.

    Raises Invalid where there is none, TooLarge for more than ``most`` bytes.
    """
    if file is None:
        raise Invalid({"file": Words(f"请选择{kind.called.zh}文件", "choose a workbook")})
    data = file.read(most + 1)
    if len(data) > most:
        raise TooLarge(Words(f"文件超过 {most // 1024 // 1024} MB", f"the file is larger than {most // 1024 // 1024} MB"))
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1][:200]
    return Upload("".join(character for character in name if character.isprintable()), data)
