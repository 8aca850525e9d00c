"""Moving a branch (推进): one shared machine per kind, one ``move`` for every trigger.

A move locks the process row, checks who may, compares the version that was seen, asks the requirements in a later statement than its lock,
fires the machine, writes the StageChange and the letters. The edge's transaction commits it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session
from transitions import EventData, Machine

from workflow import appraisal
from workflow.cycle import Process, StageChange, check_version, leaders, must_run
from workflow.deadlines import change_process, has_passed
from workflow.errors import Forbidden, Invalid, MoveNotPossible, RequirementsUnmet, Words
from workflow.gate import Unmet, blocking
from workflow.mail import letters
from workflow.mail.outbox import NewLetter, enqueue, retire_reminders
from workflow.moves import Move
from workflow.people.access import Caller
from workflow.roll import bring_into_step
from workflow.vocabulary import SCHOOL_ZONE, STAGES, WORKING_STAGES, Kind, Stage, Trigger

MOVES: Mapping[Kind, tuple[Move, ...]] = {Kind.APPRAISAL: appraisal.MOVES}


def _machine(kind: Kind) -> Machine:
    """One immutable machine for all processes of a kind. No model is ever added to it: that would overwrite the state of a loaded row."""
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


def _is_wanted(target: Stage) -> Any:
    def wanted(event: EventData) -> bool:
        return bool(event.kwargs["to"] == target)

    return wanted


MACHINES: Mapping[Kind, Machine] = {kind: _machine(kind) for kind in MOVES}


@dataclass
class _Token:
    """What the machine moves: the place of a process, apart from the row, which one UPDATE writes."""

    place: str


@dataclass(frozen=True)
class Option:
    """A move that is declared from where a process stands, and what stands in its way."""

    move: Move
    allowed: bool
    unmet: Sequence[Unmet]


def moves_from(process: Process) -> list[Move]:
    """Every move that is declared from a process's stage, whoever asks."""
    return [move for move in MOVES[process.kind] if move.source is process.stage]


def may_make(move: Move, by: Caller, process: Process) -> bool:
    """Whether this person has the role that the move belongs to."""
    return move.who in by.roles_in(process.branch.code)


def options(session: Session, process: Process, *, by: Caller) -> list[Option]:
    """What can be done next, with everything that is missing, told before anything is tried."""
    unmet = blocking(session, process)
    return [
        Option(move, may_make(move, by, process) and not (move.asks_requirements and unmet), unmet if move.asks_requirements else [])
        for move in moves_from(process)
    ]


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

    ``seen`` is the version the caller saw (If-Match); None is for acts over many, which lock and look in one transaction. Raises Invalid,
    Forbidden, Stale, MoveNotPossible, RequirementsUnmet; nothing is changed then.
    """
    declared = _declared(process, trigger, to)
    _check_arguments(process, trigger, declared, to=to, reason=reason, due_on=due_on, now=now)
    if not any(may_make(each, by, process) for each in MOVES[process.kind] if each.trigger is trigger):
        raise Forbidden(Words(f"“{trigger.zh}”不由您办理", f"{trigger.value} is not yours to do"))
    if seen is not None:
        check_version(session, process, seen)
    must_run(process)
    if declared is None:
        raise MoveNotPossible(Words(f"支部处于“{process.stage.zh}”，不能{trigger.zh}", f"no {trigger.value} from {process.stage.value}"))
    if declared.asks_requirements and (unmet := blocking(session, process)):
        raise RequirementsUnmet(Words("；".join(each.message.zh for each in unmet), "; ".join(each.message.en for each in unmet)), unmet=unmet)
    token = _Token(process.stage.value)
    if not MACHINES[process.kind].events[trigger.value].trigger(token, to=declared.target):
        raise MoveNotPossible
    return _write(session, process, declared, Stage(token.place), by=by, now=now, reason=reason, due_on=due_on, base_url=base_url)


def _declared(process: Process, trigger: Trigger, to: Stage | None) -> Move | None:
    """The declared move that is meant: the only one of this trigger, or the one to the stage that is named."""
    found = [each for each in moves_from(process) if each.trigger is trigger and (to is None or each.target is to)]
    return found[0] if len(found) == 1 else None


def _check_arguments(
    process: Process, trigger: Trigger, declared: Move | None, *, to: Stage | None, reason: str | None, due_on: date | None, now: datetime
) -> None:
    """Raises Invalid. What is checked here depends on the trigger and the present stage alone, so it comes before roles and versions."""
    errors: dict[str, Words] = {}
    candidates = [each for each in MOVES[process.kind] if each.trigger is trigger]
    here = [each for each in candidates if each.source is process.stage]
    if to is not None and to not in {each.target for each in candidates}:
        errors["to"] = Words(f"“{trigger.zh}”不能到“{to.zh}”", f"{trigger.value} does not lead to {to.value}")
    elif to is None and len(here) > 1:
        errors["to"] = Words("请指明到哪个环节", "say to which stage")
    if candidates[0].asks_reason and reason is None:
        errors["reason"] = Words("必须写明理由", "a reason is required")
    if candidates[0].opens_round:
        if due_on is None and declared is not None and has_passed(process.cycle.deadline(declared.target), now):
            errors["due_on"] = Words("该环节的期限已过，请给出本轮的完成日期", "the day of that stage has passed: give the day of this round")
    elif due_on is not None:
        errors["due_on"] = Words(f"“{trigger.zh}”不设期限", f"{trigger.value} takes no day")
    if errors:
        raise Invalid(errors)


def _write(
    session: Session,
    process: Process,
    declared: Move,
    target: Stage,
    *,
    by: Caller,
    now: datetime,
    reason: str | None,
    due_on: date | None,
    base_url: str,
) -> StageChange:
    today = now.astimezone(SCHOOL_ZONE).date()
    late = process.overdue(today) if declared.trigger is Trigger.FILE else process.late and declared.trigger is Trigger.ACCEPT
    values: dict[str, Any] = {"stage": target, "version": process.version + 1, "entered_at": now, "late": late}
    if declared.opens_round:
        values |= {"round": process.round + 1, "round_due_on": due_on}
    change_process(session, process, values)
    change = {
        "process_id": process.id,
        "trigger": declared.trigger,
        "source": declared.source,
        "target": target,
        "round": process.round,
        "version": process.version,
        "due_on": process.due_on,
        "reason": reason,
        "late": late,
        "made_by": by.staff_no,
        "made_at": now,
    }
    row = session.scalars(insert(StageChange).returning(StageChange), [change]).one()
    working = WORKING_STAGES[process.kind]
    if declared.source not in working and target in working:
        bring_into_step(session, [process.id], now=now)
    if declared.opens_round:
        _tell_returned(session, process, row, now=now, base_url=base_url)
    retire_reminders(session, process.id)
    return row


def _tell_returned(session: Session, process: Process, change: StageChange, *, now: datetime, base_url: str) -> None:
    """Tell secretary and deputy that their branch was returned: where to, why, and until when."""
    year, code = process.cycle.year, process.branch.code
    enqueue(
        session,
        [
            NewLetter(
                kind=letters.RETURNED,
                recipient_id=leader.id,
                recipient_name=leader.name,
                address=leader.email,
                words=letters.returned(
                    letters.Returned(
                        recipient=leader.name,
                        branch=process.branch.name,
                        year=year,
                        stage=process.stage,
                        round=process.round,
                        reason=change.reason or "",
                        due_on=process.due_on,
                        today=now.astimezone(SCHOOL_ZONE).date(),
                        link=letters.branch_link(base_url, year, code),
                    )
                ),
                process_id=process.id,
                cycle_id=process.cycle_id,
                round=process.round,
                due_on=process.due_on,
            )
            for leader in leaders(session, process.id)
        ],
        now,
    )
