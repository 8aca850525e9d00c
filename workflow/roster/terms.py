"""Cells and rows in the roster's own words (名册用语): standing, posts, cadres.

Readers as in ``workbooks/cells.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from workflow.foundation.vocabulary import Post, Standing
from workflow.workbooks.cells import LONGEST_NAME, Cell, CellFault, quoted, text

_POST_PREFIX = re.compile("^(党总支|总支|党支部|支部)(?=.)")
_POST_SEPARATOR = re.compile("[、,;/兼() ]+")
_GROUP_LEADER = re.compile(".*小组组?长|组长")
_NOTHING = frozenset({"无", "-", "—", "/"})
_NO_POST = _NOTHING | {"党员", "普通党员"}
_ACTING = ("代书记", "代理书记", "临时书记", "第一书记", "主持工作", "主持支部工作", "负责人", "临时负责人")
"""Words for people who lead a branch without being its secretary: they have a deputy's rights."""
_POSTS = {
    **{post.zh: post for post in (Post.SECRETARY, Post.DEPUTY, Post.GROUP_LEADER)},
    "支书": Post.SECRETARY,
    **dict.fromkeys(_ACTING, Post.DEPUTY),
}
_STANDINGS = {word: standing for standing in Standing for word in (standing.zh, standing.zh.removesuffix("党员"), f"中共{standing.zh}")}
_STANDINGS["中共党员"] = Standing.FULL
_SINCE = re.compile(r"\([0-9年月日./-]+\)$")


@dataclass(frozen=True)
class MemberRow:
    """A row of the sheet 党员.

    ``faulty``: headings whose cell, or whole column, has been reported already. The days of joining
    and confirmation are compared with the standing; the roster that is kept has neither.
    """

    row: int
    faulty: frozenset[str] = frozenset()
    staff_no: str | None = None
    name: str | None = None
    unit_code: str | None = None
    unit_name: str | None = None
    branch_code: str | None = None
    branch_name: str | None = None
    standing: Standing | None = None
    joined_on: date | None = None
    confirmed_on: date | None = None
    title: str | None = None
    cadre: bool = False
    email: str | None = None
    party_group: str | None = None


@dataclass(frozen=True)
class Seat:
    """A row of the sheet 支部委员会."""

    row: int
    faulty: frozenset[str] = frozenset()
    branch_name: str | None = None
    name: str | None = None
    staff_no: str | None = None
    words: str | None = None

    @property
    def title(self) -> str:
        """Return 职务（留空默认为委员）."""
        return self.words or Post.COMMITTEE_MEMBER.zh


def standing(cell: Cell) -> Standing | None:
    """Read 人员类别, also with a day in brackets (``预备党员（2024.6）``)."""
    words = text(cell)
    if words is None:
        return None
    if (meant := _STANDINGS.get(_SINCE.sub("", words))) is None:
        raise CellFault(f"人员类别{quoted(words)}不能识别：应填“正式党员”或“预备党员”")
    return meant


def cadre(cell: Cell) -> bool:
    """Read 是否党员领导干部; empty is 否."""
    if isinstance(cell.value, bool) and cell.kind != "f":
        return cell.value
    words = text(cell)
    if words not in {"是", "否", "无", None}:
        raise CellFault(f"是否党员领导干部{quoted(words)}不能识别：应填“是”“否”或留空")
    return words == "是"


def post_words(cell: Cell) -> str | None:
    """Read 党内职务 or 职务, in the roster's words; ``无`` and the like are no post."""
    words = text(cell, LONGEST_NAME)
    return None if words in _NO_POST else words


def party_group(cell: Cell) -> str | None:
    """Read 党小组, its name; ``无`` and the like are none."""
    words = text(cell, LONGEST_NAME)
    return None if words in _NOTHING else words


def post_parts(words: str) -> frozenset[str]:
    """Split words into posts: ``支部副书记兼组织委员`` is 副书记 and 组织委员.

    ``组长`` and ``第一党小组长`` are 党小组组长.
    """
    parts = (_POST_PREFIX.sub("", part) for part in _POST_SEPARATOR.split(words) if part)
    return frozenset(Post.GROUP_LEADER.zh if _GROUP_LEADER.fullmatch(part) else part for part in parts)


def post_of(words: str) -> Post:
    """Return the post that words name: of several the highest.

    A word that names no other post is a committee member's.
    """
    posts = {_POSTS.get(part, Post.COMMITTEE_MEMBER) for part in post_parts(words)} or {Post.COMMITTEE_MEMBER}
    return next(post for post in Post if post in posts)
