"""One letter for each person and local day, with what is true when it is sent, each item once."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller
from tests.support.letters.reminding import BASE, LEADERS, at, due, queue, send, talk, told_of
from tests.support.records.rectification import a_measure, progress
from workflow.foundation.calendar import set_day
from workflow.foundation.vocabulary import LetterState, MeasureState, Stage, Trigger
from workflow.machine.process import move
from workflow.mail.items import letters_of
from workflow.mail.outbox import Letter
from workflow.mail.sending import claim, settle_unknown
from workflow.reminders.writing import Reminders
from workflow.year.cycle import Process
from workflow.year.deadlines import change_deadlines, change_processes, extend


def test_a_letter_is_queued_once_however_often_it_is_derived(session: Session, branch: Process) -> None:
    first = queue(session, at("2024-12-24"))
    assert first == len(told_of(session)) > 0
    assert queue(session, at("2024-12-24", "09:01")) == 0
    assert queue(session, at("2024-12-25", "08:00")) == 0
    assert len(told_of(session)) == first


def test_a_new_round_is_reminded_of_anew(session: Session, branch: Process) -> None:
    before = {letter.key for letter in due(session, branch, at("2024-12-24")).values()}
    change_processes(session, [branch], {"round": 2})
    after = {letter.key for letter in due(session, branch, at("2024-12-24")).values()}
    assert before
    assert after
    assert before.isdisjoint(after)


def test_an_extension_moves_the_letters_and_those_that_wait_are_not_sent(session: Session, branch: Process) -> None:
    queue(session, at("2024-12-30"))
    extend(session, branch, stage=Stage.TALKS, due_on=date(2025, 1, 10), reason="出差", by="office", now=at("2024-12-30"))
    assert LEADERS.isdisjoint(send(session, at("2024-12-30", "09:30")))
    assert {each.state for each in told_of(session, branch)} == {LetterState.MOOT}
    assert due(session, branch, at("2024-12-31")) == {}
    assert due(session, branch, at("2025-01-03"))["张三"].due_on == date(2025, 1, 10)


def test_a_move_makes_the_reminders_of_its_process_moot_and_no_others(session: Session, branch: Process) -> None:
    queue(session, at("2024-12-24"))
    change_processes(session, [branch], {"stage": Stage.REPORT})
    send(session, at("2024-12-24", "09:30"))
    states = {(each.process_id == branch.id, each.state) for each in told_of(session)}
    assert states == {(True, LetterState.MOOT), (False, LetterState.SENT)}


def test_a_letter_that_may_have_arrived_is_not_sent_again_once_nothing_of_it_is_true(session: Session, branch: Process) -> None:
    reminders = Reminders(lambda: nullcontext(session), base_url=BASE)
    reminders.queue(at("2024-12-24"))
    for each in claim(session, at("2024-12-24"), timedelta(minutes=5), limit=100, day=date(2024, 12, 24)):
        ready = reminders.write(session, each, at("2024-12-24"))
        assert ready is not None
        settle_unknown(session, ready, at("2024-12-24", "09:01"), "DATA lost")
    change_processes(session, [branch], {"stage": Stage.FILED})
    again = send(session, at("2024-12-24", "10:00"))
    assert LEADERS.isdisjoint(again)
    assert "赵六" in again
    assert {each.state for each in told_of(session, branch)} == {LetterState.MOOT}
    assert {letter.state for letter in letters_of(session) if letter.recipient_name == "张三"} == {LetterState.UNKNOWN}


# ── one a day ─────────────────────────────────────────────────────────────────────────────────────────────────────────

MONDAY = at("2024-12-30")


def of_person(session: Session, name: str) -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.recipient_name == name).order_by(Letter.id)))


def test_all_that_a_person_is_told_on_a_day_is_one_letter(session: Session, branch: Process) -> None:
    a_measure(session, branch, owner="张三", due_on=date(2024, 12, 31))
    a_measure(session, branch, owner="王五", due_on=date(2024, 12, 31))
    sent = send(session, MONDAY)
    assert sent["张三"].subject == "12月30日有2项提醒"
    assert "“谈心谈话”还有1天到期" in sent["张三"].text
    assert "整改措施还有1天到期" in sent["张三"].text
    assert sent["张三"].text.count("张三同志：") == 1
    assert sent["王五"].subject == "D0101党支部整改措施还有1天到期"
    assert {len(of_person(session, name)) for name in ("张三", "王五")} == {1}


def test_what_becomes_due_after_the_letter_of_the_day_went_waits_for_the_next_day(session: Session, branch: Process) -> None:
    send(session, MONDAY)
    a_measure(session, branch, owner="张三", due_on=date(2024, 12, 31))
    assert send(session, at("2024-12-30", "11:00")) == {}
    assert len(of_person(session, "张三")) == 1
    assert "整改措施今天到期" in send(session, at("2024-12-31"))["张三"].text


def test_what_becomes_due_before_the_letter_of_the_day_goes_goes_with_it(session: Session, branch: Process) -> None:
    queue(session, MONDAY)
    a_measure(session, branch, owner="张三", due_on=date(2024, 12, 31))
    assert "有2项提醒" in send(session, at("2024-12-30", "11:00"))["张三"].subject
    assert len(of_person(session, "张三")) == 1


def test_a_letter_says_what_is_true_when_it_is_sent_and_not_when_it_was_queued(session: Session, branch: Process) -> None:
    queue(session, MONDAY)
    talk(session, branch, "张三", "王五")
    assert "还有 1 名党员没有谈心谈话记录" in send(session, at("2024-12-30", "11:00"))["张三"].text


def test_what_was_done_meanwhile_is_left_out_and_the_rest_is_told(session: Session, branch: Process) -> None:
    measure = a_measure(session, branch, owner="张三", due_on=date(2024, 12, 31))
    queue(session, MONDAY)
    progress(session, branch, measure, MeasureState.DONE)
    assert send(session, at("2024-12-30", "11:00"))["张三"].subject == "D0101党支部“谈心谈话”还有1天到期"
    assert {(each.kind, each.state) for each in told_of(session) if each.recipient == "张三"} == {
        ("due-1", LetterState.SENT),
        ("measure-due-1", LetterState.MOOT),
    }


def test_a_letter_of_which_nothing_is_true_any_more_is_moot_and_goes_once_something_is_again(session: Session, branch: Process) -> None:
    measure = a_measure(session, branch, owner="王五", due_on=date(2024, 12, 31))
    queue(session, MONDAY)
    progress(session, branch, measure, MeasureState.DONE)
    assert "王五" not in send(session, at("2024-12-30", "10:00"))
    assert [letter.state for letter in of_person(session, "王五")] == [LetterState.MOOT]
    progress(session, branch, measure, MeasureState.DOING)
    assert "王五" in send(session, at("2024-12-30", "11:00"))
    assert "王五" not in send(session, at("2024-12-30", "12:00"))
    assert [letter.state for letter in of_person(session, "王五")] == [LetterState.SENT]


def test_a_letter_that_did_not_go_on_its_day_goes_with_the_next_days(session: Session, branch: Process) -> None:
    a_measure(session, branch, owner="王五", due_on=date(2024, 12, 26))
    queue(session, at("2024-12-23"))
    assert "王五" in send(session, at("2024-12-24"))
    assert [letter.state for letter in of_person(session, "王五")] == [LetterState.MOOT, LetterState.SENT]


def test_a_worker_that_looked_before_an_item_was_queued_does_not_take_it_for_done(session: Session, branch: Process) -> None:
    earlier = Reminders(lambda: nullcontext(session), base_url=BASE)
    earlier.queue(MONDAY)
    a_measure(session, branch, owner="王五", due_on=date(2024, 12, 31))
    queue(session, MONDAY)
    [letter] = [each for each in claim(session, MONDAY, timedelta(minutes=5), limit=100, day=date(2024, 12, 30)) if each.recipient_name == "王五"]
    ready = earlier.write(session, letter, MONDAY)
    assert ready is not None
    assert "整改措施" in ready.text


# ── the stage before ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_waiting_letter_of_the_stage_before_does_not_swallow_the_next_stages(session: Session) -> None:
    process = a_school(session, deadlines=dict.fromkeys(STAGES, date(2024, 12, 31)), now=NOW)
    queue(session, at("2024-12-27"))
    change_processes(session, [process], {"stage": Stage.TALKS, "entered_at": at("2024-12-27", "09:30")})
    assert LEADERS.isdisjoint(send(session, at("2024-12-27", "10:00")))
    set_day(session, date(2024, 12, 28), working=True, note="补班")
    assert send(session, at("2024-12-28"))["张三"].subject == "D0101党支部“谈心谈话”还有3天到期"
    assert {(each.kind, each.state) for each in told_of(session, process)} == {("due-3", LetterState.SENT)}


STAGES = (Stage.STUDY, Stage.TALKS, Stage.SELF_REVIEW, Stage.RATING, Stage.RECTIFICATION, Stage.REPORT)


# ── a new stage or day ────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_is_reminded_on_the_day_on_which_the_stage_is_entered(session: Session, branch: Process) -> None:
    by = caller(session, "张三")
    move(session, branch, Trigger.STEP_BACK, to=Stage.STUDY, by=by, now=MONDAY, seen=None, reason="补学", base_url=BASE)
    assert due(session, branch, at("2024-12-30", "10:00")) == {}
    assert due(session, branch, at("2024-12-30", "17:59")) == {}
    assert due(session, branch, at("2024-12-31", "08:30")).keys() >= LEADERS


@pytest.mark.parametrize("how", ["extended", "moved for all"])
def test_nobody_is_reminded_on_the_day_on_which_the_day_is_changed(session: Session, branch: Process, how: str) -> None:
    new = date(2025, 1, 2)
    if how == "extended":
        extend(session, branch, stage=Stage.TALKS, due_on=new, reason="出差", by="office", now=MONDAY)
    else:
        change_deadlines(session, branch.cycle, {Stage.TALKS: new}, seen=branch.cycle.version, now=MONDAY)
        session.expire_all()
    assert due(session, branch, at("2024-12-30", "10:00")) == {}
    assert due(session, branch, at("2024-12-31"))["张三"].due_on == new


def test_a_changed_day_of_another_stage_stops_no_reminder(session: Session, branch: Process) -> None:
    change_deadlines(session, branch.cycle, {Stage.REPORT: date(2025, 2, 20)}, seen=branch.cycle.version, now=MONDAY)
    extend(session, branch, stage=Stage.RATING, due_on=date(2025, 1, 20), reason="出差", by="office", now=MONDAY)
    session.expire_all()
    assert due(session, branch, at("2024-12-30", "10:00")).keys() >= LEADERS
