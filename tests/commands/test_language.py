"""The command line speaks the operator's language: all of its help, and what it prints."""

from __future__ import annotations

import importlib
import re
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from api.server.demo import _welcome
from api.server.listening import must_be_free
from commands import click_words
from commands.language import LOCALE, say, spoken_language
from commands.years import _changes, _place
from workflow.demo import FIRST, PASSWORD, DemoAccount
from workflow.foundation.embedded import bin_path
from workflow.foundation.errors import Conflict, EmbeddedUnavailable, SettingsInvalid, Words
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import Post, Role
from workflow.reminders.when import reason_of
from workflow.year.plan_files import find_plan

CHINESE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
NOWHERE = {"ZHIBU_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}

Cli = Callable[[str], click.Group]


def take_away() -> dict[str, ModuleType]:
    """Take the modules of the command line away, as in a process that has not begun."""
    return {name: sys.modules.pop(name) for name in [*sys.modules] if name == "cli" or name.partition(".")[0] == "commands"}


@pytest.fixture
def cli_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """Import the command line as a process of this language would."""
    there = take_away()

    def imported(language: str) -> click.Group:
        monkeypatch.setenv("ZHIBU_LANG", language)
        take_away()
        group: click.Group = importlib.import_module("cli").main
        return group

    yield imported
    take_away()
    sys.modules.update(there)
    click_words.translate_click(spoken_language)


def run(main: click.Group, *words: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, list(words))


def helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Give every command, group and option below this one with its help."""
    yield path, command.help or ""
    for each in command.params:
        if isinstance(each, click.Option):
            yield f"{path} {each.opts[0]}", each.help or ""
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, f"{path} {name}")


# ── which language ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8", "LANG": "en_GB.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "en_US.UTF-8"}, "en"),
        ({"ZHIBU_LANG": "zh", "LC_ALL": "en_US.UTF-8"}, "zh"),
        ({"ZHIBU_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, "en"),
        ({"ZHIBU_LANG": "fr"}, "zh"),
    ],
)
def test_the_setting_goes_before_the_locale_and_without_both_it_is_chinese(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], language: str
) -> None:
    for name in ("ZHIBU_LANG", *LOCALE):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert spoken_language() == language
    assert say(Words("中文", "English")) == {"zh": "中文", "en": "English"}[language]


def test_tests_do_not_inherit_the_language_of_the_machine() -> None:
    assert spoken_language() == "zh"


def test_a_language_that_is_not_spoken_is_refused_by_name(cli_in: Cli) -> None:
    told = run(cli_in("zh"), "doctor", ZHIBU_LANG="fr")
    assert (told.exit_code, told.output) == (1, "错误：设置 ZHIBU_LANG 有误：应为 zh 或 en\n")


# ── help ──────────────────────────────────────────────────────────────────────────────────────────


def test_every_command_group_and_option_has_help_in_both_languages(cli_in: Cli) -> None:
    chinese, english = dict(helps(cli_in("zh"), "zhibu")), dict(helps(cli_in("en"), "zhibu"))
    assert chinese.keys() == english.keys()
    assert {"zhibu", "zhibu plan", "zhibu plan check", "zhibu worker --dry-run"} <= chinese.keys()
    assert [path for path, words in chinese.items() if not CHINESE.search(words)] == []
    assert [path for path, words in english.items() if not words or CHINESE.search(words)] == []


def test_no_page_of_help_mixes_the_languages(cli_in: Cli) -> None:
    english = cli_in("en")
    paths = [path.split()[1:] for path, _ in helps(english, "zhibu") if "--" not in path]
    pages = {" ".join(path): run(english, *path, "--help", COLUMNS="200").output for path in paths}
    assert len(pages) > 15
    assert [path for path, page in pages.items() if CHINESE.search(page)] == []


def test_the_lists_of_commands_cut_no_line(cli_in: Cli) -> None:
    for language in ("zh", "en"):
        whole = cli_in(language)
        for group in ([], *([name] for name, each in whole.commands.items() if isinstance(each, click.Group))):
            _, _, listed = run(whole, *group, "--help").output.partition({"zh": "命令:\n", "en": "Commands:\n"}[language])
            assert listed
            assert "..." not in listed


# ── what is printed ───────────────────────────────────────────────────────────────────────────────


def test_an_echo_speaks_the_language(cli_in: Cli) -> None:
    assert run(cli_in("en"), "plan", "diff", "2024", "2024").output == "The two plans are the same.\n"
    assert run(cli_in("zh"), "plan", "diff", "2024", "2024").output == "两份方案相同。\n"


def test_a_refusal_speaks_the_language(cli_in: Cli) -> None:
    chinese, english = (run(cli_in(each), "plan", "check", "2031") for each in ("zh", "en"))
    assert (chinese.exit_code, chinese.output) == (1, "错误：没有这个方案；现有方案：2024\n")
    assert (english.exit_code, english.output) == (1, "Error: There is no such plan; there are: 2024\n")


def test_a_usage_error_speaks_the_language_and_ends_with_2(cli_in: Cli) -> None:
    told = run(cli_in("en"), "account", "invite")
    assert (told.exit_code, told.output.splitlines()[-1]) == (2, "Error: give either --branch or --staff-no")


def test_a_database_that_is_away_is_told_in_the_language(cli_in: Cli) -> None:
    words = ("cycle", "publish", "2031")
    chinese, english = (run(cli_in(each), *words, **NOWHERE) for each in ("zh", "en"))
    assert chinese.output == "错误：ZHIBU_DATABASE_URL 连不上数据库：127.0.0.1 的 1 端口没有数据库应答，请检查主机和端口，以及数据库服务是否在运行\n"
    assert english.output.startswith("Error: ZHIBU_DATABASE_URL does not lead to a database: no database answers on port 1 of 127.0.0.1")


def test_findings_of_the_doctor_speak_the_language(cli_in: Cli) -> None:
    told = {each: run(cli_in(each), "doctor", **NOWHERE) for each in ("zh", "en")}
    assert {each.exit_code for each in told.values()} == {1}
    chinese, english = (told[each].output.splitlines() for each in ("zh", "en"))
    assert [line.split("\t")[:2] for line in chinese] == [
        ["故障", "数据库"],
        ["故障", "密钥"],
        ["故障", "地址"],
        ["故障", "邮件"],
        *(line.split("\t")[:2] for line in chinese[4:]),
    ]
    assert [line.split("\t")[:2] for line in english[:4]] == [["broken", each] for each in ("database", "secret key", "address", "mail")]
    assert len(english) == len(chinese) == 7
    assert CHINESE.search(told["en"].output) is None


def test_faults_of_a_plan_speak_the_language(cli_in: Cli, tmp_path: Path) -> None:
    text = find_plan("2024", None)[1].replace('rounding = "down"', 'rounding = "off"\nspeed = 3').replace("year = 2024", "year = 1999")
    text = re.sub(r"^K7 = .*\n", "", text, flags=re.MULTILINE).replace('ratio = "1/4"', 'ratio = "4/1"')
    text = text.replace('"逃避推脱组织安排的任务",', '"逃避推脱组织安排的任务",\n    "逃避推脱组织安排的任务",')
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    told = run(cli_in("en"), "plan", "check", str(tmp_path / "p.toml"))
    assert sorted(told.output.splitlines()) == sorted(
        [
            "year: must not be below 2000",
            "quota.ratio: a ratio must not be above 1",
            "quota.rounding: should be 'down', 'up' or 'nearest'",
            "quota.speed: no such key; please check its spelling and its table",
            "warning_signs.signs: “逃避推脱组织安排的任务” stands there twice",
            "clauses.K7: the plan's sentence for this clause is missing; one that this year does not ask goes into [not_asked]",
            "Error: faults in the plan file: 6",
        ]
    )


def test_a_file_that_is_no_plan_is_told_in_the_language(cli_in: Cli, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("year = \n", encoding="utf-8")
    told = run(cli_in("en"), "plan", "check", str(tmp_path / "p.toml"))
    assert told.output.startswith("line 1: not TOML")


@pytest.mark.parametrize(
    ("name", "value", "zh", "en"),
    [
        ("SMTP_URL", "mail", "应形如 smtp://", "it should look like smtp://"),
        ("SECRET_KEY", "short", "至少 16 个字符", "at least 16 characters"),
        ("SECRET_KEY", "换成_openssl_rand_-base64_32_的输出", "还是样例里的那一行", "it is still the example's"),
        ("TOKEN_DAYS", "many", "应为整数", "it should be a whole number"),
        ("TOKEN_DAYS", "732", "至多 731", "it should be 731 at most"),
        ("METRICS_FROM", "here", "应为逗号分开的地址或网段", "it should be addresses or networks"),
        ("METRICS_FROM", "10.0.0.1/8", "应为逗号分开的地址或网段", "it should be addresses or networks"),
        ("TICK_SECONDS", "soon", "应为数字", "it should be a number"),
        ("TICK_SECONDS", "0", "应为正数", "it should be above zero"),
    ],
)
def test_a_setting_that_is_wrong_is_told_in_both_languages(name: str, value: str, zh: str, en: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_settings({f"ZHIBU_{name}": value})
    assert refused.value.detail.zh.startswith(f"设置 ZHIBU_{name} 有误：{zh}")
    assert refused.value.detail.en.startswith(f"the setting ZHIBU_{name} is wrong: {en}")


def test_an_embedded_database_that_is_not_there_is_told_in_both_languages() -> None:
    with pytest.raises(EmbeddedUnavailable) as unavailable:
        bin_path(9)
    assert unavailable.value.words.zh.startswith("没有内置 PostgreSQL 9，")
    assert unavailable.value.words.en == "there is no embedded PostgreSQL 9, only 16, 18"


@pytest.mark.parametrize(
    ("before", "zh", "en"),
    [
        (1, "期限前1天", "1 day before the deadline"),
        (3, "期限前3天", "3 days before the deadline"),
        (0, "期限当天", "on the day: the deadline"),
        (-8, "期限已过8天（遇休息日，顺延至12月28日）", "8 days after the deadline (put off to 2024-12-28, a day off)"),
    ],
)
def test_why_a_letter_is_due_has_both_languages(before: int, zh: str, en: str) -> None:
    due_on, overrides = date(2024, 12, 19), {}
    if before < 0:
        overrides = {due_on - timedelta(days=before): False, date(2024, 12, 28): True}
    why = reason_of(Words("期限", "the deadline"), due_on, before, overrides)
    assert (why.zh, why.en) == (zh, en)


def test_a_port_that_is_taken_is_named_in_both_languages() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict) as refused:
            must_be_free(port)
    assert refused.value.detail.zh == f"127.0.0.1:{port} 已被占用，请用 --port 换一个"
    assert refused.value.detail.en == f"127.0.0.1:{port} is in use; please choose another with --port"


def test_the_demo_welcomes_in_both_languages(tmp_path: Path) -> None:
    account = DemoAccount(Role.SECRETARY, "0101001", "Peng", FIRST, Post.SECRETARY, PASSWORD, "zb_token")
    told = _welcome(read_settings({}, base_url="http://127.0.0.1:8000", data_dir=tmp_path), [account], tmp_path / "accounts.json", 2024)
    assert CHINESE.search(told.en) is None
    assert "0101001 secretary" in told.en
    assert "0101001 党支部书记" in told.zh
    assert len(told.zh.splitlines()) == len(told.en.splitlines()) == 6, "with the four steps before it: ten lines"
    shared = f"{tmp_path / 'mail'}", f"{tmp_path / 'accounts.json'}", "Bearer zb_token", f"/branches/{FIRST}/next", "Ctrl-C"
    assert [each for each in shared if each not in told.zh or each not in told.en] == []


def test_what_a_roster_changes_and_where_a_problem_stands_have_both_languages() -> None:
    summary: dict[str, Any] = {"branches": 2, "new_branches": ["D1"], "changed_branches": [], "members": 9, "new_members": 3, "changed_members": 1}
    post = {"name": "Wang", "branch": "D1", "post": "deputy"}
    summary |= {"given": [{**post, "title": None, "starts_on": "2024-12-20"}], "ended": [{**post, "title": "副书记", "ends_on": "2024-12-19"}]}
    summary |= {"posts_given": 4, "posts_ended": 0, "gone": [{"name": "Wang", "from": "D1"}], "moved": [{"name": "Li", "from": "D1", "to": "D2"}]}
    lines = list(_changes(summary))
    assert [each.en for each in lines] == [
        "Branches: 2 (1 new, 0 changed)",
        "Members: 9 (3 new, 1 changed)",
        "Posts: 4 given, 0 ended",
        "given: Wang D1 deputy, from 2024-12-20",
        "ended: Wang D1 副书记, last day 2024-12-19",
        "moved: Li D1 → D2",
        "no longer on the roster: Wang (D1)",
    ]
    assert lines[0].zh == "党支部 2 个（新增 1，变更 0）"
    place = _place({"sheet": "党员", "row": 3, "heading": "学工号"})
    assert (place.zh, place.en) == ("党员第3行学工号", "党员 row 3 学工号")
    assert _place({"sheet": None, "row": None, "heading": None}).en == ""
