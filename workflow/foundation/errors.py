"""The tree of refusals (拒绝): the reasons why something was not done, in words for the caller.

A refusal has a name (``slug``), speaks Chinese and English, and carries what a client can act on.
Its HTTP status is the edge's business (``api/frame/errors.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Self

LANGUAGES = ("zh", "en")
"""The languages that the command line speaks."""


class Words(str):
    """One sentence in both languages (双语): a Chinese text that carries its English.

    ``format`` fills both, so that a library which takes a text for its message carries both.
    """

    __slots__ = ("en",)
    en: str

    def __new__(cls, zh: str, en: str) -> Self:
        words = super().__new__(cls, zh)
        words.en = en
        return words

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Return both texts: copies and pickles are made of them."""
        return str(self), self.en

    @property
    def zh(self) -> str:
        return str(self)

    def format(self, *args: object, **values: object) -> Words:
        return Words(str(self).format(*args, **values), self.en.format(*args, **values))

    def speak(self, language: str) -> str:
        return self.en if language == "en" else str(self)


class Refusal(Exception):
    """A refused act: nothing was changed."""

    slug: ClassVar[str] = "refused"
    title: ClassVar[Words] = Words("请求被拒绝", "Refused")
    retry_after: int | None = None
    """The seconds after which to ask again; None where time alone mends nothing."""

    def __init__(self, detail: Words | None = None, **extra: Any) -> None:
        self.detail = detail or self.title
        self.extra = extra
        """Plain JSON values that a client can act on: ``unmet``, ``changed`` …"""
        super().__init__(self.detail.zh)


class NotFound(Refusal):
    """No such thing, or it is not yours: the two answer alike."""

    slug = "not-found"
    title = Words("没有找到", "Not found")


class Forbidden(Refusal):
    """An act that this role never does."""

    slug = "forbidden"
    title = Words("您的角色不能这样做", "Your role may not do this")


class Unauthenticated(Refusal):
    """A call without a sign-in, or after the sign-in has ended."""

    slug = "unauthenticated"
    title = Words("请先登录", "Please sign in")


MOST_FAULTS, LONGEST_NAME = 50, 100
"""The most faults that one refusal tells, and the most characters of a name in it.

Both come from whoever sends them: an answer must not grow with what was sent.
"""


class Invalid(Refusal):
    """Wrong input. ``errors`` names each field and what is wrong with it, at most 50 of them."""

    slug = "invalid"
    title = Words("填写有误", "The input is not valid")

    def __init__(self, errors: Mapping[str, Sequence[Words] | Words]) -> None:
        told = islice(errors.items(), MOST_FAULTS)
        self.errors: dict[str, list[Words]] = {short(field): [words] if isinstance(words, Words) else list(words) for field, words in told}
        field, [first, *_] = next(iter(self.errors.items()))
        more = Words("", "")
        if len(errors) > MOST_FAULTS:
            more = Words(f"（错误太多，只列出 {MOST_FAULTS} 处，还有更多）", f" (there are more faults than the {MOST_FAULTS} that are listed)")
        super().__init__(Words(f"{field}：{first.zh}{more.zh}", f"{field}: {first.en}{more.en}"))


def short(name: str) -> str:
    """Return a name that was sent, cut where it is too long to be told."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


class Stale(Refusal):
    """A version that is out of date (If-Match). ``changed`` tells what happened since."""

    slug = "stale"
    title = Words("您看到的内容已经变化，请刷新后再试", "What you saw has changed since; please reload")


class Conflict(Refusal):
    """A request that is right in itself, but not now."""

    slug = "conflict"
    title = Words("当前状态下不能这样做", "Not possible in the present state")


class Exists(Conflict):
    """A thing that exists already."""

    slug = "exists"
    title = Words("已经存在", "It exists already")


class StageClosed(Conflict):
    """An act on evidence of a stage that was left.

    Return, step_back, withdraw or reopen open it again.
    """

    slug = "stage-closed"
    title = Words("该环节已经结束，不能再改动；如需补充，请先退回到该环节", "This stage is closed; step back to it first")


class MoveNotPossible(Conflict):
    """A move that does not lead away from this stage."""

    slug = "move-not-possible"
    title = Words("当前环节没有这个动作", "There is no such move from this stage")


class RequirementsUnmet(Conflict):
    """A move that the plan does not allow yet, because requirements are unmet.

    ``unmet`` lists all of them, never only the first.
    """

    slug = "requirements-unmet"
    title = Words("还有要求没有满足", "Some requirements are not met")


class BranchesLack(RequirementsUnmet):
    """An act over many branches of which some lack something: none of them moves.

    Each row of ``unmet`` names its branch.
    """


class Busy(Refusal):
    """A request that found no room, was stopped for others twice, or took the database too long."""

    slug = "busy"
    title = Words("系统繁忙，请稍后再试", "Busy, please try again")
    retry_after = 1


class DatabaseAway(Refusal):
    """A database that cannot be reached, or does not answer any more.

    Asking again helps once it is back. A request that was being committed may have had its effect:
    the same Idempotency-Key finds out.
    """

    slug = "database-away"
    title = Words("数据库暂时连不上或没有应答，请稍后再试", "The database cannot be reached or does not answer, please try again")
    retry_after = 5


class DatabaseUnwritable(Refusal):
    """A database that takes no changes now: it is read-only, a standby, or its disk is full."""

    slug = "database-unwritable"
    title = Words("数据库暂时不能写入，请稍后再试", "The database cannot be written to at present, please try again")
    retry_after = 30


class DatabaseBehind(Refusal):
    """A database that came up after the service and is not migrated to this version."""

    slug = "database-behind"
    title = Words("数据库还没有迁移到当前版本，请稍后再试", "The database is not migrated to this version, please try again later")
    retry_after = 30


class SettingsInvalid(Refusal):
    """A setting that is missing, malformed or misspelt.

    The start stops with one message that names it.
    """

    slug = "settings-invalid"
    title = Words("设置有误", "A setting is wrong")


@dataclass(frozen=True)
class Fault:
    """One fault of a plan file: the key and the reason."""

    key: Words
    reason: Words


class PlanInvalid(Refusal):
    """A plan file that cannot be used; every fault has its file, key and reason."""

    slug = "plan-invalid"
    title = Words("方案文件有误", "The plan file is not valid")

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        zh = "；".join(f"{fault.key}：{fault.reason}" for fault in faults)
        en = "; ".join(f"{fault.key.en}: {fault.reason.en}" for fault in faults)
        super().__init__(Words(f"{name}：{zh}", f"{name}: {en}"))


class EmbeddedUnavailable(Exception):
    """A failure of the embedded PostgreSQL (内置数据库不可用); the words say what to do."""

    def __init__(self, words: Words) -> None:
        super().__init__(words.zh)
        self.words = words
