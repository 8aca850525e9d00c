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

import re
import smtplib
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from enum import StrEnum
from functools import partial
from threading import Event
from typing import Self
from urllib.parse import unquote, urlsplit

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

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
TIMEOUT = timedelta(seconds=30)
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
LINE_OF_A_DOT = re.compile(rb"^\.", re.MULTILINE)
"""A dot that begins a line: it is doubled, since a dot alone ends a letter (RFC 5321, 4.5.2)."""

log = structlog.get_logger()


class Outcome(StrEnum):
    """The outcome of one try."""

    SENT = "sent"
    PUT_OFF = "put_off"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class NotTaken(Exception):
    """A letter that the server did not take, with the step and the code.

    None as code: the connection was lost, or ended by us at the step LEASE.
    """

    def __init__(self, step: str, code: int | None = None) -> None:
        super().__init__(f"{step} {code or 'lost'}")
        self.step = step
        self.code = code

    @property
    def outcome(self) -> Outcome:
        if self.code is None:
            return Outcome.UNKNOWN if self.step == "CONTENT" else Outcome.PUT_OFF
        return Outcome.REFUSED if self.code // 100 == 5 else Outcome.PUT_OFF


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


class Unavailable(Exception):
    """A mail server that cannot be reached, or does not let us send at all.

    It is no fault of this letter, and there is no use in trying the next one.
    """


class Courier:
    """One connection to the mail server: opened for the first letter, and again after a loss."""

    def __init__(self, url: str, sender: str, *, timeout: timedelta = TIMEOUT) -> None:
        self.url = urlsplit(url)
        self.timeout = timeout.total_seconds()
        """The longest wait for each answer of the server, in seconds."""
        self.sender = parseaddr(sender)[1]
        self.server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            try:
                self.server.quit()
            except (smtplib.SMTPException, OSError):
                self.server.close()

    def hand_over(self, address: str, content: bytes, may_leave: Callable[[], bool]) -> None:
        """Return when the server has taken the letter. Raises NotTaken, Unavailable.

        ``may_leave`` is asked last, before the first byte of the content: without the dot that ends
        it the server forgets what was said before.
        """
        self.server = server = self.server or self._connect()
        try:
            self._step("MAIL", lambda: server.mail(self.sender))
            self._step("RCPT", lambda: server.rcpt(address))
            # Not ``server.data``: it does not tell whether a connection was lost before or after
            # the letter was handed over.
            self._step("DATA", lambda: server.docmd("DATA"), good=3)
            if not may_leave():
                raise NotTaken("LEASE")
            self._step("CONTENT", lambda: self._say(server, content))
        except NotTaken as refusal:
            self._get_ready_again(server, refusal)
            # The recipient has not been named yet: we ourselves may not send, and every letter
            # would fail alike.
            if refusal.step == "MAIL" and refusal.outcome is Outcome.REFUSED:
                raise Unavailable(str(refusal)) from refusal
            raise

    def _say(self, server: smtplib.SMTP, content: bytes) -> tuple[int, bytes]:
        server.send(LINE_OF_A_DOT.sub(b"..", content) + b".\r\n")
        return server.getreply()

    def _step(self, step: str, say: Callable[[], tuple[int, bytes]], *, good: int = 2) -> None:
        try:
            code, _ = say()
        except smtplib.SMTPResponseException as error:
            code = error.smtp_code
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise NotTaken(step) from error
        if code // 100 != good:
            raise NotTaken(step, code)

    def _get_ready_again(self, server: smtplib.SMTP, refusal: NotTaken) -> None:
        try:
            listening = refusal.code is not None and server.rset()[0] == 250
        except (smtplib.SMTPException, OSError):
            listening = False
        if not listening:
            server.close()
            self.server = None

    def _connect(self) -> smtplib.SMTP:
        tls = ssl.create_default_context()
        try:
            server = self._open(tls)
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(type(error).__name__) from error
        try:
            self._log_in(server, tls)
        except (smtplib.SMTPException, OSError) as error:
            server.close()
            raise Unavailable(type(error).__name__) from error
        return server

    def _open(self, tls: ssl.SSLContext) -> smtplib.SMTP:
        # Our name is given: smtplib would ask the DNS for it, and wait.
        host, port, name = self.url.hostname or "", self.url.port or 0, self.sender.rpartition("@")[2]
        if self.url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, name, timeout=self.timeout, context=tls)
        return smtplib.SMTP(host, port, name, timeout=self.timeout)

    def _log_in(self, server: smtplib.SMTP, tls: ssl.SSLContext) -> None:
        server.ehlo_or_helo_if_needed()
        if self.url.username:
            # A password is not sent in the clear where the server offers TLS.
            if self.url.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=tls)
            server.login(unquote(self.url.username), unquote(self.url.password or ""))


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
                _write_down(engine, held, Outcome.PUT_OFF, "connect", clock)
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
