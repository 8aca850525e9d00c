"""The school committee acts (党委): a decision is made final over all branches that it names at once, and published.

Either act is ``move_together``: every branch moves, or none does and all that stands in the way is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.assessment.decision import Decision, enter_decision, must_be_pending, whole_decisions
from workflow.assessment.summary import sheets
from workflow.foundation.errors import Conflict, Forbidden, Words
from workflow.foundation.vocabulary import ENDED, SCHOOL_ZONE, Kind, Role, Stage, Trigger
from workflow.machine.process import move_together
from workflow.mail import letters
from workflow.mail.outbox import NewLetter, enqueue
from workflow.people.access import Caller
from workflow.people.organisation import holders_of
from workflow.year.cycle import Cycle, Lock, Process, leaders, processes_of, with_people


def enter(session: Session, cycle: Cycle, body: Mapping[str, Any], *, by: Caller, now: datetime, base_url: str) -> Decision:
    """Enter a decision, and tell the committee that it waits for them. Raises what ``enter_decision`` does."""
    decision = enter_decision(session, cycle, body, by=by, now=now)
    today = now.astimezone(SCHOOL_ZONE).date()
    enqueue(
        session,
        [
            NewLetter(
                kind=letters.DECISION_ENTERED,
                recipient_id=person.id,
                recipient_name=person.name,
                address=person.email,
                words=letters.render(
                    letters.DecisionEntered(
                        recipient=person.name,
                        today=today,
                        link=letters.kind_link(base_url, Kind.ASSESSMENT, cycle.year),
                        year=cycle.year,
                        number=decision.number,
                        held_on=decision.held_on,
                    )
                ),
                cycle_id=cycle.id,
                record=decision.id,
            )
            for person in holders_of(session, Role.COMMITTEE, today)
        ],
        now,
    )
    return decision


def make_final(session: Session, cycle: Cycle, decision: Decision, *, by: Caller, now: datetime) -> Sequence[Process]:
    """The committee makes a decision final, and each branch that it names is decided. The year's first decision is over all branches.

    Takes the locks. Raises Conflict, Forbidden for who has entered it himself, MoveNotPossible and BranchesLack naming every branch in the way.
    """
    # A branch that was dissolved meanwhile has nobody left to report, and nothing to be decided on.
    of_year = with_people(session, processes_of(session, cycle, Kind.ASSESSMENT, lock=Lock.MOVE))
    session.refresh(decision)
    must_be_pending(decision)
    if decision.recorded_by == by.staff_no:
        raise Forbidden(Words("登记决定的人不能自己确认", "who entered the decision does not confirm it"))
    named = {each.process_id for each in decision.results}
    decided_before = any(process.stage in ENDED[process.kind] for process in of_year)
    moving = [each for each in of_year if not decided_before or each.id in named or each.stage is Stage.PROPOSED]
    move_together(session, moving, Trigger.DECIDE, by=by, now=now, reason=decision.number)
    before_it = {sheet.process.id: sheet.inputs() for sheet in sheets(session, sorted(named))}
    for result in decision.results:
        result.inputs = before_it[result.process_id]
    decision.confirmed_by, decision.confirmed_at = by.staff_no, now
    decision.version += 1
    session.flush()
    return moving


def publish_decision(session: Session, cycle: Cycle, *, by: Caller, now: datetime, base_url: str) -> Sequence[Decision]:
    """Publish what is final and not published yet, to every branch that it concerns: secretaries and deputies are told that there is a result.

    Raises Conflict when there is nothing to publish.
    """
    decided = [each for each in processes_of(session, cycle, Kind.ASSESSMENT, lock=Lock.MOVE) if each.stage is Stage.DECIDED]
    unpublished = session.scalars(
        whole_decisions(cycle)
        .where(Decision.confirmed_at.is_not(None), Decision.published_at.is_(None))
        .order_by(Decision.id)
        .with_for_update(key_share=True, of=Decision)
        .execution_options(populate_existing=True)
    ).all()
    if not unpublished:
        raise Conflict(Words("没有待公布的决定", "there is no decision to publish"))
    move_together(session, decided, Trigger.PUBLISH, by=by, now=now)
    for decision in unpublished:
        decision.published_by, decision.published_at = by.staff_no, now
        decision.version += 1
    session.flush()
    _tell(session, decided, unpublished[-1], now=now, base_url=base_url)
    return unpublished


def _tell(session: Session, processes: Sequence[Process], decision: Decision, *, now: datetime, base_url: str) -> None:
    by_id: Mapping[int, Process] = {process.id: process for process in processes}
    enqueue(
        session,
        [
            NewLetter(
                kind=letters.PUBLISHED,
                recipient_id=leader.id,
                recipient_name=leader.name,
                address=leader.email,
                words=letters.render(
                    letters.Published(
                        recipient=leader.name,
                        today=now.astimezone(SCHOOL_ZONE).date(),
                        link=letters.process_link(base_url, process.kind, process.cycle.year, process.branch.code),
                        branch=process.branch.name,
                        year=process.cycle.year,
                    )
                ),
                process_id=process.id,
                cycle_id=process.cycle_id,
                round=process.round,
                record=decision.id,
            )
            for process_id, leader in leaders(session, list(by_id))
            for process in [by_id[process_id]]
        ],
        now,
    )
