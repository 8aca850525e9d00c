"""收发登记 (ledger of letters): the recipients of a year's letters, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.foundation.errors import NotFound
from workflow.mail.items import LetterItem, items_of, letters_of
from workflow.mail.outbox import Letter
from workflow.people.organisation import Branch, person_by_staff_no, staff_nos
from workflow.year.cycle import Cycle, Process


@dataclass(frozen=True)
class LedgerItem:
    """One item of a letter of reminders with its branch (一项提醒)."""

    item: LetterItem
    branch: str | None


@dataclass(frozen=True)
class LedgerLine:
    """One letter with its branch, its items and its recipient's 学工号 (一封信的登记)."""

    letter: Letter
    branch: str | None
    """The branch of which it speaks; None if there are several, or none."""
    items: Sequence[LedgerItem]
    staff_no: str


def ledger(session: Session, cycle: Cycle, *, branch: str | None, recipient: str | None, after: int, limit: int) -> Sequence[LedgerLine]:
    """List the letters of a year in the order they were written.

    Of one branch or to one person, if named. A letter of reminders is listed with each branch of
    which it speaks.
    """
    of_branches = session.execute(select(Process.id, Branch.code).join(Process.branch).where(Process.cycle_id == cycle.id))
    codes: dict[int, str] = {row.id: row.code for row in of_branches}
    try:
        recipient_id = person_by_staff_no(session, recipient).id if recipient is not None else None
    except NotFound:
        return []
    wanted = [number for number, code in codes.items() if code == branch] if branch is not None else None
    rows = letters_of(session, cycle_id=cycle.id, process_ids=wanted, recipient_id=recipient_id, after=after, limit=limit)
    items: dict[int, list[LedgerItem]] = {}
    for item in items_of(session, [row.id for row in rows]):
        items.setdefault(item.letter_id, []).append(LedgerItem(item, codes.get(item.process_id or 0)))
    numbers = staff_nos(session, [row.recipient_id for row in rows])
    return [_line(row, codes.get(row.process_id or 0), items.get(row.id, ()), numbers) for row in rows]


def _line(letter: Letter, branch: str | None, items: Sequence[LedgerItem], numbers: dict[int, str]) -> LedgerLine:
    of_items = {each.branch for each in items}
    one = of_items.pop() if branch is None and len(of_items) == 1 else branch
    return LedgerLine(letter, one, items, numbers[letter.recipient_id])
