"""Branches that take no part any more (不再参加的支部): merged, dissolved, temporary, new.

The office ends a branch's processes of a year, and may take that back. An ended process is in no
count, total, letter, exception or bulk act; it is listed as ended, and keeps its records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from workflow.foundation.database import any_of
from workflow.foundation.errors import Conflict, Invalid, NotFound, Words
from workflow.foundation.fields import Body, Line, LongText, Sent, about, one_of
from workflow.foundation.vocabulary import MAIN, EndedWhy, Kind, local_day
from workflow.machine.rolls import rolls_follow, settle_where_rated
from workflow.people.access import Action
from workflow.people.organisation import Appointment, Branch, Person, branch_by_code
from workflow.roster.people import move_people
from workflow.rules.acts import Act, Call
from workflow.year.cycle import Participant, Process, must_be_running
from workflow.year.deadlines import change_processes
from workflow.year.finding import Lock, process_of


class ProcessEndSchema(Body):
    """The reason for which a branch takes no part any more."""

    why = one_of(EndedWhy, required=True, **about("原因", "why", "并入、撤销、临时、新成立等", "merged, dissolved …", example="dissolved"))
    into = Line(at_most=32, **about("并入的党支部", "merged into", "并入时必填，党支部编码", "the code, for a merger", example="D0201"))
    reason = LongText(required=True, at_most=1000, **about("说明", "reason", "批复文号、去向等", "say why", example="党员不足三名，经党委同意撤销"))


def end(session: Session, processes: Sequence[Process], sent: Sent, *, by: str, now: datetime) -> None:
    """Take a branch's processes out of the year. The members of a merged branch move with it.

    The processes are held by Lock.MOVE. Raises Invalid, Conflict.
    """
    into = _into(session, processes[0], sent)
    members = session.scalars(select(Person).where(Person.branch_id == processes[0].branch_id)).all()
    if sent["why"] is EndedWhy.DISSOLVED and members:
        zh = f"{processes[0].branch_name}还有 {len(members)} 名党员，请先转移，或者按并入办理"
        raise Conflict(Words(zh, f"the branch still has {len(members)} members: move them first, or merge it"))
    for process in processes:
        must_be_running(process.cycle)
        if process.ended_why is not None:
            raise Conflict(Words(f"{process.branch_name}已不再参加（{process.ended_why.zh}）", f"it takes no part already ({process.ended_why})"))
        process.ended_at, process.ended_by, process.ended_why, process.ended_reason = now, by, sent["why"], sent["reason"]
        process.ended_into = into
    session.flush()
    change_processes(session, processes, {"version": Process.version + 1})
    if into is not None:
        move_people(session, members, into, on=local_day(now), now=now)
    settle_where_rated(session, [each.id for each in processes])


def resume(session: Session, process: Process, *, now: datetime) -> None:
    """Let a branch take part again, at the stage where it stood.

    Of a merged one the members come back with their posts, but for those who have moved on since.
    Raises Conflict.
    """
    must_be_running(process.cycle)
    if process.ended_why is None or process.ended_at is None:
        raise Conflict(Words(f"{process.branch_name}正在参加，不必恢复", "it takes part already"))
    into, merged_on = process.ended_into_id, local_day(process.ended_at)
    process.ended_at = process.ended_by = process.ended_why = process.ended_reason = process.ended_into = None
    session.flush()
    change_processes(session, [process], {"version": Process.version + 1})
    if into is not None:
        _bring_back(session, process, into, merged_on, now)
    rolls_follow(session, now=now, branches=[process.branch_id])


def _bring_back(session: Session, process: Process, into: int, merged_on: date, now: datetime) -> None:
    """Move the members of a merged branch back who are still where the merger put them."""
    on_roll = exists().where(
        Participant.process_id == process.id,
        Participant.person_id == Person.id,
        or_(Participant.left_on.is_(None), Participant.left_on >= merged_on),
    )
    members = session.scalars(select(Person).where(Person.branch_id == into, on_roll)).all()
    move_people(session, members, process.branch, on=local_day(now), now=now)
    held = select(Appointment).where(
        any_of(Appointment.person_id, [each.id for each in members]),
        Appointment.branch_id == process.branch_id,
        Appointment.ends_on == func.greatest(Appointment.starts_on, merged_on) - 1,
    )
    for row in session.scalars(held):
        row.ends_on = None
    session.flush()


def _into(session: Session, process: Process, sent: Sent) -> Branch | None:
    code, merged = sent.get("into"), sent["why"] is EndedWhy.MERGED
    if (code is not None) is not merged:
        raise Invalid({"into": Words("并入时填写并入的党支部，其他原因不填", "names the branch of a merger, and of nothing else")})
    if code is None:
        return None
    try:
        branch = branch_by_code(session, code)
        other = process_of(session, process.cycle.year, code, kind=process.kind, lock=Lock.MOVE)
    except NotFound:
        raise Invalid({"into": Words(f"本年度没有党支部 {code}", f"no branch {code} takes part in this year")}) from None
    if other.id == process.id or other.ended_why is not None:
        raise Invalid({"into": Words("应为另一个正在参加的党支部", "must be another branch that takes part")})
    return branch


def _of_both_kinds(call: Call[object]) -> list[Process]:
    """List the processes of the branch of the address, of every kind, held in id order."""
    here = call.process
    return sorted((process_of(call.session, here.cycle.year, here.branch.code, kind=kind, lock=Lock.MOVE) for kind in Kind), key=lambda each: each.id)


def _end(call: Call[object], sent: Sent) -> Process:
    both = [each for each in _of_both_kinds(call) if each.ended_why is None or each.id == call.process.id]
    end(call.session, both, sent, by=call.by.staff_no, now=call.now)
    return call.process


def _end_one(call: Call[object], sent: Sent) -> Process:
    if sent["why"] is EndedWhy.MERGED:
        raise Invalid({"why": Words("并入的请在支部的流程上办理", "end a merged branch on its own process")})
    end(call.session, [call.process], sent, by=call.by.staff_no, now=call.now)
    return call.process


def _resume(call: Call[object], sent: Sent) -> Process:
    for each in [each for each in _of_both_kinds(call) if each.ended_why is not None] or [call.process]:
        resume(call.session, each, now=call.now)
    return call.process


def _resume_one(call: Call[object], sent: Sent) -> Process:
    resume(call.session, call.process, now=call.now)
    return call.process


def _act(kind: Kind, name: str, zh: str, en: str, does: Callable[[Call[object], Sent], Process], **options: Any) -> Act[object, Process]:
    return Act(name, zh, en, Action.END_PROCESS, does, kind=kind, lock=Lock.MOVE, **options)


def _acts_of(kind: Kind) -> tuple[Act[object, Process], Act[object, Process]]:
    """Declare ending and resuming: of the whole branch on its own year, of one kind elsewhere."""
    ends, resumes = (_end, _resume) if kind is MAIN else (_end_one, _resume_one)
    return (
        _act(kind, "end", "不再参加本年度", "take a branch out of the year", ends, sends=ProcessEndSchema()),
        _act(kind, "resume", "恢复参加本年度", "let a branch take part again", resumes),
    )


OF_KIND: Mapping[Kind, tuple[Act[object, Process], Act[object, Process]]] = {kind: _acts_of(kind) for kind in Kind}
