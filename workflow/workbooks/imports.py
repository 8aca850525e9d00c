"""Importing a workbook (导入工作簿): kept as it was read, shown, then applied whole or not at all.

It is kept with every problem. Each kind of import does its own applying, and must make it
repeatable without a second effect, and let no older one undo a later one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import CheckConstraint, ColumnElement, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from workflow.foundation.database import Numbered, table_of
from workflow.foundation.errors import Conflict, NotFound, Words
from workflow.foundation.history import tracked
from workflow.workbooks.sheets import SheetProblem


class WorkbookImport(Numbered):
    """A workbook as it was read, kept until it is applied.

    A kind of import adds the content of its workbooks, as JSONB.
    """

    called: ClassVar[Words]
    """The name of such a workbook, for messages: 名册."""

    @declared_attr.directive
    def __table_args__(cls) -> tuple[object, ...]:  # noqa: N805
        return (CheckConstraint("applied_at is null or applicable", name="applied"),)

    # Before the columns of a kind. The order of a mixin would put those first, and a table that
    # exists already must keep its order.
    file_name: Mapped[str] = mapped_column(sort_order=-1)
    problems: Mapped[list[Any]] = mapped_column(JSONB, sort_order=-1)
    summary: Mapped[dict[str, Any]] = mapped_column(JSONB)
    applicable: Mapped[bool]
    """False if the workbook itself has errors."""
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    applied_by: Mapped[str | None]
    applied_at: Mapped[datetime | None]

    @property
    def applies_as_it_is(self) -> bool:
        """Tell whether it can be applied as it is: no faults, and nothing to confirm."""
        return self.applicable and all(problem["severity"] != "error" for problem in self.problems)

    def must_be_the_latest(self, session: Session, *of: ColumnElement[bool]) -> None:
        """Raise Conflict if a workbook that was read later was applied: this one would undo it.

        ``of``: the conditions of the imports that change the same things.
        """
        kind = type(self)
        if session.scalar(select(kind.id).where(kind.id > self.id, kind.applied_at.is_not(None), *of).limit(1)) is not None:
            zh, en = self.called.zh, self.called.en
            words = f"核对这份{zh}以后，已经写入了更新的{zh}；如需写入请重新上传", f"a later {en} was applied since this was read: upload it again"
            raise Conflict(Words(*words))


W = TypeVar("W", bound=WorkbookImport)


@dataclass(frozen=True)
class Upload:
    """A file as it was sent. ``name`` has no path and nothing unprintable."""

    name: str
    data: bytes


def tracked_import(model: type[W]) -> type[W]:
    """Keep the history of an import without its JSON (decorator).

    The JSON is a copy of the workbook. The history keeps that there was one; the changes made by
    applying it are in the histories of the changed rows.
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
    """Keep a workbook that was read, for the preview. Changes nothing else.

    ``row`` has only the columns that its kind adds.
    """
    row.file_name, row.problems = file_name, [problem.as_json() for problem in problems]
    row.summary, row.applicable = summary, applicable
    row.recorded_by, row.recorded_at = by, now
    row.applied_by = row.applied_at = None
    session.add(row)
    session.flush()
    return row


def import_by_id(session: Session, kind: type[W], import_id: int, *, for_update: bool = False) -> W:
    """Find an import by its number. Raises NotFound."""
    statement = select(kind).where(kind.id == import_id)
    row = session.scalar(statement.with_for_update() if for_update else statement)
    if row is None:
        raise NotFound
    return row


def must_be_applicable(row: WorkbookImport) -> None:
    """Raise Conflict if the workbook has errors."""
    if not row.applicable:
        zh, en = row.called.zh, row.called.en
        raise Conflict(Words(f"{zh}还有错误，改正后重新上传", f"the {en} has errors: mend them and upload it again"))


def mark_applied(row: WorkbookImport, *, by: str, now: datetime) -> None:
    """Write down the person who applied it, and the time.

    Applying again leaves the first time.
    """
    if row.applied_at is None:
        row.applied_by, row.applied_at = by, now
