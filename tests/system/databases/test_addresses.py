"""A database's URL is read as ``pg_dump`` and ``psql`` read it, and a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from workflow.foundation.addresses import database_address, is_of_this_machine
from workflow.foundation.database import engine_for
from workflow.foundation.errors import SettingsInvalid
from workflow.foundation.settings import read_settings

PAIR = {"host": "h1,h2", "port": "5432,5433", "target_session_attrs": "read-write", "user": "u", "dbname": "zhibu"}


def arguments(url: str) -> dict[str, object]:
    """Give what SQLAlchemy hands to libpq for this setting."""
    read = make_url(database_address(url))
    given = dict(engine_for(read.render_as_string(hide_password=False)).dialect.create_connect_args(read)[1])
    return {name: value for name, value in given.items() if name != "context"}


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("postgresql://u@h1:5432,h2:5433/zhibu?target_session_attrs=read-write", PAIR),
        ("postgresql:///zhibu?user=u&host=h1,h2&port=5432,5433&target_session_attrs=read-write", PAIR),
        ("postgresql+psycopg://u@h1:5432,h2:5433/zhibu", PAIR),
        ("postgresql://u@h1,h2/zhibu?target_session_attrs=any", {**PAIR, "port": ",", "target_session_attrs": "any"}),
        ("postgres://u:p%40%2F@h:5433/zhibu", {"user": "u", "password": "p@/", "host": "h", "port": 5433, "dbname": "zhibu"}),
        ("postgresql://u@[::1]:5433/zhibu", {"user": "u", "host": "::1", "port": 5433, "dbname": "zhibu"}),
        ("postgresql://u@[::1],h2/zhibu", {**PAIR, "host": "::1,h2", "port": ","}),
        ("postgresql://u@/zhibu?host=%2Frun%2Fpg&port=5433", {"user": "u", "host": "/run/pg", "port": "5433", "dbname": "zhibu"}),
        ("postgresql://u@%2Frun%2Fpg/zhibu", {"user": "u", "host": "/run/pg", "dbname": "zhibu"}),
        ("postgresql://u@h/zhibu?ssl=true", {"user": "u", "host": "h", "dbname": "zhibu", "sslmode": "require"}),
    ],
)
def test_what_libpq_reads_is_what_we_connect_to(url: str, given: dict[str, object]) -> None:
    assert arguments(url) == given


@pytest.mark.parametrize(
    ("url", "zh", "en"),
    [
        ("mysql://u@h/zhibu", "应形如 postgresql://", "it should look like postgresql://"),
        ("postgresql://", "应形如 postgresql://", "it should look like postgresql://"),
        ("postgresql://u:secret/x@h/zhibu", "%2F", "%2F"),
        ("postgresql://u:secret@x@h/zhibu", "%40", "%40"),
        ("postgresql://u:secret%zz@h/zhibu", "%25", "%25"),
        ("postgresql://u:secret?x@h/zhibu", "%3F", "%3F"),
        ("postgresql://u@h:port/zhibu", "应形如 postgresql://", "it should look like postgresql://"),
        ("postgresql://u@h:70000/zhibu", "应形如 postgresql://", "it should look like postgresql://"),
        ("postgresql://u@h1,h2,h3/zhibu?port=1,2", "主机和端口的个数不一致", "the numbers of hosts and ports differ"),
        ("postgresql://u@h/zhibu?sslmod=require", "不认识的参数 sslmod", "unknown parameter sslmod"),
        ("postgresql://u@h/zhibu?sslmode=yes", "参数 sslmode 应为 disable、", "the parameter sslmode should be one of disable,"),
        ("postgresql://u@h/zhibu?target_session_attrs=rw", "参数 target_session_attrs 应为", "the parameter target_session_attrs should"),
        ("postgresql://u@h/zhibu?sslmode=verify-full&sslrootcert=/none", "读不了数据库证书的签发者 /none", "the file /none,"),
        ("postgresql://u:换成口令@h/zhibu", "还是样例里的那一行", "it is still the example's"),
    ],
)
def test_a_url_that_cannot_be_meant_is_told_in_one_sentence_without_its_password(url: str, zh: str, en: str) -> None:
    for name in ("DATABASE_URL", "OWNER_DATABASE_URL"):
        with pytest.raises(SettingsInvalid) as refused:
            read_settings({"ZHIBU_DATABASE_URL": "postgresql://u@h/zhibu", f"ZHIBU_{name}": url})
        said = refused.value.detail
        assert said.zh.startswith(f"设置 ZHIBU_{name} 有误：")
        assert zh in said.zh
        assert en in said.en
        assert "secret" not in f"{said.zh} {said.en}"
        assert "\n" not in f"{said.zh} {said.en}"


def test_a_certificates_issuer_that_can_be_read_is_taken(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").touch()
    url = f"postgresql://u@h/zhibu?sslmode=verify-full&sslrootcert={tmp_path / 'ca.crt'}"
    assert arguments(url)["sslrootcert"] == str(tmp_path / "ca.crt")


@pytest.mark.parametrize(
    ("host", "here"),
    [(None, True), ("", True), ("/run", True), ("localhost", True), ("127.0.0.2", True), ("::1", True), ("10.0.0.1", False), ("db", False)],
)
def test_loopback_and_sockets_are_this_machine(host: str | None, here: bool) -> None:
    assert is_of_this_machine(host) is here
