"""Mistakes of a first hour, at the command: one sentence that names what is wrong, and 1."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from cli import main
from commands.language import program
from commands.service import newest_migration
from tests.support.mail_server import free_port
from tests.support.running.postgres import administration, url_of
from workflow.foundation.database import APPLICATION_ROLE

SECRET = {"ZHIBU_SECRET_KEY": "a secret of the tests' own", "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn"}
numbers = count(1)


def run(*words: str, **environment: str) -> Result:
    result = CliRunner(env={**SECRET, **environment}).invoke(main, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(*words: str, **environment: str) -> str:
    """Give the one sentence of a command that ends with 1."""
    result = run(*words, **environment)
    assert result.exit_code == 1, result.output
    [line] = result.output.splitlines()
    assert line.startswith("错误：")
    return line.removeprefix("错误：")


# ── a database that is not reached ────────────────────────────────────────────────────────────────


@pytest.fixture
def guarded(superuser: str, database_url: str) -> Iterator[str]:
    """The URL of a login that the server asks for its password, also the embedded one."""
    login = f"guarded_{os.getpid()}_{next(numbers)}"
    with administration(superuser) as connection:
        connection.execute(text(f"create role {login} login password 'right' in role {APPLICATION_ROLE}"))
        rules = Path(str(connection.scalar(text("show hba_file"))))
        before = rules.read_text(encoding="utf-8") if make_url(superuser).query else None
        if before is not None:
            rules.write_text(f"local all {login} scram-sha-256\n{before}", encoding="utf-8")
            connection.execute(text("select pg_reload_conf()"))
        try:
            yield make_url(database_url).set(username=login, password="right").render_as_string(hide_password=False)
        finally:
            if before is not None:
                rules.write_text(before, encoding="utf-8")
                connection.execute(text("select pg_reload_conf()"))
            connection.execute(text(f"drop role {login}"))


@pytest.mark.parametrize("variable", ["ZHIBU_OWNER_DATABASE_URL", "ZHIBU_DATABASE_URL"])
def test_a_database_that_is_not_reached_is_told_with_its_setting_and_its_cause(
    superuser: str, database_url: str, owner_url: str, guarded: str, variable: str
) -> None:
    url, nowhere = make_url(guarded), "postgresql://u:p@127.0.0.1"
    right = {"ZHIBU_OWNER_DATABASE_URL": owner_url, "ZHIBU_DATABASE_URL": database_url}
    with administration(superuser) as connection:
        connection.execute(text(f"create role group_{url.username} password 'right'"))
    wrong = {
        "口令不对": str(url.set(password="wrong").render_as_string(hide_password=False)),
        "没有写口令": url._replace(password=None).render_as_string(),
        "没有名为 nothing_here 的库": url.set(database="nothing_here").render_as_string(hide_password=False),
        "是一个组，不能登录": url.set(username=f"group_{url.username}").render_as_string(hide_password=False),
        "没有数据库应答": f"{nowhere}:{free_port()}/zhibu",
        "没有 nosuch.invalid 这台主机": "postgresql://u:p@nosuch.invalid/zhibu",
        "没有 5433 端口的数据库": "postgresql://u@/zhibu?host=/nowhere&port=5433",
    }
    try:
        for cause, wrong_url in wrong.items():
            sentence = told("migrate", **{**right, variable: wrong_url})
            assert sentence.startswith(f"{variable} 连不上数据库："), sentence
            assert cause in sentence
        both = told("migrate", ZHIBU_OWNER_DATABASE_URL=wrong["口令不对"], ZHIBU_DATABASE_URL=wrong["没有数据库应答"])
        assert ("ZHIBU_OWNER_DATABASE_URL 连不上" in both, "ZHIBU_DATABASE_URL 连不上" in both) == (True, True)
    finally:
        with administration(superuser) as connection:
            connection.execute(text(f"drop role group_{url.username}"))


# ── a database that is not to be migrated ─────────────────────────────────────────────────────────

Made = Callable[[], tuple[str, str]]


@pytest.fixture
def empty(superuser: str, template: str) -> Iterator[Made]:
    """A function that makes an empty database; gives the owner's and the application's URL."""
    made: list[str] = []

    def one() -> tuple[str, str]:
        name = f"zhibu_empty_{os.getpid()}_{next(numbers)}"
        with administration(superuser) as connection:
            connection.execute(text(f"create database {name} owner {migrations.OWNER_ROLE}"))
        made.append(name)
        return url_of(superuser, name, migrations.OWNER_ROLE), url_of(superuser, name, APPLICATION_ROLE)

    yield one
    with administration(superuser) as connection:
        for name in made:
            connection.execute(text(f"drop database {name} with (force)"))


def tables(url: str) -> list[str]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return sorted(connection.scalars(text("select tablename from pg_tables where schemaname = 'public'")))


def do(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_migrate_refuses_what_it_should_not_touch_and_changes_nothing(empty: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, application = empty()
    urls = {"ZHIBU_OWNER_DATABASE_URL": owner, "ZHIBU_DATABASE_URL": application}
    forgotten = told("migrate", ZHIBU_DATABASE_URL=application)
    assert "登录名 zhibu_app 不能在库" in forgotten
    assert f"写在 ZHIBU_OWNER_DATABASE_URL，再运行 {program()} migrate" in forgotten
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "OLDEST_POSTGRESQL", 99)
        assert "需要 99 或更新" in told("migrate", **urls)
    assert tables(owner) == []
    do(owner, "create table somebody_elses (a int)")
    assert "不是空的，也不是本程序建的（有表 somebody_elses）" in told("migrate", **urls)
    do(owner, "create table alembic_version (version_num text)", "insert into alembic_version values ('of_another_program')")
    assert "版本 of_another_program 本程序不认识" in told("migrate", **urls)
    assert tables(owner) == ["alembic_version", "somebody_elses"]


def test_migrate_says_what_it_made_and_that_there_is_nothing_to_do(empty: Made, owner_url: str, database_url: str) -> None:
    owner, application = empty()
    made = run("migrate", ZHIBU_OWNER_DATABASE_URL=owner, ZHIBU_DATABASE_URL=application)
    assert made.output == f"数据库已建立：{len(tables(owner))} 张表，版本 {newest_migration()}。\n"
    again = run("migrate", ZHIBU_OWNER_DATABASE_URL=owner, ZHIBU_DATABASE_URL=application)
    assert again.output == f"数据库已是最新版本（{newest_migration()}）。\n"
    _, elsewhere = empty()
    sentence = told("migrate", ZHIBU_OWNER_DATABASE_URL=owner_url, ZHIBU_DATABASE_URL=elsewhere)
    assert "两处应是同一台主机、同一个库" in sentence


# ── every command ─────────────────────────────────────────────────────────────────────────────────

NO_DATABASE = {"demo", "test", "bench", "docs", "plan check", "plan diff", "doctor"}
"""Commands that need none, bring their own, or tell it in a line of their own."""
SERVICES = {"serve", "worker"}
"""Services log, and may wait for their database (tests/system)."""
WORDS = {
    "account create": ("--staff-no", "1", "--name", "甲", "--role", "office"),
    "account password": ("--staff-no", "1", "--password-stdin"),
    "account address": ("--staff-no", "1", "--email", "a@b.cn"),
    "account invite": ("--staff-no", "1"),
    "account slips": ("--staff-no", "1"),
    "token create": ("--staff-no", "1"),
    "roster import": (__file__,),
    "cycle open": ("--plan", "2024"),
    "cycle amend": ("2024", "--number", "1", "--issued-on", "2024-12-19", "--reason", "r"),
    "cycle reopen": ("2024", "--reason", "r"),
    **{f"cycle {name}": ("2024",) for name in ("publish", "reread", "drop", "close")},
}


def commands() -> list[str]:
    found: list[str] = []

    def walk(group: click.Group, *path: str) -> None:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                walk(command, *path, name)
            else:
                found.append(" ".join((*path, name)))

    walk(main)
    return found


def test_every_command_without_a_database_names_the_setting(empty: Made) -> None:
    everywhere = [each for each in commands() if each not in NO_DATABASE | SERVICES]
    assert len(everywhere) > 12
    _, unmigrated = empty()
    for name in everywhere:
        words = (*name.split(), *WORDS.get(name, ()))
        assert told(*words, ZHIBU_DATABASE_URL="postgresql://u:p@127.0.0.1:1/z").startswith("ZHIBU_DATABASE_URL 连不上数据库"), name
        assert "ZHIBU_DATABSE_URL，是不是 ZHIBU_DATABASE_URL？" in told(*words, ZHIBU_DATABSE_URL="x"), name
        if name != "migrate":
            expected = f"数据库还没有迁移到当前版本，请先运行 {program()} migrate"
            assert told(*words, ZHIBU_DATABASE_URL=unmigrated) == expected, name


def test_every_command_with_a_wrong_word_says_how_to_be_told() -> None:
    for name in (each for each in commands() if each not in {"test"}):
        wrong = run(*name.split(), "--nothing-like-this")
        assert (wrong.exit_code, "没有 --nothing-like-this 这个选项" in wrong.output, "Traceback" in wrong.output) == (2, True, False), name
        assert f"说明见“{program()} {name} --help”。" in wrong.output


def test_a_login_that_may_not_use_the_tables_is_named(superuser: str, database_url: str) -> None:
    stranger = f"stranger_{os.getpid()}_{next(numbers)}"
    with administration(superuser) as connection:
        password = make_url(superuser).password
        connection.execute(text(f"create role {stranger} login" + (f" password '{password}'" if password else "")))
    try:
        url = make_url(database_url).set(username=stranger).render_as_string(hide_password=False)
        sentence = told("cycle", "publish", "2024", ZHIBU_DATABASE_URL=url)
        assert f"ZHIBU_DATABASE_URL 的登录名 {stranger} 没有使用数据表的权限" in sentence
        # The owner's place is taken by the application: refused before anything is granted.
        assert "登录名 zhibu_app 不能在库" in told("migrate", ZHIBU_OWNER_DATABASE_URL=database_url, ZHIBU_DATABASE_URL=url)
    finally:
        with administration(superuser) as connection:
            connection.execute(text(f"drop role {stranger}"))


# ── files and folders ─────────────────────────────────────────────────────────────────────────────


def test_a_file_where_a_folder_should_be_and_the_other_way_round(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert f"{file} 是文件，这里要一个目录" in told("migrate", ZHIBU_DATA_DIR=str(file))
    assert "的路径里有一段是文件" in told("migrate", ZHIBU_DATA_DIR=str(file / "below"))
    assert "是目录，这里要一个文件" in run("roster", "import", str(tmp_path)).output
    assert "不存在" in run("roster", "import", str(tmp_path / "nothing.xlsx")).output
    assert run("demo", "--data-dir", str(file)).exit_code == 2
    assert f"{file} 是文件" in run("demo", ZHIBU_DATA_DIR=str(file)).output


def test_a_file_that_is_no_workbook_is_told_in_its_place(engine: Engine, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "名册.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    refused = run("roster", "import", str(tmp_path / "名册.xlsx"), ZHIBU_DATABASE_URL=database_url)
    assert refused.exit_code == 1
    assert "工作簿已损坏或内容异常" in refused.output
    (tmp_path / "名册.xlsx").write_text("姓名,学工号", encoding="utf-8")
    assert "不是 Excel 工作簿（.xlsx），像是CSV" in run("roster", "import", str(tmp_path / "名册.xlsx"), ZHIBU_DATABASE_URL=database_url).output


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Have no right to the files of others, also where the tests run as root."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_what_may_not_be_read_or_written_is_named_with_owner_and_mode(tmp_path: Path, database_url: str, as_nobody: None) -> None:
    locked = Path(tempfile.mkdtemp())
    (locked / "名册.xlsx").touch()
    for path, mode in ((locked / "名册.xlsx", 0), (locked, 0o500)):
        path.chmod(mode)
    try:
        for words, environment in (
            (("roster", "import", str(locked / "名册.xlsx")), {"ZHIBU_DATABASE_URL": database_url}),
            (("migrate",), {"ZHIBU_DATA_DIR": str(locked / "data")}),
            (("demo", "--port", str(free_port())), {"ZHIBU_DATA_DIR": str(locked / "data")}),
        ):
            refused = run(*words, **environment)
            assert (refused.exit_code, f"没有权限使用 {locked}" in refused.output) == (1, True), refused.output
    finally:
        locked.chmod(0o700)
        shutil.rmtree(locked)
