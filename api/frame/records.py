"""The manners of every record collection: list, record, read one, amend, withdraw (the branch), reject (the office)."""

from __future__ import annotations

from typing import TypeVar

from api.frame.address import AT, NUMBER, location
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Answer, Routes
from api.frame.shapes import page_of
from workflow.foundation.fields import Sent
from workflow.rules.acts import Call
from workflow.rules.evidence import Evidence
from workflow.rules.records import AnyRecords, Records

R = TypeVar("R", bound=Evidence)


def every(kind: AnyRecords) -> str:
    """The address of a collection."""
    return f"{AT[kind.kind]}/{kind.name}"


def single(kind: AnyRecords) -> str:
    """The address of one of them."""
    return f"{every(kind)}/<staff_no>" if kind.by_staff_no else f"{every(kind)}/<{NUMBER}:record_id>"


def location_of(kind: Records[R], call: Call[object], row: R) -> str:
    """Where one of them is found."""
    return location(single(kind), call.process, **{"staff_no" if kind.by_staff_no else "record_id": kind.key_of(row)})


def collection_routes(kind: Records[R]) -> Routes:
    """The six routes of a collection."""
    routes, described = Routes(kind=kind.kind), kind.answers or kind.schema

    def shown(call: Call[object], row: R) -> object:
        """One of them, as this reader sees it."""
        return kind.seen_by(call)(row)

    @routes.get(every(kind), action=kind.read, query=Page(), answers=page_of(described))
    def list_records(call: Call[object], query: Sent) -> object:
        """Records in the order they were made, those taken back included."""
        rows = kind.page(call, after=after_of(query, 0, number), limit=query["limit"] + 1)
        return listed(rows, query, kind.seen_by(call), lambda row: row.id)

    @routes.post(every(kind), kind.recording, answers=described, status=201)
    def record(call: Call[object], row: R) -> object:
        """Record one."""
        return Answer(shown(call, row), location=location_of(kind, call, row))

    @routes.get(single(kind), action=kind.read, find=kind.one, answers=described)
    def read_record(call: Call[object], row: R) -> object:
        """One of them, with its ETag."""
        return Answer(shown(call, row), version=row.version)

    @routes.patch(single(kind), kind.amending, answers=described)
    def amend(call: Call[object], row: R) -> object:
        """Correct one; the old values stay in the history."""
        return shown(call, row)

    @routes.post(f"{single(kind)}/withdraw", kind.withdrawing, answers=described)
    def withdraw(call: Call[object], row: R) -> object:
        """The branch takes one back, with a reason."""
        return shown(call, row)

    @routes.post(f"{single(kind)}/reject", kind.rejecting, answers=described)
    def reject(call: Call[object], row: R) -> object:
        """The office does not accept one, with a reason."""
        return shown(call, row)

    return routes
