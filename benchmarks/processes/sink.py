"""A mail server that takes every letter and keeps none (收信而不存).

``python -m benchmarks.processes.sink PORT`` in a process of its own: its CPU time is neither the
product's nor the floor's.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from aiosmtpd.controller import Controller


class Taker:
    """Says yes to everything."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a letter."""
        return "250 OK"


def main(port: str) -> None:
    """Listen until stopped."""
    Controller(Taker(), hostname="127.0.0.1", port=int(port)).start()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
