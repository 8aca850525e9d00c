"""Texts as they are kept: what is trimmed, what is refused, and in which order."""

from __future__ import annotations

import pytest

from workflow.foundation.fields.texts import TextFault, cleaned, must_be_one_line

ACUTE, GRAVE_BELOW = "\u0301", "\u0316"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  党员大会\n", "党员大会"),
        ("e\u0301", "é"),
        ("第一行\n\t第二行", "第一行\n\t第二行"),
        ("\u200b\u3164", ""),
        (f"a{ACUTE * 30}", f"á{ACUTE * 29}"),
        (" " * 1000 + "字", "字"),
        ("\u1112\u1161\u11ab" * 10, "한" * 10),
    ],
)
def test_a_text_is_trimmed_and_in_normal_form(sent: str, kept: str) -> None:
    assert cleaned(sent, 40) == kept


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("字" * 41, "最多 40 个字"),
        ("a\x00b", "含有不能保存的控制字符"),
        ("\x1fa", "含有不能保存的控制字符"),
        ("\ud800", "含有不能保存的控制字符"),
        (f"a{GRAVE_BELOW}{ACUTE}" + f"{GRAVE_BELOW}{ACUTE}" * 15, "连续的组合符号过多"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused_with_its_reason(sent: str, why: str) -> None:
    with pytest.raises(TextFault, match=why):
        cleaned(sent, 40)


def test_of_a_text_that_is_far_too_long_nothing_but_its_length_is_looked_at() -> None:
    with pytest.raises(TextFault, match="最多 40 个字"):
        cleaned(f"{GRAVE_BELOW}{ACUTE}\x00" * 1000, 40)


@pytest.mark.parametrize("sent", ["一\n二", "一\r二", "一\u2028二", "一\u2029二", "\u202e一"])
def test_a_line_has_no_line_ends_and_turns_no_text_around(sent: str) -> None:
    with pytest.raises(TextFault):
        must_be_one_line(sent)
