"""Everybody once (一人一次): members on no roll, on two, rated nowhere or twice, for the office.

The plan: 实事求是地对每名党员提出评定意见。 Somebody who moves in the middle of a year may fall between
two branches; the office sees them in its exceptions and says where they belong.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased

from workflow.appraisal.rating.ratings import Rating
from workflow.foundation.vocabulary import Kind, Role, Severity, Stage, Standing
from workflow.people.organisation import Person
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Participant, Process

_asked = partial(
    requirement,
    "D3",
    stage=Stage.REPORT,
    severity=Severity.SIGN,
    todo_for=Role.OFFICE,
    asked_from=Stage.STUDY,
    asked_until=Stage.ACCEPTED,
    link="roll",
)
_Line = type[Participant]


def _elsewhere(of: type[Process], line: _Line, there: type[Process], *, same: bool = False) -> tuple[ColumnElement[bool], ...]:
    """Join a line with its process in the year of ``of``, another one unless ``same``."""
    here = (there.id == line.process_id, there.cycle_id == of.cycle_id, there.kind == of.kind, there.ended_at.is_(None))
    return here if same else (*here, there.id != of.id)


@_asked(
    zh="{count} 名党员不在本年度任何支部的名册上，请先退回其支部的材料，再核对：{names}",
    en="{count} members are on no roll of this year: return their branch first: {names}",
)
def members_on_no_roll() -> Missing:
    """实事求是地对每名党员提出评定意见"""
    line, there = aliased(Participant), aliased(Process)
    on_one = exists().where(line.person_id == Person.id, line.left_on.is_(None), *_elsewhere(Process, line, there, same=True))
    return (
        missing(Process.id, subject=Person.staff_no, name=Person.name)
        .join(Person, Person.branch_id == Process.branch_id)
        .where(Process.kind == Kind.APPRAISAL, ~on_one.correlate(Process, Person))
    )


@_asked(
    zh="{count} 名党员同时在两个支部的名册上：{names}",
    en="{count} members are on the rolls of two branches: {names}",
)
def members_on_two_rolls() -> Missing:
    """实事求是地对每名党员提出评定意见"""
    line, there = aliased(Participant), aliased(Process)
    on_another = exists().where(line.person_id == Participant.person_id, line.left_on.is_(None), *_elsewhere(Process, line, there))
    return _present().where(on_another.correlate(Process, Participant))


@_asked(
    zh="{count} 名党员没有支部评定，请确定在哪个支部评定：{names}",
    en="{count} members are rated by no branch: say by which: {names}",
)
def members_rated_nowhere() -> Missing:
    """实事求是地对每名党员提出评定意见"""
    line, there = aliased(Participant), aliased(Process)
    by_another = exists().where(line.person_id == Participant.person_id, line.rated_here, *_elsewhere(Process, line, there))
    return _present().where(Participant.standing == Standing.FULL, ~Participant.rated_here, ~by_another.correlate(Process, Participant))


@_asked(
    zh="{count} 名党员在两个支部都评定了等次：{names}",
    en="{count} members were rated by two branches: {names}",
)
def members_rated_twice() -> Missing:
    """实事求是地对每名党员提出评定意见"""
    there, own, other = aliased(Process), aliased(Rating), aliased(Rating)
    rated = exists().where(own.process_id == Participant.process_id, own.staff_no == Participant.staff_no, own.counts, own.level.is_not(None))
    elsewhere = (there.cycle_id == Process.cycle_id, there.kind == Process.kind, there.id != Process.id, there.ended_at.is_(None))
    again = exists().where(other.staff_no == Participant.staff_no, other.counts, other.level.is_not(None), other.process_id == there.id, *elsewhere)
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name)
        .join(Process, Process.id == Participant.process_id)
        .where(rated.correlate(Participant), again.correlate(Process, Participant))
    )


def _present() -> Missing:
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name)
        .join(Process, Process.id == Participant.process_id)
        .where(Process.kind == Kind.APPRAISAL, Participant.left_on.is_(None))
    )


REQUIREMENTS = (members_on_no_roll, members_on_two_rolls, members_rated_nowhere, members_rated_twice)
