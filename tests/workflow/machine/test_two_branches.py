"""Each requirement judges every branch alone: one branch's records meet nothing for another.

Both branches have the same people on their rolls, so that not even a member can stand for them.
"""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school
from tests.support.records.evidence import OF_ALL_BRANCHES, SITUATIONS
from workflow.foundation.database import any_of
from workflow.foundation.vocabulary import Coverage, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import unmet
from workflow.people.organisation import Branch, Person
from workflow.rules.requirement import Requirement
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.following import open_processes

Lack = Counter[tuple[str, int]]


@pytest.mark.parametrize("stage", sorted({each.stage for each in BY_NAME.values()}))
def test_each_requirement_sees_only_what_its_own_branch_did(session: Session, stage: Stage) -> None:
    wrong = []
    for coverage in Coverage:
        with session.begin_nested() as school:
            a_school(session, coverage=coverage)
            for name, each in BY_NAME.items():
                of_branch = name not in OF_ALL_BRANCHES
                if each.stage is stage and of_branch and SITUATIONS[name].coverage is coverage:
                    wrong += _confused(session, each)
            school.rollback()
    assert wrong == []


def _confused(session: Session, requirement: Requirement) -> list[str]:
    """Name the orders of the two branches in which a requirement takes one for the other."""
    wrong = []
    for unmet_first in (True, False):
        with session.begin_nested() as attempt:
            first, alone = _after(session, requirement, met=not unmet_first)
            _give_to_another_branch(session, first)
            second, _ = _after(session, requirement, met=unmet_first)
            beside = []
            for each in (first, second):
                _go_to(session, each, of=(first, second))
                beside.append(_lack(session, each, requirement))
            attempt.rollback()
        lacking, meeting = beside if unmet_first else reversed(beside)
        if not lacking or meeting or (unmet_first and lacking != alone):
            first_one = "lacking" if unmet_first else "meeting"
            wrong.append(f"{requirement.name}, the {first_one} branch first: {beside}")
    return wrong


def _after(session: Session, requirement: Requirement, *, met: bool) -> tuple[Process, Lack]:
    """Bring D0101 into a situation; give its process and its gaps at that moment."""
    situation = SITUATIONS[requirement.name]
    process = process_of(session, 2024, "D0101", kind=requirement.kind)
    (situation.met if met else situation.unmet)(session, process)
    return process, _lack(session, process, requirement)


def _lack(session: Session, process: Process, requirement: Requirement) -> Lack:
    rows = unmet(session, process, [requirement], today=TODAY)
    return Counter((subject.id, subject.amount) for row in rows for subject in row.open)


def _go_to(session: Session, process: Process, *, of: tuple[Process, Process]) -> None:
    """Let the people of both branches be in one: some requirements ask who is there today."""
    in_either = any_of(Person.branch_id, [each.branch_id for each in of])
    session.execute(update(Person).where(in_either).values(branch_id=process.branch_id))


def _give_to_another_branch(session: Session, done: Process) -> None:
    """Give all records of D0101, with its rolls, to a new branch; D0101 begins anew."""
    unit = {"unit_code": "D01", "unit_name": "D01党委"}
    other = Branch(code="D0102", name="D0102党支部", has_committee=True, **unit)
    session.add(other)
    session.flush()
    for process in session.query(Process).where(Process.branch_id == done.branch_id):
        process.branch_id = other.id
    session.flush()
    session.expire_all()
    open_processes(session, done.cycle, now=NOW)
