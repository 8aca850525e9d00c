"""必读文件的标题 (titles): recorded titles compared with the required ones, and near misses.

The plan: 重点学习《中国共产党纪律处分条例》《中国共产党支部工作条例（试行）》。

The width of brackets, blanks and book marks do not count: people type them as they like, and a
branch has read what it has read. A title that only resembles a required one counts as one more
title, and the answer says which one may be meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from sqlalchemy import ColumnElement, Text, column, func, literal, select

WIDE, NARROW = "（）［］", "()[]"
LEFT_OUT = "《》〈〉 \t\u00a0\u3000\u200b\ufeff"
_ALIKE = 0.75
"""The likeness from which a title is taken for a slip of the pen: of 14 characters, three."""
_PART = 4
"""The fewest characters by which a part of a title is recognised."""


def title_key(title: str) -> str:
    """Write a title as titles are compared."""
    return title.translate(str.maketrans(WIDE, NARROW, LEFT_OUT))


def key_of(title: Any) -> ColumnElement[str]:
    """Write ``title_key`` as SQL."""
    return func.translate(title, WIDE + LEFT_OUT, NARROW)


def among(titles: Any, title: ColumnElement[str], *outside: Any) -> ColumnElement[bool]:
    """Ask whether a title is among these of a session; both are of rows ``outside``."""
    read = func.jsonb_array_elements_text(titles).table_valued(column("value", Text), name="read", joins_implicitly=True)
    return select(literal(1)).select_from(read).where(key_of(read.c.value) == key_of(title)).correlate(*outside).exists()


def near_misses(titles: Sequence[str], required: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the titles that resemble a required one which is not among them, each with that one."""
    read = {title_key(title) for title in titles}
    known = {title_key(title) for title in required}
    lacking = {key: title for title in required if (key := title_key(title)) not in read}
    for title in titles:
        key = title_key(title)
        if key in known:
            continue
        parts = [each for each in lacking if len(key) >= _PART and (key in each or each in key)]
        for meant in (parts or get_close_matches(key, lacking, n=1, cutoff=_ALIKE))[:1]:
            yield title, lacking[meant]
