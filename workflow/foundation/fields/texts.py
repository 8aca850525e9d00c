"""Texts (文字) as they are kept: trimmed, in normal form, without what cannot be printed.

Every check costs time in proportion to the length alone, whatever was sent.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

from workflow.foundation.errors import Words

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Controls other than tab and line ends, and lone surrogates."""
FILLERS = "\u115f\u1160\u2800\u3164\uffa0\U00013441\U00013442\U0001d159"
"""Characters that show nothing though they are letters or signs (Unicode's fillers and blanks)."""
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Controls of the direction of text (bidi)."""
_LINE_ENDS = re.compile("[\n\r\u2028\u2029]")
_MARKS_IN_A_ROW = 30
"""The most combining marks in a row, as in Unicode's stream-safe format.

Bringing a row of them into normal form takes time with the square of its length.
"""
_DECOMPOSED = 3
"""The most characters that one may be written with: a Hangul syllable in its parts."""


class TextFault(ValueError):
    """A fault of a text, in words."""

    def __init__(self, words: Words) -> None:
        self.words = words
        super().__init__(words)


def cleaned(text: str, at_most: int) -> str:
    """Return a text as it is kept; one that shows nothing is empty.

    Raises TextFault for one of more than ``at_most`` characters, or with any that cannot be kept.
    """
    trimmed = text.strip()
    if len(trimmed) > at_most * _DECOMPOSED:
        raise too_long(at_most)
    if _UNPRINTABLE.search(text):
        raise TextFault(Words("含有不能保存的控制字符", "contains control characters"))
    if not unicodedata.is_normalized("NFC", trimmed):
        marked = groupby(trimmed, lambda character: unicodedata.combining(character) > 0)
        if any(of_marks and sum(1 for _ in row) > _MARKS_IN_A_ROW for of_marks, row in marked):
            raise TextFault(Words("连续的组合符号过多", "has too many combining marks in a row"))
        trimmed = unicodedata.normalize("NFC", trimmed)
    if len(trimmed) > at_most:
        raise too_long(at_most)
    return trimmed if shows(trimmed) else ""


def must_be_one_line(text: str) -> None:
    """Raise TextFault for line separators and controls of the direction of text (bidi)."""
    if _LINE_ENDS.search(text):
        raise TextFault(Words("只能写一行", "must be one line"))
    if _TURNS.search(text):
        raise TextFault(Words("含有改变文字方向的控制符，请删去后重新填写", "contains controls of the direction of text"))


def too_long(at_most: int) -> TextFault:
    return TextFault(Words(f"最多 {at_most} 个字", f"at most {at_most} characters"))


def shows(text: str) -> bool:
    """Tell whether a reader sees anything of a text: a letter, a digit or a sign."""
    return any(unicodedata.category(each)[0] not in "CZM" and each not in FILLERS for each in text)
