"""Single records (一份记录): a record that a process has once, written whole or field by field.

A room declares its table, its schema and a ``Single`` with its own parts. From that come the verb,
the act and the readings of every edge. Nothing here knows what is written, and no lock is held on a
row that is not there yet: if two both find none, the slower one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import missing
from sqlalchemy import BigInteger, ColumnElement, ForeignKey, and_, inspect, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, declared_attr, mapped_column

from workflow.foundation.database import any_of
from workflow.foundation.errors import NotFound, Stale
from workflow.foundation.fields import (
    Body,
    Sent,
)
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import Kind, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.evidence import Evidence, must_be_open, must_stand
from workflow.year.cycle import Process
from workflow.year.finding import Lock


class OnProcess:
    """A row that a process has once (每个流程一份): the process is its key."""

    @declared_attr
    def process_id(cls) -> Mapped[int]:  # noqa: N805
        return mapped_column(BigInteger, ForeignKey("process.id"), primary_key=True, sort_order=-1)

    version: Mapped[int] = mapped_column(default=1, sort_order=1)


S = TypeVar("S", bound=OnProcess | Evidence)
T = TypeVar("T")
U = TypeVar("U")


class Single(Generic[S]):
    """A kind of record that a process has once (一份记录): each room subclasses it."""

    name: ClassVar[str]
    """The name in addresses and pages: ``facts``."""
    zh: ClassVar[str]
    en: ClassVar[str]
    """Its name: 年度工作情况, ``facts of the year``."""
    model: type[S]
    schema: ClassVar[Body]
    kind: ClassVar[Kind]
    stage: ClassVar[Stage]
    """The stage that closes it when it is left."""
    reads: ClassVar[Action]
    writes: ClassVar[Action]
    whole: ClassVar[bool] = True
    """True if it is written whole: a field that is left out becomes empty.

    Else such a field stays, and a version must be named from the first writing on (0).
    """

    # ── what a room says ──────────────────────────────────────────────────────────────────────────────────────────────

    def check(self, session: Session, process: Process, row: S | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        """Raise Invalid for wrong content, then Forbidden; ``row`` is the one that stands."""

    def must_fit(self, row: S, sent: Sent) -> None:
        """Raise Conflict for content that does not fit the row that stands.

        Asked before the stage.
        """

    def begin(self, *, by: Caller, now: datetime) -> Mapping[str, object]:
        """Return the columns that are written with the first version alone."""
        return {}

    def values(self, session: Session, process: Process, row: S | None, sent: Sent, *, by: Caller, now: datetime) -> Mapping[str, object]:
        """Return the values to write, by column.

        Written whole, a field that was left out is empty.
        """
        return {**self._empty, **sent} if self.whole else sent

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Return the condition that a reader knows of it."""
        return true()

    def before(self, call: Call[object]) -> object:
        """Return the answer to a reader while there is none. Raises NotFound."""
        raise NotFound

    def seen_by(self, call: Call[object]) -> Callable[[object], dict[str, object]]:
        """Return the function that shows it to a reader."""
        return self.schema.shown

    # ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, session: Session, process: Process, row: S | None, sent: Sent, *, seen: int | None, by: Caller, now: datetime) -> S:
        """Write it; ``row`` is the one that stands, held.

        Raises Invalid, Forbidden, Stale, Conflict, StageClosed.
        """
        self.check(session, process, row, sent, by=by, now=now)
        if (0 if row is None else row.version) != (seen or 0):
            raise self._stale(session, row, seen or 0)
        if isinstance(row, Evidence):
            must_stand(row)
        if row is not None:
            self.must_fit(row, sent)
        must_be_open(process, self.stage)
        values = self.values(session, process, row, sent, by=by, now=now)
        if row is None:
            return self._first(session, process, {**self.begin(by=by, now=now), **values})
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1
        session.flush()
        return row

    def _first(self, session: Session, process: Process, values: Mapping[str, object]) -> S:
        """Insert the first one. Raises Stale for the slower of two who both find none."""
        first = insert(self.model).values(process_id=process.id, version=1, **values).on_conflict_do_nothing()
        row: S | None = session.scalar(first.returning(self.model))
        if row is None:
            raise self._stale(session, self.of(session, process), 0)
        return row

    def _stale(self, session: Session, row: S | None, seen: int) -> Stale:
        if row is None:
            return Stale(version=0, changed=[])
        (key,) = inspect(row).identity
        return Stale(version=row.version, changed=changed_since(session, self.model, key, seen))

    @cached_property
    def _empty(self) -> Mapping[str, object]:
        """The values of the columns for fields that were not sent."""
        named = {field.attribute or name: field.load_default for name, field in self.schema.load_fields.items()}
        return {name: None if default is missing else default for name, default in named.items()}

    @cached_property
    def _stands(self) -> ColumnElement[bool]:
        """The condition of the one that stands: evidence that was taken back stays beside it."""
        return and_(self.model.counts) if issubclass(self.model, Evidence) else true()

    # ── readings ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def of(self, session: Session, process: Process, *, visible: ColumnElement[bool] | None = None, held: bool = False) -> S | None:
        """Find the one of a process, if there is one; ``held`` for a caller that will change it."""
        which = (self.model.process_id == process.id, self._stands, true() if visible is None else visible)
        statement = select(self.model).where(*which).execution_options(populate_existing=True)
        return session.scalar(statement.with_for_update(key_share=True) if held else statement)

    def of_many(self, session: Session, process_ids: Collection[int], *which: ColumnElement[bool] | InstrumentedAttribute[bool]) -> dict[int, S]:
        """Find the ones of many processes, by the processes' numbers, in one query."""
        statement = select(self.model).where(any_of(self.model.process_id, process_ids), self._stands, *which)
        return {row.process_id: row for row in session.scalars(statement.execution_options(populate_existing=True))}

    def one(self, call: Call[object]) -> object:
        """Find the one of the process, if this reader may know of it. Raises NotFound."""
        row = self.of(call.session, call.process, visible=self.visible(call.by, call.process.branch.code))
        return self.before(call) if row is None else row

    def held(self, call: Call[object]) -> S | None:
        """Find the one of the process, and hold it for a caller that will change it."""
        return self.of(call.session, call.process, held=True)

    # ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def writing(self) -> Act[S, S]:
        """填写."""
        return self.act(
            f"write_{self.name.replace('-', '_')}",
            f"填写{self.zh}",
            f"write the {self.en}",
            self._write,
            action=self.writes,
            on=self.held if self.whole else None,
            sends=self.schema if self.whole else type(self.schema)(partial=True),
            wants_version=True,
        )

    def _write(self, call: Call[S], sent: Sent) -> S:
        row = call.found if self.whole else self.held(call)
        return self.write(call.session, call.process, row, sent, seen=call.version_seen, by=call.by, now=call.now)

    @property
    def acts(self) -> tuple[AnyAct, ...]:
        """List the acts that each of them has."""
        return (self.writing,)

    def act(self, name: str, zh: str, en: str, does: Callable[[Call[T], Sent], U], **options: Any) -> Act[T, U]:
        """Declare an act on it."""
        return Act(name, zh, en, does=does, **{"kind": self.kind, "lock": Lock.EVIDENCE, "closes": (self.stage,), "link": self.name, **options})
