"""Letters of an act that wait for the mail server: moot once what they say is overtaken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, a_school, caller, person
from tests.support.letters.reminding import BASE, at, send
from tests.support.letters.told import DECISION, an_amendment
from tests.support.records.assessment import an_assessment
from tests.support.records.evidence import go, stand_at
from workflow.foundation.vocabulary import LetterState, Stage, Trigger
from workflow.machine.committee import enter, make_final, publish_decision
from workflow.machine.process import move
from workflow.machine.waivers import approve, tell_decided, waive
from workflow.mail.letters import (
    ACCEPTED,
    DECISION_ENTERED,
    EXCUSE_CONFIRMED,
    EXCUSE_REFUSED,
    PUBLISHED,
    RETURNED,
    WAIVER_APPROVED,
    WAIVER_REJECTED,
    YEAR_AMENDED,
    YEAR_PUBLISHED,
    Rendered,
)
from workflow.mail.links import PASSWORD_FORGOTTEN
from workflow.mail.outbox import Letter, NewLetter, enqueue
from workflow.people.accounts import account_of, disable
from workflow.people.invitations import Desk, invite
from workflow.people.organisation import Appointment
from workflow.reminders.overtaken import conditions
from workflow.rules.evidence import reject, withdraw
from workflow.rules.telling import tell_excuse_decided, tell_year_published
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of
from workflow.year.opening import close_cycle
from workflow.year.roll import confirm_excuse, participant, refuse_excuse, withdraw_excuse

LATER = at("2024-12-20", "11:00")
"""An hour after NOW, and long before the evening."""
Overtake = Callable[[], object]


def held(session: Session, code: str = "D0101") -> Process:
    return process_of(session, 2024, code, lock=Lock.MOVE)


def a_decision(session: Session, overtaken_by: str) -> Overtake:
    for code in ("D0101", "D0201"):
        stand_at(session, an_assessment(session, code), Stage.PROPOSED)
    cycle = held(session).cycle
    decision = enter(session, cycle, DECISION, by=caller(session, "office"), now=NOW, base_url=BASE)
    return {
        "withdrawn": lambda: withdraw(decision, by="office", now=LATER, reason="纪要有误"),
        "refused": lambda: reject(decision, by="committee", now=LATER, reason="纪要有误"),
        "confirmed": lambda: make_final(session, cycle, decision, by=caller(session, "committee"), now=LATER),
    }[overtaken_by]


def returned(session: Session, overtaken_by: str) -> Overtake:
    process = held(session)
    stand_at(session, process, Stage.FILED)
    move(
        session,
        process,
        Trigger.RETURN,
        to=Stage.REPORT,
        by=caller(session, "office"),
        now=NOW,
        seen=None,
        reason="没有盖章",
        due_on=date(2025, 2, 1),
        base_url=BASE,
    )

    def overtake() -> object:
        by = caller(session, "张三")
        return move(session, process, Trigger.STEP_BACK, to=Stage.STUDY, by=by, now=LATER, seen=None, reason="补学")

    return overtake


def accepted(session: Session, overtaken_by: str) -> Overtake:
    process, office = held(session), caller(session, "office")
    stand_at(session, process, Stage.FILED)
    move(session, process, Trigger.ACCEPT, by=office, now=NOW, seen=None, base_url=BASE)
    day = date(2025, 2, 1)
    return lambda: move(session, process, Trigger.REOPEN, to=Stage.REPORT, by=office, now=LATER, seen=None, reason="更正", due_on=day)


def a_refused_reason(session: Session, overtaken_by: str) -> Overtake:
    process = held(session)
    body = {"requirement": "members_who_have_not_studied", "reason": "病休"}
    waiver = waive(session, process, body, by="z3", now=NOW)
    reject(waiver, by="office", now=NOW, reason="可以补学")
    session.flush()
    tell_decided(session, process, waiver, now=NOW, base_url=BASE)
    if overtaken_by == "moved":
        stand_at(session, process, Stage.TALKS)
        # By another server, whose clock is an hour behind.
        return lambda: go(session, Trigger.STEP_BACK, Stage.STUDY, now=NOW - timedelta(hours=1))
    return lambda: waive(session, process, body, by="z3", now=LATER)


def an_approved_reason(session: Session, overtaken_by: str) -> Overtake:
    process = held(session)
    waiver = waive(session, process, {"requirement": "members_who_have_not_studied", "reason": "病休"}, by="z3", now=NOW)
    waiver.needs_approval = True
    approve(waiver, by="office", now=NOW)
    session.flush()
    tell_decided(session, process, waiver, now=NOW, base_url=BASE)
    return lambda: withdraw(waiver, by="z3", now=LATER, reason="已补学")


def an_excuse(session: Session, overtaken_by: str) -> Overtake:
    process, row = held(session), participant(session, held(session).id, "w5")
    row.excused_reason = "长期病休"
    if overtaken_by == "given anew":
        refuse_excuse(session, process, row, reason="请补充证明", by=caller(session, "office"))
    else:
        confirm_excuse(session, process, row, by=caller(session, "office"))
    tell_excuse_decided(session, process, row, now=NOW, base_url=BASE)
    return lambda: withdraw_excuse(session, process, row)


def a_result(session: Session, overtaken_by: str) -> Overtake:
    a_decision(session, "confirmed")()
    publish_decision(session, held(session).cycle, by=caller(session, "office"), now=NOW, base_url=BASE)
    return lambda: stand_at(session, an_assessment(session), Stage.COLLECTING)


def a_year(session: Session, overtaken_by: str) -> Overtake:
    cycle = held(session).cycle
    tell_year_published(session, cycle, now=NOW, base_url=BASE)
    return lambda: close_cycle(session, cycle, now=LATER, leave_open=True, reason="合校")


def an_addition(session: Session, overtaken_by: str) -> Overtake:
    cycle = held(session).cycle
    an_amendment(session, cycle)
    return lambda: close_cycle(session, cycle, now=LATER, leave_open=True, reason="合校")


def a_link(session: Session, overtaken_by: str) -> Overtake:
    invite(session, STAFF_NO["张三"], desk=Desk(now=NOW, base_url=BASE, hours=48))
    return lambda: disable(session, account_of(session, "z3"), by=caller(session, "office"), now=LATER)


CASES = [
    *((a_decision, how, DECISION_ENTERED, "学校党委") for how in ("withdrawn", "refused", "confirmed")),
    (returned, "moved", RETURNED, "张三"),
    (accepted, "reopened", ACCEPTED, "张三"),
    *((a_refused_reason, how, WAIVER_REJECTED, "张三") for how in ("given anew", "moved")),
    (an_approved_reason, "taken back", WAIVER_APPROVED, "张三"),
    (an_excuse, "taken back", EXCUSE_CONFIRMED, "张三"),
    (an_excuse, "given anew", EXCUSE_REFUSED, "张三"),
    (a_result, "reopened", PUBLISHED, "张三"),
    (a_year, "closed", YEAR_PUBLISHED, "张三"),
    (an_addition, "closed", YEAR_AMENDED, "张三"),
    (a_link, "account disabled", "invitation", "张三"),
]


@pytest.mark.parametrize("overtaken", [False, True], ids=["stands", "overtaken"])
@pytest.mark.parametrize(("tell", "how", "kind", "recipient"), CASES, ids=lambda each: each if isinstance(each, str) else None)
def test_a_letter_of_an_act_goes_only_while_it_stands(
    session: Session, tell: Callable[[Session, str], Overtake], how: str, kind: str, recipient: str, overtaken: bool
) -> None:
    a_school(session)
    overtake = tell(session, how)
    if overtaken:
        overtake()
        session.flush()
    send(session, LATER)
    states = session.execute(select(Letter.recipient_name, Letter.state).where(Letter.kind == kind))
    [state] = [row.state for row in states if row.recipient_name == recipient]
    assert state is (LetterState.MOOT if overtaken else LetterState.SENT)


def test_a_letter_that_was_overtaken_goes_once_it_is_told_again(session: Session) -> None:
    process, row, office = a_school(session), participant(session, held(session).id, "w5"), caller(session, "office")
    reader = person(session, "王五")

    def tell(text: str, now: datetime) -> int:
        """Confirm the excuse, and queue the one letter of this confirmation."""
        row.excused_reason = "长期病休"
        confirm_excuse(session, process, row, by=office)
        session.flush()
        words = Rendered("不参加已确认", text, "")
        letter = NewLetter(EXCUSE_CONFIRMED, reader.id, reader.name, reader.email, words, process_id=process.id, record=row.person_id)
        return enqueue(session, [letter], now)

    assert (tell("第一次", NOW), tell("第二次", NOW)) == (1, 0)
    withdraw_excuse(session, process, row)
    session.flush()
    assert "王五" not in send(session, LATER)
    late = at("2024-12-24", "11:00")
    assert tell("第三次", late) == 1
    sent = send(session, late)["王五"]
    assert (sent.text, sent.created_at, sent.attempts) == ("第三次", late, 1)
    assert tell("第四次", late) == 0
    assert "王五" not in send(session, late)


def test_every_kind_of_letter_of_an_act_is_tried() -> None:
    assert {kind for _, _, kind, _ in CASES} | {PASSWORD_FORGOTTEN} == conditions().keys()


@pytest.mark.parametrize("clock", ["07:00", "23:00"])
def test_letters_of_an_act_go_at_any_hour(session: Session, clock: str) -> None:
    a_school(session)
    returned(session, "")
    assert "退回修改" in send(session, at("2024-12-21", clock))["张三"].subject


def test_the_letter_of_an_act_to_someone_who_has_gone_is_kept_and_goes_to_the_office(session: Session) -> None:
    a_school(session)
    disable(session, account_of(session, "z3"), by=caller(session, "office"), now=NOW)
    returned(session, "")
    letters = {letter.recipient_name: letter for letter in session.scalars(select(Letter).where(Letter.kind == RETURNED))}
    assert {name: letter.state for name, letter in letters.items()} == {"张三": LetterState.GONE, "党委办公室": LetterState.PENDING}
    assert "改送党委办公室" in letters["党委办公室"].text
    assert letters["张三"].text == ""
    assert "张三" not in send(session, LATER)


def test_a_branch_without_a_secretary_is_told_to_the_office(session: Session) -> None:
    a_school(session)
    of_secretary = Appointment.person_id == person(session, "张三").id
    session.execute(update(Appointment).where(of_secretary).values(ends_on=date(2024, 12, 19)))
    returned(session, "")
    names = session.scalars(select(Letter.recipient_name).where(Letter.kind == RETURNED)).all()
    assert names == ["党委办公室"]
