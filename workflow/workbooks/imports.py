"""Importing a workbook (导入工作簿): kept as it was read with every problem, shown, then applied whole or not at all.

What applying does is the business of each kind of import; that it may be repeated without a second effect is too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from workflow.foundation.database import Numbered, table_of
from workflow.foundation.errors import Conflict, NotFound, Words
from workflow.foundation.history import tracked
from workflow.workbooks.sheets import SheetProblem


class WorkbookImport(Numbered):
    """A workbook as it was read, kept until it is applied. A kind of import adds what its workbooks hold, as JSONB."""

    called: ClassVar[Words]
    """What such a workbook is, for messages: 名册."""

    @declared_attr.directive
    def __table_args__(cls) -> tuple[object, ...]:  # noqa: N805
        return (CheckConstraint("applied_at is null or applicable", name="applied"),)

    # Before the columns of a kind, which the order of a mixin would put first: a table that is there already keeps its order.
    file_name: Mapped[str] = mapped_column(sort_order=-1)
    problems: Mapped[list[Any]] = mapped_column(JSONB, sort_order=-1)
    summary: Mapped[dict[str, Any]] = mapped_column(JSONB)
    applicable: Mapped[bool]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    applied_by: Mapped[str | None]
    applied_at: Mapped[datetime | None]


W = TypeVar("W", bound=WorkbookImport)


@dataclass(frozen=True)
class Upload:
    """A file as it was sent. ``name`` has no path and nothing unprintable."""

    name: str
    data: bytes


def tracked_import(model: type[W]) -> type[W]:
    """Keep the history of an import without its JSON (decorator).

    That is a copy of the workbook: the history keeps that there was one, and what applying it changed is in the history of what it changed.
    """
    columns = table_of(model).columns
    tracked(hidden=[column.name for column in columns if isinstance(column.type, JSONB)])(model)  # type: ignore[type-var]
    return model


def keep_import(
    session: Session,
    row: W,
    *,
    file_name: str,
    problems: Iterable[SheetProblem],
    summary: dict[str, object],
    applicable: bool,
    by: str,
    now: datetime,
) -> W:
    """Keep for the preview what was read, a row that has only what its kind adds. Changes nothing else."""
    row.file_name, row.problems = file_name, [problem.as_json() for problem in problems]
    row.summary, row.applicable = summary, applicable
    row.recorded_by, row.recorded_at = by, now
    row.applied_by = row.applied_at = None
    session.add(row)
    session.flush()
    return row


def import_by_id(session: Session, kind: type[W], import_id: int, *, for_update: bool = False) -> W:
    """Raises NotFound."""
    statement = select(kind).where(kind.id == import_id)
    row = session.scalar(statement.with_for_update() if for_update else statement)
    if row is None:
        raise NotFound
    return row


def must_be_applicable(row: WorkbookImport) -> None:
    """Raises Conflict while the workbook has errors."""
    if not row.applicable:
        zh, en = row.called.zh, row.called.en
        raise Conflict(Words(f"{zh}还有错误，改正后重新上传", f"the {en} has errors: mend them and upload it again"))


def mark_applied(row: WorkbookImport, *, by: str, now: datetime) -> None:
    """Say who applied it, and when. Applying again leaves the first time."""
    if row.applied_at is None:
        row.applied_by, row.applied_at = by, now
