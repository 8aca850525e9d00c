"""Kinds of process (流程种类): all differences between the kinds, each declared in its package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import Kind, MeetingForm, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    AnyAct,
    Call,
)
from workflow.rules.moves import Move
from workflow.rules.records import AnyRecords
from workflow.rules.requirement import Requirement
from workflow.year.cycle import Process


def _everything(call: Call[object]) -> ColumnElement[bool]:
    return true()


@dataclass(frozen=True)
class FormHint:
    """The form of meeting that suits the size of a branch (建议的会议形式). It blocks nothing."""

    clause: str
    members: int
    """Members who should attend."""
    groups: int
    """党小组 of the branch."""
    form: MeetingForm
    message: Words


@dataclass(frozen=True)
class ProcessKind:
    """One kind of process (一类流程): its moves, requirements and acts, and the rights on them."""

    kind: Kind
    moves: tuple[Move, ...]
    requirements: tuple[Requirement, ...]
    records: tuple[AnyRecords, ...]
    """The kinds of record below its processes."""
    acts: tuple[AnyAct, ...]
    """The acts on its records.

    The acts that every process has stand in ``workflow/acts/processes.py``.
    """
    reads: Action
    """The right to read the stage of a process, and what it lacks."""
    reads_history: Action
    moving: Action
    """The right to try a move; each move names its own role."""
    waiting: tuple[Requirement, ...] = ()
    """Work that waits for one person or the school: in to-dos alone, never lacked by the branch."""
    history_seen: Callable[[Call[object]], ColumnElement[bool]] = _everything
    """The rows of a process's history that a reader sees."""
    stage_shown: Callable[[Caller, Stage], bool] = lambda by, stage: True
    """True if a reader sees the requirements of a stage."""
    advancing_many: Action | None = None
    """The right to advance many processes by one act; None: each branch advances alone."""
    hint: Callable[[Session, Process], FormHint | None] = lambda session, process: None
    """The advice that the present stage of a process has."""
    excusing: bool = False
    """True if people are excused on its roll."""
