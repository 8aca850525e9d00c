"""The gate (关口): finds everything that is missing, once, and tells everyone the same.

The refusal of a move, a branch's checklist, a person's to-dos, the office's exceptions and the
letters are all one evaluation with different filters. The SQL of the evaluation stands in
``evaluation.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from workflow.foundation.database import Json
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import KIND_OF, STAGES, CycleStatus, Kind, Role, Stage
from workflow.machine import evaluation
from workflow.machine.asked import BY_NAME, HOLDERS, REQUIREMENTS, requirements_of
from workflow.machine.evaluation import run
from workflow.rules.requirement import Requirement
from workflow.year.cycle import Process
from workflow.year.plan import words_of

MOST_TODOS = 1000


@dataclass(frozen=True, order=True)
class Subject:
    """A missing thing: a member, a pair, a title, a record, or the branch itself (``''``)."""

    id: str
    name: str
    amount: int


@dataclass(frozen=True)
class Place:
    """The place where something is missing, and its deadline."""

    kind: Kind
    year: int
    branch_code: str
    branch_name: str
    unit: str
    due_on: date | None
    plan: Json
    """The plan of this cycle: its sentences and its words."""


@dataclass(frozen=True)
class Unmet:
    """A requirement of one process with its missing subjects.

    ``open`` blocks, ``waived`` is covered by a reason.
    """

    requirement: Requirement
    process_id: int
    at: Place
    open: tuple[Subject, ...] = ()
    waived: tuple[Subject, ...] = ()

    @property
    def blocks(self) -> bool:
        return self.requirement.blocks and bool(self.open)

    @property
    def state(self) -> str:
        return "unmet" if self.open else "waived" if self.waived else "met"

    @property
    def sentence(self) -> str:
        """Return the plan's sentence behind it."""
        return self.at.plan["clauses"].get(self.requirement.clause) or self.requirement.sentence

    @property
    def message(self) -> Words:
        """Tell what is missing, with all the names."""
        subjects = self.open or self.waived
        if not subjects:
            return Words("已满足", "met")
        return self.requirement.words.format(count=len(subjects), names="、".join(subject.name for subject in subjects), **words_of(self.at.plan))


def unmet(session: Session, process: Process, requirements: Sequence[Requirement] | None = None, *, today: date | None = None) -> list[Unmet]:
    """List the unmet requirements of a process, in the order they are declared.

    Default: those of its stage. One round trip. Signs may ask for the day; a requirement that
    blocks does not depend on it.
    """
    declared = requirements_of(process.kind, process.stage) if requirements is None else requirements
    asked = tuple(each for each in declared if process.cycle.asks(each.clause))
    if not asked:
        return []
    names = tuple(each.name for each in asked)
    rows = run(session, evaluation.of_process(names), {"process_id": process.id, **({} if today is None else {"today": today})})
    at = _place(process)
    found = {row.requirement: _unmet(row, at) for row in rows}
    return [found[each.name] for each in asked if each.name in found]


def blocking(session: Session, process: Process, stage: Stage | None = None) -> list[Unmet]:
    """List the obstacles between a process and its next stage.

    These are the hard and soft requirements (of ``stage``; default: the present one) that no waiver
    covers.
    """
    asked = [each for each in requirements_of(process.kind, stage or process.stage) if each.blocks]
    return [each for each in unmet(session, process, asked) if each.blocks]


def blocking_together(session: Session, asked: Mapping[int, Stage], among: Sequence[Process]) -> dict[int, list[Unmet]]:
    """List the obstacles of many processes as ``blocking`` does, each for its own asked stage.

    One round trip for each stage, however many processes there are.
    """
    found: dict[int, list[Unmet]] = {}
    for stage in sorted(set(asked.values()), key=tuple(Stage).index):
        names = tuple(each.name for each in requirements_of(KIND_OF[stage], stage) if each.blocks)
        if not names:
            continue
        here = {process.id: process for process in among if asked.get(process.id) is stage}
        rows = run(session, evaluation.of_processes(names), {"processes": sorted(here)})
        for row in sorted(rows, key=lambda row: names.index(row.requirement)):
            each = _unmet(row, _place(here[row.process_id]))
            if each.blocks and here[row.process_id].cycle.asks(each.requirement.clause):
                found.setdefault(row.process_id, []).append(each)
    return found


def signs(session: Session, process: Process, *, today: date) -> list[Unmet]:
    """List the signs of a process that are not met, of every stage; they show beside its form."""
    return unmet(session, process, [each for each in REQUIREMENTS[process.kind] if not each.blocks], today=today)


def checklist(session: Session, process: Process, stage: Stage, *, today: date) -> list[Unmet]:
    """List every requirement of a stage as met, unmet or waived, signs included."""
    asked = [each for each in requirements_of(process.kind, stage) if process.cycle.asks(each.clause)]
    found = {each.requirement.name: each for each in unmet(session, process, asked, today=today)}
    return [found.get(each.name) or Unmet(each, process.id, _place(process)) for each in asked]


def exceptions(
    session: Session,
    year: int,
    *,
    today: date,
    clause: str | None = None,
    unit: str | None = None,
    after: tuple[str, int] = ("", 0),
    limit: int = 100,
) -> list[Unmet]:
    """List everything that is missing school-wide in one year, by branch code.

    These are the gate's own rows without the branch filter. Signs are listed until the branch has
    reached the last stage: the office looks at them to decide on that stage. Of a closed year they
    are the matters that go on. A page asks as many branches as are needed to fill it, some hundred
    at a time, however many there are.
    """
    found: list[Unmet] = []
    while len(found) < limit:
        asked = {"year": year, "today": today, "unit": unit, "code": after[0], "number": after[1], "limit": limit - len(found)}
        (window,) = run(session, evaluation.NEXT_BRANCHES, asked)
        over = window.status == CycleStatus.CLOSED
        names = tuple(
            each.name for kind in REQUIREMENTS for each in REQUIREMENTS[kind] if clause in (None, each.clause) and (each.after_the_year or not over)
        )
        if names:
            listed = {"published": (CycleStatus.CLOSED if over else CycleStatus.PUBLISHED).value}
            found += _located(session, evaluation.of_the_school(names), {**asked, **listed, "last": window.last})
        if window.branches < evaluation.BRANCHES_AT_ONCE:
            break
        after = (window.last, len(BY_NAME))
    return found


def place_in_list(row: Unmet) -> tuple[str, int]:
    """Return the place of an exception in the list, for the cursor that continues after it."""
    return row.at.branch_code, tuple(BY_NAME).index(row.requirement.name)


@dataclass(frozen=True)
class TodoPlace:
    """The place of a to-do in a person's list: theirs in branches first, then those of the school.

    It names branch and requirement, so that nothing is skipped when others are done meanwhile.
    """

    of_school: bool
    branch_code: str
    number: int


FIRST_TODO = TodoPlace(False, "", 0)


def place_in_todos(row: Unmet) -> TodoPlace:
    """Return the place of a to-do, for the cursor that continues after it."""
    return TodoPlace(row.requirement.todo_for not in HOLDERS, *place_in_list(row))


def todos(
    session: Session, person_id: int, *, today: date, school: Collection[Role] = (), after: TodoPlace = FIRST_TODO, limit: int = MOST_TODOS
) -> list[Unmet]:
    """List everything that is missing from one person, in all branches and cycles.

    These are rows that name them, and rows for every holder of a role they have on that roll, or in
    the school. A person who stands in for another today sees what the other's role asks, not what
    is asked of the other by name.
    """
    of_rolls = tuple(name for name, each in BY_NAME.items() if each.todo_for in HOLDERS)
    of_school = tuple(name for name, each in BY_NAME.items() if each.todo_for in school)
    asked = {"me": person_id, "today": today, "code": after.branch_code, "number": after.number, "limit": limit}
    found = [] if after.of_school else _located(session, evaluation.of_a_person(of_rolls), asked)
    if not of_school or len(found) == limit:
        return found
    from_here = {} if after.of_school else {"code": "", "number": 0}
    rest = {**asked, **from_here, "limit": limit - len(found)}
    return [*found, *_located(session, evaluation.of_everybody(of_school), rest)]


def _located(session: Session, sql: str, parameters: Mapping[str, object]) -> list[Unmet]:
    """List everything that is missing in published cycles, each row with its branch."""
    found = run(session, sql, {"published": CycleStatus.PUBLISHED.value, **parameters})
    plans = {row.year: row.plan for row in found if row.plan is not None}
    return [_unmet(row, Place(Kind(row.kind), row.year, row.code, row.branch_name, row.unit_name, row.due_on, plans[row.year])) for row in found]


def duties(session: Session, processes: Sequence[Process]) -> dict[tuple[int, int | None], dict[str, int]]:
    """Count the subjects of each requirement that block.

    By process and person who must act, and by process and None for the whole branch. One query over
    all of them. Signs are left out: they show in the exceptions and beside the form, not in
    letters.
    """
    asked = {process.id: _asked_now(process) for process in processes}
    names = tuple(name for name in BY_NAME if any(name in each for each in asked.values()))
    if not names:
        return {}
    ids = {kind.value: [process.id for process in processes if process.kind is kind] for kind in Kind}
    rows = run(session, evaluation.counted(names), ids)
    counted: dict[tuple[int, int | None], dict[str, int]] = {}
    for row in sorted(rows, key=lambda row: names.index(row.requirement)):
        if row.requirement in asked[row.process_id] and (row.of_branch or row.person_id is not None):
            counted.setdefault((row.process_id, None if row.of_branch else row.person_id), {})[row.requirement] = row.subjects
    return counted


def _asked_now(process: Process) -> frozenset[str]:
    """Name the blocking requirements that to-dos and letters of a process's stage include."""
    order, cycle = STAGES[process.kind].index, process.cycle
    here = order(process.stage)
    declared = [each for each in REQUIREMENTS[process.kind] if each.blocks and order(each.asked_from) <= here <= order(each.asked_until)]
    return frozenset(each.name for each in declared if cycle.asks(each.clause))


def _place(process: Process) -> Place:
    branch, cycle = process.branch, process.cycle
    return Place(process.kind, cycle.year, branch.code, process.branch_name, process.unit_name, process.due_on, cycle.plan)


def _unmet(row: Any, at: Place) -> Unmet:
    return Unmet(BY_NAME[row.requirement], row.process_id, at, _subjects(row.open), _subjects(row.waived))


def _subjects(rows: Sequence[tuple[str, str, int]]) -> tuple[Subject, ...]:
    return tuple(sorted(Subject(*row) for row in rows))
