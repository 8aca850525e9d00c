"""The courier (投递员): one connection to the school's mail server, encrypted where it can be.

``smtps://`` is TLS from the first byte, ``smtp+starttls://`` insists on STARTTLS; ``smtp://`` takes
it wherever it is offered. A password never goes over a network in the clear (docs/0043).
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from datetime import timedelta
from email.utils import parseaddr
from enum import StrEnum
from typing import Self
from urllib.parse import unquote, urlsplit

from workflow.foundation.addresses import is_of_this_machine

TIMEOUT = timedelta(seconds=30)
SUBMISSION = 587
"""The port of STARTTLS for those who sign in (RFC 6409), unless the URL names another."""
INSISTS = "smtp+starttls"
LINE_OF_A_DOT = re.compile(rb"^\.", re.MULTILINE)
"""A dot that begins a line: it is doubled, since a dot alone ends a letter (RFC 5321, 4.5.2)."""


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


class Unavailable(Exception):
    """A mail server that cannot be reached, or does not let us send at all.

    It is no fault of this letter, and there is no use in trying the next one.
    """


NOT_ENCRYPTED = "STARTTLS not offered"


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
        try:
            server = self._open()
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(type(error).__name__) from error
        try:
            self._log_in(server)
        except (smtplib.SMTPException, OSError) as error:
            server.close()
            raise Unavailable(type(error).__name__) from error
        except Unavailable:
            server.close()
            raise
        return server

    def _open(self) -> smtplib.SMTP:
        # Our name is given: smtplib would ask the DNS for it, and wait.
        host, name = self.url.hostname or "", self.sender.rpartition("@")[2]
        port = self.url.port or (SUBMISSION if self.url.scheme == INSISTS else 0)
        if self.url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, name, timeout=self.timeout, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, name, timeout=self.timeout)

    def _log_in(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        offered = self.url.scheme != "smtps" and server.has_extn("starttls")
        if self._needs_tls and self.url.scheme != "smtps" and not offered:
            raise Unavailable(NOT_ENCRYPTED)
        if offered:
            server.starttls(context=self._tls())
            server.ehlo_or_helo_if_needed()
        if self.url.username:
            server.login(unquote(self.url.username), unquote(self.url.password or ""))

    @property
    def _needs_tls(self) -> bool:
        """Tell whether all must be encrypted: it is asked for, or a password leaves the machine."""
        return self.url.scheme == INSISTS or (bool(self.url.username) and not is_of_this_machine(self.url.hostname))

    def _tls(self) -> ssl.SSLContext:
        """Check the certificate where TLS is needed.

        Where it is only taken as offered, whoever could forge it could as well hide the offer.
        """
        tls = ssl.create_default_context()
        if not self._needs_tls:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        return tls
