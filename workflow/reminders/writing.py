"""Writing letters when they are sent (现写现发): each says only what is still true then.

A worker looks at the school at each tick. While it sends, it looks again once its last look is ten
times as old as it took, so that looking costs a tenth of the time at most. Whether a process still
stands as it did, and whether a letter of an act is still wanted, is asked anew for each letter.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.foundation.database import any_of
from workflow.foundation.vocabulary import LetterState
from workflow.mail.aside import REST, Unwritten, put_aside, take_up
from workflow.mail.items import items_of, leave_out
from workflow.mail.letters import Addressed, Gathered, Rendered, render, render_item
from workflow.mail.sending import Claimed, settle_retry, settle_unsent, write
from workflow.reminders import Begin, Look, look, queue
from workflow.reminders.due import STANDING, Due, ProcessState
from workflow.reminders.when import day_of_letters
from workflow.year.cycle import Process

OFTEN = 10
"""A look is used for so many times as long as it took."""

log = structlog.get_logger()


class Reminders:
    """The reminders that a worker knows: looked at, queued, and written when they are sent."""

    def __init__(self, begin: Begin, *, base_url: str) -> None:
        self.begin = begin
        self.base_url = base_url
        self.seen: Look | None = None
        self.fresh_until: datetime | None = None
        self.due: Mapping[int, Sequence[Due]] = {}

    def queue(self, now: datetime) -> int:
        """Look, and queue what is due; return how many items. Raises as ``reminders.queue``."""
        self.seen = None
        return queue(self.begin, self._look(now), now)

    def day(self, now: datetime) -> date | None:
        """Return the day whose letters go now; None if they do not, or nothing is known."""
        if self.seen is None or (day := day_of_letters(now, self.seen.derived.at.overrides)) is None:
            return None
        if self.fresh_until is None or now >= self.fresh_until:
            self._look(now)
        return day

    def _look(self, now: datetime) -> Look:
        began = time.monotonic()
        self.seen = look(self.begin, now, base_url=self.base_url)
        self.fresh_until = now + timedelta(seconds=OFTEN * (time.monotonic() - began))
        due: dict[int, list[Due]] = {}
        for each in self.seen.derived.letters:
            due.setdefault(each.recipient_id, []).append(each)
        self.due = due
        return self.seen

    def write(self, session: Session, letter: Claimed, now: datetime) -> Claimed | None:
        """Write a claimed letter from its items that are true; None if it does not go now.

        1. If an item is newer than our look, or its process has moved since, look again.
        2. Without a true item it is moot. To a reader who is gone it is kept and not sent.
        3. One that may have arrived goes once more as it was.
        4. An item that cannot be written is put aside, and the others go; without others the
           letter waits an hour.
        """
        keys = {item.key for item in items_of(session, [letter.id], left_out=False)}
        true, may_be_newer = self._true(session, letter, keys)
        if may_be_newer:
            self._look(now)
            true, _ = self._true(session, letter, keys)
        if not true:
            leave_out(session, [letter.id])
        if not true or any(each.gone for each in true):
            settle_unsent(session, letter, LetterState.GONE if true else LetterState.MOOT)
            return None
        if letter.once_more:
            return letter
        composed, unwritten = _compose(true)
        self._put_aside(session, unwritten, composed.keys(), now)
        if not composed:
            settle_retry(session, letter, now + REST, None)
            return None
        if keys != composed.keys():
            leave_out(session, [letter.id], but=composed.keys())
        words = _together(list(composed.values()), self.base_url)
        write(session, letter, words)
        return replace(letter, **vars(words))

    def _true(self, session: Session, letter: Claimed, keys: set[str]) -> tuple[list[Due], bool]:
        """Find the items that are true, and tell whether another look could find more of them."""
        due = [each for each in self.due.get(letter.recipient_id, ()) if each.key in keys]
        true = _unmoved(session, due)
        before = self.seen.waiting if self.seen else ()
        newer = keys - {each.key for each in due}
        return true, len(true) < len(due) or any(key not in before for key in newer)

    def _put_aside(self, session: Session, unwritten: Sequence[Unwritten], written: Collection[str], now: datetime) -> None:
        known = self.seen.aside if self.seen else {}
        for each in unwritten:
            if each.key not in known or known[each.key].error != each.error:
                log.error("letter-put-aside", letter=each.key, kind=each.kind, error=each.error)
        put_aside(session, unwritten, now)
        take_up(session, [key for key in known if key in written])


def _unmoved(session: Session, due: Sequence[Due]) -> list[Due]:
    """Keep the items whose process stands as it did when they were derived."""
    ids = {each.process_id for each in due if each.process_id is not None}
    stand = {ProcessState(*row) for row in session.execute(select(*STANDING).where(any_of(Process.id, ids)))} if ids else set()
    return [each for each in due if each.standing is None or each.standing in stand]


def _compose(due: Sequence[Due]) -> tuple[dict[str, tuple[Addressed, Rendered]], list[Unwritten]]:
    written: dict[str, tuple[Addressed, Rendered]] = {}
    unwritten: list[Unwritten] = []
    for each in due:
        try:
            content = each.compose()
            written[each.key] = (content, render_item(content))
        # Errors of any type: they come from the data of a school, and must not cost others their
        # letters.
        except Exception as error:
            unwritten.append(Unwritten(each.key, each.kind, each.process_id, type(error).__name__))
    return written, unwritten


def _together(items: Sequence[tuple[Addressed, Rendered]], base_url: str) -> Rendered:
    """Write one letter of all items; a single one is a letter as it is."""
    first = items[0][0]
    if len(items) == 1:
        return render(first)
    return render(Gathered(recipient=first.recipient, today=first.today, link=base_url, items=[words for _, words in items]))
