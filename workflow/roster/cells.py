"""Cells and rows of the roster as an office fills them in (单元格): full-width digits, stray spaces, dates of every habit.

Each reader takes a :class:`Cell` and answers its value, ``None`` for an empty one, or raises :class:`CellFault` with
the sentence the office will read.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError
from marshmallow.validate import Email
from openpyxl.utils.datetime import WINDOWS_EPOCH, from_excel
from openpyxl.utils.escape import unescape

from workflow.vocabulary import Post, Standing

LONGEST_NAME = 50
LONGEST_TEXT = 200
LONGEST_CODE = 32
LONGEST_CELL = 32_767  # Excel's own limit
MOST_DIGITS = 15  # Excel keeps no more of a number

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_HAN = "[\u3007\u3400-\u4dbf\u4e00-\u9fff\u00b7\U00020000-\U0003ffff]"
_SPACE_IN_CHINESE = re.compile(f"(?<={_HAN}) (?={_HAN})")
_STAFF_NO = re.compile(r"[A-Za-z0-9_-]{1,32}")
_CODE = re.compile(r"\w[\w.-]*")

_SEPARATOR = r"\s*[年.\-–—/、。·]\s*"
_DAY = re.compile(rf"([0-9]{{4}}){_SEPARATOR}([0-9]{{1,2}})(?:(?:\s*月\s*|{_SEPARATOR})(?:([0-9]{{1,2}})\s*[日号]?)?)?")
_DIGITS_ONLY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})?")
_MIDNIGHT = re.compile(r"[ T]0{1,2}:00(:00(\.0+)?)?$")
_SERIAL = range(10_000, 100_000)  # five digits: a date that lost its format, 1927 to 2173

_POST_PREFIX = re.compile("^(党总支|党支部|支部)(?=.)")
_POST_SEPARATOR = re.compile("[、,;/兼() ]+")
_GROUP_LEADER = re.compile(".*小组组?长|组长")
_NO_POST = frozenset({"无", "党员", "普通党员", "-", "—", "/"})
_POSTS = {post.zh: post for post in (Post.SECRETARY, Post.DEPUTY, Post.GROUP_LEADER)}
_STANDINGS = {word: standing for standing in Standing for word in (standing.zh, standing.zh.removesuffix("党员"))}

_valid_email = Email()


class CellFault(ValueError):
    """What is wrong with a cell, in Chinese (单元格问题). ``severity`` is ``warning`` where the cell is simply taken as empty."""

    def __init__(self, message: str, severity: str = "error") -> None:
        super().__init__(message)
        self.message = message
        self.severity = severity


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as openpyxl gives it: ``kind`` is its data type, ``f`` a formula and ``e`` an error; ``epoch`` the workbook's day zero."""

    value: Any
    kind: str = "s"
    epoch: datetime = WINDOWS_EPOCH


@dataclass(frozen=True)
class MemberRow:
    """A row of the sheet 党员. ``faulty``: headings whose cell, or whole column, has been reported already."""

    row: int
    faulty: frozenset[str] = frozenset()
    staff_no: str | None = None
    name: str | None = None
    gender: str | None = None
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
    remark: str | None = None


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
        """职务（留空默认为委员）."""
        return self.words or Post.COMMITTEE_MEMBER.zh


def quoted(words: str, longest: int = 30) -> str:
    """Words of a cell for a message: never more than an office wants to read."""
    return f"“{words[:longest]}…”" if len(words) > longest else f"“{words}”"


def tidy(words: str) -> str:
    """NFKC (全角转半角), trimmed, one space where there were several, none inside Chinese: ``张　三 `` is ``张三``."""
    if len(words) > LONGEST_CELL:
        raise CellFault(f"内容过长，超过 {LONGEST_CELL} 个字")
    words = unicodedata.normalize("NFKC", unescape(words))
    if _FORBIDDEN.search(words):
        raise CellFault("含有控制字符或无法识别的字符，请删除后重新填写")
    return _SPACE_IN_CHINESE.sub("", " ".join(_INVISIBLE.sub("", words).split()))


def _plain(cell: Cell) -> Any:
    """The value of a cell that is neither formula nor error."""
    if cell.kind == "f":
        raise CellFault("单元格是公式，请复制后用“选择性粘贴—值”改为固定内容")
    if cell.kind == "e":
        raise CellFault("单元格是错误值，请重新填写")
    return cell.value


def _digits(number: int | float) -> str:
    if not abs(number) < 10**MOST_DIGITS:  # so that "not a number" is refused too
        raise CellFault(f"数字超过 {MOST_DIGITS} 位，Excel 会丢失末尾几位，请把单元格设为文本格式后重新填写")
    return str(int(number)) if number == int(number) else repr(number)


def text(cell: Cell, longest: int = LONGEST_TEXT) -> str | None:
    """Words, or a number as its digits."""
    value = _plain(cell)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CellFault("应填文字，但单元格是日期或逻辑值，请设为文本格式后重新填写")
    words = tidy(value if isinstance(value, str) else _digits(value))
    if len(words) > longest:
        raise CellFault(f"内容过长，最多 {longest} 个字")
    return words or None


def person_name(cell: Cell) -> str | None:
    """姓名."""
    return text(cell, LONGEST_NAME)


def staff_no(cell: Cell) -> str | None:
    """学工号: 1 to 32 letters, digits, ``-`` or ``_``."""
    words = text(cell)
    if words is None:
        return None
    words = words.replace(" ", "")
    if not _STAFF_NO.fullmatch(words):
        raise CellFault(f"学工号{quoted(words)}不合规范：应为 1 至 32 位字母、数字、“-”或“_”")
    return words


def code(cell: Cell) -> str | None:
    """编码 of a branch or unit: it becomes part of addresses, so no slash and no leading dot."""
    words = text(cell)
    if words is None:
        return None
    words = words.replace(" ", "")
    if len(words) > LONGEST_CODE or not _CODE.fullmatch(words):
        raise CellFault(f"编码{quoted(words)}不合规范：应为 1 至 {LONGEST_CODE} 位文字、字母、数字、“-”、“_”或“.”，且不以符号开头")
    return words


def remark(cell: Cell) -> str | None:
    """备注: anything, a date too."""
    if isinstance(cell.value, date) and cell.kind != "f":
        return cell.value.isoformat()[:10]
    return text(cell)


def gender(cell: Cell) -> str | None:
    """性别."""
    words = text(cell)
    if words is None:
        return None
    if words.removesuffix("性") not in {"男", "女"}:
        raise CellFault(f"性别{quoted(words)}未采用：应填“男”或“女”", "warning")
    return words.removesuffix("性")


def standing(cell: Cell) -> Standing | None:
    """党籍状态."""
    words = text(cell)
    if words is None:
        return None
    if words not in _STANDINGS:
        raise CellFault(f"党籍状态{quoted(words)}不能识别：应填“正式党员”或“预备党员”")
    return _STANDINGS[words]


def cadre(cell: Cell) -> bool:
    """是否党员领导干部; empty is 否."""
    if isinstance(cell.value, bool) and cell.kind != "f":
        return cell.value
    words = text(cell)
    if words not in {"是", "否", "无", None}:
        raise CellFault(f"是否党员领导干部{quoted(words)}不能识别：应填“是”“否”或留空")
    return words == "是"


def email(cell: Cell) -> str | None:
    """邮箱. A wrong address is taken as none, so no letter is tried with it."""
    words = text(cell)
    if words is None:
        return None
    try:
        if not words.isascii() or '"' in words:
            raise ValidationError("not an address that a letter can carry")
        return str(_valid_email(words))
    except ValidationError as fault:
        raise CellFault(f"邮箱{quoted(words)}不合规范，未采用，此人将收不到信件", "warning") from fault


def post_words(cell: Cell) -> str | None:
    """党内职务 or 职务, in the roster's words; ``无`` and the like are no post."""
    words = text(cell, LONGEST_NAME)
    return None if words in _NO_POST else words


def post_parts(words: str) -> frozenset[str]:
    """``支部副书记兼组织委员`` is 副书记 and 组织委员; ``组长`` and ``第一党小组长`` are 党小组组长."""
    parts = (_POST_PREFIX.sub("", part) for part in _POST_SEPARATOR.split(words) if part)
    return frozenset(Post.GROUP_LEADER.zh if _GROUP_LEADER.fullmatch(part) else part for part in parts)


def post_of(words: str) -> Post:
    """The post that words name: of several the highest; every word that is no other post is a committee member's."""
    posts = {_POSTS.get(part, Post.COMMITTEE_MEMBER) for part in post_parts(words)} or {Post.COMMITTEE_MEMBER}
    return next(post for post in Post if post in posts)


def day(cell: Cell) -> date | None:
    """入党时间, 转正时间: a date cell, ``1999年7月1日``, ``1999-7-1``, ``19990701``; a month alone (``2009.07``) is its first day."""
    value = _plain(cell)
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _day_of_number(value, cell.epoch)
    if value is not None and not isinstance(value, str):
        raise CellFault("不是日期，请写作“1999年7月1日”")
    words = text(Cell(value))
    return None if words is None else _day_of_words(words)


def _day_of_number(number: int | float, epoch: datetime) -> date:
    digits = _digits(number)
    if re.fullmatch(r"[0-9]{4}\.1", digits):
        raise CellFault(f"{digits} 分不清是 1 月还是 10 月，请写作“{digits[:4]}年1月”或“{digits[:4]}年10月”")
    if number in _SERIAL:
        moment = from_excel(number, epoch)
        if isinstance(moment, datetime):
            return moment.date()
    return _day_of_words(digits)


def _day_of_words(words: str) -> date:
    found = _DIGITS_ONLY.fullmatch(words) or _DAY.fullmatch(_MIDNIGHT.sub("", words))
    if not found:
        raise CellFault(f"日期{quoted(words)}不能识别，请写作“1999年7月1日”或“1999-07-01”，只知年月的写作“1999年7月”")
    try:
        return date(int(found[1]), int(found[2]), int(found[3] or 1))
    except ValueError as fault:
        raise CellFault(f"日期{quoted(words)}不存在") from fault
