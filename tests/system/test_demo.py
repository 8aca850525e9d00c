"""The demo as a new user meets it.

It is started, walked by the README's own curl, killed, started again, stopped.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from api.server.demo import close_folder

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 120


@contextmanager
def demo(project: Path, data_dir: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a demo until the block ends; stop it if a test left it running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "demo", "--port", str(port), "--data-dir", str(data_dir)],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "ZHIBU_TICK_SECONDS": "1"},
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", process)
        yield process
    finally:
        # Killed, it would leave its PostgreSQL to run on.
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def _wait_for(address: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            if httpx.get(address).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the demo did not answer")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_of(data_dir: Path) -> list[Any]:
    return [each for each in psutil.process_iter(["name", "cmdline"]) if str(data_dir) in " ".join(each.info["cmdline"] or [])]


def accounts(data_dir: Path) -> list[dict[str, Any]]:
    return list(json.loads((data_dir / "accounts.json").read_text(encoding="utf-8")))


def get(port: int, path: str, token: str) -> Any:
    return httpx.get(f"http://127.0.0.1:{port}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()


def office_token(data_dir: Path) -> str:
    return next(str(each["token"]) for each in accounts(data_dir) if each["role"] == "office")


def tour(project: Path) -> str:
    """Find the bash block of the README."""
    found = re.search(r"```bash\n(.*?)```", (project / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_demo_shows_every_stage_and_the_readmes_tour_walks_it(project: Path, tmp_path: Path, port: int) -> None:
    with demo(project, tmp_path, port) as process:
        token = office_token(tmp_path)
        progress = get(port, f"/cycles/{year_of(port, tmp_path)}/progress", token)
        assert all(count > 0 for count in progress["by_stage"].values())
        assert progress["returned"] == 1
        secretaries = {each["branch"] for each in accounts(tmp_path) if each["role"] == "secretary"}
        assert secretaries == {row["branch"]["code"] for row in get(port, f"/cycles/{year_of(port, tmp_path)}/branches", token)["items"]}

        walked = subprocess.run(
            ["bash", "-e", "-c", tour(project)],
            env={**os.environ, "API": f"http://127.0.0.1:{port}/api/v1", "ACCOUNTS": str(tmp_path / "accounts.json")},
            capture_output=True,
            text=True,
            check=True,
        )
        answers = [json.loads(line) for line in walked.stdout.splitlines() if line.strip()]
        assert [answer.get("status") for answer in answers[:1]] == [409]
        [talks] = [each for each in answers[0]["unmet"] if each["clause"] == "K2"]
        assert len(talks["subjects"]) == 3
        assert answers[4]["to"] == "self_review"
        assert (answers[5]["to"], answers[5]["due_on"]) == ("talks", "2030-01-10")
        assert answers[6].get("returned") == 2, answers[6]

        letters = tmp_path / "mail"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(list(letters.glob("*.eml"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert len(list(letters.glob("*.eml"))) >= 2, "the letters of both returned branches reach the catcher"

        printed = ended(process, signal.SIGTERM)
        must_show(project, printed.replace(f":{port}", ":8000").replace(str(tmp_path), "zhibu-data"))
        must_end_with_the_box(printed)
    assert postgres_of(tmp_path) == []


def year_of(port: int, folder: Path) -> int:
    """Find the year of the demo: that of the season around its first start."""
    [cycle] = get(port, "/cycles", office_token(folder))["items"]
    return int(cycle["year"])


def ended(process: subprocess.Popen[str], by: signal.Signals) -> str:
    """End a demo as its user would, and return what it printed."""
    process.send_signal(by)
    printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, printed
    return printed


def must_show(project: Path, printed: str) -> None:
    """Compare what the demo printed with the sample in the README, line by line.

    An ellipsis in the sample stands for any text.
    """
    [sample] = re.findall(r"```text\n(1/3.*?)```", (project / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = iter(printed.splitlines())
    ours = [line for line in sample.splitlines() if not re.match("[123]/3", line)]
    assert len(sample.splitlines()) <= MOST_LINES
    for wanted in ours:
        pattern = re.escape(wanted).replace("…", ".*")
        assert any(re.fullmatch(pattern, line) for line in lines), f"not printed: {wanted}"


MOST_LINES = 10
"""The lines of a first start: three steps of run.py, one of the demo, the box."""


def must_end_with_the_box(printed: str) -> None:
    """Check that nothing but letters and the end comes after the box, and little before it."""
    lines = printed.splitlines()
    last = lines.index("按 Ctrl-C 停止。")
    assert last + 1 <= MOST_LINES - 3
    assert all(re.fullmatch(r"\d+ 封信已写入 \S+", line) for line in lines[last + 1 : -1]), printed
    assert lines[-1] == "演示已停止，数据保留在数据目录里。"
    assert re.fullmatch(r"启动数据库，准备示范学校 …\.* \d+ 秒", lines[0])


def test_a_folder_of_somebodys_own_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    tmp_path.chmod(0o755)
    close_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.thorough
def test_a_demo_killed_with_9_starts_again_with_its_data_and_leaves_nothing(project: Path, tmp_path: Path, port: int) -> None:
    with demo(project, tmp_path, port) as process:
        before = get(port, f"/cycles/{year_of(port, tmp_path)}/branches", office_token(tmp_path))
        tokens = {each["staff_no"]: each["token"] for each in accounts(tmp_path)}
        process.kill()
        process.wait()
    with demo(project, tmp_path, port) as process:
        assert get(port, f"/cycles/{year_of(port, tmp_path)}/branches", office_token(tmp_path)) == before
        assert {each["staff_no"]: each["token"] for each in accounts(tmp_path)} == tokens
        assert get(port, "/me", tokens["0101001"])["staff_no"] == "0101001"
        ended(process, signal.SIGINT)
    assert postgres_of(tmp_path) == []


@pytest.mark.thorough
def test_the_demo_collects_for_the_assessment_and_its_folder_is_open_to_nobody_else(project: Path, tmp_path: Path, port: int) -> None:
    folder = tmp_path / "made before"
    folder.mkdir(mode=0o755)
    with demo(project, folder, port) as running:
        office = office_token(folder)
        modes = [row["mode"] for row in get(port, f"/cycles/{year_of(port, folder)}/assessments", office)["items"]]
        assert set(modes) == {None, "on_site", "written"}
        whole, begun = (get(port, f"/cycles/{year_of(port, folder)}/assessments/{code}/summary", office) for code in ("D0202", "D0101"))
        assert whole["missing"] == []
        assert {"duty_report", "report_mode", "main_work"} <= {row["id"] for row in begun["missing"]}
        ended(running, signal.SIGINT)
    assert {each.name: each.stat().st_mode & 0o066 for each in (folder, folder / "mail", folder / "postgres")} == dict.fromkeys(
        (folder.name, "mail", "postgres"), 0
    )
    assert not any(each.stat().st_mode & 0o077 for each in (folder / "accounts.json", folder / "secret"))


def test_a_port_that_is_taken_is_named(project: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = subprocess.run(
            [sys.executable, "-m", "cli", "demo", "--port", str(port), "--data-dir", str(tmp_path)],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} 已被占用" in refused.stderr
