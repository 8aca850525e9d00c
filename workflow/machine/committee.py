"""The school committee's acts (党委): making a decision final, and publishing it.

A decision becomes final over all the branches that it names at once. Either act is
``move_together``: every branch moves, or none does and the refusal lists all obstacles.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from workflow import assessment
from workflow.assessment.decision import Decision, DecisionSchema, decision_of, enter_decision, must_be_pending, whole_decisions
from workflow.assessment.summary import sheets
from workflow.foundation.errors import Conflict, Forbidden, Words
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import ENDED, Role, Stage, Trigger, local_day
from workflow.machine.process import move_together
from workflow.mail import letters
from workflow.mail.letters import kind_link
from workflow.mail.outbox import NewLetter
from workflow.people.access import Action, Caller
from workflow.people.organisation import holders_of
from workflow.people.recipients import tell
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.evidence import reject, withdraw
from workflow.rules.records import REASON
from workflow.rules.telling import tell_leaders
from workflow.year.cycle import Cycle, Process
from workflow.year.finding import Lock, cycle_by_year, processes_of, with_people

KIND = assessment.KIND.kind


def enter(session: Session, cycle: Cycle, body: Sent, *, by: Caller, now: datetime, base_url: str) -> Decision:
    """Enter a decision, and tell the committee that it waits for them.

    Raises the refusals of ``enter_decision``.
    """
    decision = enter_decision(session, cycle, body, by=by, now=now)
    today = local_day(now)
    tell(
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
                        link=kind_link(base_url, KIND, cycle.year),
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
    """Make a decision final for the committee, and move each branch that it names to decided.

    The year's first decision is over all branches. Takes the locks. Raises Conflict, Forbidden for
    the person who entered the decision, MoveNotPossible and BranchesLack naming every branch in the
    way.
    """
    # A branch that was dissolved meanwhile has nobody left to report, and nothing to be decided on.
    of_year = with_people(session, processes_of(session, cycle, KIND, lock=Lock.MOVE))
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
    """Publish the decisions that are final and not published yet, to every branch they concern.

    Secretaries and deputies are told that there is a result. Raises Conflict when there is nothing
    to publish.
    """
    decided = [each for each in processes_of(session, cycle, KIND, lock=Lock.MOVE) if each.stage is Stage.DECIDED]
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
    tell_leaders(session, decided, letters.PUBLISHED, letters.Published, now=now, base_url=base_url, record=unpublished[-1].id)
    return unpublished


# ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _year(call: Call[object], year: int) -> Cycle:
    return cycle_by_year(call.session, year)


def _decision(call: Call[object], year: int, decision_id: int) -> Decision:
    return decision_of(call.session, cycle_by_year(call.session, year), decision_id)


def _held(call: Call[object], year: int, decision_id: int) -> Decision:
    return decision_of(call.session, cycle_by_year(call.session, year), decision_id, held=True)


def _publish(call: Call[Cycle], sent: Sent) -> Decision:
    *_, last = publish_decision(call.session, call.on, by=call.by, now=call.now, base_url=call.base_url)
    return last


def _confirm(call: Call[Decision], sent: Sent) -> Decision:
    make_final(call.session, call.on.cycle, call.on, by=call.by, now=call.now)
    return call.on


def _reject(call: Call[Decision], sent: Sent) -> Decision:
    must_be_pending(call.on)
    reject(call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
    return call.on


def _withdraw(call: Call[Decision], sent: Sent) -> Decision:
    must_be_pending(call.on)
    withdraw(call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
    return call.on


_act = partial(Act, link="decision")
ENTER: Act[Cycle, Decision] = _act(
    "enter_decision",
    "登记党委会决定",
    "enter a decision of the committee",
    Action.ASSESS,
    lambda call, sent: enter(call.session, call.on, sent, by=call.by, now=call.now, base_url=call.base_url),
    on=_year,
    sends=DecisionSchema(),
)
PUBLISH: Act[Cycle, Decision] = _act("publish_decision", "公布党委会决定", "publish what is final", Action.ASSESS, _publish, on=_year)
CONFIRM: Act[Decision, Decision] = _act(
    "confirm_decision", "确认党委会决定", "make a decision final", Action.CONFIRM_DECISION, _confirm, on=_decision
)
REJECT: Act[Decision, Decision] = _act(
    "reject_decision", "退回党委会决定", "refuse what was entered", Action.CONFIRM_DECISION, _reject, on=_held, sends=REASON
)
WITHDRAW: Act[Decision, Decision] = _act(
    "withdraw_decision", "撤回党委会决定", "take back what was entered", Action.ASSESS, _withdraw, on=_held, sends=REASON
)
ACTS: tuple[AnyAct, ...] = (ENTER, PUBLISH, CONFIRM, REJECT, WITHDRAW)
