"""A real mail server on a free loopback port.

It takes, puts off, refuses, or drops the connection, as a test asks.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller

DROP = "drop"
"""The mark for no answer: the connection is dropped at that step."""


class MailServer:
    """The handler of a mail server: its letters, and its answers.

    Each step takes its next answer, and says yes if there is none.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.connections = 0
        """The number of connections opened to it."""
        self.slow_seconds = 0.0
        """The seconds that it takes over each letter."""
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
        await asyncio.sleep(self.slow_seconds)
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
    """Counts the connections, each of which gets a protocol object of its own."""

    def factory(self) -> Any:
        self.handler.connections += 1
        return super().factory()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run the server until the block ends."""
    server = MailServer()
    controller = _Counting(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    # The controller has tried its own port.
    server.connections = 0
    try:
        yield server
    finally:
        controller.stop()


@contextmanager
def silent_after(said: list[bytes]) -> Iterator[str]:
    """Run a server that answers each line with the next of these, and is silent afterwards.

    Yields its address.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            line, _ = listener.accept()
            with line:
                for answer in said:
                    line.sendall(answer)
                    line.recv(4096)
                line.recv(1)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def free_port() -> int:
    """Find a port without a listener, as the controller cannot tell the port it got."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
