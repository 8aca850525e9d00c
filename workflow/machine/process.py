"""Moving a branch (推进): one shared machine for each kind, one ``move`` for every trigger.

A move does these steps:

1. lock the process row;
2. check the caller's right, and compare the version that was seen;
3. ask the requirements, in a later statement than the lock;
4. fire the machine;
5. write the StageChange and the letters.

The edge's transaction commits it once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import func, insert, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session
from transitions import EventData, Machine

from workflow.foundation.database import any_of
from workflow.foundation.errors import BranchesLack, Forbidden, Invalid, MoveNotPossible, RequirementsUnmet, Words
from workflow.foundation.vocabulary import ENDED, STAGES, WORKING_STAGES, Kind, Role, Stage, Trigger, local_day
from workflow.machine.asked import requirements_of
from workflow.machine.gate import Unmet, blocking, blocking_together, unmet
from workflow.machine.kinds import KINDS
from workflow.machine.rolls import settle_where_rated
from workflow.mail import letters
from workflow.people.access import Caller
from workflow.rules.acts import must_not_be_their_branch, must_not_be_their_entry
from workflow.rules.moves import Move, moves_around
from workflow.rules.requirement import Waiver
from workflow.rules.telling import tell_leaders
from workflow.year.cycle import SENDS_BACK, Process, StageChange, must_run
from workflow.year.deadlines import change_processes, has_passed
from workflow.year.finding import check_version
from workflow.year.following import bring_into_step

MOVES: Mapping[Kind, tuple[Move, ...]] = {kind: each.moves for kind, each in KINDS.items()}


def _machine(kind: Kind) -> Machine:
    """Make one immutable machine for all processes of a kind.

    No model is ever added to it: that would overwrite the state of a loaded row.
    """
    return Machine(
        model=None,
        states=[stage.value for stage in STAGES[kind]],
        initial=None,
        auto_transitions=False,
        queued=False,
        send_event=True,
        model_attribute="place",
        transitions=[
            {"trigger": move.trigger.value, "source": move.source.value, "dest": move.target.value, "conditions": _is_wanted(move.target)}
            for move in MOVES[kind]
        ],
    )


def _is_wanted(target: Stage) -> object:
    def wanted(event: EventData) -> bool:
        return bool(event.kwargs["to"] == target)

    return wanted


MACHINES: Mapping[Kind, Machine] = {kind: _machine(kind) for kind in MOVES}


@dataclass
class _Token:
    """The thing that the machine moves: the place of a process.

    It is apart from the row, which one UPDATE writes.
    """

    place: str


@dataclass(frozen=True)
class Option:
    """A move that is declared from the present stage of a process, and its obstacles."""

    move: Move
    allowed: bool
    unmet: Sequence[Unmet]
    signs: Sequence[Unmet]
    """Signs of the stage that the move closes; they block nothing."""


@cache
def _moves_of(kind: Kind, empty: frozenset[Stage]) -> tuple[Move, ...]:
    return moves_around(MOVES[kind], empty)


def moves_of(process: Process) -> tuple[Move, ...]:
    """List every move of a process's kind, as the plan of its year has it."""
    return _moves_of(process.kind, process.cycle.passed_through)


def moves_from(process: Process) -> list[Move]:
    """List every move that is declared from a process's stage, for any caller."""
    return [move for move in moves_of(process) if move.source is process.stage]


def may_make(move: Move, by: Caller, process: Process) -> bool:
    """Tell whether this person has the role that the move belongs to.

    A decision on what a branch handed in is never theirs where they have a post in it.
    """
    roles = by.roles_in(process.branch.code)
    if move.judges:
        return bool(roles & {move.who, Role.COMMITTEE}) and not by.has_post_in(process.branch.code)
    return move.who in roles


def options(session: Session, process: Process, *, by: Caller, today: date) -> list[Option]:
    """List the possible next moves, with everything that is missing, before anything is tried.

    One round trip for each stage that they close.
    """
    declared = moves_from(process)
    closed = {each.asks for each in declared if each.asks is not None}
    theirs = {each for each in declared if may_make(each, by, process)}
    if any(each.judges for each in theirs) and filed_by(session, process) == by.staff_no:
        theirs = {each for each in theirs if not each.judges}
    missing = {stage: unmet(session, process, requirements_of(process.kind, stage), today=today) for stage in closed}
    return [
        Option(each, each in theirs and not each.together and not blocks, blocks, [row for row in found if not row.requirement.blocks])
        for each in declared
        for found in [[row for row in missing[each.asks] if row.open] if each.asks is not None else []]
        for blocks in [[row for row in found if row.blocks]]
    ]


def filed_by(session: Session, process: Process) -> str | None:
    """Find the person who filed what the office has now; None while nothing is filed."""
    if process.stage in WORKING_STAGES[process.kind]:
        return None
    filed = (StageChange.process_id == process.id, StageChange.trigger == Trigger.FILE)
    return session.scalar(select(StageChange.made_by).where(*filed).order_by(StageChange.id.desc()).limit(1))


def last_return(session: Session, process: Process) -> StageChange | None:
    """Find the return for which a process is being corrected, until it is filed again.

    A reopening is one too.
    """
    if process.round == 1 or process.stage not in WORKING_STAGES[process.kind]:
        return None
    sent_back = (StageChange.process_id == process.id, StageChange.round == process.round, any_of(StageChange.trigger, SENDS_BACK))
    return session.scalar(select(StageChange).where(*sent_back).order_by(StageChange.id.desc()).limit(1))


def reasons_in_the_way(session: Session, process: Process, blocks: Collection[str]) -> list[Waiver]:
    """List the last reason for each requirement that still blocks.

    It waits for the office, or was refused.
    """
    if not blocks:
        return []
    asked = (Waiver.process_id == process.id, any_of(Waiver.requirement, sorted(blocks)), Waiver.withdrawn_at.is_(None))
    last = select(Waiver).where(*asked).ext(distinct_on(Waiver.requirement)).order_by(Waiver.requirement, Waiver.id.desc())
    return [row for row in session.scalars(last) if row.rejected_at is not None or not row.stands]


def move(
    session: Session,
    process: Process,
    trigger: Trigger,
    *,
    by: Caller,
    now: datetime,
    seen: int | None,
    to: Stage | None = None,
    reason: str | None = None,
    due_on: date | None = None,
    base_url: str = "",
) -> StageChange:
    """Move a process that is held by Lock.MOVE.

    ``seen`` is the version the caller saw (If-Match). Raises Invalid, Forbidden, Stale,
    MoveNotPossible, RequirementsUnmet; nothing is changed then.
    """
    declared = _declared(process, trigger, to)
    _check_arguments(process, trigger, declared, to=to, reason=reason, due_on=due_on, now=now)
    _must_be_theirs(process, trigger, by)
    if declared is not None and declared.judges:
        must_not_be_their_entry(by, filed_by(session, process))
    if seen is not None:
        check_version(session, process, seen)
    must_run(process)
    if declared is None:
        raise MoveNotPossible(Words(f"支部处于“{process.stage.zh}”，不能{trigger.zh}", f"no {trigger.value} from {process.stage.value}"))
    if declared.together:
        raise MoveNotPossible(Words(f"“{trigger.zh}”对各支部一并办理，不单独办理一个支部", f"{trigger.value} is made for all branches by one act"))
    if declared.asks is not None and (unmet := blocking(session, process, declared.asks)):
        raise RequirementsUnmet(Words("；".join(each.message.zh for each in unmet), "; ".join(each.message.en for each in unmet)), unmet=unmet)
    (change,) = _fire(session, [process], [declared], by=by, now=now, reason=reason, due_on=due_on, base_url=base_url)
    return change


def move_together(
    session: Session,
    processes: Sequence[Process],
    trigger: Trigger,
    *,
    by: Caller,
    now: datetime,
    to: Stage | None = None,
    reason: str | None = None,
) -> list[StageChange]:
    """Move many processes of a kind by one act: all of them to one stage, or none.

    They are held by Lock.MOVE in id order. ``to`` names the stage, where there are several. Raises
    Forbidden, MoveNotPossible and BranchesLack, each naming every branch that stands in the way.
    """
    declared = {process.id: _declared(process, trigger, to) for process in processes}
    for process in processes:
        _must_be_theirs(process, trigger, by)
        must_run(process)
    if stuck := [process for process in processes if declared[process.id] is None]:
        raise MoveNotPossible(
            Words(
                f"以下支部还不能{trigger.zh}：" + "、".join(f"{each.branch_name}（{each.stage.zh}）" for each in stuck),
                f"no {trigger.value} from where these stand: " + ", ".join(f"{each.branch_name} ({each.stage.value})" for each in stuck),
            )
        )
    moves = [each for each in declared.values() if each is not None]
    asked = {process.id: each.asks for process, each in zip(processes, moves, strict=True) if each.asks is not None}
    if missing := blocking_together(session, asked, processes):
        unmet = [each for rows in missing.values() for each in rows]
        raise BranchesLack(
            Words(
                "；".join(f"{each.at.branch_name}：{each.message.zh}" for each in unmet),
                "; ".join(f"{each.at.branch_name}: {each.message.en}" for each in unmet),
            ),
            unmet=unmet,
        )
    return _fire(session, processes, moves, by=by, now=now, reason=reason)


def _must_be_theirs(process: Process, trigger: Trigger, by: Caller) -> None:
    """Raise Forbidden if no move of this trigger belongs to a role of the caller."""
    moves = [each for each in MOVES[process.kind] if each.trigger is trigger]
    if any(each.judges for each in moves) and by.roles & {Role.OFFICE, Role.COMMITTEE}:
        must_not_be_their_branch(by, process)
    if not any(may_make(each, by, process) for each in moves):
        raise Forbidden(Words(f"“{trigger.zh}”不由您办理", f"{trigger.value} is not yours to do"))


def _declared(process: Process, trigger: Trigger, to: Stage | None) -> Move | None:
    """Find the declared move that is meant.

    It is the only one of this trigger, or the one to the stage that is named.
    """
    found = [each for each in moves_from(process) if each.trigger is trigger and (to is None or each.target is to)]
    return found[0] if len(found) == 1 else None


def _check_arguments(
    process: Process, trigger: Trigger, declared: Move | None, *, to: Stage | None, reason: str | None, due_on: date | None, now: datetime
) -> None:
    """Raise Invalid for wrong arguments of a move.

    The checks here depend on the trigger and the present stage alone, so they come before roles and
    versions.
    """
    errors: dict[str, Words] = {}
    candidates = [each for each in moves_of(process) if each.trigger is trigger]
    here = [each for each in candidates if each.source is process.stage]
    if not candidates:
        raise Invalid({"trigger": Words(f"{process.kind.zh}没有“{trigger.zh}”这个动作", f"an {process.kind.value} has no {trigger.value}")})
    if to is not None and to not in {each.target for each in candidates}:
        errors["to"] = Words(f"“{trigger.zh}”不能到“{to.zh}”", f"{trigger.value} does not lead to {to.value}")
    elif to is None and len(here) > 1:
        errors["to"] = Words("请指明到哪个环节", "say to which stage")
    if candidates[0].asks_reason and reason is None:
        errors["reason"] = Words("必须写明理由", "a reason is required")
    if candidates[0].opens_round:
        if due_on is None and declared is not None and has_passed(process.cycle.holds(declared.target), now):
            errors["due_on"] = Words("该环节的期限已过，请给出本轮的完成日期", "the day of that stage has passed: give the day of this round")
    elif due_on is not None:
        errors["due_on"] = Words(f"“{trigger.zh}”不设期限", f"{trigger.value} takes no day")
    if errors:
        raise Invalid(errors)


def _fire(
    session: Session,
    processes: Sequence[Process],
    moves: Sequence[Move],
    *,
    by: Caller,
    now: datetime,
    reason: str | None,
    due_on: date | None = None,
    base_url: str = "",
) -> list[StageChange]:
    """Fire the machine for processes that make one trigger's moves to one target, and write it.

    The same few statements for any number of processes.
    """
    sources = [process.stage for process in processes]
    (trigger,), (target,), (opens_round,) = ({key(each) for each in moves} for key in (_TRIGGER, _TARGET, _OPENS_ROUND))
    for process, made in zip(processes, moves, strict=True):
        token = _Token(process.stage.value)
        for stage in (*made.through, target):
            if not MACHINES[process.kind].events[trigger.value].trigger(token, to=stage) or token.place != stage:
                raise MoveNotPossible
    values: dict[str, Any] = {"stage": target, "version": Process.version + 1, "entered_at": now, "late": _late(trigger, now)}
    if opens_round:
        values |= {"round": Process.round + 1, "round_due_on": due_on}
    change_processes(session, processes, values)
    changes = [
        {
            "process_id": process.id,
            "trigger": trigger,
            "source": source,
            "target": target,
            "round": process.round,
            "version": process.version,
            "due_on": process.due_on,
            "reason": reason,
            "late": process.late,
            "made_by": by.staff_no,
            "made_at": now,
        }
        for process, source in zip(processes, sources, strict=True)
    ]
    rows = session.scalars(insert(StageChange).returning(StageChange, sort_by_parameter_order=True), changes).all()
    again = [each.id for each, source in zip(processes, sources, strict=True) if source in ENDED[each.kind] and target in WORKING_STAGES[each.kind]]
    bring_into_step(session, again, now=now)
    settle_where_rated(session, again)
    written = {row.process_id: row for row in rows}
    if opens_round:
        _tell_returned(session, processes, written, reason or "", now=now, base_url=base_url)
    if trigger is Trigger.ACCEPT:
        _tell_accepted(session, processes, written, now=now, base_url=base_url)
    return list(rows)


_TRIGGER, _TARGET, _OPENS_ROUND = attrgetter("trigger"), attrgetter("target"), attrgetter("opens_round")


def _late(trigger: Trigger, now: datetime) -> object:
    """Return the mark of lateness that a move leaves.

    A report that was filed after its day stays late until it is filed again.
    """
    if trigger is Trigger.FILE:
        return func.coalesce(Process.due_on < local_day(now), literal(False))
    return Process.late if trigger is Trigger.ACCEPT else False


def _tell_returned(
    session: Session, processes: Sequence[Process], made: Mapping[int, StageChange], reason: str, *, now: datetime, base_url: str
) -> None:
    """Tell secretary and deputy that material was returned: to which stage, why, until when."""

    def says(process: Process) -> dict[str, object]:
        filed = made[process.id].source in ENDED[process.kind]
        return {"stage": process.stage, "reason": reason, "due_on": process.due_on, "filed": filed, "kind": process.kind}

    record = {process_id: change.id for process_id, change in made.items()}
    tell_leaders(session, processes, letters.RETURNED, letters.Returned, now=now, base_url=base_url, due=True, record=record, says=says)


def _tell_accepted(session: Session, processes: Sequence[Process], made: Mapping[int, StageChange], *, now: datetime, base_url: str) -> None:
    """Tell secretary and deputy that the office has accepted what they filed."""
    record = {process_id: change.id for process_id, change in made.items()}

    def says(process: Process) -> dict[str, object]:
        return {"kind": process.kind}

    tell_leaders(session, processes, letters.ACCEPTED, letters.Accepted, now=now, base_url=base_url, record=record, says=says)


def moves_made(session: Session, process_id: int, *, after: int = 0, limit: int = 200) -> Sequence[StageChange]:
    """List the moves in the order they were made."""
    return session.scalars(
        select(StageChange).where(StageChange.process_id == process_id, StageChange.id > after).order_by(StageChange.id).limit(limit)
    ).all()
