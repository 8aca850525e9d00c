"""A real mail server on a free loopback port, that takes, puts off, refuses, or drops the line, as a test asks it to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

DROP = "drop"
"""The answer that is none: the line is dropped at that step."""


class MailServer:
    """What it received, and what it answers: each step takes its next answer, and says yes when there is none."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.connections = 0
        """How many lines were opened to it."""
        self.answers: dict[str, list[str]] = {"MAIL": [], "RCPT": [], "DATA": []}

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.mail_from = address
        return self._answer("MAIL", server)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        answer = self._answer("RCPT", server)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self._answer("DATA", server)
        if not answer.startswith(("4", "5")):
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.received.append(message)
            self.recipients.extend(envelope.rcpt_tos)
        return answer

    def _answer(self, step: str, server: Any) -> str:
        answer = self.answers[step].pop(0) if self.answers[step] else "250 OK"
        if answer == DROP:
            server.transport.abort()
        return answer


class _Counting(Controller):  # type: ignore[misc]
    """Counts the lines that are opened, each of which gets a protocol of its own."""

    def factory(self) -> Any:
        self.handler.connections += 1
        return super().factory()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Running as long as the block."""
    server = MailServer()
    controller = _Counting(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    # The controller has tried its own port.
    server.connections = 0
    try:
        yield server
    finally:
        controller.stop()


def free_port() -> int:
    """A port that nobody listens on: the controller cannot be asked which one it got."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
