"""Records (记录): the common part of all evidence below a process, declared for each kind of record.

A room declares its table, its schema and a ``Records`` with its own parts: the checks, the filling
of a row, the rows that a reader sees. From that come the verbs, the acts and the readings of every
edge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import fields, missing
from sqlalchemy import ColumnElement, true
from sqlalchemy import inspect as inspected
from sqlalchemy.orm import Session

from workflow.foundation.fields import (
    Answered,
    Body,
    Clock,
    LongText,
    Moment,
    Sent,
    StaffNo,
    Whole,
    about,
)
from workflow.foundation.vocabulary import MAIN, Kind, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.evidence import (
    Evidence,
    OfMember,
    amendable,
    must_be_open,
    must_be_unaccepted,
    record_of,
    record_of_member,
    records_of,
    reject,
    withdraw,
)
from workflow.year.cycle import Process
from workflow.year.finding import Lock

R = TypeVar("R", bound=Evidence)
T = TypeVar("T")
U = TypeVar("U")


class ReasonSchema(Body):
    """A reason."""

    reason = LongText(required=True, at_most=1000, **about("理由", "reason", "写清楚为什么", "say why", example="登记有误"))


REASON = ReasonSchema()


class RetractionSchema(Answered):
    """The taking back of a record: by which person, when and for what reason."""

    by = StaffNo(required=True, **about("何人", "by"))
    at = Moment(required=True, **about("时间", "at"))
    reason = LongText(required=True, **about("理由", "reason"))


class EntrySchema(Answered):
    """The fields that every entry below a record answers besides its own."""

    id = Whole(dump_only=True, **about("编号", "number", always=True))
    recorded_by = StaffNo(dump_only=True, **about("登记人", "recorded by", always=True))
    recorded_at = Moment(dump_only=True, **about("登记时间", "recorded at", always=True))


class RecordSchema(EntrySchema):
    """The fields that every record answers besides its own."""

    version = Whole(dump_only=True, **about("版本", "version", always=True))
    withdrawn = fields.Nested(RetractionSchema, dump_only=True, **about("撤回", "withdrawn"))
    rejected = fields.Nested(RetractionSchema, dump_only=True, **about("退回", "rejected"))


def start_time() -> Clock:
    """Make the field for the time at which something began."""
    return Clock(**about("开始时间", "began at", "几点开始，24 小时制", "when it began, by the 24-hour clock", example="14:30"))


def end_time() -> Clock:
    """Make the field for the time at which something ended."""
    return Clock(**about("结束时间", "ended at", "几点结束，不早于开始", "when it ended, not before it began", example="15:10"))


class Records(Generic[R]):
    """A kind of record below a process (一类记录). Each room subclasses it with its own parts."""

    name: ClassVar[str]
    """The name of the collection in addresses and pages: ``talks``."""
    zh: ClassVar[str]
    en: ClassVar[str]
    """The name of one record: 谈心谈话, ``talk``."""
    model: type[R]
    schema: ClassVar[RecordSchema]
    answers: ClassVar[RecordSchema | None] = None
    """The schema of an answer, where it is not ``schema`` itself."""
    kind: ClassVar[Kind] = MAIN
    stages: ClassVar[tuple[Stage, ...]]
    """The stages that close it; ``closes`` says which of them a record belongs to."""
    read: ClassVar[Action]
    write: ClassVar[Action]
    by_staff_no: ClassVar[bool] = False
    """True if an address names a record by the 学工号 of its member, each of whom has one.

    Else an address names it by its number.
    """

    # ── what a room says ──────────────────────────────────────────────────────────────────────────────────────────────

    def check(self, session: Session, process: Process, row: R | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        """Raise Invalid for wrong content, then Forbidden for a person who may not do this.

        ``row``: the record to be corrected.
        """

    def must_fit(self, session: Session, process: Process, row: R | None, sent: Sent) -> None:
        """Raise Conflict for content that is right in itself, but not now."""

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        """Return the columns of a new row besides its fields."""
        return {}

    def fill(self, session: Session, process: Process, row: R, sent: Sent, *, by: Caller, now: datetime) -> None:
        """Write the content on a row. Fields that it leaves out stay."""
        self.write_columns(row, sent)

    def closes(self, row: R | None, sent: Sent) -> Collection[Stage]:
        """List the stages that close this record: none of them may be left when it is written."""
        return self.stages

    def stays_open(self, session: Session, process: Process, row: R | None, sent: Sent) -> bool:
        """Tell whether it may be written after its stages were left, until acceptance."""
        return False

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Return the condition of the rows that a reader knows of."""
        return true()

    def may_withdraw(self, by: Caller, process: Process, row: R) -> None:
        """Raise Forbidden if this person may not withdraw the record."""

    def seen_by(self, call: Call[object]) -> Callable[[R], dict[str, object]]:
        """Return the function that shows a row to a reader.

        Facts that it depends on are read once for a whole page.
        """
        return self.schema.shown

    # ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, session: Session, process: Process, sent: Sent, *, by: Caller, now: datetime) -> R:
        """Record one. Raises Invalid, Forbidden, StageClosed, and the refusals of ``must_fit``."""
        self.check(session, process, None, sent, by=by, now=now)
        self._must_be_open(session, process, None, sent)
        self.must_fit(session, process, None, sent)
        made = {"process_id": process.id, "recorded_by": by.staff_no, "recorded_at": now}
        row = self.model(**made, **{**self._defaults, **self.begin(session, process, sent)})
        self.fill(session, process, row, sent, by=by, now=now)
        session.add(row)
        session.flush()
        return row

    def amend(self, session: Session, process: Process, row: R, sent: Sent, *, seen: int, by: Caller, now: datetime) -> None:
        """Correct one; the old values stay in the history.

        Raises Invalid, Forbidden, Stale, Conflict, StageClosed.
        """
        self.check(session, process, row, sent, by=by, now=now)
        amendable(session, row, seen=seen)
        self._must_be_open(session, process, row, sent)
        self.must_fit(session, process, row, sent)
        self.fill(session, process, row, sent, by=by, now=now)
        row.version += 1
        session.flush()

    def _must_be_open(self, session: Session, process: Process, row: R | None, sent: Sent) -> None:
        """Raise StageClosed if a stage that closes the record was left, unless it stays open."""
        for stage in self.closes(row, sent):
            if process.has_left(stage) and self.stays_open(session, process, row, sent):
                must_be_unaccepted(process)
            else:
                must_be_open(process, stage)

    def write_columns(self, row: R, sent: Sent) -> None:
        """Write the fields that are columns."""
        for name, value in sent.items():
            if name in self._columns:
                setattr(row, name, value)

    @cached_property
    def _columns(self) -> frozenset[str]:
        """The names of the columns whose fields can be sent."""
        columns = inspected(self.model).column_attrs.keys()
        return frozenset(field.attribute or name for name, field in self.schema.load_fields.items()).intersection(columns)

    @cached_property
    def _defaults(self) -> dict[str, object]:
        """The values of a new row for fields that were not sent."""
        named = {field.attribute or name: field.load_default for name, field in self.schema.load_fields.items()}
        return {name: None if named[name] is missing else named[name] for name in self._columns}

    # ── readings ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def one(self, call: Call[object], **key: object) -> R:
        """Find the record that an address names, if this reader may know of it. Raises NotFound."""
        return self._find(call, key, held=False)

    def held(self, call: Call[object], **key: object) -> R:
        """Find it as ``one`` does, and hold it for a caller that will change it."""
        return self._find(call, key, held=True)

    def _find(self, call: Call[object], key: Mapping[str, object], *, held: bool) -> R:
        find: Any = record_of_member if self.by_staff_no else record_of
        visible = self.visible(call.by, call.process.branch.code)
        found: R = find(call.session, self.model, call.process.id, *key.values(), visible=visible, held=held)
        return found

    def page(self, call: Call[object], *, after: int, limit: int) -> Sequence[R]:
        """List them in the order they were made, those taken back included."""
        visible = self.visible(call.by, call.process.branch.code)
        return records_of(call.session, self.model, call.process.id, after=after, limit=limit, visible=visible)

    def key_of(self, row: R) -> Any:
        """Return the key that names it in an address."""
        return row.staff_no if self.by_staff_no and isinstance(row, OfMember) else row.id

    # ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def recording(self) -> Act[Any, R]:
        """登记."""
        return self.act(
            f"record_{self._word}",
            f"登记{self.zh}",
            f"record a {self.en}",
            lambda call, sent: self.record(call.session, call.process, sent, by=call.by, now=call.now),
            action=self.write,
            sends=self.schema,
        )

    @cached_property
    def amending(self) -> Act[R, R]:
        """更正."""
        return self.act(
            f"amend_{self._word}",
            f"更正{self.zh}",
            f"correct a {self.en}",
            self._amend,
            action=self.write,
            on=self.held,
            sends=type(self.schema)(partial=True),
            wants_version=True,
        )

    def _amend(self, call: Call[R], sent: Sent) -> R:
        # An empty change changes nothing, and reopens nothing that was confirmed.
        if not sent:
            amendable(call.session, call.on, seen=call.seen)
        else:
            self.amend(call.session, call.process, call.on, sent, seen=call.seen, by=call.by, now=call.now)
        return call.on

    @cached_property
    def withdrawing(self) -> Act[R, R]:
        """撤回."""
        return self.act(
            f"withdraw_{self._word}", f"撤回{self.zh}", f"withdraw a {self.en}", self._withdraw, action=self.write, on=self.held, sends=REASON
        )

    def _withdraw(self, call: Call[R], sent: Sent) -> R:
        """Withdraw one for the branch, with a reason."""
        self.may_withdraw(call.by, call.process, call.on)
        self._must_be_open(call.session, call.process, call.on, {})
        withdraw(call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
        return call.on

    @cached_property
    def rejecting(self) -> Act[R, R]:
        """退回."""
        return self.act(
            f"reject_{self._word}",
            f"退回{self.zh}",
            f"reject a {self.en}",
            self._reject,
            action=Action.REJECT_EVIDENCE,
            on=self.held,
            sends=REASON,
            closes=(),
        )

    def _reject(self, call: Call[R], sent: Sent) -> R:
        """Reject one for the office, with a reason."""
        must_be_unaccepted(call.process)
        reject(call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
        return call.on

    @property
    def acts(self) -> tuple[AnyAct, ...]:
        """List the acts that all of them have."""
        return (self.recording, self.amending, self.withdrawing, self.rejecting)

    def act(self, name: str, zh: str, en: str, does: Callable[[Call[T], Sent], U], **options: Any) -> Act[T, U]:
        """Declare an act on one of them, or on their process."""
        return Act(name, zh, en, does=does, **{"kind": self.kind, "lock": Lock.EVIDENCE, "closes": self.stages, "link": self.name, **options})

    @property
    def _word(self) -> str:
        return self.en.replace(" ", "_").replace("-", "_")


AnyRecords = Records[Any]
"""Any kind of record."""
