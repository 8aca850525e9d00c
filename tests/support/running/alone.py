"""Turns of several workers, for tests that judge time.

Such a test waits until no other runs, and the others wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker
from portalocker import LockFlags


class Turns:
    """The turns of one worker. The kernel releases the turn of a worker that died.

    1. Each worker that wants a turn passes the door, one at a time.
    2. Most workers share the room, and leave the door open behind them.
    3. A worker that wants to be alone stays in the door until the room is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._door = (folder / "door").open("ab")
        self._room = (folder / "room").open("ab")

    def close(self) -> None:
        """Take no more turns."""
        self._door.close()
        self._room.close()

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Take a turn that others may share."""
        self._enter(LockFlags.SHARED)
        try:
            yield
        finally:
            portalocker.unlock(self._room)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the room alone, inside a shared turn."""
        portalocker.unlock(self._room)
        self._enter(LockFlags.EXCLUSIVE)
        try:
            yield
        finally:
            portalocker.unlock(self._room)
            self._enter(LockFlags.SHARED)

    def _enter(self, how: LockFlags) -> None:
        portalocker.lock(self._door, LockFlags.EXCLUSIVE)
        try:
            portalocker.lock(self._room, how)
        finally:
            portalocker.unlock(self._door)
