"""Delivery (投递): letters from the outbox to the school's mail server, one message to one recipient.

A row is claimed and committed before anything is said to the server, and settled in another
transaction afterwards: no lock is held during a wait for the network, and a sender that dies or
stands still leaves a lease that runs out by the database's clock. Just before the text leaves, the
sender asks whether the lease still holds: another may have the letter by then (docs/0036). While
the database is away, or says no for another reason, the outcome is kept in memory for as long as
the lease holds, so that a letter which was taken is not sent again because nobody could write that
down. Neither log nor ledger has an address or a text in it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Event

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from schedulers.courier import TIMEOUT, Courier, NotTaken, Outcome, Unavailable
from workflow.foundation.database import ConstraintFault, NoConnectionFree, transaction
from workflow.foundation.vocabulary import LetterState
from workflow.mail.letters import Rendered
from workflow.mail.message import NotAnAddress, message
from workflow.mail.sending import (
    CONTENT,
    Claimed,
    claim,
    may_leave,
    settle_abandoned,
    settle_failed,
    settle_retry,
    settle_sent,
    settle_unknown,
    settle_unsent,
)
from workflow.reminders.overtaken import CLAIMING
from workflow.reminders.writing import Reminders

WORKER = "worker"
"""The worker's name in the history."""
LEASE = timedelta(minutes=10)
"""Longer than all waits of one letter together.

Connecting, signing in and handing over wait some dozen times.
"""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=3)
"""The time after which a letter that the server always put off has failed."""
FOR_THE_ANSWER = 4
"""A letter leaves only while one part in so many of its lease is left, for the server's answer."""
AT_MOST = timedelta(minutes=1)
"""The time after which a tick begins no other letter.

Then the next tick looks for reminders, however slow the mail server is, and leaves a heartbeat.
"""
RETRY_SECONDS = 0.5
"""The pause between two tries to write an outcome down while the database says no."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Sender:
    """The sender as a letter names them: the address, and whom to ask."""

    address: str
    contact: str | None = None


@dataclass(frozen=True)
class _Clock:
    """The moment for which letters are due; it goes on while the tick works, and is no lease's."""

    began: datetime
    at: float

    def now(self) -> datetime:
        return self.began + timedelta(seconds=time.monotonic() - self.at)


def deliver(
    engine: Engine,
    *,
    smtp_url: str,
    sender: str,
    now: datetime,
    reminders: Reminders | None = None,
    contact: str | None = None,
    stop: Event | None = None,
    lease: timedelta = LEASE,
    timeout: timedelta = TIMEOUT,
    at_most: timedelta = AT_MOST,
) -> Counter[Outcome]:
    """Send due letters until there are none, the mail server is away or ``at_most`` is over.

    Returns a count of the outcomes. Reminders are sent only with the ``reminders`` that write them.
    """
    clock = _Clock(now, time.monotonic())
    ends = time.monotonic() + at_most.total_seconds()
    outcomes: Counter[Outcome] = Counter()
    with transaction(engine, actor=WORKER) as session:
        settle_abandoned(session)
    with Courier(smtp_url, sender, timeout=timeout) as courier:
        while time.monotonic() < ends and not (stop is not None and stop.is_set()):
            holds_until = time.monotonic() + lease.total_seconds()
            taken = _take(engine, reminders, lease, clock)
            if taken is None:
                break
            if taken.letter is None:
                continue
            held = _Held(taken.letter, lease, holds_until)
            try:
                outcomes[_deliver_one(engine, courier, held, Sender(sender, contact), clock)] += 1
            except Unavailable as reason:
                _write_down(engine, held, Outcome.PUT_OFF, f"connect {reason}", clock)
                log.warning("mail-server-unavailable", reason=str(reason))
                break
    return outcomes


@dataclass(frozen=True)
class _Taken:
    """A row that was claimed, and its letter; None if it does not go."""

    letter: Claimed | None


@dataclass(frozen=True)
class _Held:
    """A letter in the hands of this sender, and the end of its lease by their own stopwatch."""

    letter: Claimed
    lease: timedelta
    until: float

    def may_leave(self, engine: Engine) -> bool:
        """Ask whether it may still be sent; False if the database cannot be asked."""
        try:
            with transaction(engine, actor=None) as session:
                return may_leave(session, self.letter, self.lease / FOR_THE_ANSWER)
        except SQLAlchemyError:
            return False


def _take(engine: Engine, reminders: Reminders | None, lease: timedelta, clock: _Clock) -> _Taken | None:
    """Claim the next letter and write it, if it is one of reminders; None if there is no other."""
    day = reminders.day(clock.now()) if reminders else None
    with transaction(engine, actor=WORKER) as session:
        now = clock.now()
        claimed = claim(session, now, lease, day=day, statement=CLAIMING)
        if not claimed:
            return None
        [letter] = claimed
        if reminders and letter.day is not None:
            return _Taken(reminders.write(session, letter, now))
        if not letter.stands:
            settle_unsent(session, letter, LetterState.MOOT)
            return _Taken(None)
        return _Taken(letter)


def _deliver_one(engine: Engine, courier: Courier, held: _Held, sender: Sender, clock: _Clock) -> Outcome:
    letter = held.letter
    outcome, error = _hand_over(courier, letter, sender, partial(held.may_leave, engine))
    if outcome is Outcome.PUT_OFF and clock.now() - letter.created_at > GIVE_UP_AFTER:
        outcome = Outcome.REFUSED
    settled = _write_down(engine, held, outcome, error, clock)
    log.info("letter", letter=letter.id, kind=letter.kind, attempt=letter.attempts, outcome=outcome.value, error=error or None, lease_kept=settled)
    return outcome


def _hand_over(courier: Courier, letter: Claimed, sender: Sender, may_leave: Callable[[], bool]) -> tuple[Outcome, str]:
    """Build a letter's message and hand it over. Raises Unavailable."""
    try:
        content = _content(letter, sender)
    except NotAnAddress:
        return Outcome.REFUSED, "address"
    # Errors of any type: they come from one letter's names and words, and must not cost others
    # theirs.
    except Exception as error:
        reason = f"{CONTENT} {type(error).__name__}"
        if letter.error != reason:
            log.error("letter-put-aside", letter=letter.id, kind=letter.kind, error=reason)
        return Outcome.PUT_OFF, reason
    try:
        courier.hand_over(letter.address, content, may_leave)
    except NotTaken as refusal:
        return refusal.outcome, str(refusal)
    return Outcome.SENT, ""


def _write_down(engine: Engine, held: _Held, outcome: Outcome, error: str, clock: _Clock) -> bool:
    """Settle a letter, trying as long as its lease holds.

    False when another sender has it by then.
    """
    while True:
        try:
            with transaction(engine, actor=WORKER) as session:
                return _settle(session, held.letter, outcome, error, clock.now())
        except ConstraintFault:
            raise
        except (DBAPIError, NoConnectionFree):
            if time.monotonic() >= held.until:
                raise
        time.sleep(RETRY_SECONDS)


def _content(letter: Claimed, sender: Sender) -> bytes:
    mail = message(
        sender=sender.address,
        contact=sender.contact,
        recipient=letter.recipient_name,
        address=letter.address,
        words=Rendered(letter.subject, letter.text, letter.html),
        message_id=letter.message_id,
        written_at=letter.created_at,
    )
    return mail.as_bytes()


def _settle(session: Session, letter: Claimed, outcome: Outcome, error: str, now: datetime) -> bool:
    if outcome is Outcome.SENT:
        return settle_sent(session, letter, now)
    if outcome is Outcome.REFUSED:
        return settle_failed(session, letter, error)
    if outcome is Outcome.PUT_OFF:
        return settle_retry(session, letter, now + _pause(letter), error)
    return settle_unknown(session, letter, now + _pause(letter), error)


def _pause(letter: Claimed) -> timedelta:
    """Return the pause before the next try.

    A minute after the first try, twice as long after each further one, an hour at most.
    """
    return min(FIRST_PAUSE * (1 << min(letter.attempts - 1, 10)), LONGEST_PAUSE)
