"""Passwords (密码): which are strong enough to be set, and their hashes.

How easily one is guessed is estimated by zxcvbn (MIT licence), which brings lists of common
passwords, words and names, and knows keyboards, sequences, repetitions and dates. An estimate is a
lower bound for whoever knows the same lists, no more.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from threading import BoundedSemaphore, Lock
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from workflow.foundation.errors import Invalid, Words

PASSWORD_LENGTH = range(10, 129)
FEWEST_GUESSES = 10**9
"""The guesses that a password must outlast.

A thousand networks have half a million a day at one account (docs/0040): these are five years.
"""
_ESTIMATED = 20
"""The characters that are estimated at a time: the work grows with their square and worse."""
_OWN_BESIDE = 6
"""The letters that a password must have beside the person's own number, name and address."""
_OFFICE_WORDS = (
    *("dangban", "dangwei", "dangzhibu", "zhibu", "shuji", "zhibushuji", "zuzhi", "zuzhibu", "dangyuan", "gongchandang", "pingyi"),
    *("minzhupingyi", "xuexiao", "xueyuan", "daxue", "bangongshi", "guanliyuan", "mima", "woaini", "zhongguo", "zuguo", "admin", "office"),
    *(
        "党办",
        "党委",
        "党支部",
        "支部书记",
        "书记",
        "组织部",
        "党员",
        "共产党",
        "民主评议",
        "学校",
        "学院",
        "大学",
        "办公室",
        "管理员",
        "密码",
        "中国",
    ),
)
"""Words that an office writes into its passwords, which no foreign list has."""

_NUMBERS = re.compile(r"1[3-9]\d{9}|\d{17}[\dXx]")
"""The form of a mobile telephone's number, and of an identity card's."""

_hasher = PasswordHasher()
_at_once = BoundedSemaphore(2)
"""The limit of hashes at the same time.

A hash takes 64 MB and a fifth of a second: more than a few at once would starve everybody else.
"""
_NOBODY = _hasher.hash(secrets.token_hex())
"""A hash to verify when there is no such account, so that the time it takes says nothing."""
_estimating = Lock()
"""zxcvbn keeps the words of a person in a place that all threads share."""

_LENGTH = Words("密码须为 10 至 128 个字符", "a password has 10 to 128 characters")
_INVISIBLE = Words("密码含有看不见的字符（如零宽字符、控制符），请重新输入", "it has characters that cannot be seen, such as zero-width ones")
_PERSONAL = Words(
    "密码不能由学工号、姓名或邮箱加几个字符组成，别人猜得到", "it is hardly more than your own number, name or address, which others know"
)
_NUMBER = Words("密码不能是手机号或身份证号，请换一个", "it looks like the number of a telephone or an identity card")
_COMMON = Words("密码太常见（常用密码或常用词加几个数字），请换一个", "it is a common password, or a common word with some digits")
_WHY = {
    "repeat": Words("密码是同一个字符或同一段的重复，请换一个", "it repeats the same characters"),
    "sequence": Words("密码是连续的数字或字母，请换一个", "it is a sequence of digits or letters"),
    "spatial": Words("密码是键盘上相邻的键，请换一个", "its keys are neighbours on the keyboard"),
    "date": Words("密码主要是日期或年份，请换一个", "it is hardly more than a date"),
    "regex": Words("密码主要是日期或年份，请换一个", "it is hardly more than a year"),
    "dictionary": _COMMON,
}
_GUESSED = Words("密码太容易猜到，请再长一些，例如几个不相干的词", "it is guessed too easily; make it longer, of several unrelated words")


def hash_password(password: str, *, of: Sequence[str] = (), at: str = "password") -> str:
    """Hash a password that is strong enough. ``of`` are the person's own words.

    Raises Invalid at the field ``at``, with the reason.
    """
    must_be_strong(password, of=of, at=at)
    with _at_once:
        return _hasher.hash(password)


def must_be_strong(password: str, *, of: Sequence[str] = (), at: str = "password") -> None:
    """Raise Invalid at the field ``at`` for a password that may not be set."""
    if why := weakness(password, of):
        raise Invalid({at: why})


def is_right(stored: str | None, password: str) -> bool:
    """Compare a password with its hash. It takes the same time where there is no hash."""
    with _at_once:
        try:
            _hasher.verify(stored or _NOBODY, password)
        except VerificationError:
            return False
    return stored is not None


def weakness(password: str, of: Sequence[str] = ()) -> Words | None:
    """Tell why a password may not be set; None if it may. ``of`` are the person's own words."""
    if len(password) not in PASSWORD_LENGTH:
        return _LENGTH
    if not all(map(_is_seen, password)):
        return _INVISIBLE
    own = [word.lower() for word in of if len(word) > 1]
    if _is_personal(password.lower(), own):
        return _PERSONAL
    if _NUMBERS.fullmatch(password):
        return _NUMBER
    # A long one may begin weakly and end strongly: the stronger end counts.
    ends = {password[:_ESTIMATED], password[-_ESTIMATED:]}
    estimates = [_estimate(end, own) for end in ends]
    strongest = max(estimates, key=lambda estimate: float(estimate["guesses"]))
    return None if strongest["guesses"] >= FEWEST_GUESSES else _why(strongest["sequence"])


def _is_seen(character: str) -> bool:
    """Tell whether a character shows itself. A blank does; other blanks look like it."""
    return character == " " or unicodedata.category(character)[0] not in "CZ"


def _is_personal(password: str, own: Sequence[str]) -> bool:
    rest = password
    for word in sorted(own, key=len, reverse=True):
        rest = rest.replace(word, "").replace(word[::-1], "")
    return rest != password and sum(each.isalpha() for each in rest) < _OWN_BESIDE


def _estimate(password: str, own: Sequence[str]) -> Any:
    # Its lists take 10 MB, and few processes ever ask.
    from zxcvbn import zxcvbn  # noqa: PLC0415

    with _estimating:
        return zxcvbn(password, user_inputs=[*own, *_OFFICE_WORDS])


def _why(sequence: Sequence[Any]) -> Words:
    """Say what most of a password consists of."""
    most = max(sequence, key=lambda part: len(part["token"]))
    return _WHY.get(most["pattern"], _GUESSED)
