"""Letters on promised help (后续帮助), the day before and on the day.

They go to the talker and to the person who recorded it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tests.support.builders import NOW, caller
from tests.support.letters.reminding import BASE, at, queue, send, told_of
from tests.support.records.evidence import a_follow_up
from tests.support.situations import a_talk
from workflow.appraisal.talks.follow_ups import finish_follow_up
from workflow.foundation.vocabulary import LetterState
from workflow.reminders import letters_due
from workflow.reminders.due import Due
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Process


def follow_ups(session: Session, now: datetime) -> dict[str, Due]:
    return {letter.recipient_name: letter for letter in letters_due(session, now, base_url=BASE) if letter.kind.startswith("follow-up")}


def test_who_talked_and_who_recorded_it_are_told_of_promised_help_the_day_before_and_on_the_day(session: Session, branch: Process) -> None:
    a_follow_up(session, branch, a_talk(session, branch, "李四", "王五", by="张三"))
    assert follow_ups(session, at("2025-01-09", "08:29")) == {}
    assert {name: letter.kind for name, letter in follow_ups(session, at("2025-01-09")).items()} == dict.fromkeys(("张三", "李四"), "follow-up-1")
    assert {name: letter.kind for name, letter in follow_ups(session, at("2025-01-10")).items()} == dict.fromkeys(("张三", "李四"), "follow-up-0")
    assert follow_ups(session, at("2025-01-11")) == {}


def test_several_promises_of_one_day_are_one_letter_that_counts_them(session: Session, branch: Process) -> None:
    talked = a_talk(session, branch, "张三", "王五")
    for _ in range(2):
        a_follow_up(session, branch, talked)
    assert "2项后续帮助" in follow_ups(session, at("2025-01-09"))["张三"].words.text


def test_a_letter_of_promised_help_says_neither_to_whom_nor_what(session: Session, branch: Process) -> None:
    a_follow_up(session, branch, a_talk(session, branch, "李四", "王五"), by="李四")
    words = follow_ups(session, at("2025-01-09"))["李四"].words
    for secret in ("王五", "w5", "联系工会"):
        assert secret not in words.subject + words.text + words.html


def test_help_that_was_given_or_belongs_to_a_talk_taken_back_is_not_told_of(session: Session, branch: Process) -> None:
    by = caller(session, "张三")
    given, gone = (a_talk(session, branch, "张三", name) for name in ("王五", "孙八"))
    done = a_follow_up(session, branch, given)
    a_follow_up(session, branch, gone)
    queue(session, at("2025-01-09"))
    finish_follow_up(session, branch, given, done, on=NOW.date(), by=by, now=NOW)
    withdraw(gone, by="z3", now=NOW, reason="重复")
    session.flush()
    assert follow_ups(session, at("2025-01-10")) == {}
    send(session, at("2025-01-09", "10:00"))
    assert {each.state for each in told_of(session) if each.kind == "follow-up-1"} == {LetterState.MOOT}
