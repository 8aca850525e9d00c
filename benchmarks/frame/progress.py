"""The progress line (进度) on standard error: the path, the round, the time still needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from commands.language import say
from workflow.foundation.errors import Words


class Progress:
    """Tells the progress of a run, from the expected time of its parts.

    On a terminal one line is written over and over, elsewhere each step is a line.
    """

    def __init__(self, parts: Sequence[tuple[str, float]], *, quiet: bool = False) -> None:
        self.parts, self.quiet = list(parts), quiet
        self.began = time.monotonic()
        self.at = -1
        self.part_began = self.began
        self.width = 0

    def enter(self, part: str) -> None:
        """Begin the next part."""
        self.at = next(n for n, (name, _) in enumerate(self.parts) if name == part)
        self.part_began = time.monotonic()
        self.tell(Words("准备", "preparing"))

    def tell(self, step: Words) -> None:
        """Say what is being done now."""
        if self.quiet:
            return
        now = time.monotonic()
        name, expected = self.parts[self.at]
        left = max(0.0, expected - (now - self.part_began))
        left += sum(seconds for _, seconds in self.parts[self.at + 1 :])
        gone, rest = _clock(now - self.began), _clock(left)
        times = Words(f"已用 {gone}，约剩 {rest}", f"{gone} gone, about {rest} left")
        line = f"[{self.at + 1}/{len(self.parts)}] {name}: {say(step)} · {say(times)}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{line:<{self.width}}")
            self.width = len(line)
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self) -> float:
        """Close the line and give the seconds of the whole run."""
        if not self.quiet and sys.stderr.isatty():
            sys.stderr.write("\n")
        return time.monotonic() - self.began


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
