"""Values (取值) of a plan file: texts, titles, ratios, clauses, lists of distinct entries."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

WRONG = "plan"
"""The type of the errors whose message is already ours."""


def wrong(zh: str, en: str, **values: str) -> PydanticCustomError:
    """Make an error that carries its English beside its values: pydantic keeps one message."""
    return PydanticCustomError(WRONG, zh, {**values, "en": en})


class Part(BaseModel):
    """A table of the plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    @property
    def known_by(self) -> str:
        """Return the first field: the name of an entry in a list, which no two may share."""
        return str(next(iter(self))[1])


def _printable(text: str) -> str:
    # PostgreSQL keeps no NUL in JSONB, and no paper can print the others.
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        raise wrong("含有无法保存的控制字符", "has control characters, which cannot be kept")
    return text


def bare_title(title: str) -> str:
    """Remove the book marks around a whole title.

    The marks of a document that the title names stay.
    """
    if title.startswith("《") and title.endswith("》") and _closes_last(title):
        return title[1:-1].strip()
    return title


def _closes_last(title: str) -> bool:
    """Tell whether the first 《 is closed by the last 》.

    It is in 《关于贯彻《条例》的通知》 and is not in 《章程》和《准则》.
    """
    depths = list(accumulate({"《": 1, "》": -1}.get(each, 0) for each in title))
    return 0 not in depths[:-1]


def _without_book_marks(title: str) -> str:
    if bare_title(title) != title:
        raise wrong("标题外面不写书名号《》，使用时由系统加上", "a title is written without 《》 around it; the system adds them")
    return title


def _share(ratio: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}/[1-9][0-9]{0,3}", ratio, re.ASCII):
        raise wrong("比例应写成分数，如 1/4", "a ratio is written as a fraction such as 1/4")
    upper, lower = map(int, ratio.split("/"))
    if upper > lower:
        raise wrong("比例不能大于 1", "a ratio must not be above 1")
    return ratio


def _activity_word(word: str) -> str:
    if not re.fullmatch(r"[a-z][a-z_]{0,31}", word) or word == "other":
        zh = "活动类别的代号应为小写英文字母，如 reading；other 为系统所用"
        raise wrong(zh, "the code of a kind of activity is in small letters, such as reading; other is the system's")
    return word


def _result_key(key: str) -> str:
    if not re.fullmatch(r"[a-z][a-z_]{0,31}", key):
        raise wrong("结果的代号应为小写英文字母，如 good", "the code of a result is in small letters, such as good")
    return key


def _clause_id(clause: str) -> str:
    if not re.fullmatch(r"[A-Z][0-9]+", clause, re.ASCII):
        raise wrong("条款编号应为一个大写字母加数字，如 K2", "a clause is numbered by a capital and digits, such as K2")
    return clause


T = TypeVar("T")


def _distinct(items: tuple[T, ...]) -> tuple[T, ...]:
    names = [item.known_by if isinstance(item, Part) else item for item in items]
    for twice in dict.fromkeys(name for name in names if names.count(name) > 1):
        raise wrong("“{twice}”重复", "“{twice}” stands there twice", twice=str(twice))
    return items


PlanText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_printable)]
Title = Annotated[PlanText, AfterValidator(_without_book_marks)]
"""The title of a document, letter by letter, without 《》: sentences add them."""
Ratio = Annotated[str, AfterValidator(_share)]
"""A share such as ``1/4``, more than nothing and at most the whole."""
ClauseId = Annotated[str, AfterValidator(_clause_id)]
Listed = Annotated[tuple[T, ...], AfterValidator(_distinct)]
Several = Annotated[tuple[T, ...], Field(min_length=1), AfterValidator(_distinct)]
Count = Annotated[int, Field(ge=0, le=1000)]
Months = Annotated[int, Field(ge=1, le=120)]
MeetingFormWord = Literal["general", "committee", "group"]
ActivityWord = Annotated[str, AfterValidator(_activity_word)]
ResultKey = Annotated[str, AfterValidator(_result_key)]
