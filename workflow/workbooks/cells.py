"""Cells as an office fills them in (单元格): full-width digits, stray spaces, dates of every habit.

Each reader takes a :class:`Cell` and answers its value, ``None`` for an empty one, or raises
:class:`CellFault` with the sentence the office will read.
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

from workflow.foundation.fields.texts import FILLERS, shows

LONGEST_NAME = 50
LONGEST_TEXT = 200
LONGEST_CODE = 32
LONGEST_CELL = 32_767  # Excel's own limit
MOST_DIGITS = 15  # Excel keeps no more of a number
GENERAL = "General"  # the number format of a cell that has none

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_INVISIBLE = re.compile(f"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f{FILLERS}]")
_HAN = "[\u3007\u3400-\u4dbf\u4e00-\u9fff\u00b7\U00020000-\U0003ffff]"
_SPACE_IN_CHINESE = re.compile(f"(?<={_HAN}) (?={_HAN})")
_LINE_BREAK = re.compile("[\r\n]")
_DOUBTS = (
    (re.compile("[?*#_×\ufffd\u3013\u25a0\u25a1\ue000-\uf8ff\U000f0000-\U0010fffd]|(?i:xx)|某某"), "含有无法识别或占位的字符"),
    (re.compile("[0-9]"), "含有数字"),
    (re.compile("[、,;/]"), "像是不止一个人"),
)
"""Doubts about a name. Another computer shows other private-use characters."""
_AS_SHOWN = re.compile(r"general|@|[#?,]*0?(\.[0#?]*)?(e[+-]0+)?", re.IGNORECASE)
_ZEROS = re.compile("0{2,}")
_NOT_SHOWN = re.compile(r'\[[^\]]*\]|_.|\*.|\\? |" *"')
_STAFF_NO = re.compile(r"[A-Za-z0-9_-]{1,32}")
_CODE = re.compile(r"\w[\w.-]*")

_SEPARATOR = r"\s*[年.\-–—/、。·]\s*"
_DAY = re.compile(rf"([0-9]{{4}}){_SEPARATOR}([0-9]{{1,2}})(?:(?:\s*月\s*|{_SEPARATOR})(?:([0-9]{{1,2}})\s*[日号]?)?)?")
_DIGITS_ONLY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})?")
_MIDNIGHT = re.compile(r"[ T]0{1,2}:00(:00(\.0+)?)?$")
_SERIAL = range(10_000, 100_000)  # five digits: a date that lost its format, 1927 to 2173

_valid_email = Email()


class CellFault(ValueError):
    """A fault of a cell, in Chinese (单元格问题).

    ``severity`` is ``warning`` where the cell is simply taken as empty, or as ``taken``.
    """

    def __init__(self, message: str, severity: str = "error", taken: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.severity = severity
        self.taken = taken


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as openpyxl gives it.

    ``kind`` is its data type, ``f`` a formula and ``e`` an error; ``epoch`` the workbook's day
    zero; ``number_format`` the way in which Excel shows a number.
    """

    value: Any
    kind: str = "s"
    epoch: datetime = WINDOWS_EPOCH
    number_format: str = GENERAL


def quoted(words: str, longest: int = 30) -> str:
    """Quote words of a cell for a message: never more than an office wants to read."""
    return f"“{words[:longest]}…”" if len(words) > longest else f"“{words}”"


def tidy(words: str) -> str:
    """Tidy words: NFKC (全角转半角), trimmed, single spaces, none inside Chinese.

    ``张　三 `` is ``张三``. What shows nothing is left out.
    """
    if len(words) > LONGEST_CELL:
        raise CellFault(f"内容过长，超过 {LONGEST_CELL} 个字")
    words = unicodedata.normalize("NFKC", unescape(words))
    if _FORBIDDEN.search(words):
        raise CellFault("含有控制字符或无法识别的字符，请删除后重新填写")
    words = _SPACE_IN_CHINESE.sub("", " ".join(_INVISIBLE.sub("", words).split()))
    return words if shows(words) else ""


def _plain(cell: Cell) -> object:
    """Return the value of a cell that is neither formula nor error."""
    if cell.kind == "f":
        raise CellFault("单元格是公式，请复制后用“选择性粘贴—值”改为固定内容")
    if cell.kind == "e":
        raise CellFault("单元格是错误值，请重新填写")
    return cell.value


def _digits(number: int | float) -> str:
    if not abs(number) < 10**MOST_DIGITS:  # so that "not a number" is refused too
        raise CellFault(f"数字超过 {MOST_DIGITS} 位，Excel 会丢失末尾几位，请把单元格设为文本格式后重新填写")
    return str(int(number)) if number == int(number) else repr(number)


def _digits_shown(number: int | float, number_format: str) -> str:
    """Return the digits of a number as Excel shows them: ``0101001`` by the format ``0000000``.

    Raises CellFault for a format that shows something else than the digits.
    """
    digits = _digits(number)
    shown = _NOT_SHOWN.sub("", number_format.split(";", 1)[0])
    if _ZEROS.fullmatch(shown):
        return digits.zfill(len(shown))
    if not _AS_SHOWN.fullmatch(shown):
        raise CellFault(f"单元格是数字 {digits}，却按格式{quoted(number_format)}显示成别的样子，请设为文本格式后照原样填写")
    return digits


def text(cell: Cell, longest: int = LONGEST_TEXT) -> str | None:
    """Read words, or a number as its digits are shown."""
    value = _plain(cell)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CellFault("应填文字，但单元格是日期或逻辑值，请设为文本格式后重新填写")
    words = tidy(value if isinstance(value, str) else _digits_shown(value, cell.number_format))
    if len(words) > longest:
        raise CellFault(f"内容过长，最多 {longest} 个字")
    return words or None


def person_name(cell: Cell) -> str | None:
    """Read 姓名: one person's. A doubtful one is taken, with a warning."""
    words = text(cell, LONGEST_NAME)
    if words is None:
        return None
    if isinstance(cell.value, str) and _LINE_BREAK.search(unescape(cell.value).strip()):
        raise CellFault(f"姓名{quoted(words)}中有换行：一格只能写一个人")
    doubts = [doubt for pattern, doubt in _DOUBTS if pattern.search(words)]
    if doubts:
        raise CellFault(f"姓名{quoted(words)}{'、'.join(doubts)}，请核对", "warning", taken=words)
    return words


def staff_no(cell: Cell) -> str | None:
    """Read a 学工号: 1 to 32 letters, digits, ``-`` or ``_``."""
    words = text(cell)
    if words is None:
        return None
    words = words.replace(" ", "")
    if not _STAFF_NO.fullmatch(words):
        raise CellFault(f"学工号{quoted(words)}不合规范：应为 1 至 32 位字母、数字、“-”或“_”")
    return words


def code(cell: Cell) -> str | None:
    """Read the 编码 of a branch or unit.

    It becomes part of addresses, so no slash and no leading dot.
    """
    words = text(cell)
    if words is None:
        return None
    words = words.replace(" ", "")
    if len(words) > LONGEST_CODE or not _CODE.fullmatch(words):
        raise CellFault(f"编码{quoted(words)}不合规范：应为 1 至 {LONGEST_CODE} 位文字、字母、数字、“-”、“_”或“.”，且不以符号开头")
    return words


def email(cell: Cell) -> str | None:
    """Read 邮箱. A wrong address is taken as none, so no letter is sent to it."""
    words = text(cell)
    if words is None:
        return None
    try:
        if not words.isascii() or '"' in words:
            raise ValidationError("not an address that a letter can carry")
        return str(_valid_email(words))
    except ValidationError as fault:
        raise CellFault(f"邮箱{quoted(words)}不合规范，未采用，此人将收不到通知邮件", "warning") from fault


def day(cell: Cell) -> date | None:
    """Read a day (日期): a date cell, ``1999年7月1日``, ``1999-7-1``, ``19990701``.

    A month alone (``2009.07``) is its first day.
    """
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
