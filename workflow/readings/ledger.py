"""收发登记 (ledger of letters): the recipients of a year's letters, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.foundation.errors import NotFound
from workflow.mail.outbox import Letter, letters_of
from workflow.people.organisation import Branch, person_by_staff_no, staff_nos
from workflow.year.cycle import Cycle, Process


@dataclass(frozen=True)
class LedgerLine:
    """One letter with its branch and its recipient's 学工号 (一封信的登记)."""

    letter: Letter
    branch: str | None
    staff_no: str


def ledger(session: Session, cycle: Cycle, *, branch: str | None, recipient: str | None, after: int, limit: int) -> Sequence[LedgerLine]:
    """List the letters of a year in the order they were written.

    Of one branch or to one person, if named.
    """
    of_branches = session.execute(select(Process.id, Branch.code).join(Process.branch).where(Process.cycle_id == cycle.id))
    codes: dict[int, str] = {row.id: row.code for row in of_branches}
    try:
        recipient_id = person_by_staff_no(session, recipient).id if recipient is not None else None
    except NotFound:
        return []
    wanted = [number for number, code in codes.items() if code == branch] if branch is not None else None
    rows = letters_of(session, cycle_id=cycle.id, process_ids=wanted, recipient_id=recipient_id, after=after, limit=limit)
    numbers = staff_nos(session, [row.recipient_id for row in rows])
    return [LedgerLine(row, codes.get(row.process_id or 0), numbers[row.recipient_id]) for row in rows]
