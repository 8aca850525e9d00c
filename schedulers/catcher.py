"""The demo's mail catcher (本地邮箱): a real SMTP server on this machine.

It keeps every letter as a file and sends none on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from workflow.foundation.errors import Words


class _Keeper:
    def __init__(self, folder: Path, tell: Callable[[Words], object]) -> None:
        self.folder, self.tell = folder, tell

    # aiosmtpd's name.
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=default)
        number = len(list(self.folder.glob("*.eml"))) + 1
        path = self.folder / f"{number:04}.eml"
        path.write_bytes(envelope.content)
        zh = f"本地邮箱收到一封信：{letter['Subject']}（{path.name}）"
        self.tell(Words(zh, f"A letter came into the local mailbox: {letter['Subject']} ({path.name})"))
        return "250 OK"


@contextmanager
def mail_catcher(folder: Path, tell: Callable[[Words], object]) -> Iterator[str]:
    """Catch mail into ``folder`` while the block lasts. Yields the ``smtp://`` address."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with socket.socket() as probe:  # port 0 would make aiosmtpd connect to port 0
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(_Keeper(folder, tell), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()
