"""Sealing (封印): committed rows of the history, in their order, each seal holding the one before.

It reads the history and writes seals. It changes no row, and takes no lock that a writer waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic
from typing import NamedTuple

from sqlalchemy import Engine, desc, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base, transaction
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, personal
from workflow.foundation.seals.keys import SealKeys

MOST_ROWS = 10_000
"""The most rows of one seal, and the most numbers that they are spread over.

A range with both ends is found by the index even where a table has no statistics yet.
"""
PATIENCE_SECONDS = 15.0
"""The longest wait for older transactions; they are asked for again in the next round."""
ENTRY = 40
"""The bytes of one entry: the number of a row in 8, the digest of the row in 32."""

ROW_DIGEST = (
    "pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.json_build_array("
    "(extract(epoch from {row}.at) * 1000000)::pg_catalog.int8, "
    "{row}.actor, {row}.on_behalf_of, {row}.what, {row}.row_key, {row}.process_id, "
    "pg_catalog.encode({row}.digest, 'hex'))::pg_catalog.text, 'UTF8'))"
)
"""The digest of a whole row in SQL: its moment, people and place, and the digest of its contents.

Its number is no part of it: a row that changed places is told from one that was edited.
"""


@granted("select, insert")
class HistorySeal(Base):
    """A seal (封印): the rows that it holds, the seal before, and the proof under the key."""

    __tablename__ = "history_seal"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1, 2, 3 … without a gap."""
    sealed_at: Mapped[datetime]
    last_id: Mapped[int]
    """The number of its last row: all rows up to it are sealed."""
    entries: Mapped[bytes]
    """The number and the digest of each row, in their order: ``ENTRY``."""
    previous: Mapped[bytes]
    """The proof of the seal before; empty for the first."""
    key: Mapped[str]
    """The name of the key; the key itself is nowhere in the database."""
    mac: Mapped[bytes]
    """The HMAC-SHA256 of all above: the proof."""

    @property
    def message(self) -> bytes:
        """The text that the key signs."""
        moment = self.sealed_at.astimezone(UTC).isoformat(timespec="microseconds")
        rows = sha256(self.entries).hexdigest()
        return "\n".join((str(self.number), moment, str(self.last_id), rows, self.previous.hex(), self.key)).encode()

    @property
    def count(self) -> int:
        return len(self.entries) // ENTRY


personal(HistorySeal, Area.SYSTEM, "变更记录的封印", other="number sealed_at last_id entries previous key mac")


class Sealed(NamedTuple):
    """The work of one round."""

    rows: int
    last: HistorySeal


def last_seal(session: Session) -> HistorySeal | None:
    """Return the newest seal."""
    return session.scalars(select(HistorySeal).order_by(desc(HistorySeal.number)).limit(1)).one_or_none()


def seal(engine: Engine, keys: SealKeys, *, actor: str, pause: Callable[[float], object], patience: float = PATIENCE_SECONDS) -> Sealed | None:
    """Seal the rows that stand now; None if there are none, or older changes are still under way.

    1. Find the last row that can be seen, then draw the number of a transaction. Whoever may still
       commit a row with a lower number had drawn the number of their transaction before: a change
       draws it before its row of the history is numbered.
    2. Wait until all transactions up to it have ended. They are asked, not locked.
    3. Seal up to that row, a transaction for each seal. Of several workers one seals.

    Two numbers of one server are compared, within one round: they mean nothing after a fail-over.
    """

    def begin() -> AbstractContextManager[Session]:
        return transaction(engine, actor=actor)

    with begin() as session:
        through = session.scalar(_LAST_ROW)
        if through is None:
            return None
        mark = session.scalar(_DRAW)
    end = monotonic() + patience
    while not _has_ended(begin, mark):
        if monotonic() > end or pause(0.05):
            return None
    rows, last = 0, None
    while True:
        with begin() as session:
            made = _seal_next(session, keys, through)
        if made is None:
            return Sealed(rows, last) if last else None
        rows, last = rows + made.count, made
        if pause(0):
            return Sealed(rows, last)


_LAST_ROW = text("""
    select max(id) from history
    where id > coalesce((select last_id from history_seal order by number desc limit 1), 0)
""")
_DRAW = text("select cast(pg_current_xact_id() as text)")
_ENDED = text("select pg_snapshot_xmin(pg_current_snapshot()) > cast(cast(:mark as text) as xid8)")
_ALONE = text("select pg_try_advisory_xact_lock(hashtext('zhibu.seals'))")
_NEXT = text(f"""
    select max(id) as last_id, string_agg(int8send(id) || digest, ''::bytea order by id) as entries, clock_timestamp() as at
    from (
        select h.id, {ROW_DIGEST.format(row="h")} as digest
        from (select min(id) as id from history where id > :after and id <= :through) as first
        join history h on h.id between first.id and least(first.id + :most - 1, :through)
    ) as h
""")  # noqa: S608  (no value is put into it)


def _has_ended(begin: Callable[[], AbstractContextManager[Session]], mark: str | None) -> bool:
    with begin() as session:
        return bool(session.scalar(_ENDED, {"mark": mark}))


def _seal_next(session: Session, keys: SealKeys, through: int) -> HistorySeal | None:
    if not session.scalar(_ALONE):
        return None
    before = last_seal(session)
    found = session.execute(_NEXT, {"after": before.last_id if before else 0, "through": through, "most": MOST_ROWS}).one()
    if found.entries is None:
        return None
    made = HistorySeal(
        number=before.number + 1 if before else 1,
        sealed_at=found.at,
        last_id=found.last_id,
        entries=found.entries,
        previous=before.mac if before else b"",
        key=keys.present,
    )
    made.mac = keys.sign(made.message)
    session.add(made)
    return made
