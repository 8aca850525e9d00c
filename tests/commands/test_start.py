"""The command line before it runs anything: quick, in one language, named as one can type it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import run
from cli import COMMANDS, main
from commands import steps
from commands.click_words import CHINESE, MODULES
from commands.language import program, say
from schedulers import catcher
from workflow.foundation.errors import Words

HEAVY = ("sqlalchemy", "pydantic", "flask", "alembic", "openpyxl", "workflow.acts")
NEVER_SAID = re.compile(
    r"[Dd]eprecat|iterable|Could not determine name|name was passed|twice|nargs|take exactly one|same flag|dynamic|env var|\?$|start character"
)
"""Sentences of click to developers, and about what our commands do not have."""
NEVER_ASKED = re.compile(r"boolean|UUID|format|executable|values (are|were)|confirm|Confirm|continue|Choice\(|version %")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["no-such-command"]])
def test_help_version_and_a_typo_import_no_library_but_click(words: list[str], project: Path) -> None:
    look = f"import sys, cli\ntry: cli.main({words!r})\nexcept SystemExit: pass\nprint([each for each in {HEAVY!r} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_machine_without_time_zone_data_has_that_of_a_library(project: Path) -> None:
    look = "from workflow.foundation.vocabulary import SCHOOL_ZONE; print(SCHOOL_ZONE.key)"
    done = subprocess.run([sys.executable, "-c", look], cwd=project, env={"PYTHONTZPATH": ""}, capture_output=True, text=True, check=True)
    assert done.stdout == "Asia/Shanghai\n"


def test_the_list_of_commands_has_the_checks_and_says_what_no_command_does() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output
    assert all(f"\n  {name} " in listed for name, place in COMMANDS.items() if not place.hidden)
    assert "\n  test " in listed
    assert "python3 run.py 后面不写命令，就是演示" in listed
    assert re.fullmatch(r"zhibu \d+\.\d+\.\d+\n", CliRunner().invoke(main, ["--version"]).output)


def test_test_hands_its_words_to_run_py(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, words: became.append(words))
    CliRunner().invoke(main, ["test", "--fast", "-x", "tests/api"])
    assert became == [[sys.executable, run.__file__, "test", "--fast", "-x", "tests/api"]]


# ── the frame's own sentences ─────────────────────────────────────────────────────────────────────


def test_each_sentence_of_click_that_an_operator_may_read_is_there_in_chinese() -> None:
    said = set()
    for name in MODULES:
        source = Path(str(sys.modules[f"click.{name}"].__file__)).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"_", "ngettext"}:
                said |= {str(each.value) for each in node.args if isinstance(each, ast.Constant)}
    missing = {each for each in said - CHINESE.keys() if not NEVER_SAID.search(each) and not NEVER_ASKED.search(each)}
    assert missing == set()
    assert CHINESE.keys() <= said, "click does not say it any more"


def test_the_frame_speaks_chinese_where_the_language_is_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    told = CliRunner().invoke(main, ["serve", "--port", "many"]).output
    assert told.splitlines()[0].startswith("用法：")
    assert "说明见" in told
    assert told.splitlines()[-1] == "错误：'--port' 有误：many 应为数字。"
    assert CliRunner().invoke(main, ["dem"]).output.splitlines()[-1] == "错误：没有 dem 这个命令。 是不是 'demo'？"
    monkeypatch.setenv("ZHIBU_LANG", "en")
    assert CliRunner().invoke(main, ["dem"]).output.splitlines()[-1] == "Error: No such command 'dem'. Did you mean 'demo'?"


@pytest.mark.parametrize(
    ("on_the_path", "typed", "name"),
    [
        (True, "/opt/zhibu/.venv/bin/zhibu", "zhibu"),
        (False, "/opt/zhibu/.venv/bin/zhibu", "python3 run.py"),
        (False, ".venv/bin/zhibu", ".venv/bin/zhibu"),
        (False, "/opt/zhibu/cli.py", "python3 run.py"),
    ],
)
def test_advice_names_the_command_as_its_reader_can_type_it(monkeypatch: pytest.MonkeyPatch, on_the_path: bool, typed: str, name: str) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/zhibu" if on_the_path else None)
    monkeypatch.setattr(sys, "argv", [typed])
    assert program() == name
    both = Words("请运行 zhibu migrate；zhibu worker 没有动静", "please run zhibu migrate; zhibu worker is silent")
    assert say(both) == f"请运行 {name} migrate；zhibu worker 没有动静"


# ── signs of life ─────────────────────────────────────────────────────────────────────────────────


def test_a_step_is_one_line_that_lives_and_ends_with_its_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(steps, "BEAT_SECONDS", 0.01)
    with steps.step(Words("启动数据库", "Starting")):
        time.sleep(0.1)
    assert re.fullmatch(r"启动数据库 …\.{2,} 0 秒\n", capsys.readouterr().err)
    with pytest.raises(click.ClickException), steps.step(Words("启动数据库", "Starting")):
        raise click.ClickException("no")
    assert re.fullmatch(r"启动数据库 …\.*\n", capsys.readouterr().err), "the error has a line of its own"


def test_no_step_is_silent_for_three_seconds() -> None:
    assert (steps.BEAT_SECONDS, run.BEAT_SECONDS) < (3, 3)


def test_letters_are_told_of_batch_by_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import smtplib  # noqa: PLC0415

    monkeypatch.setattr(catcher, "QUIET_SECONDS", 0.2)
    told: list[str] = []
    with catcher.mail_catcher(tmp_path, told.append) as url, smtplib.SMTP("127.0.0.1", int(url.rpartition(":")[2])) as smtp:
        for number in range(3):
            smtp.sendmail("a@school.example", ["b@school.example"], f"Subject: {number}\n\n")
        end = time.monotonic() + 5
        while not told and time.monotonic() < end:
            time.sleep(0.02)
        assert told == [f"3 封信已写入 {tmp_path}"]
        smtp.sendmail("a@school.example", ["b@school.example"], "Subject: last\n\n")
    assert told[1:] == [f"1 封信已写入 {tmp_path}"]
    assert len(list(tmp_path.iterdir())) == 4


# ── run.py ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/opt/x'", "没有权限写"),
        ("Error: [Errno 30] Read-only file system: '/opt/zhibu/.venv'", "没有权限写"),
        ("OSError: [Errno 28] No space left on device", "磁盘已满"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "摘要不符"),
        ("NewConnectionError: Failed to establish a new connection: Name resolution\nERROR: No matching distribution found for click", "检查网络"),
        ("ReadTimeoutError: HTTPSConnectionPool: Read timed out.", "检查网络"),
        ("error: Failed to fetch\n  Caused by: error sending request for url\n  dns error", "检查网络"),
        ("ERROR: Could not find a version that satisfies the requirement click==8.5.1 (from versions: none)", "检查网络"),
        ("ERROR: Could not find a version that satisfies the requirement click==8.5.1 (from versions: 7.0, 8.0)", "镜像里没有"),
        ("SyntaxError: invalid syntax", "请看上面的提示"),
    ],
)
def test_the_advice_fits_the_fault(said: str, advice: str) -> None:
    zh, en = run.advice(said).splitlines()
    assert advice in zh
    assert not re.search("[\u4e00-\u9fff]", en)
    assert ("网络" in zh) == (advice == "检查网络")
