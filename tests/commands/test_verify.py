"""``zhibu verify``: green over a whole history, exit code 1 and the first fault over another."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

import commands.history
from cli import main
from schedulers.sealing import SEAL_SECONDS, seal_and_go_on
from tests.support.builders import a_school, person
from workflow.foundation.database import transaction
from workflow.foundation.seals.sealing import PATIENCE_SECONDS, HistorySeal, last_seal
from workflow.foundation.seals.witness import Seen, Witness
from workflow.foundation.settings import Settings

SECRET = "a secret of the tests' own"


@pytest.fixture
def settings(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a school whose history is not sealed yet."""
    with transaction(engine, actor="cli") as session:
        a_school(session)
    monkeypatch.setenv("ZHIBU_DATABASE_URL", engine.url.render_as_string(hide_password=False).replace("+psycopg", ""))
    monkeypatch.setenv("ZHIBU_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ZHIBU_SECRET_KEY", SECRET)
    return Settings.model_validate({"secret_key": SECRET, "data_dir": tmp_path / "data"})


@pytest.fixture
def god(superuser: str, settings: Settings, engine: Engine) -> Connection:
    """A superuser's connection to the same database; each statement is committed."""
    url = make_url(superuser).set(database=engine.url.database)
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()


def change(engine: Engine, address: str) -> None:
    with transaction(engine, actor="cli") as session:
        person(session, "王五").email = address


def sealed(engine: Engine, settings: Settings) -> Seen:
    """Seal as the worker does; give the newest seal."""
    seal_and_go_on(engine, settings, Event())
    with transaction(engine, actor=None) as session:
        last = last_seal(session)
    assert last is not None
    return Seen.of(last)


def verify(*words: str) -> Result:
    return CliRunner().invoke(main, ["verify", *words], catch_exceptions=False)


def test_a_whole_history_is_told_with_its_rows_its_seals_and_the_last_of_them(engine: Engine, settings: Settings) -> None:
    seen = sealed(engine, settings)
    told = verify()
    assert told.exit_code == 0
    first, before, last = told.output.splitlines()
    assert re.fullmatch(r"变更记录 \d+ 行、封印 1 道，没有被改动、删除、添加或调换的。", first)
    assert re.fullmatch(r"第一道封印在 .+：此前写下的 \d+ 行，自那时起没有变；更早有没有变，无从核对。", before)
    assert last.startswith(f"最后一道封印：{seen}。")
    change(engine, "wang5@school.example")
    assert "另有 1 行还没有封印。" in verify().output


def test_it_speaks_english(engine: Engine, settings: Settings, god: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIBU_LANG", "en")
    sealed(engine, settings)
    assert "none was edited, deleted, added or moved" in verify().output
    god.execute(text("delete from history where id = 5"))
    assert re.search(r"row 5 of the history \(seal 1, .+\) was deleted\. The 4 row\(s\) and 0 seal\(s\) before it are unchanged\.", verify().output)


def test_the_first_fault_ends_with_1(engine: Engine, settings: Settings, god: Connection) -> None:
    sealed(engine, settings)
    god.execute(text("update history set actor = 'somebody' where id = 5"))
    told = verify()
    assert told.exit_code == 1
    assert re.search(r"变更记录第 5 行（\w+ 表，记于 .+，封印 1，.+）被改动：.+。在它之前的 4 行、0 道封印没有改动。", told.output)


def test_destroyed_contents_are_fine_and_counted(engine: Engine, settings: Settings, god: Connection) -> None:
    sealed(engine, settings)
    god.execute(text("update history set salt = null, reason = null, old = null, new = null where id in (2, 3)"))
    told = verify()
    assert told.exit_code == 0
    assert "其中 2 行的内容已经销毁" in told.output


def test_a_cut_end_is_seen_by_the_witness_and_by_what_was_written_down(engine: Engine, settings: Settings, god: Connection) -> None:
    first = sealed(engine, settings)
    change(engine, "wang5@school.example")
    second = sealed(engine, settings)
    assert verify("--holds", str(first)).exit_code == verify("--holds", str(second)).exit_code == 0
    god.execute(text("delete from history where id = (select last_id from history_seal where number = 2)"))
    god.execute(text("delete from history_seal where number = 2"))
    told = verify()
    assert told.exit_code == 1
    assert f"记录的末尾不见了：见过第 2 道封印（{second.proof}），数据库里没有" in told.output
    assert "--restored" in told.output
    # The worker goes on, and does not forget what it saw.
    change(engine, "other@school.example")
    with capture_logs() as logs:
        other = sealed(engine, settings)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["seals-missing"]
    assert other.number == 2
    assert f"第 2 道封印被换过：见过的是 {second.proof}，现在是 {other.proof}" in verify().output
    # On another machine only what was written down tells.
    for file in settings.data_dir.glob("seal-*"):
        file.unlink()
    assert verify().exit_code == 0
    assert verify("--holds", str(second)).exit_code == 1
    assert verify("--holds", str(first)).exit_code == 0


def test_after_a_restore_the_present_end_is_witnessed(engine: Engine, settings: Settings, god: Connection) -> None:
    sealed(engine, settings)
    change(engine, "wang5@school.example")
    sealed(engine, settings)
    god.execute(text("delete from history where id = (select last_id from history_seal where number = 2)"))
    god.execute(text("delete from history_seal where number = 2"))
    told = verify("--restored")
    assert told.exit_code == 0
    assert "恢复备份以后属正常" in told.output
    assert verify().exit_code == 0
    change(engine, "other@school.example")
    with capture_logs() as logs:
        sealed(engine, settings)
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert verify().exit_code == 0


def test_restored_hides_no_other_fault(engine: Engine, settings: Settings, god: Connection) -> None:
    sealed(engine, settings)
    god.execute(text("delete from history where id = 5"))
    assert verify("--restored").exit_code == 1


def test_a_witness_that_cannot_be_read_is_told(engine: Engine, settings: Settings) -> None:
    sealed(engine, settings)
    [file] = settings.data_dir.glob("seal-*")
    file.write_text("?")
    told = verify()
    assert (told.exit_code, "见证文件" in told.output) == (1, True)


def test_without_a_key_nothing_is_sealed_or_verified(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZHIBU_SECRET_KEY")
    told = verify()
    assert (told.exit_code, "ZHIBU_SECRET_KEY" in told.output) == (1, True)
    with capture_logs() as logs:
        seal_and_go_on(engine, settings.model_copy(update={"secret_key": None}), Event())
    assert [line["event"] for line in logs] == ["history-not-sealed"]
    with transaction(engine, actor=None) as session:
        assert last_seal(session) is None


def test_a_key_of_its_own_takes_over_and_the_old_one_still_verifies(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    new = "a key of the seals alone"
    sealed(engine, settings)
    change(engine, "wang5@school.example")
    sealed(engine, settings.model_copy(update={"seal_key": SecretStr(new)}))
    told = verify()
    assert (told.exit_code, "第 2 道封印" in told.output, "ZHIBU_SEAL_KEY" in told.output) == (1, True, True)
    monkeypatch.setenv("ZHIBU_SEAL_KEY", new)
    assert verify().exit_code == 0
    monkeypatch.setenv("ZHIBU_SECRET_KEY", "a secret key that came later")
    assert verify().exit_code == 1
    monkeypatch.setenv("ZHIBU_SEAL_KEY", f"{new}, {SECRET}")
    assert verify().exit_code == 0
    monkeypatch.setenv("ZHIBU_SEAL_KEY", f"{new},short")
    told = verify()
    assert (told.exit_code, "ZHIBU_SEAL_KEY" in told.output, "每个至少 16 个字符" in told.output) == (1, True, True)


def test_what_is_written_down_has_the_form_that_is_printed(settings: Settings) -> None:
    assert verify("--holds", "120").exit_code == 2


def test_a_long_history_shows_how_far_it_has_come(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(engine, settings)
    assert "核对" not in verify().stderr
    monkeypatch.setattr(commands.history, "LONG", 1)
    assert "核对" in verify().stderr


def test_the_witness_is_written_by_the_worker_alone_and_names_the_newest_seal(engine: Engine, settings: Settings) -> None:
    verify()
    assert not settings.data_dir.exists()
    seen = sealed(engine, settings)
    with transaction(engine, actor=None) as session:
        assert Witness.of(settings.data_dir, session).seen() == seen
        assert session.get_one(HistorySeal, seen.number).mac.hex().startswith(seen.proof)


def test_a_folder_that_cannot_be_written_stops_no_seal(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with capture_logs() as logs:
        sealed(engine, settings.model_copy(update={"data_dir": tmp_path / "file" / "below"}))
    assert "seal-not-witnessed" in [line["event"] for line in logs]


def test_a_row_waits_a_minute_at_most() -> None:
    """One round passes it by, the next one waits for changes that are under way."""
    assert SEAL_SECONDS + PATIENCE_SECONDS < 60
    assert PATIENCE_SECONDS < SEAL_SECONDS
