"""Deadlines that come near or are over (期限提醒、逾期提醒)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, contains_eager

from workflow.calendar import Overrides
from workflow.cycle import Cycle, Participant, Process
from workflow.database import any_of
from workflow.gate import BY_NAME
from workflow.mail import letters
from workflow.mail.outbox import reminder_of
from workflow.people.organisation import Person
from workflow.people.substitutes import Substitute, standing
from workflow.process import moves_from
from workflow.reminders.due import Due
from workflow.reminders.when import days_ahead, nearest_reminder, reason_of, remark_of
from workflow.vocabulary import SCHOOL_ZONE, WORKING_STAGES, CycleStatus, Post, Role

_LEADERS = (Post.SECRETARY, Post.DEPUTY)
_WORKING = [stage for stages in WORKING_STAGES.values() for stage in stages]


@dataclass(frozen=True)
class Near:
    """A process whose day is near or over: which reminder of it is the nearest now."""

    process: Process
    due_on: date
    days_before: int
    reason: str

    @property
    def kind(self) -> str:
        return letters.reminder_kind(self.days_before)

    @property
    def told(self) -> str:
        return reminder_of(self.kind, process_id=self.process.id, round_=self.process.round, due_on=self.due_on)


def near_processes(session: Session, now: datetime, overrides: Overrides) -> list[Near]:
    """The processes of published cycles that stand in a stage whose day is near or over, in id order."""
    soon = [day for day in days_ahead(now) if nearest_reminder(day, now, overrides) is not None]
    rows = session.scalars(
        select(Process)
        .join(Process.cycle)
        .join(Process.branch)
        .options(contains_eager(Process.cycle), contains_eager(Process.branch))
        .where(
            Cycle.status == CycleStatus.PUBLISHED,
            any_of(Process.stage, _WORKING),
            or_(any_of(Process.due_on, soon), Process.due_on < now.astimezone(SCHOOL_ZONE).date()),
        )
        .order_by(Process.id)
        .execution_options(populate_existing=True)
    ).all()
    steps = {day: nearest_reminder(day, now, overrides) for day in {process.due_on for process in rows} if day is not None}
    reasons = {day: reason_of("期限", day, step, overrides) for day, step in steps.items() if step is not None}
    return [Near(process, day, step, reasons[day]) for process in rows if (day := process.due_on) is not None and (step := steps[day]) is not None]


Missing = Mapping[tuple[int, int | None], Mapping[str, int]]
"""How much is missing of each requirement, by process and who must act, as ``gate.duties`` counts it."""


def of_deadlines(session: Session, near: Sequence[Near], missing: Missing, now: datetime, base_url: str) -> Iterator[Due]:
    """A letter for secretary and deputy of each process that is theirs to move on, and for whoever else must act in it."""
    by_process = {each.process.id: each for each in near}
    acting = [person_id for _, person_id in missing if person_id is not None]
    today = now.astimezone(SCHOOL_ZONE).date()
    in_their_place = _substitutes(session, list(by_process), today)
    roll = session.execute(
        select(Participant, Person.email)
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
    for row, address in roll:
        each, leads = by_process[row.process_id], row.post in _LEADERS or (row.process_id, row.person_id) in in_their_place
        process = each.process
        answers = leads and is_for_the_secretary(process)
        lacking, own = missing.get((process.id, None), {}), missing.get((process.id, row.person_id), {})
        counts = lacking if answers else {**own, **_asked_of_the_secretary(lacking)} if leads else own
        if not (answers or counts):
            continue
        reminder = letters.Reminder(
            recipient=row.name,
            branch=process.branch.name,
            year=process.cycle.year,
            stage=process.stage,
            due_on=each.due_on,
            today=today,
            leads=answers,
            duties=duties_of(process.cycle, counts),
            link=letters.process_link(base_url, process.kind, process.cycle.year, process.branch.code),
            kind=process.kind,
            remark=remark_of(each.due_on.year),
        )
        yield Due(
            kind=each.kind,
            recipient_id=row.person_id,
            staff_no=row.staff_no,
            recipient_name=row.name,
            address=address,
            reason=each.reason,
            write=partial(letters.render, reminder),
            cycle_id=process.cycle_id,
            due_on=each.due_on,
            process_id=process.id,
            branch=process.branch.name,
            round=process.round,
        )


def is_for_the_secretary(process: Process) -> bool:
    """Whether it is for the secretary to move this process on: then he is told all that it lacks, and told even when that is nothing.

    Where it is not, the office is told of the branch, and he only of what his role owes.
    """
    return any(move.asks is process.stage and move.who is Role.SECRETARY for move in moves_from(process))


def _asked_of_the_secretary(counts: Mapping[str, int]) -> dict[str, int]:
    """What his role asks, of all that a process lacks: whoever stands in for him is told of it too, though he does not hold it on the roll."""
    return {name: count for name, count in counts.items() if BY_NAME[name].todo_for is Role.SECRETARY}


def duties_of(cycle: Cycle, counts: Mapping[str, int]) -> tuple[letters.Duty, ...]:
    """How much is missing of each clause, in the order of the clauses, out of how much is missing of each requirement."""
    by_clause = Counter[str]()
    for name, count in sorted(counts.items(), key=lambda item: _ORDER(item[0])):
        by_clause[BY_NAME[name].clause] += count
    return tuple(letters.Duty(clause, cycle.sentence(clause), count) for clause, count in by_clause.items())


_ORDER = tuple(BY_NAME).index


def _substitutes(session: Session, process_ids: Sequence[int], today: date) -> set[tuple[int, int]]:
    """Who stands in for a secretary or deputy today, by process: he is told what they are told."""
    rows = session.execute(
        select(Process.id, Substitute.substitute_id)
        .join(Substitute, Substitute.branch_id == Process.branch_id)
        .join(Participant, and_(Participant.process_id == Process.id, Participant.person_id == Substitute.person_id))
        .where(any_of(Process.id, process_ids), any_of(Participant.post, _LEADERS), Participant.left_on.is_(None), *standing(today))
    )
    return {(process_id, person_id) for process_id, person_id in rows}
