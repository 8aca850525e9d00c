"""Verification (核对): the seals, and the history against them, in batches of constant size.

It reads alone. The first thing that is not as it was sealed is named; nothing is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from workflow.foundation.errors import Words
from workflow.foundation.history import DIGEST, History
from workflow.foundation.seals.keys import SealKeys
from workflow.foundation.seals.sealing import ENTRY, ROW_DIGEST, HistorySeal, last_seal
from workflow.foundation.seals.tampering import Tampering, of_row, of_seal

MOST_BYTES = 10_000 * ENTRY
"""The most bytes of entries that are read at once; a single seal may be as large."""
MOST_SEALS = 1_000
MOST_ROWS = 10_000
LOWEST, HIGHEST = -(2**63), 2**63 - 1
"""The numbers that a row can have; only a superuser can give one below 1."""


@dataclass
class Report:
    """The result: what was read, and the first fault if there is one."""

    rows: int = 0
    """Sealed rows that stand as they were sealed."""
    seals: int = 0
    destroyed: int = 0
    """Rows whose contents were destroyed; their digests stand."""
    unsealed: int = 0
    oldest_unsealed: datetime | None = None
    since: datetime | None = None
    """The moment of the first seal that was read."""
    before: int = 0
    """Rows that were written before that moment: proven from then on."""
    last: HistorySeal | None = None
    fault: Words | None = None


class SealedRow(NamedTuple):
    """A row as it was sealed."""

    id: int
    digest: bytes


def verify(session: Session, keys: SealKeys, *, after: int = 0, seen: Callable[[int], object] = lambda _: None) -> Report:
    """Verify the seals and rows behind the seal of number ``after``.

    ``seen`` hears how many rows were read. The seal ``after`` itself is believed. Rows that wait
    for their seal are held to their own digest.
    """
    # Functions and operators of the database's owner must not stand before PostgreSQL's own.
    session.execute(text("set local search_path = pg_catalog, public"))
    report, believed = Report(), session.get(HistorySeal, after) if after else None
    before, newest = believed, last_seal(session)
    try:
        for seals in _seals(session, after, newest.number if newest else 0):
            rows = _Rows(session, before.last_id + 1 if before else LOWEST, seals)
            for each in seals:
                _verify_seal(keys, each, before)
                report.since = report.since or each.sealed_at
                _verify_rows(session, report, each, rows)
                report.seals, report.last, before = report.seals + 1, each, each
                seen(each.count)
        _verify_unsealed(session, report, before.last_id + 1 if before else LOWEST, seen)
    except Tampering as fault:
        report.fault = fault.words
    return report


def rows_to_verify(session: Session, *, after: int = 0) -> int:
    """Estimate how many rows ``verify`` will read."""
    sealed = select(func.sum(func.octet_length(HistorySeal.entries)) / ENTRY, func.max(HistorySeal.last_id)).where(HistorySeal.number > after)
    count, last_id = session.execute(sealed).one()
    return int(count or 0) + int(session.scalar(select(func.count()).where(History.id > (last_id or 0))) or 0)


def recent(session: Session, rows: int) -> int:
    """Find the seal behind which at most about this many sealed rows stand; 0 for all."""
    return int(session.scalar(_RECENT, {"bytes": rows * ENTRY}) or 0)


_RECENT = text("""
    select max(number) from (
        select number, sum(octet_length(entries)) over (order by number desc) as bytes
        from (select number, entries from history_seal order by number desc limit 10000) as last
    ) as counted where bytes > :bytes or number = (select max(number) from history_seal) - 10000
""")


# ── seals ─────────────────────────────────────────────────────────────────────────────────────────


_SIZED = text("""
    select max(number) from (
        select number, sum(octet_length(entries)) over (order by number) - octet_length(entries) as bytes
        from (select number, entries from history_seal where number > :after and number <= :newest order by number limit :most) as next
    ) as counted where bytes < :bytes
""")


def _seals(session: Session, after: int, newest: int) -> Iterator[Sequence[HistorySeal]]:
    """Read the seals in their order, as many at once as hold a batch of entries."""
    sizes = {"newest": newest, "most": MOST_SEALS, "bytes": MOST_BYTES}
    while (through := session.scalar(_SIZED, {"after": after, **sizes})) is not None:
        page = select(HistorySeal).where(HistorySeal.number > after, HistorySeal.number <= through).order_by(HistorySeal.number)
        yield session.scalars(page).all()
        session.expunge_all()
        after = through


def _verify_seal(keys: SealKeys, each: HistorySeal, before: HistorySeal | None) -> None:
    due = before.number + 1 if before else 1
    if each.number != due:
        raise of_seal("missing", due)
    if each.key not in keys.known:
        raise of_seal("unknown-key", each.number, each.sealed_at)
    chained = each.previous == (before.mac if before else b"") and len(each.entries) % ENTRY == 0
    if not chained or not keys.signed(each.key, each.message, each.mac):
        raise of_seal("edited", each.number, each.sealed_at)


def _entries(each: HistorySeal) -> Iterator[SealedRow]:
    for at in range(0, len(each.entries), ENTRY):
        yield SealedRow(int.from_bytes(each.entries[at : at + 8], "big", signed=True), each.entries[at + 8 : at + ENTRY])


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────


_DESTROYED = "(h.salt is null and num_nonnulls(h.reason, h.old, h.new) = 0)"
_ROW = f"""
    select h.id, h.what, h.at, {ROW_DIGEST.format(row="h")} as row_digest,
        {_DESTROYED} as destroyed, {_DESTROYED} or h.digest = {DIGEST.format(row="h")} as whole
    from public.history h
"""  # noqa: S608  (no value is put into it)
_ROWS = text(f"{_ROW} where h.id >= :first and h.id <= :through order by h.id limit :most")
_FROM = text("select min(id) from public.history where id >= :first")


class _Rows:
    """The rows that stand where a batch of seals has its own."""

    def __init__(self, session: Session, first: int, seals: Sequence[HistorySeal]) -> None:
        # One row more than was sealed: if any was added, it is among them.
        most = sum(each.count for each in seals) + 1
        found = session.execute(_ROWS, {"first": first, "through": seals[-1].last_id, "most": most})
        self.left = iter(found.all())
        self.next: Row[tuple[object, ...]] | None = None
        self.step()

    def step(self) -> None:
        self.next = next(self.left, None)


def _verify_rows(session: Session, report: Report, each: HistorySeal, rows: _Rows) -> None:
    """Hold the rows to a seal. Raises Tampering for the first one that is not as it was."""
    for entry in _entries(each):
        row = rows.next
        if row is None or row.id > entry.id:
            raise _gone(session, each, entry)
        if row.id < entry.id:
            raise _added(session, row)
        if row.row_digest != entry.digest:
            place = _place_of(session, entry.digest) if row.whole else None
            raise of_row("edited" if place is None else "moved", row.id, what=row.what, at=row.at, seal=each, place=place)
        if not row.whole:
            raise of_row("edited", row.id, what=row.what, at=row.at, seal=each)
        report.rows += 1
        report.destroyed += row.destroyed
        report.before += report.since is not None and row.at < report.since
        rows.step()


def _gone(session: Session, each: HistorySeal, entry: SealedRow) -> Tampering:
    place = _place_of(session, entry.digest)
    return of_row("deleted" if place is None else "moved", entry.id, seal=each, place=place)


def _added(session: Session, row: Row[tuple[object, ...]]) -> Tampering:
    sealed = text("select number from public.history_seal where position(cast(:digest as bytea) in entries) > 0 limit 1")
    number = session.scalar(sealed, {"digest": row.row_digest})
    origin = session.get(HistorySeal, number) if number is not None else None
    place = next((entry.id for entry in _entries(origin) if entry.digest == row.row_digest), None) if origin else None
    if place is None:
        return of_row("added", row.id, what=row.what, at=row.at)
    return of_row("moved", place, what=row.what, at=row.at, seal=origin, place=row.id)


def _place_of(session: Session, digest: bytes) -> int | None:
    """Find the row that was sealed with this digest, wherever it stands now."""
    return next((row.id for row in _rows_from(session, LOWEST) if row.row_digest == digest), None)


def _verify_unsealed(session: Session, report: Report, first: int, seen: Callable[[int], object]) -> None:
    for row in _rows_from(session, first):
        if not row.whole:
            raise of_row("edited", row.id, what=row.what, at=row.at)
        report.unsealed += 1
        report.oldest_unsealed = report.oldest_unsealed or row.at
        if report.unsealed % MOST_ROWS == 0:
            seen(MOST_ROWS)


def _rows_from(session: Session, first: int) -> Iterator[Row[tuple[object, ...]]]:
    while (start := session.scalar(_FROM, {"first": first})) is not None:
        through = min(start + MOST_ROWS - 1, HIGHEST)
        yield from session.execute(_ROWS, {"first": start, "through": through, "most": MOST_ROWS}).all()
        if through == HIGHEST:
            return
        first = through + 1
