"""Kinds of process (流程种类): all that tells one kind from another, declared once in its package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, true

from workflow.foundation.vocabulary import Kind, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    AnyAct,
    Call,
)
from workflow.rules.moves import Move
from workflow.rules.records import AnyRecords
from workflow.rules.requirement import Requirement


def _everything(call: Call[object]) -> ColumnElement[bool]:
    return true()


@dataclass(frozen=True)
class ProcessKind:
    """One kind of process (一类流程): its moves, its requirements, its acts, and who may what with any of its processes."""

    kind: Kind
    moves: tuple[Move, ...]
    requirements: tuple[Requirement, ...]
    records: tuple[AnyRecords, ...]
    """The kinds of record below its processes."""
    acts: tuple[AnyAct, ...]
    """Those on its records; what every process has besides stands in ``workflow/acts/processes.py``."""
    reads: Action
    """Who reads where a process stands and what it lacks."""
    reads_history: Action
    moving: Action
    """Who may try a move; each move says whose it is."""
    history_seen: Callable[[Call[object]], ColumnElement[bool]] = _everything
    """Which rows of its history a reader sees."""
    stage_shown: Callable[[Caller, Stage], bool] = lambda by, stage: True
    """Whether a reader sees what a stage asks."""
    advancing_many: Action | None = None
    """Who may advance many processes by one act; None: each branch goes its own way."""
    excusing: bool = False
    """Whether people are excused on its roll."""
