"""run.py: its decisions, and one real environment made from a tiny project without packages."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import run

ROOT = Path(run.__file__).parent

# A build backend of ten lines (PEP 660), so that the environment is made without a network.
BACKEND = """
import pathlib, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    with open("builds", "a") as builds:
        builds.write("built\\n")
    if pathlib.Path("broken").exists():
        raise SystemExit("broken")
    with zipfile.ZipFile(pathlib.Path(folder) / "zhibu-0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("zhibu.pth", str(pathlib.Path.cwd()))
        wheel.writestr("zhibu-0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: zhibu\\nVersion: 0\\n")
        wheel.writestr("zhibu-0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("zhibu-0.dist-info/entry_points.txt", "[console_scripts]\\nzhibu = cli:main\\n")
        wheel.writestr("zhibu-0.dist-info/RECORD", "")
    return "zhibu-0-py3-none-any.whl"
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "zhibu"
version = "0"
"""
CLI = """
import sys

def main():
    print("zhibu", *sys.argv[1:])
"""


def a_clone(folder: Path) -> Path:
    """Make a fresh clone of a project of this shape, its locks without packages."""
    shutil.copy(run.__file__, folder)
    for name, text in [
        ("backend.py", BACKEND),
        ("pyproject.toml", PYPROJECT),
        ("cli.py", CLI),
        ("requirements.lock", ""),
        ("requirements-dev.lock", ""),
        ("requirements-build.lock", ""),
    ]:
        (folder / name).write_text(text)
    return folder


def start(clone: Path, *words: str) -> subprocess.Popen[str]:
    # An empty PATH: no uv.
    return subprocess.Popen(
        [sys.executable, "run.py", *words], cwd=clone, env={"PATH": ""}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def builds(clone: Path) -> int:
    return (clone / "builds").read_text().count("built")


def pins(lock: str) -> dict[str, str]:
    """Read each requirement of a lock with its version and hashes."""
    return dict(re.findall(r"^([\w.-]+)==((?:.*\\\n)*.*)", (ROOT / lock).read_text(), flags=re.MULTILINE))


@pytest.mark.thorough
@pytest.mark.slow
def test_an_environment_is_made_once_also_by_two_starts_at_once_and_again_after_an_interruption(tmp_path: Path) -> None:
    clone = a_clone(tmp_path)
    both = [start(clone), start(clone, "token", "create")]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out for out, _ in said] == ["zhibu demo\n", "zhibu token create\n"], "nothing but the command speaks on standard output"
    assert builds(clone) == 1

    out, err = start(clone, "doctor").communicate(timeout=60)
    assert (out, err) == ("zhibu doctor\n", "")

    (clone / ".venv" / run.STAMP.name).unlink()
    (clone / "broken").touch()
    broken = start(clone, "doctor")
    out, err = broken.communicate(timeout=60)
    assert (broken.returncode, out) == (1, "")
    assert "没有完成：3/3" in err
    (clone / "broken").unlink()
    assert start(clone, "doctor").communicate(timeout=60)[0] == "zhibu doctor\n"
    assert builds(clone) == 3


def test_an_environment_with_the_development_lock_serves_the_demo_but_not_the_other_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_clone(tmp_path, monkeypatch)
    stamp(run.RUNTIME, run.DEVELOPMENT)
    assert (run.is_ready(run.RUNTIME), run.is_ready(run.DEVELOPMENT)) == (True, True)
    stamp(run.RUNTIME)
    assert (run.is_ready(run.RUNTIME), run.is_ready(run.DEVELOPMENT)) == (True, False)


@pytest.mark.parametrize("changed", ["RUNTIME", "PYPROJECT"])
def test_a_changed_lock_or_project_file_asks_for_a_new_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    in_a_clone(tmp_path, monkeypatch)
    stamp(run.RUNTIME)
    {"RUNTIME": run.RUNTIME, "PYPROJECT": tmp_path / "pyproject.toml"}[changed].write_text("# changed")
    assert not run.is_ready(run.RUNTIME)


def test_a_moved_clone_asks_for_a_new_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_clone(tmp_path, monkeypatch)
    stamp(run.RUNTIME)
    monkeypatch.setattr(run, "VENV", tmp_path / "elsewhere" / ".venv")
    assert not run.is_ready(run.RUNTIME)


def in_a_clone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let run.py look at a clone of a project of this shape.

    Its environment has a Python.
    """
    a_clone(folder)
    places = {"ROOT": folder, "VENV": folder / ".venv", "PYTHON": folder / ".venv" / "python", "STAMP": folder / ".venv" / "ready"}
    for name, path in {
        **places,
        "RUNTIME": folder / "requirements.lock",
        "DEVELOPMENT": folder / "requirements-dev.lock",
        "BUILD": folder / "requirements-build.lock",
    }.items():
        monkeypatch.setattr(run, name, path)
    (folder / "requirements-dev.lock").write_text("# more")
    run.VENV.mkdir()
    run.PYTHON.touch()


def stamp(*locks: Path) -> None:
    run.STAMP.write_text("\n".join([run.identity(), *map(run.digest, locks)]))


def test_uv_is_used_where_there_is_one_else_venv_and_pip_and_both_want_hashes() -> None:
    with_uv = [command for _, command in run.steps(run.RUNTIME, "/somewhere/uv")]
    assert [command[0] for command in with_uv] == ["/somewhere/uv"] * 3
    without = [command for _, command in run.steps(run.RUNTIME, None)]
    assert [command[1:3] for command in without] == [["-m", "venv"], ["-m", "pip"], ["-m", "pip"]]
    for commands in (with_uv, without):
        assert commands[1][-5:] == ["--require-hashes", "-r", str(run.BUILD), "-r", str(run.RUNTIME)]
        assert commands[2][-4:] == ["--no-build-isolation", "--no-deps", "-e", str(run.ROOT)]
        assert all("--quiet" in command for command in commands[1:])


def test_without_ensurepip_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_spec", lambda module: None if module == "ensurepip" else object())
    with pytest.raises(SystemExit, match="python3-venv"):
        run.steps(run.RUNTIME, None)


def test_an_old_python_is_told_in_both_languages_and_a_new_one_is_not() -> None:
    told = run.too_old((3, 10, 13))
    assert "需要 Python 3.11 或更高版本，当前是 3.10" in told
    assert "Python 3.11 or newer is needed" in told
    assert [run.too_old(version) for version in ((3, 11, 0), (3, 12, 1), (4, 0, 0))] == ["", "", ""]


def test_an_old_python_can_read_run_py_far_enough_to_be_told() -> None:
    source = Path(run.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The programs that checks call.

    Each prints its arguments, and fails if there is a file ``<name>-fails``.
    """
    for name in ("ruff", "lint-imports", "mypy", "pytest"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} ran with: $*"\n! test -e "$0-fails"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(run, "BIN", tmp_path)
    return tmp_path


def ran(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [re.sub(r" --again=\S+", "", line) for line in capfd.readouterr().out.splitlines() if " ran with:" in line]


def test_every_check_runs_though_one_failed_and_pytest_is_the_last(tools: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tools / "ruff-fails").touch()
    assert run.run_checks(["-k", "talks"]) == 1
    called = ran(capfd)
    assert [line.split()[0] for line in called] == ["ruff", "ruff", "lint-imports", "mypy", "pytest"]
    assert called[-1] == "pytest ran with: -n 2 --dist loadfile --no-loadscope-reorder -k talks"
    (tools / "ruff-fails").unlink()
    assert run.run_checks([]) == 0


def test_the_last_pytest_is_told_what_failed_before_it(tools: Path, tmp_path: Path) -> None:
    for name in ("mypy", "ruff"):
        (tools / f"{name}-fails").touch()
    (tools / "pytest").write_text('#!/bin/sh\nfor word; do case "$word" in --again=*) cp "${word#--again=}" "$0-told";; esac; done\n')
    assert run.run_checks([]) == 1
    assert (tools / "pytest-told").read_text() == ".venv/bin/ruff check .\n.venv/bin/ruff format --check .\n.venv/bin/mypy\n"


def test_the_fast_tier_is_pytest_without_database_and_processes(tools: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run.run_checks(["--fast", "-x"]) == 0
    assert ran(capfd) == ["pytest ran with: -n 2 --fast -m not slow and not database -x"]


def test_the_long_tier_runs_everything_on_either_postgresql(tools: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tools / "pytest-fails").touch()
    assert run.run_checks(["--thorough", "--", "tests/api"]) == 1
    first, second = (line for line in ran(capfd) if line.startswith("pytest"))
    assert first.endswith("--postgres=16 --both-versions -- tests/api")
    assert second.endswith("--postgres=18 --both-versions --thorough -- tests/api")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_a_lock_holds_hashes_and_no_addresses(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()
    assert pins(lock)
    assert all("--hash=sha256:" in pinned for pinned in pins(lock).values())


def test_the_development_lock_holds_all_of_the_runtime_lock() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_what_builds_this_project_is_in_a_lock_that_agrees_with_the_others() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    locked, all_else = pins("requirements-build.lock"), pins("requirements-dev.lock")
    assert {tuple(each.split("==")) for each in wanted} <= {(name, pinned.split()[0]) for name, pinned in locked.items()}
    assert {name for name in locked.keys() & all_else.keys() if locked[name].strip() != all_else[name].strip()} == set()


def test_ci_runs_the_same_checks_and_nothing_of_its_own() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert script[-1] == 'exec python3 run.py test "$@"'
