"""Record the year anew: ``python -m tests.net.record``.

It prints the differences from the recording that it replaces.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.net.database import a_school, quiet
from tests.net.recording import RECORDED, read, report, write
from tests.net.year.walk import recorded


def main(file: Path = RECORDED) -> None:
    """Walk the year on a new embedded PostgreSQL, and write all answers."""
    quiet()
    # Not below pytest's folder or a home: as root, PostgreSQL runs as another user, and that user
    # must reach it.
    with TemporaryDirectory(prefix="zhibu-net-") as folder, a_school(Path(folder)) as engine:
        lines = recorded(engine).lines
    if file.exists():
        sys.stdout.write(report(read(file), lines) or "nothing differs")
        sys.stdout.write("\n")
    write(lines, file)
    sys.stdout.write(f"{len(lines)} answers in {file.name}, {file.stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
