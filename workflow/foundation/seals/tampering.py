"""Faults of the history (变更记录的异常): the words that name what was done, to which row and when."""

from __future__ import annotations

from datetime import datetime

from workflow.foundation.errors import Words
from workflow.foundation.seals.sealing import HistorySeal
from workflow.foundation.vocabulary import SCHOOL_ZONE


class Tampering(Exception):
    """The first row or seal that is not as it was sealed."""

    def __init__(self, words: Words) -> None:
        self.words = words
        super().__init__(words)


_OF_ROWS = {
    "edited": Words("被改动：内容与当时的摘要不符", "was edited: it does not say what it said"),
    "deleted": Words("被删除", "was deleted"),
    "added": Words("是事后添加的：封印时没有这一行", "was added afterwards: no seal holds it"),
    "moved": Words("被调换了位置：它现在是第 {place} 行", "was moved: it stands as row {place} now"),
}
_OF_SEALS = {
    "edited": Words("被改动：与密钥或上一道封印对不上", "was edited: key or previous seal do not fit"),
    "missing": Words("不见了，后面的还在", "is missing, later ones are there"),
    "unknown-key": Words(
        "所用的密钥不在设置里：旧密钥请接在 ZHIBU_SEAL_KEY 后面，用逗号分开",
        "has a key that is not in the settings: put the old key behind a comma into ZHIBU_SEAL_KEY",
    ),
}


def of_row(
    kind: str, number: int, *, what: str | None = None, at: datetime | None = None, seal: HistorySeal | None = None, place: int | None = None
) -> Tampering:
    """Name a row: its table, number and time, the seal that holds it, the kind of change."""
    known = [Words(f"{what} 表", f"table {what}")] if what else []
    known += [Words(f"记于 {_told(at)}", f"written {_told(at)}")] if at else []
    known += [Words(f"封印 {seal.number}，{_told(seal.sealed_at)}", f"seal {seal.number}, {_told(seal.sealed_at)}")] if seal else []
    known += [] if seal or kind == "added" else [Words("尚未封印", "not sealed yet")]
    done = _OF_ROWS[kind].format(place=place)
    zh = f"变更记录第 {number} 行（{'，'.join(each.zh for each in known)}）{done}"
    return Tampering(Words(zh, f"row {number} of the history ({', '.join(each.en for each in known)}) {done.en}"))


def of_seal(kind: str, number: int, at: datetime | None = None) -> Tampering:
    """Name a seal: its number and time, the kind of change."""
    done = _OF_SEALS[kind]
    when = Words(f"（{_told(at)}）", f" ({_told(at)})") if at else Words("", "")
    return Tampering(Words(f"第 {number} 道封印{when.zh}{done}", f"seal {number}{when.en} {done.en}"))


def _told(moment: datetime) -> str:
    return moment.astimezone(SCHOOL_ZONE).strftime("%Y-%m-%d %H:%M:%S")
