"""The manners of every record collection: list, record, read one, amend, withdraw (the branch), reject (the office)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from marshmallow import Schema
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from api.frame.address import BRANCH, NUMBER, address_of
from api.frame.base import Answer, Request, Routes
from api.frame.lists import Page, after_of, listed, number
from api.frame.shapes import Listed
from workflow.foundation.fields import Body, LongText
from workflow.foundation.vocabulary import Stage
from workflow.people.access import Action, Caller
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
from workflow.year.cycle import Lock, Process

R = TypeVar("R", bound=Evidence)


class ReasonBody(Body):
    """Why."""

    reason = LongText(required=True, at_most=1000)


class Record(Protocol[R]):  # type: ignore[misc]
    """The verb that makes a record."""

    def __call__(self, session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> R: ...


class Amend(Protocol[R]):  # type: ignore[misc]
    """The verb that corrects one."""

    def __call__(self, session: Session, process: Process, row: R, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None: ...


NUMBERED, BY_STAFF_NO = f"<{NUMBER}:record_id>", "<staff_no>"
"""How an address names one record: by its number, or, where each member has one, by his 学工号."""


@dataclass(frozen=True)
class Collection(Generic[R]):
    """A kind of record below a branch, with its verbs, its readers and the stage that closes it."""

    name: str
    """As the address says it."""
    model: type[R]
    stage: Stage | Callable[[R], Stage]
    """Which stage closes it; of a meeting, its purpose says which."""
    body: type[Schema]
    answers: Any
    """The type of its shape."""
    shaper: Callable[[Request], Callable[[R], Any]]
    """What this reader sees of a record; whatever that depends on is asked once for a whole page."""
    record: Record[R]
    amend: Amend[R]
    read: Action
    write: Action
    key: str = NUMBERED
    visible: Callable[[Request], ColumnElement[bool] | None] = lambda request: None
    may_write: Callable[[Request, R], None] = lambda request, row: None

    def stage_of(self, row: R) -> Stage:
        return self.stage if isinstance(self.stage, Stage) else self.stage(row)

    @property
    def every(self) -> str:
        """The address of the collection."""
        return f"{BRANCH}/{self.name}"

    @property
    def single(self) -> str:
        """The address of one of them."""
        return f"{self.every}/{self.key}"

    def one(self, request: Request, **key: Any) -> R:
        return self._find(request, key, held=False)

    def held(self, request: Request, **key: Any) -> R:
        """The same, for who will change it."""
        return self._find(request, key, held=True)

    def _find(self, request: Request, key: Mapping[str, Any], *, held: bool) -> R:
        find: Any = record_of_member if self.key == BY_STAFF_NO else record_of
        found: R = find(request.session, self.model, request.process.id, *key.values(), visible=self.visible(request), held=held)
        return found

    def answer(self, request: Request, row: R) -> Answer:
        return Answer(self.shaper(request)(row), version=row.version)

    def made(self, request: Request, row: R) -> Answer:
        key = row.staff_no if isinstance(row, OfMember) and self.key == BY_STAFF_NO else row.id
        return Answer(self.shaper(request)(row), 201, version=row.version, location=f"{address_of(request.process)}/{self.name}/{key}")


def collection_routes(kind: Collection[R]) -> Routes:
    """The six routes of a collection."""
    routes = Routes()
    every, single = kind.every, kind.single

    @routes.get(every, action=kind.read, query=Page, answers=Listed[kind.answers])  # type: ignore[name-defined]
    def list_records(request: Request, query: dict[str, Any]) -> Any:
        """Records in the order they were made, those taken back included."""
        after = after_of(query, 0, number)
        rows = records_of(request.session, kind.model, request.process.id, after=after, limit=query["limit"] + 1, visible=kind.visible(request))
        return listed(rows, query, kind.shaper(request), lambda row: row.id)

    @routes.post(every, action=kind.write, lock=Lock.EVIDENCE, body=kind.body, answers=kind.answers, status=201)
    def record(request: Request, body: dict[str, Any]) -> Any:
        """Record one."""
        return kind.made(request, kind.record(request.session, request.process, body, by=request.by, now=request.now))

    @routes.get(single, action=kind.read, find=kind.one, answers=kind.answers)
    def read_record(request: Request, row: R) -> Any:
        """One of them, with its ETag."""
        return kind.answer(request, row)

    @routes.patch(single, action=kind.write, lock=Lock.EVIDENCE, find=kind.held, body=kind.body, answers=kind.answers)
    def amend(request: Request, row: R, body: dict[str, Any]) -> Any:
        """Correct one; the old values stay in the history."""
        if not body:  # nothing is changed by it, and nothing that was confirmed is open again
            amendable(request.session, row, seen=request.seen)
            return kind.answer(request, row)
        kind.amend(request.session, request.process, row, body, seen=request.seen, by=request.by, now=request.now)
        return kind.answer(request, row)

    @routes.post(f"{single}/withdraw", action=kind.write, lock=Lock.EVIDENCE, find=kind.held, body=ReasonBody, answers=kind.answers)
    def withdraw_record(request: Request, row: R, body: dict[str, Any]) -> Any:
        """The branch takes one back, with a reason."""
        kind.may_write(request, row)
        must_be_open(request.process, kind.stage_of(row))
        withdraw(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
        return kind.answer(request, row)

    @routes.post(f"{single}/reject", action=Action.REJECT_EVIDENCE, lock=Lock.EVIDENCE, find=kind.held, body=ReasonBody, answers=kind.answers)
    def reject_record(request: Request, row: R, body: dict[str, Any]) -> Any:
        """The office does not accept one, with a reason."""
        must_be_unaccepted(request.process)
        reject(row, by=request.by.staff_no, now=request.now, reason=body["reason"])
        return kind.answer(request, row)

    return routes
