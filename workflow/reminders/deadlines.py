"""Deadlines that come near or are over (期限提醒、逾期提醒)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, contains_eager, selectinload

from workflow.foundation.database import any_of
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import WORKING_STAGES, CycleStatus, Post, Role
from workflow.machine.asked import BY_NAME
from workflow.machine.process import moves_from
from workflow.mail import letters
from workflow.mail.letters import reminder_kind
from workflow.people.organisation import Person, holders_of
from workflow.people.recipients import is_gone
from workflow.people.substitutes import Substitute, standing
from workflow.reminders.due import Due, ProcessState, TickMoment, Topic
from workflow.reminders.when import reason_of, remark_of
from workflow.rules.telling import process_link
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.plan import words_of

DEADLINE = Words("期限", "the deadline")
_LEADERS = (Post.SECRETARY, Post.DEPUTY)
_WORKING = [stage for stages in WORKING_STAGES.values() for stage in stages]


class Near(NamedTuple):
    """A process whose day is near or over, with its reminder."""

    process: Process
    topic: Topic


def near_processes(session: Session, at: TickMoment) -> list[Near]:
    """Find processes of published cycles whose stage's day is near or over, in id order.

    Nobody is reminded on the day on which the stage was entered, or its day was changed.
    """
    rows = session.scalars(
        select(Process)
        .join(Process.cycle)
        .join(Process.branch)
        # The cycle is loaded apart: joined, its plan would be read again with each of its
        # processes.
        .options(selectinload(Process.cycle), contains_eager(Process.branch))
        .where(
            Cycle.status == CycleStatus.PUBLISHED,
            any_of(Process.stage, _WORKING),
            at.is_near(Process.due_on),
            Process.entered_at < at.began,
            func.coalesce(Process.day_changed_at < at.began, True),
        )
        .order_by(Process.id)
        .execution_options(populate_existing=True)
    ).all()
    due = [(row, (row.due_on, row.cycle_id)) for row in rows if row.due_on is not None]
    steps = {day: at.step(*day) for day in {day for _, day in due}}
    told = {day: (reminder_kind(step), reason_of(DEADLINE, day[0], step, at.overrides)) for day, step in steps.items() if step is not None}
    return [Near(row, _topic(row, day[0], *told[day])) for row, day in due if day in told]


def _topic(process: Process, day: date, kind: str, reason: Words) -> Topic:
    return Topic(
        kind=kind,
        due_on=day,
        reason=reason,
        cycle_id=process.cycle_id,
        standing=ProcessState(process.id, process.stage, process.round, day),
        branch=process.branch_name,
        round=process.round,
    )


DutyCounts = Mapping[tuple[int, int | None], Mapping[str, int]]
"""The counts of what is missing of each requirement, by process and person who must act.

``gate.duties`` makes them.
"""


def of_deadlines(session: Session, near: Sequence[Near], missing: DutyCounts, at: TickMoment) -> Iterator[Due]:
    """Derive a letter for the leaders of each process that they must move on.

    And one for each other person who must act in it. The office gets the letter of a branch that
    has no leader whom letters reach.
    """
    by_process = {each.process.id: each for each in near}
    acting = [person_id for _, person_id in missing if person_id is not None]
    in_their_place = _substitutes(session, list(by_process), at.today)
    roll = session.execute(
        select(Participant, Person.email, is_gone(at.today))
        .join(Person, Person.id == Participant.person_id)
        .where(
            any_of(Participant.process_id, list(by_process)),
            Participant.left_on.is_(None),
            or_(
                any_of(Participant.post, _LEADERS),
                any_of(Participant.person_id, acting),
                any_of(Participant.person_id, [person_id for _, person_id in in_their_place]),
            ),
        )
        .order_by(Participant.process_id, Participant.person_id)
    )
    led: set[int] = set()
    for row, address, gone in roll:
        each, leads = by_process[row.process_id], row.post in _LEADERS or (row.process_id, row.person_id) in in_their_place
        process = each.process
        answers = leads and is_for_the_secretary(process)
        led |= {process.id} if leads and not gone else set()
        lacking, own = missing.get((process.id, None), {}), missing.get((process.id, row.person_id), {})
        counts = lacking if answers else {**own, **_asked_of_the_secretary(lacking)} if leads else own
        if not (answers or counts):
            continue
        compose = partial(_compose, each, row.name, answers, counts, at)
        yield each.topic.to(row, address, compose)
    leaderless = [each for each in near if each.process.id not in led and is_for_the_secretary(each.process)]
    for person in holders_of(session, Role.OFFICE, at.today) if leaderless else ():
        for each in leaderless:
            compose = partial(_compose, each, person.name, True, missing.get((each.process.id, None), {}), at, instead=True)
            yield each.topic.to(person, person.email, compose)


def _compose(near: Near, name: str, leads: bool, counts: Mapping[str, int], at: TickMoment, *, instead: bool = False) -> letters.Reminder:
    process, day = near.process, near.topic.due_on
    return letters.Reminder(
        recipient=name,
        branch=process.branch_name,
        year=process.cycle.year,
        stage=process.stage,
        due_on=day,
        today=at.today,
        leads=leads,
        duties=duties_of(process.cycle, counts, own=not leads),
        instead=instead,
        link=process_link(at.base_url, process),
        kind=process.kind,
        remark=remark_of(day.year),
    )


def is_for_the_secretary(process: Process) -> bool:
    """Tell whether the secretary moves this process on.

    Then the secretary is told all that it lacks, even if that is nothing. Otherwise the office is
    told about the branch, and the secretary about their own duties.
    """
    return any(move.asks is process.stage and move.who is Role.SECRETARY for move in moves_from(process))


def _asked_of_the_secretary(counts: Mapping[str, int]) -> dict[str, int]:
    """Keep the requirements that are asked of the secretary's role.

    A person who stands in for the secretary is told of them too, though the roll does not give them
    the role.
    """
    return {name: count for name, count in counts.items() if BY_NAME[name].todo_for is Role.SECRETARY}


def duties_of(cycle: Cycle, counts: Mapping[str, int], *, own: bool = False, branches: bool = False) -> tuple[letters.Duty, ...]:
    """Say what is missing of each requirement, in their order, without names.

    ``counts`` are of what is missing; with ``branches`` of the branches that it is missing of.
    ``own`` speaks to members of what they themselves owe.
    """
    words, said = words_of(cycle.plan), []
    for name, count in sorted(counts.items(), key=lambda item: _ORDER(item[0])):
        requirement = BY_NAME[name]
        zh = _NAMES.sub("", _LACKING.sub("还不齐全", requirement.words.zh))
        if own and requirement.todo_for is Role.MEMBER:
            zh = _ONE_MEMBER.sub("您还没有", zh)
        said.append(letters.Duty(zh.format(count=count, **words), count if branches else None))
    return tuple(said)


_LACKING = re.compile(r"(还缺|缺少以下部分)：\{names\}")
_NAMES = re.compile(r"：\{names\}|（\{names\}）|\{names\}")
_ONE_MEMBER = re.compile(r"^还有 \{count\} 名党员没有")


_ORDER = tuple(BY_NAME).index


def _substitutes(session: Session, process_ids: Sequence[int], today: date) -> set[tuple[int, int]]:
    """Find the people who stand in for a secretary or deputy today, by process.

    They are told the same as the secretary or deputy.
    """
    rows = session.execute(
        select(Process.id, Substitute.substitute_id)
        .join(Substitute, Substitute.branch_id == Process.branch_id)
        .join(Participant, and_(Participant.process_id == Process.id, Participant.person_id == Substitute.person_id))
        .where(any_of(Process.id, process_ids), any_of(Participant.post, _LEADERS), Participant.left_on.is_(None), *standing(today))
    )
    return {(process_id, person_id) for process_id, person_id in rows}
