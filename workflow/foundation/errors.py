"""The tree of refusals (拒绝): why something was not done, in words for the person who asked.

A refusal names itself (``slug``), speaks Chinese and English, and carries what a client can act on.
Which HTTP status it becomes is the edge's business (``api/frame/errors.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self


class Words(str):
    """One sentence in both languages (双语): a text in Chinese that knows itself in English.

    ``format`` fills both, so that a library which takes a text for its message carries both.
    """

    __slots__ = ("en",)
    en: str

    def __new__(cls, zh: str, en: str) -> Self:
        words = super().__new__(cls, zh)
        words.en = en
        return words

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Copies and pickles are made of both."""
        return str(self), self.en

    @property
    def zh(self) -> str:
        return str(self)

    def format(self, *args: object, **values: object) -> Words:
        return Words(str(self).format(*args, **values), self.en.format(*args, **values))

    def speak(self, language: str) -> str:
        return self.en if language == "en" else str(self)


class Refusal(Exception):
    """Something asked for was not done, and nothing was changed."""

    slug: ClassVar[str] = "refused"
    title: ClassVar[Words] = Words("请求被拒绝", "Refused")

    def __init__(self, detail: Words | None = None, **extra: Any) -> None:
        self.detail = detail or self.title
        self.extra = extra
        """What a client can act on, as plain JSON values: ``unmet``, ``changed`` …"""
        super().__init__(self.detail.zh)


class NotFound(Refusal):
    """There is no such thing, or it is not yours: the two answer alike."""

    slug = "not-found"
    title = Words("没有找到", "Not found")


class Forbidden(Refusal):
    """This role never does that."""

    slug = "forbidden"
    title = Words("您的角色不能这样做", "Your role may not do this")


class Unauthenticated(Refusal):
    """Nobody is signed in, or the sign-in has ended."""

    slug = "unauthenticated"
    title = Words("请先登录", "Please sign in")


class Invalid(Refusal):
    """Wrong input. ``errors`` names each field and what is wrong with it."""

    slug = "invalid"
    title = Words("填写有误", "The input is not valid")

    def __init__(self, errors: Mapping[str, Sequence[Words] | Words]) -> None:
        self.errors: dict[str, list[Words]] = {field: [words] if isinstance(words, Words) else list(words) for field, words in errors.items()}
        first = next(iter(self.errors.items()))
        super().__init__(Words(f"{first[0]}：{first[1][0].zh}", f"{first[0]}: {first[1][0].en}"))


class Stale(Refusal):
    """What was seen is no longer what stands (If-Match). ``changed`` tells what happened since."""

    slug = "stale"
    title = Words("您看到的内容已经变化，请刷新后再试", "What you saw has changed since; please reload")


class Conflict(Refusal):
    """Right in itself, but not now."""

    slug = "conflict"
    title = Words("当前状态下不能这样做", "Not possible in the present state")


class Exists(Conflict):
    """There is one already."""

    slug = "exists"
    title = Words("已经存在", "It exists already")


class StageClosed(Conflict):
    """Evidence closes when its stage is left; return, step_back, withdraw or reopen open it again."""

    slug = "stage-closed"
    title = Words("该环节已经结束，不能再改动；如需补充，请先退回到该环节", "This stage is closed; step back to it first")


class MoveNotPossible(Conflict):
    """No such move leads away from this stage."""

    slug = "move-not-possible"
    title = Words("当前环节没有这个动作", "There is no such move from this stage")


class RequirementsUnmet(Conflict):
    """The plan asks for more before the branch may move on. ``unmet`` lists all of it, never only the first."""

    slug = "requirements-unmet"
    title = Words("还有要求没有满足", "Some requirements are not met")


class BranchesLack(RequirementsUnmet):
    """The same of one act over many branches: none of them moves. Each row of ``unmet`` says of which branch it is."""


class Busy(Refusal):
    """The database gave way to another transaction twice; asking again helps."""

    slug = "busy"
    title = Words("系统繁忙，请稍后再试", "Busy, please try again")


class SettingsInvalid(Refusal):
    """A setting is missing, malformed or misspelt: the start stops with one message naming it."""

    slug = "settings-invalid"
    title = Words("设置有误", "A setting is wrong")


@dataclass(frozen=True)
class Fault:
    """One fault of a plan file: which key, and why."""

    key: str
    reason: str


class PlanInvalid(Refusal):
    """A plan file that cannot be used; every fault is named by file, key and reason."""

    slug = "plan-invalid"
    title = Words("方案文件有误", "The plan file is not valid")

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        lines = "；".join(f"{fault.key}：{fault.reason}" for fault in faults)
        super().__init__(Words(f"{name}：{lines}", f"{name}: {lines}"))
