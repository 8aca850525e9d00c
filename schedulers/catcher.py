"""The demo's mail catcher (本地邮箱): a real SMTP server on this machine.

It keeps every letter as a file, sends none on, and tells of each batch in one line.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from workflow.foundation.errors import Words

QUIET_SECONDS = 1.0
"""A batch of letters is over when none has come for this long."""


class _Keeper:
    def __init__(self, folder: Path, tell: Callable[[Words], object]) -> None:
        self.folder, self.tell = folder, tell
        self.came = 0
        self.last: asyncio.TimerHandle | None = None

    # aiosmtpd's name.
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        number = len(list(self.folder.glob("*.eml"))) + 1
        (self.folder / f"{number:04}.eml").write_bytes(envelope.content)
        self.came += 1
        if self.last is not None:
            self.last.cancel()
        self.last = asyncio.get_running_loop().call_later(QUIET_SECONDS, self.tell_the_batch)
        return "250 OK"

    def tell_the_batch(self) -> None:
        """Say in one line how many letters have come since the last one."""
        if self.came:
            self.tell(Words(f"{self.came} 封信已写入 {self.folder}", f"letters written into {self.folder}: {self.came}"))
        self.came = 0


@contextmanager
def mail_catcher(folder: Path, tell: Callable[[Words], object]) -> Iterator[str]:
    """Catch mail into ``folder`` while the block lasts. Yields the ``smtp://`` address."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with socket.socket() as probe:  # port 0 would make aiosmtpd connect to port 0
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keeper = _Keeper(folder, tell)
    controller = Controller(keeper, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()
        keeper.tell_the_batch()
