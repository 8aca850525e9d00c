"""The six routes of every collection of records.

List, record, read one, amend, withdraw (the branch), reject (the office).
"""

from __future__ import annotations

from typing import Any, TypeVar

from api.frame.address import AT, NUMBER, location
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import page_of
from workflow.foundation.errors import Conflict, Refusal
from workflow.foundation.fields import Sent
from workflow.rules.acts import Call
from workflow.rules.evidence import Evidence
from workflow.rules.records import AnyRecords, Records
from workflow.rules.single import Single

R = TypeVar("R", bound=Evidence)


def every(kind: AnyRecords) -> str:
    """Build the rule of a collection."""
    return f"{AT[kind.kind]}/{kind.name}"


def single(kind: AnyRecords) -> str:
    """Build the rule of one record in a collection."""
    return f"{every(kind)}/<staff_no>" if kind.by_staff_no else f"{every(kind)}/<{NUMBER}:record_id>"


def location_of(kind: Records[R], call: Call[object], row: R) -> str:
    """Build the address of one record."""
    return location(single(kind), call.process, **{"staff_no" if kind.by_staff_no else "record_id": kind.key_of(row)})


def tag_of(kind: AnyRecords | Single[Any]) -> Tag:
    """Name the noun of a kind of record, for all its routes."""
    return Tag(kind.name, kind.zh, kind.name.replace("-", " "))


def own_refusals(kind: AnyRecords) -> tuple[type[Refusal], ...]:
    """Find the conflicts declared in the module of a kind of record.

    Its verbs raise them and no others do.
    """
    return tuple(each for each in Conflict.__subclasses__() if each.__module__ == type(kind).__module__)


def collection_routes(kind: Records[R]) -> Routes:
    """Declare the six routes of a collection."""
    routes, described = Routes(kind=kind.kind, tag=tag_of(kind)), kind.answers or kind.schema
    many, one, own = kind.name.replace("-", " "), f"read_{kind.en.replace(' ', '_').replace('-', '_')}", own_refusals(kind)

    def shown(call: Call[object], row: R) -> object:
        """Show one record as this reader sees it."""
        return kind.seen_by(call)(row)

    names, all_of = f"list_{kind.name.replace('-', '_')}", f"List {many} in the order they were made, withdrawn and rejected ones included."

    @routes.get(every(kind), action=kind.read, query=Page(), answers=page_of(described), called=names, zh=f"列出{kind.zh}", en=all_of)
    def list_records(call: Call[object], query: Sent) -> object:
        """Answer a page of records."""
        rows = kind.page(call, after=after_of(query, 0, number), limit=query["limit"] + 1)
        return listed(rows, query, kind.seen_by(call), lambda row: row.id)

    @routes.post(every(kind), kind.recording, answers=described, status=201, refuses=own, en=f"Record a {kind.en}. Location says where it is.")
    def record(call: Call[object], row: R) -> object:
        """Answer a new record and its address."""
        return Answer(shown(call, row), location=location_of(kind, call, row))

    @routes.get(single(kind), action=kind.read, find=kind.one, answers=described, called=one, zh=f"查看{kind.zh}", en=f"Read a {kind.en}.")
    def read_record(call: Call[object], row: R) -> object:
        """Answer one record with its ETag."""
        return Answer(shown(call, row), version=row.version)

    @routes.patch(single(kind), kind.amending, answers=described, refuses=own, en=f"Correct a {kind.en}. The old values stay in the history.")
    def amend(call: Call[object], row: R) -> object:
        """Answer a record as it was corrected."""
        return shown(call, row)

    @routes.post(f"{single(kind)}/withdraw", kind.withdrawing, answers=described, en=f"Withdraw a {kind.en} as the branch, with a reason.")
    def withdraw(call: Call[object], row: R) -> object:
        """Answer a record that the branch withdrew."""
        return shown(call, row)

    @routes.post(f"{single(kind)}/reject", kind.rejecting, answers=described, en=f"Reject a {kind.en} as the office, with a reason.")
    def reject(call: Call[object], row: R) -> object:
        """Answer a record that the office rejected."""
        return shown(call, row)

    return routes
