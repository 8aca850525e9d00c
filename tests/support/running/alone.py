"""Turns of several workers: a test that judges time waits until no other runs, and the others wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker
from portalocker import LockFlags


class Turns:
    """The turns of one worker. The kernel gives back what a worker held that died.

    1. Whoever wants a turn passes the door, one at a time.
    2. Most share the room, and leave the door open behind them.
    3. One who wants to be alone stays in the door until the room is empty.
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
        """Inside a shared turn: have the room for oneself."""
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
