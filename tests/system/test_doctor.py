"""``zhibu doctor``: each fault in one line with its remedy; a healthy part is reported as such."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import ANY

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from commands.frame import Urls
from schedulers.courier import Unavailable
from schedulers.sealing import seal_and_go_on
from tests.support.builders import a_school
from tests.support.mail_server import MailServer, free_port, mail_server
from tests.support.passing import age_heartbeat
from tests.support.running.outages import a_proxy
from workflow.foundation.database import transaction
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.errors import EmbeddedUnavailable, Words
from workflow.foundation.seals import sealing
from workflow.foundation.settings import Settings, read_settings
from workflow.mail.heartbeat import beat
from workflow.readings import doctor as examination
from workflow.readings.doctor import examine
from workflow.readings.findings import Finding, State

RIGHT = {
    "secret_key": "a secret of the tests' own",
    "base_url": "https://zhibu.example.edu.cn",
    "smtp_url": "smtp+starttls://mail.example.edu.cn",
    "mail_from": "zhibu@example.edu.cn",
    "contact": "党委办公室 0371-00000000",
    "database_url": "postgresql://db.example.edu.cn/zhibu",
}
CHINESE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
KNOWN = datetime(2024, 12, 20, 2, 0, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def nothing() -> None:
    """Act as a mail server that answers."""


def look(
    url: str | None = None,
    *,
    clock: Callable[[], datetime] = now,
    newest: str | None = None,
    greet: Callable[[], None] = nothing,
    **settings: Any,
) -> dict[str, list[Finding]]:
    """Give the findings by subject, each in both languages.

    Without a URL the embedded database cannot be used.
    """

    @contextmanager
    def opened() -> Iterator[Urls]:
        if url is None:
            raise EmbeddedUnavailable(Words("无法使用内置数据库", "no embedded database"))
        yield Urls(url, url)

    read = read_settings({}, **{name: value for name, value in {**RIGHT, **settings}.items() if value is not None})
    found: dict[str, list[Finding]] = {}
    for each in examine(read, opened, greet, clock=clock, newest_migration=newest):
        found.setdefault(each.what, []).append(each)
        assert not CHINESE.search(f"{each.what.en} {each.said.en}"), each.said.en
    return found


@pytest.fixture
def newest(engine: Engine) -> str:
    with transaction(engine, actor=None) as session:
        return str(session.scalar(text("select version_num from alembic_version")))


def test_a_school_where_all_is_well(engine: Engine, database_url: str, newest: str) -> None:
    with transaction(engine, actor="worker") as session:
        beat(session)
    found = look(database_url, newest=newest)
    assert found.keys() == {"数据库", "时钟", "角色", "迁移", "后台", "变更记录", "密钥", "地址", "邮件", "联系方式", "日历"}
    assert [each for those in found.values() for each in those if each.state is State.BROKEN] == []
    assert [each.state for name, those in found.items() if name != "日历" for each in those] == [State.OK] * 10


def test_the_newest_rows_of_the_history_are_verified(
    engine: Engine, database_url: str, superuser: str, newest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def history() -> tuple[State, str]:
        [found] = look(database_url, newest=newest, data_dir=str(tmp_path))["变更记录"]
        return found.state, found.said

    with transaction(engine, actor="cli") as session:
        a_school(session)
    settings = Settings(secret_key=SecretStr(RIGHT["secret_key"]), data_dir=tmp_path)
    monkeypatch.setattr(sealing, "MOST_ROWS", 5)
    seal_and_go_on(engine, settings, Event())
    assert history() == (State.OK, ANY)
    god = create_engine(make_url(superuser).set(database=engine.url.database), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with god.connect() as connection:
        connection.execute(text("update history set at = at - interval '6 minutes' where id = (select max(id) from history)"))
        state, said = history()
        assert (state, "被改动" in said, "zhibu verify" in said) == (State.BROKEN, True, True)
        monkeypatch.setattr(examination, "ROWS_VERIFIED", 0)
        connection.execute(text("update history set at = at + interval '6 minutes' where id = (select max(id) from history)"))
        connection.execute(text("update history set actor = 'somebody' where id = 1"))
        assert history()[0] is State.OK, "of long ago: zhibu verify finds it"
        connection.execute(text("delete from history_seal"))
        state, said = history()
        assert (state, "见过第" in said) == (State.BROKEN, True)
        for file in tmp_path.iterdir():
            file.unlink()
        connection.execute(text("update history set at = at - interval '6 minutes'"))
        state, said = history()
        assert (state, "6 分钟没有封印" in said) == (State.WARNING, True)


def test_a_database_that_is_away_is_told_and_the_rest_is_looked_at_all_the_same() -> None:
    found = look(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing")
    assert [(each.state, "ZHIBU_DATABASE_URL" in each.said) for each in found["数据库"]] == [(State.BROKEN, True)]
    assert "邮件" in found


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [("default_transaction_read_only", "on", "default_transaction_read_only"), ("temp_file_limit", "'64kB'", "53400）：多半是磁盘已满")],
)
def test_a_database_that_takes_no_changes_is_broken_and_the_rest_is_looked_at(
    engine: Engine, superuser: str, database_url: str, newest: str, setting: str, value: str, advice: str
) -> None:
    with transaction(engine, actor="worker") as session:
        beat(session)
    administration = create_engine(superuser, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"alter database {make_url(database_url).database} set {setting} = {value}"))
    administration.dispose()
    found = look(database_url, newest=newest)
    assert [(each.state, advice in each.said) for each in found["数据库"]] == [(State.BROKEN, True)]
    assert found["后台"][0].state is State.OK


def test_a_line_that_others_can_read_is_warned_of_and_the_server_is_named(database_url: str, newest: str) -> None:
    with a_proxy(database_url) as proxy:
        near = make_url(proxy.url)
        # Not loopback by its name, and reached without a network.
        far = near.set(host="0.0.0.0")  # noqa: S104
        said = {url.host: look(url.render_as_string(hide_password=False), newest=newest)["数据库"] for url in (near, far)}
    assert [(each.state, f"127.0.0.1:{near.port}" in each.said) for each in said["127.0.0.1"]] == [(State.OK, True)]
    assert [each.state for each in said["0.0.0.0"]] == [State.OK, State.WARNING]  # noqa: S104
    assert "没有加密" in said["0.0.0.0"][1].said  # noqa: S104
    assert "sslmode=verify-full" in said["0.0.0.0"][1].said  # noqa: S104


def test_an_embedded_database_that_cannot_be_used_is_told() -> None:
    [only] = look()["数据库"]
    assert (only.state, only.said) == (State.BROKEN, "无法使用内置数据库")


def test_an_application_that_owns_the_tables_is_warned_of(owner_url: str, superuser: str, database_url: str) -> None:
    for url, why in ((owner_url, "拥有数据表"), (make_url(superuser).set(database=make_url(database_url).database), "超级用户")):
        [role] = look(url if isinstance(url, str) else url.render_as_string(hide_password=False))["角色"]
        assert (role.state, why in role.said) == (State.WARNING, True)


def test_a_login_without_the_right_to_the_tables_is_broken(superuser: str, database_url: str) -> None:
    stranger = f"stranger_{os.getpid()}"
    administration = create_engine(superuser, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        password = make_url(superuser).password
        connection.execute(text(f"create role {stranger} login" + (f" password '{password}'" if password else "")))
        try:
            found = look(make_url(database_url).set(username=stranger).render_as_string(hide_password=False), newest="?")
        finally:
            connection.execute(text(f"drop role {stranger}"))
    administration.dispose()
    assert (found["角色"][0].state, "zhibu migrate" in found["角色"][0].said) == (State.BROKEN, True)


def test_migrations_that_are_missing_are_broken(superuser: str, database_url: str, newest: str) -> None:
    assert look(database_url, newest=newest)["迁移"][0].state is State.OK
    for url in (database_url, superuser):
        [missing] = look(url, newest="a newer one")["迁移"]
        assert (missing.state, "zhibu migrate" in missing.said) == (State.BROKEN, True)


@pytest.mark.parametrize(("ahead", "state"), [(-300, State.BROKEN), (-10, State.WARNING), (0, State.OK), (10, State.WARNING), (300, State.BROKEN)])
def test_clocks_that_differ_are_told(database_url: str, ahead: int, state: State) -> None:
    [clock] = look(database_url, clock=lambda: now() + timedelta(seconds=ahead))["时钟"]
    assert clock.state is state


@pytest.mark.parametrize(
    ("what", "settings", "state", "advice"),
    [
        ("密钥", {"secret_key": None}, State.BROKEN, "ZHIBU_SECRET_KEY"),
        ("密钥", {"secret_key": "aaaaaaaaaaaaaaaaaaaa"}, State.WARNING, "openssl rand"),
        ("地址", {"base_url": None}, State.BROKEN, "ZHIBU_BASE_URL"),
        ("地址", {"base_url": "http://zhibu.example.edu.cn"}, State.WARNING, "HTTPS"),
        ("地址", {"base_url": "http://127.0.0.1:8000"}, State.WARNING, "只有本机"),
        ("邮件", {"smtp_url": None}, State.BROKEN, "ZHIBU_SMTP_URL"),
        ("邮件", {"mail_from": "zhibu@localhost"}, State.WARNING, "ZHIBU_MAIL_FROM"),
        ("邮件", {"smtp_url": "smtp://mail.example.edu.cn:25"}, State.WARNING, "smtp+starttls://"),
        ("邮件", {"smtp_url": "smtp://127.0.0.1:25"}, State.OK, "有应答"),
        ("邮件", {"lease_seconds": 599}, State.WARNING, "ZHIBU_LEASE_SECONDS 是 599 秒，应不少于 ZHIBU_SMTP_TIMEOUT_SECONDS 的 20 倍（600 秒）"),
    ],
)
def test_a_setting_that_is_missing_or_weak_is_told_with_its_name(what: str, settings: dict[str, Any], state: State, advice: str) -> None:
    [found] = look(**settings)[what]
    assert found.state is state
    assert advice in found.said


def test_a_mail_server_that_does_not_answer_is_broken() -> None:
    def refuse() -> None:
        raise ConnectionRefusedError

    [mail] = look(greet=refuse)["邮件"]
    assert (mail.state, "ConnectionRefusedError" in mail.said) == (State.BROKEN, True)


@pytest.mark.parametrize("why", ["STARTTLS not offered", "SSLCertVerificationError"])
def test_a_mail_server_without_the_encryption_that_is_needed_is_told_as_such(why: str) -> None:
    def refuse() -> None:
        raise Unavailable(why)

    [mail] = look(greet=refuse)["邮件"]
    assert (mail.state, "加密不了" in mail.said, why in mail.said) == (State.BROKEN, True, True)


def test_a_year_whose_days_off_are_not_announced_is_a_warning() -> None:
    assert [each.state for each in look(clock=lambda: KNOWN)["日历"]] == [State.OK, State.OK]
    unknown = look(clock=lambda: KNOWN.replace(year=2090))["日历"]
    assert [(each.state, year in each.said) for each, year in zip(unknown, ("2090", "2091"), strict=True)] == [(State.WARNING, True)] * 2


def test_a_worker_that_never_ran_is_a_warning_a_silent_one_is_broken_and_a_letter_that_waits_is_told(
    engine: Engine, database_url: str, newest: str
) -> None:
    assert look(database_url, newest=newest)["后台"][0].state is State.WARNING
    with transaction(engine, actor="cli") as session:
        a_school(session)
        beat(session)
        age_heartbeat(session, timedelta(minutes=11))
    [silent] = look(database_url, newest=newest)["后台"]
    assert (silent.state, "11 分钟" in silent.said) == (State.BROKEN, True)
    with transaction(engine, actor="worker") as session:
        beat(session)
        session.execute(text("update worker_heartbeat set oldest_unsent = now() - interval '90 minutes'"))
    [waiting] = look(database_url, newest=newest)["后台"]
    assert (waiting.state, "90 分钟" in waiting.said) == (State.WARNING, True)


def test_a_tick_of_which_a_step_failed_is_broken_and_says_which(
    engine: Engine,
    database_url: str,
    newest: str,
) -> None:
    with transaction(engine, actor="worker") as session:
        beat(session, "derive KeyError")
    [first] = look(database_url, newest=newest)["后台"]
    assert (first.state, "derive KeyError" in first.said, "没有一轮" in first.said) == (
        State.BROKEN,
        True,
        True,
    )
    with transaction(engine, actor="worker") as session:
        beat(session)
        age_heartbeat(session, timedelta(minutes=3))
        beat(session, "fold IntegrityError, forget ProgrammingError")
    [since] = look(database_url, newest=newest)["后台"]
    assert since.state is State.BROKEN
    assert "fold IntegrityError, forget ProgrammingError" in since.said
    assert "3 分钟前" in since.said
    with transaction(engine, actor="worker") as session:
        beat(session)
    assert look(database_url, newest=newest)["后台"][0].state is State.OK


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def doctor(project: Path, **environment: str) -> tuple[int, dict[str, str]]:
    """Run the command; give its exit code, and the state of each line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "doctor"], cwd=project, env={**kept, **environment}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, {what: state for state, what, _ in (line.split("\t") for line in done.stdout.splitlines()) if what != "日历"}


@pytest.mark.slow
def test_the_command_ends_with_1_when_something_is_broken_and_with_0_when_there_are_warnings(
    project: Path, database_url: str, mail: MailServer
) -> None:
    school = {
        "ZHIBU_DATABASE_URL": database_url.replace("+psycopg", ""),
        "ZHIBU_SECRET_KEY": "a secret of the tests' own",
        "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn",
        "ZHIBU_SMTP_URL": mail.url,
    }
    code, states = doctor(project, **school)
    assert (code, states["邮件"], states["后台"]) == (0, "提醒", "提醒")
    assert {states[what] for what in ("数据库", "时钟", "角色", "迁移", "密钥", "地址")} == {"正常"}
    assert mail.received == []
    code, states = doctor(project, **{**school, "ZHIBU_SMTP_URL": f"smtp://127.0.0.1:{free_port()}"})
    assert (code, states["邮件"]) == (1, "故障")


@pytest.mark.thorough
@pytest.mark.slow
def test_the_examples_secret_stops_the_command_as_it_stops_the_service(project: Path, tmp_path: Path) -> None:
    example = (project / "deploy" / "zhibu.env.example").read_text(encoding="utf-8")
    [secret] = [line.partition("=")[2] for line in example.splitlines() if line.startswith("ZHIBU_SECRET_KEY=")]
    for words in (["doctor"], ["serve"], ["worker"]):
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=project,
            env={**os.environ, "ZHIBU_SECRET_KEY": secret, "ZHIBU_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "ZHIBU_SECRET_KEY" in done.stderr
        assert "openssl rand" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_command_looks_at_an_embedded_database_too(project: Path, tmp_path: Path) -> None:
    code, states = doctor(project, ZHIBU_DATA_DIR=str(tmp_path / "none"))
    assert (code, states["数据库"], (tmp_path / "none").exists()) == (1, "故障", False), "to examine is not to make one"
    with embedded_postgres(tmp_path):
        code, states = doctor(project, ZHIBU_DATA_DIR=str(tmp_path))
    assert (code, states["数据库"], states["角色"], states["迁移"]) == (1, "正常", "正常", "故障")


def test_letters_that_do_not_say_whom_to_ask_are_warned_of() -> None:
    [set_] = look()["联系方式"]
    assert (set_.state, "党委办公室 0371-00000000" in set_.said) == (State.OK, True)
    [missing] = look(contact=None)["联系方式"]
    assert (missing.state, "ZHIBU_CONTACT" in missing.said) == (State.WARNING, True)
