"""Every setting with wrong values: one sentence that names it, in both languages; all at once."""

from __future__ import annotations

import re

import pytest

from workflow.foundation.errors import SettingsInvalid
from workflow.foundation.settings import MOST_CHARACTERS, PREFIX, Settings, read_settings

CHINESE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
BAD_URLS = (
    "",
    "here",
    "mysql://u:p@h/db",
    "postgresql://",
    "postgresql://u:p@h",
    "postgresql://u:p@h/",
    "postgresql://u:p@h:port/db",
    "postgresql://u:p@h:0/db",
    "postgresql://u:p@h:70000/db",
    "postgresql://u:p@h1:5432,h2:x/db",
    "postgresql://u:p@ss@h/db",
    "postgresql://u:p/ss@h/db",
    "postgresql://zhibu_web:换成口令@db.example.edu.cn/zhibu",
)
BAD_NUMBERS = ("", " ", "many", "12h", "0", "-1", "nan", "inf", "1e99", "9" * 5000)
WRONG: dict[str, tuple[str, ...]] = {
    "database_url": BAD_URLS,
    "owner_database_url": BAD_URLS,
    "test_database_url": BAD_URLS,
    "smtp_url": (
        "",
        "mail.example.edu.cn",
        "http://h",
        "smtp://",
        "smtp://h:port",
        "smtp://h:99999",
        "smtps://u:p#w@h:465",
        "smtps://u:p@w@h:465",
        "smtp://[::1",
        "smtps://zhibu:换成口令@mail.example.edu.cn:465",
    ),
    "mail_from": (
        "",
        "zhibu",
        "@h",
        "a@",
        "a@@b",
        "a@b@c",
        "a b@c.cn",
        "a@b.cn,c@d.cn",
        "名 <a@b.cn",
        "a@b.cn\r\nBcc: x@y.cn",
        "党委@example.edu.cn",
    ),
    "contact": ("一" * (MOST_CHARACTERS + 1), "党办\n0371", "党办\x07"),
    "secret_key": ("", "short", "换成_openssl_rand_-base64_32_的输出"),
    "seal_key": ("", "short", f"{'a' * 16},short", "换成_openssl_rand_-base64_32_的输出"),
    "base_url": (
        "",
        "zhibu.example.edu.cn",
        "ftp://h",
        "https://",
        "https://h:port",
        "https://h:70000",
        "https://u:p@h",
        "https://h/?a=1",
        "https://h /",
        "https://[::1",
    ),
    "data_dir": ("", "  "),
    "session_hours": (*BAD_NUMBERS, "745"),
    "token_days": (*BAD_NUMBERS, "732"),
    "invitation_hours": (*BAD_NUMBERS, "745"),
    "trusted_proxies": ("", "one", "-1", "11", "1.5"),
    "metrics_from": ("here", "10.0.0.1/8", "10.0.0.0/33"),
    "tick_seconds": (*BAD_NUMBERS, "3601"),
    "lease_seconds": (*BAD_NUMBERS, "86401"),
    "smtp_timeout_seconds": (*BAD_NUMBERS, "601"),
    "upload_bytes": (*BAD_NUMBERS, "104857601"),
    "lang": ("", "fr", "ZH"),
}
"""Each setting with values that are empty, malformed, of the wrong type, too large."""
RIGHT: dict[str, tuple[str, ...]] = {
    "database_url": (
        "postgresql://u:p%40ss@h:5432/db",
        "postgres://h/db",
        "postgresql+psycopg://u@/db?host=/run/postgresql",
        "postgresql://u@h/db?sslmode=require",
        "postgresql://u@[::1]:5432/db",
        "postgresql://u@h1:5432,h2:5433/db",
    ),
    "smtp_url": ("smtp://h", "smtp://h:25", "smtps://u:p%40@h:465", "smtp://[::1]:25"),
    "mail_from": ("zhibu@localhost", "zhi.bu+a@mail.example.edu.cn", "党委办公室 <zhibu@example.edu.cn>"),
    "contact": ("", "党委办公室 0371-00000000"),
    "base_url": ("https://h", "http://127.0.0.1:8000/", "https://h/zhibu"),
    "metrics_from": ("", "127.0.0.1, 10.0.0.0/8", "::1"),
    "trusted_proxies": ("0", "2"),
    "tick_seconds": ("0.5",),
    "lang": ("zh", "en"),
}


def refused(**given: str) -> SettingsInvalid:
    with pytest.raises(SettingsInvalid) as invalid:
        read_settings({f"{PREFIX}{name.upper()}": value for name, value in given.items()})
    return invalid.value


def test_each_wrong_value_of_each_setting_ends_in_one_sentence_that_names_it() -> None:
    assert WRONG.keys() == Settings.model_fields.keys(), "a new setting needs its wrong values here"
    for name, values in WRONG.items():
        others = {"database_url": "postgresql://h/db"} if name == "owner_database_url" else {}
        for value in values:
            told, variable = refused(**{**others, name: value}).detail, f"{PREFIX}{name.upper()}"
            assert told.startswith(f"设置 {variable} 有误："), (name, value)
            assert told.en.startswith(f"the setting {variable} is wrong: "), (name, value)
            assert CHINESE.search(told.removeprefix(f"设置 {variable} 有误：")), (name, value, told)
            assert not CHINESE.search(told.en), (name, value, told.en)
            assert "\n" not in told


def test_right_values_are_taken() -> None:
    for name, values in RIGHT.items():
        for value in values:
            read_settings({f"{PREFIX}{name.upper()}": value})


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsInvalid) as invalid:
        read_settings({"ZHIBU_SMTP_URL": "mail", "ZHIBU_TOKEN_DAYS": "x", "ZHIBU_SECRET_KEYS": "x"}, needed=("smtp_url", "base_url"))
    told = invalid.value.detail
    assert re.findall(r"ZHIBU_\w+", told) == ["ZHIBU_SECRET_KEYS", "ZHIBU_SECRET_KEY", "ZHIBU_BASE_URL", "ZHIBU_SMTP_URL", "ZHIBU_TOKEN_DAYS"]
    assert told.count("；") == told.en.count("; ") == 3


def test_a_misspelt_setting_is_told_with_the_likely_right_one() -> None:
    assert refused(datbase_url="x").detail.zh == "不认识的设置 ZHIBU_DATBASE_URL，是不是 ZHIBU_DATABASE_URL？"
    assert refused(quite_another="x").detail.en == "unknown setting ZHIBU_QUITE_ANOTHER, please check its spelling"


def test_an_owner_without_an_application_is_no_silent_change_to_the_embedded_database() -> None:
    told = refused(owner_database_url="postgresql://u:p@h/db").detail
    assert told == "缺少设置 ZHIBU_DATABASE_URL，只有 ZHIBU_OWNER_DATABASE_URL"
    read_settings({"ZHIBU_OWNER_DATABASE_URL": "postgresql://u:p@h/db", "ZHIBU_DATABASE_URL": "postgresql://u:p@h/db"})
