"""A test that judges time runs alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import portalocker
import pytest
from portalocker import LockFlags

from tests.support.running.alone import Turns


def is_held(folder: Path, name: str, how: LockFlags) -> bool:
    """Tell whether somebody keeps others from locking a place in this way."""
    with (folder / name).open("ab") as place:
        try:
            portalocker.lock(place, how | LockFlags.NON_BLOCKING)
        except portalocker.LockException:
            return True
        portalocker.unlock(place)
        return False


def test_whoever_wants_to_be_alone_waits_for_the_others_and_they_for_him(tmp_path: Path) -> None:
    one, other = Turns(tmp_path), Turns(tmp_path)
    said: list[str] = []

    def judge() -> None:
        with other.beside_others(), other.alone():
            said.append("alone")
            assert is_held(tmp_path, "room", LockFlags.SHARED)

    with closing(one), closing(other), ThreadPoolExecutor(1) as pool:
        with one.beside_others():
            judged = pool.submit(judge)
            while not is_held(tmp_path, "door", LockFlags.SHARED):
                assert not judged.done()
            said.append("beside others")
        judged.result(10)
    assert said == ["beside others", "alone"]
    assert not is_held(tmp_path, "room", LockFlags.EXCLUSIVE)


@pytest.fixture
def turns(request: pytest.FixtureRequest) -> Path:
    """The folder in which the workers take their turns."""
    folder: str | None = getattr(request.config, "workerinput", {}).get("turns")
    if folder is None:
        pytest.skip("one process alone takes no turns")
    return Path(folder)


@pytest.mark.alone
def test_a_marked_test_keeps_the_others_out(turns: Path) -> None:
    assert is_held(turns, "room", LockFlags.SHARED)


def test_any_other_test_lets_others_run_and_none_alone(turns: Path) -> None:
    assert is_held(turns, "room", LockFlags.EXCLUSIVE)
    assert not is_held(turns, "room", LockFlags.SHARED)
