"""Passwords that may be set: none that others guess, each refused with its reason."""

from __future__ import annotations

import time

import pytest

from workflow.demo import PASSWORD
from workflow.foundation.errors import Invalid
from workflow.people.guard.passwords import hash_password, is_right, weakness

OWN = ("0101007", "张三丰", "zhangsf@school.example", "zhangsf")
PERSONAL, COMMON, REPEATED, SEQUENCE, DATE, KEYS = "学工号、姓名或邮箱", "太常见", "重复", "连续的数字", "日期", "键盘"
UNSEEN, NUMBER, LENGTH = "看不见的字符", "手机号或身份证号", "10 至 128 个字符"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("0101007000", PERSONAL),
        ("01010070101007", PERSONAL),
        ("7001010701", PERSONAL),
        ("0101007@2024", PERSONAL),
        ("ZHANGSF0101007", PERSONAL),
        ("zhangsf@school.example", PERSONAL),
        ("张三丰2024年1月1日", PERSONAL),
        ("aaaaaaaaaa", REPEATED),
        ("abcabcabcabc", REPEATED),
        ("党办党办党办党办党办", REPEATED),
        ("x" * 128, REPEATED),
        ("0123456789", SEQUENCE),
        ("abcdefghijk", SEQUENCE),
        ("9876543210", SEQUENCE),
        ("1234567890", COMMON),
        ("Passw0rd123", COMMON),
        ("P@ssw0rd2024", COMMON),
        ("1qaz2wsx3edc", COMMON),
        ("woaini1314520", COMMON),
        ("dangban2024", COMMON),
        ("dangzhibu123", COMMON),
        ("Admin@2024", COMMON),
        ("zhongguo2024", COMMON),
        ("5201314520", COMMON),
        ("19900101aa", DATE),
        ("yuiop[]hjkl", KEYS),
        ("13712905648", NUMBER),
        ("41070219900307751X", NUMBER),
        ("梧桐树下的\u200b图书馆2024", UNSEEN),
        ("梧桐树下的图书馆2024\ufeff", UNSEEN),
        ("梧桐树下的\u202e图书馆2024", UNSEEN),
        ("梧桐树下的\t图书馆2024", UNSEEN),
        ("\u202e" * 10, UNSEEN),
        ("梧桐树下的图书馆", LENGTH),
        ("梧桐" * 65, LENGTH),
    ],
)
def test_a_password_that_others_guess_is_refused_with_the_reason(password: str, why: str) -> None:
    told = weakness(password, OWN)
    assert told is not None
    assert why in told.zh
    assert told.zh.count("。") == 0, "one sentence"


@pytest.mark.parametrize(
    "password",
    [
        "一个很长的密码 12",
        "梧桐树下的图书馆2024",
        "correct horse battery",
        "k7#mQ2!vX9",
        "zhangsf 在图书馆三楼读书",
        "aaaaaaaaaaaaaaaaaaaaaaaa 梧桐树下的图书馆 k7#mQ2!vX9",
        PASSWORD,
    ],
)
def test_a_phrase_passes_also_where_a_part_of_it_is_weak(password: str) -> None:
    assert weakness(password, OWN) is None
    assert is_right(hash_password(password, of=OWN), password)


def test_a_refusal_names_the_field_that_was_sent() -> None:
    with pytest.raises(Invalid) as refused:
        hash_password("1234567890", at="new")
    assert refused.value.errors.keys() == {"new"}


def test_nobody_has_a_password_that_is_right() -> None:
    assert not is_right(None, "")


@pytest.mark.alone
def test_the_worst_password_is_estimated_in_less_than_a_second() -> None:
    weakness("1234567890")
    began = time.perf_counter()
    for worst in ("4@8({[<369&#!1/|0$5+7%2" * 5, "12345678901012024" * 7, "p4ssw0rd" * 16):
        weakness(worst)
    assert time.perf_counter() - began < 1
