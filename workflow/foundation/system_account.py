"""The system account (系统账户) of PostgreSQL's server: who owns the files, who may read them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import portalocker

from workflow.foundation.errors import EmbeddedUnavailable, Words

ACCOUNT_LOCK_SECONDS = 180
ACCOUNT_LOCK = Path("/run/zhibu-account.lock")
"""Only root writes in its folder: nobody else can hold the lock or put a link in its place."""


@contextmanager
def one_on_this_machine() -> Iterator[None]:
    """Let one process of the machine in at a time."""

    def closed(path: str, flags: int) -> int:
        # Any user that can open it could lock it.
        return os.open(path, flags | os.O_NOFOLLOW, 0o600)

    lock = portalocker.Lock(ACCOUNT_LOCK, "ab", timeout=ACCOUNT_LOCK_SECONDS, check_interval=0.05, opener=closed)
    try:
        lock.acquire()
    except portalocker.LockException as error:
        words = Words(f"另一个进程占用 {ACCOUNT_LOCK}，等待超时，请稍后再试", f"another process holds {ACCOUNT_LOCK}; please try again later")
        raise EmbeddedUnavailable(words) from error
    except OSError:
        # No such folder, or a machine that cannot be written: nobody makes accounts there.
        yield
        return
    try:
        yield
    finally:
        lock.release()


def is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def as_owner(cluster: Path) -> dict[str, Any]:
    """Return options to run as the cluster's owner, whoever it is: PostgreSQL refuses root."""
    if not is_root():
        return {}
    home = cluster.stat()
    return {"user": home.st_uid, "group": home.st_gid, "extra_groups": []}


def allow_others(path: Path, permission: int) -> None:
    mode = path.lstat().st_mode
    if mode & permission != permission and not path.is_symlink():
        path.chmod(mode & 0o7777 | permission)
