"""Findings (系统检查的一项): the lines of an examination, each with its state and advice."""

from __future__ import annotations

from dataclasses import dataclass

from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import Word


class State(Word):
    """The state of an examined thing (系统检查结果)."""

    OK = "ok", "正常"
    WARNING = "warning", "提醒"
    BROKEN = "broken", "故障"


@dataclass(frozen=True)
class Finding:
    """One line: the thing that was examined, its state, and the finding or the advice."""

    what: Words
    state: State
    said: Words


def ok(what: Words, said: Words) -> Finding:
    return Finding(what, State.OK, said)


def warning(what: Words, said: Words) -> Finding:
    return Finding(what, State.WARNING, said)


def broken(what: Words, said: Words) -> Finding:
    return Finding(what, State.BROKEN, said)
