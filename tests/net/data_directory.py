"""A data directory with a filled year, opened and asked by this tree or another.

It shows whether a newer tree opens the directory and gives the same answers. Fill with the old
tree, read with the old tree, compare with the new one::

    python -m tests.net.data_directory fill DIR           walk the year there, and keep it
    python -m tests.net.data_directory read DIR FILE      GET everything as every role into FILE
    python -m tests.net.data_directory compare DIR FILE   the same, compared with FILE
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.api.conftest import token_of
from tests.net.database import a_school, quiet
from tests.net.matrix import look, places_of
from tests.net.recording import Line, read, report, write
from tests.net.year.school import NUMBERS, ROLES
from tests.net.year.steps import a_walk
from tests.net.year.walk import filled, others
from workflow.foundation.database import transaction

LATER = datetime(2025, 3, 3, 2, 0, tzinfo=UTC)
"""The moment of reading, after the whole walk."""


def fill(data_dir: Path) -> None:
    """Walk the year in a new data directory.

    The tokens of each role are kept in a file beside it.
    """
    with a_school(data_dir) as engine:
        with a_walk(engine) as walk:
            filled(walk)
            keys = {"others": others(walk), "tokens": {}}
        with transaction(engine, actor="cli") as session:
            keys["tokens"] = {number: token_of(session, number) for number in ROLES.values() if number is not None}
    _keys(data_dir).write_text(json.dumps(keys), encoding="utf-8")
    _keys(data_dir).chmod(0o600)


def ask(data_dir: Path) -> list[Line]:
    """Open a data directory with this tree, and GET everything as every role in both languages."""
    keys = json.loads(_keys(data_dir).read_text(encoding="utf-8"))
    with a_school(data_dir) as engine, a_walk(engine) as walk:
        house = walk.house
        house.clock.now = LATER
        for number, token in keys["tokens"].items():
            house.signed_in(number, token)
        house.recorder.moment = "later"
        look(house, house.recorder, places_of(house, keys["others"], NUMBERS["王五"]))
        return house.recorder.lines


def _keys(data_dir: Path) -> Path:
    return data_dir / "net-keys.json"


def main(arguments: list[str]) -> int:
    """Run one of the three commands; give 1 when answers differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.net.data_directory")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fill").add_argument("dir", type=Path)
    for name in ("read", "compare"):
        command = commands.add_parser(name)
        command.add_argument("dir", type=Path)
        command.add_argument("file", type=Path)
    given = parser.parse_args(arguments)
    quiet()
    if given.command == "fill":
        fill(given.dir)
        return 0
    lines = ask(given.dir)
    if given.command == "read":
        write(lines, given.file)
        sys.stdout.write(f"{len(lines)} answers\n")
        return 0
    found = report(read(given.file), lines)
    sys.stdout.write(f"{found or f'{len(lines)} answers, nothing differs'}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
