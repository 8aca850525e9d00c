"""Letters due at a moment: their times, recipients and duties, each sent once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller, person
from tests.support.records.evidence import many_branches
from tests.support.reminding import BASE, LEADERS, NO_OVERRIDES, at, due, duties, kinds, talk
from workflow.foundation.calendar import set_day
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import LetterState, Post, Stage
from workflow.machine.waivers import tell_decided, waive
from workflow.mail.outbox import Letter, claim, letters_of, retire_reminders, settle_unknown
from workflow.people.access import Scope
from workflow.people.organisation import Person
from workflow.people.substitutes import name_substitute
from workflow.reminders import letters_due, queue_due
from workflow.reminders.when import nearest_reminder
from workflow.rules.evidence import reject
from workflow.year.cycle import Extension, Process
from workflow.year.deadlines import change_processes
from workflow.year.opening import close_cycle
from workflow.year.roll import participant

# ── when ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "days"),
    [
        (at("2024-12-18", "08:59"), None),
        (at("2024-12-18", "09:00"), 7),
        (at("2024-12-20", "08:59"), 7),
        (at("2024-12-20", "09:00"), 3),
        (at("2024-12-24", "08:59"), 3),
        (at("2024-12-24", "09:00"), 1),
        (at("2024-12-25", "09:00"), 0),
        (at("2024-12-25", "23:59"), 0),
        (at("2024-12-26", "00:00"), None),
        (at("2024-12-26", "08:59"), None),
        (at("2024-12-26", "09:00"), -1),
        (at("2025-01-01", "23:59"), -1),
        (at("2025-01-02", "08:59"), -1),
        (at("2025-01-02", "09:00"), -8),
        (at("2025-01-09", "09:00"), -15),
    ],
)
def test_seven_three_and_one_day_before_on_the_day_and_weekly_when_it_is_over_at_nine_and_never_on_a_day_off(now: datetime, days: int | None) -> None:
    assert nearest_reminder(date(2024, 12, 25), now, NO_OVERRIDES, (7, 3, 1)) == days


def test_of_the_reminders_that_fall_on_the_day_before_a_holiday_only_the_nearest_goes() -> None:
    due_on = date(2025, 2, 6)
    assert nearest_reminder(due_on, at("2025-01-27", "08:59"), NO_OVERRIDES, (7, 3, 1)) is None
    assert nearest_reminder(due_on, at("2025-01-27"), NO_OVERRIDES, (7, 3, 1)) == 3
    assert nearest_reminder(due_on, at("2025-02-05"), NO_OVERRIDES, (7, 3, 1)) == 1


def test_a_make_up_sunday_is_as_good_as_a_monday() -> None:
    assert nearest_reminder(date(2025, 1, 27), at("2025-01-26", "08:59"), NO_OVERRIDES, (7, 3, 1)) == 3
    assert nearest_reminder(date(2025, 1, 27), at("2025-01-26"), NO_OVERRIDES, (7, 3, 1)) == 1


def test_nothing_goes_before_nine_even_after_a_gap(session: Session, branch: Process) -> None:
    assert due(session, branch, at("2024-12-29", "08:59")) == {}
    assert due(session, branch, at("2024-12-29")) != {}


def test_the_letter_counts_the_days_from_its_own_day(session: Session, branch: Process) -> None:
    # Three days before the 31st is a Saturday: the letter goes on Friday, with four days left.
    letter = due(session, branch, at("2024-12-27"))["张三"]
    assert letter.kind == "due-3"
    assert "还有4天到期" in letter.words.subject


def test_after_a_gap_only_the_nearest_letter_is_written(session: Session, branch: Process) -> None:
    assert queue_due(lambda: nullcontext(session), at("2024-12-29"), base_url=BASE) > 0
    assert kinds(letters_of(session, process_ids=[branch.id])) == {"due-3"}
    queue_due(lambda: nullcontext(session), at("2024-12-30"), base_url=BASE)
    assert kinds(letters_of(session, process_ids=[branch.id])) == {"due-3", "due-1"}


def test_a_letter_that_still_waits_when_the_next_is_due_is_not_sent_any_more(session: Session, branch: Process) -> None:
    queue_due(lambda: nullcontext(session), at("2024-12-27"), base_url=BASE)
    queue_due(lambda: nullcontext(session), at("2024-12-30", "08:00"), base_url=BASE)
    assert {letter.state for letter in letters_of(session, process_ids=[branch.id])} == {LetterState.PENDING}
    queue_due(lambda: nullcontext(session), at("2024-12-30"), base_url=BASE)
    assert {(letter.kind, letter.state) for letter in letters_of(session, process_ids=[branch.id])} == {
        ("due-3", LetterState.MOOT),
        ("due-1", LetterState.PENDING),
    }


def test_a_letter_that_still_waits_when_the_day_is_over_is_not_sent_any_more(session: Session, branch: Process) -> None:
    queue_due(lambda: nullcontext(session), at("2024-12-31"), base_url=BASE)
    queue_due(lambda: nullcontext(session), at("2025-01-01", "00:00"), base_url=BASE)
    assert {letter.state for letter in letters_of(session, process_ids=[branch.id])} == {LetterState.MOOT}


# ── once ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_letter_is_queued_once_however_often_it_is_derived(session: Session, branch: Process) -> None:
    first = queue_due(lambda: nullcontext(session), at("2024-12-24"), base_url=BASE)
    assert first == len(letters_of(session)) > 0
    assert queue_due(lambda: nullcontext(session), at("2024-12-24", "09:01"), base_url=BASE) == 0
    assert queue_due(lambda: nullcontext(session), at("2024-12-25", "08:00"), base_url=BASE) == 0
    assert len(letters_of(session)) == first


def test_a_new_round_is_reminded_of_anew(session: Session, branch: Process) -> None:
    before = {letter.key for letter in due(session, branch, at("2024-12-24")).values()}
    change_processes(session, [branch], {"round": 2})
    after = {letter.key for letter in due(session, branch, at("2024-12-24")).values()}
    assert before
    assert after
    assert before.isdisjoint(after)


def test_an_extension_moves_the_letters_and_retires_those_that_wait(session: Session, branch: Process) -> None:
    queue_due(lambda: nullcontext(session), at("2024-12-30"), base_url=BASE)
    later = Extension(
        process_id=branch.id, stage=Stage.TALKS, round=1, due_on=date(2025, 1, 10), reason="出差", version=2, given_by="office", given_at=NOW
    )
    session.add(later)
    session.flush()
    change_processes(session, [branch], {"version": 2})
    queue_due(lambda: nullcontext(session), at("2024-12-30", "09:30"), base_url=BASE)
    assert {letter.state for letter in letters_of(session, process_ids=[branch.id])} == {LetterState.MOOT}
    assert due(session, branch, at("2024-12-31")) == {}
    assert due(session, branch, at("2025-01-03"))["张三"].due_on == date(2025, 1, 10)


def test_a_move_retires_the_reminders_of_its_process_alone(session: Session, branch: Process) -> None:
    queue_due(lambda: nullcontext(session), at("2024-12-24"), base_url=BASE)
    retire_reminders(session, [branch.id])
    states = {(letter.process_id == branch.id, letter.state) for letter in letters_of(session)}
    assert states == {(True, LetterState.MOOT), (False, LetterState.PENDING)}


def test_a_retired_letter_that_may_have_arrived_stays_unknown_and_is_not_sent_again(session: Session, branch: Process) -> None:
    queue_due(lambda: nullcontext(session), at("2024-12-24"), base_url=BASE)
    lost = next(each for each in claim(session, at("2024-12-24"), timedelta(minutes=5), limit=100) if each.kind == "due-7")
    settle_unknown(session, lost, at("2024-12-24", "09:01"), "DATA lost")
    for process_id in {letter.process_id for letter in letters_of(session)}:
        retire_reminders(session, [process_id or 0])
    assert [letter.state for letter in letters_of(session) if letter.id == lost.id] == [LetterState.UNKNOWN]
    assert lost.id not in {letter.id for letter in claim(session, at("2024-12-24", "10:00"), timedelta(minutes=5), limit=100)}


# ── to whom ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_must_act_gets_his_own_duty_and_the_secretary_the_branchs(session: Session, branch: Process) -> None:
    for partner in ("李四", "钱七", "王五"):
        talk(session, branch, "张三", partner)
    letters = due(session, branch, at("2024-12-24"))
    assert {name: duties(letter.words) for name, letter in letters.items()} == {
        "张三": ["【K1】（还差1项）", "【K2】（还差1项）", "【K6】（还差1项）"],
        "李四": ["【K1】（还差1项）", "【K2】（还差1项）"],
        "钱七": ["【K1】（还差1项）", "【K2】（还差1项）"],
    }


def test_who_has_nothing_left_to_do_gets_no_letter_and_the_secretary_still_does(session: Session, branch: Process) -> None:
    everybody = [("张三", "李四"), ("张三", "钱七"), ("李四", "钱七"), ("张三", "王五"), ("张三", "孙八")]
    for pair in everybody:
        talk(session, branch, *pair)
    waive(session, branch, {"requirement": "secretary_without_a_focus_talk", "reason": "书记新到任"}, by="z3", now=NOW)
    letters = due(session, branch, at("2024-12-24"))
    assert set(letters) == LEADERS
    assert "各项要求均已满足" in letters["张三"].words.text


def test_what_is_waived_is_no_duty(session: Session, branch: Process) -> None:
    waive(session, branch, {"requirement": "members_nobody_talked_with", "subjects": ["w5"], "reason": "长期出国"}, by="z3", now=NOW)
    assert "【K2】（还差1项）" in duties(due(session, branch, at("2024-12-24"))["张三"].words)


def test_the_deputy_answers_for_the_branch_as_the_secretary_does(session: Session, branch: Process) -> None:
    participant(session, branch.id, "q7").post = Post.DEPUTY
    session.flush()
    letters = due(session, branch, at("2024-12-24"))
    assert duties(letters["钱七"].words) == duties(letters["张三"].words) != duties(letters["李四"].words)


def test_who_stands_in_for_the_secretary_is_told_what_he_is_told(session: Session, branch: Process) -> None:
    days = {"starts_on": date(2024, 12, 20), "ends_on": date(2024, 12, 26)}
    name_substitute(session, {"substitute": "w5", **days}, by=caller(session, "张三"), reach=[Scope.BRANCH], now=NOW)
    letters = due(session, branch, at("2024-12-24"))
    assert duties(letters["王五"].words) == duties(letters["张三"].words)
    assert "王五" not in due(session, branch, at("2024-12-30"))


def test_who_has_left_the_branch_gets_no_letter(session: Session, branch: Process) -> None:
    for staff_no in ("z3", "l4"):
        participant(session, branch.id, staff_no).left_on = date(2024, 12, 20)
    session.flush()
    assert set(due(session, branch, at("2024-12-24"))) == {"钱七"}


def test_a_letter_names_nobody_but_its_reader(session: Session, branch: Process) -> None:
    talk(session, branch, "李四", "王五")
    everybody = session.execute(select(Person.name, Person.staff_no).where(Person.branch_id.is_not(None))).all()
    letters = letters_due(session, at("2024-12-24"), base_url=BASE)
    assert letters
    for letter in letters:
        written = letter.words.subject + letter.words.text + letter.words.html
        assert letter.recipient_name in written
        assert [name for name, staff_no in everybody if name != letter.recipient_name and (name in written or staff_no in written)] == []


def test_someone_without_an_address_stands_in_the_ledger(session: Session, branch: Process) -> None:
    person(session, "李四").email = None
    person(session, "钱七").email = "  "
    session.flush()
    queue_due(lambda: nullcontext(session), at("2024-12-24"), base_url=BASE)
    states = {letter.recipient_name: letter.state for letter in letters_of(session, process_ids=[branch.id])}
    assert states == {"张三": LetterState.PENDING, "李四": LetterState.NO_ADDRESS, "钱七": LetterState.NO_ADDRESS}


# ── which processes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_filed_branch_gets_no_letters(session: Session, branch: Process) -> None:
    change_processes(session, [branch], {"stage": Stage.FILED})
    assert due(session, branch, at("2024-12-24")) == {}


def test_a_stage_without_a_day_gets_no_letters(session: Session) -> None:
    process = a_school(session, deadlines={Stage.REPORT: date(2025, 1, 26)})
    assert due(session, process, at("2025-01-24")) == {}
    change_processes(session, [process], {"stage": Stage.REPORT})
    assert set(due(session, process, at("2025-01-24"))) == LEADERS


def test_a_closed_cycle_gets_no_letters(session: Session, branch: Process) -> None:
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    assert letters_due(session, at("2024-12-24"), base_url=BASE) == []


def test_a_requirement_of_a_later_stage_is_not_asked_yet(session: Session) -> None:
    process = a_school(session)
    assert {line[1:3] for line in duties(due(session, process, at("2024-12-18"))["张三"].words)} == {"E1", "E3", "E4"}


def test_a_year_whose_holidays_are_unknown_is_remarked(session: Session, branch: Process) -> None:
    assert "尚未公布" not in due(session, branch, at("2024-12-24"))["张三"].words.text
    change_processes(session, [branch], {"round_due_on": date(2031, 3, 12)})
    assert "2031年放假调休安排尚未公布" in due(session, branch, at("2031-03-11"))["张三"].words.text


# ── overdue ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_branch_that_is_overdue_is_told_so_with_the_days_and_what_is_missing(session: Session, branch: Process) -> None:
    letters = due(session, branch, at("2025-01-02"))
    assert set(letters) == {"张三", "李四", "钱七"}
    assert letters["张三"].kind == "overdue-1"
    assert "已逾期2天" in letters["张三"].words.subject
    assert "【K2】" in letters["张三"].words.text


def test_a_later_day_or_a_move_ends_the_letters_that_a_branch_is_overdue(session: Session, branch: Process) -> None:
    queue_due(lambda: nullcontext(session), at("2025-01-02"), base_url=BASE)
    assert kinds(letters_of(session, process_ids=[branch.id])) == {"overdue-1"}
    retire_reminders(session, [branch.id])
    assert {letter.state for letter in letters_of(session, process_ids=[branch.id])} == {LetterState.MOOT}
    change_processes(session, [branch], {"stage": Stage.REPORT})
    assert due(session, branch, at("2025-01-09")) == {}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ("2024-12-24", "期限前7天"),
        ("2024-12-27", "期限前3天（遇休息日，提前至12月27日）"),
        ("2024-12-31", "期限当天"),
        ("2025-01-02", "期限已过1天（遇休息日，顺延至1月2日）"),
        ("2025-01-08", "期限已过8天"),
    ],
)
def test_a_letter_says_why_it_goes_now(session: Session, branch: Process, now: str, reason: str) -> None:
    assert due(session, branch, at(now))["张三"].reason == reason


# ── the office's own days ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_day_that_the_office_gives_off_moves_the_letter_to_the_day_before(session: Session, branch: Process) -> None:
    assert due(session, branch, at("2024-12-23")) == {}
    set_day(session, date(2024, 12, 24), working=False, note="校庆")
    assert {letter.kind for letter in due(session, branch, at("2024-12-23")).values()} == {"due-7"}


def test_a_holiday_of_the_school_longer_than_a_month_does_not_lose_the_letter_before_it(session: Session, branch: Process) -> None:
    change_processes(session, [branch], {"round_due_on": date(2025, 3, 3)})
    for n in range(50):
        set_day(session, date(2025, 1, 12) + timedelta(days=n), working=False, note="寒假")
    assert {letter.kind for letter in due(session, branch, at("2025-01-10")).values()} == {"due-1"}


# ── a decided waiver ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_secretary_is_told_of_each_reason_that_the_office_decides_on_and_never_whom_it_covers(session: Session, branch: Process) -> None:
    one, other = (
        waive(session, branch, {"requirement": "members_nobody_talked_with", "subjects": [staff_no], "reason": "王五出国"}, by="z3", now=NOW)
        for staff_no in ("w5", "s8")
    )
    for waiver in (one, other):
        reject(waiver, by="office", now=NOW, reason="请线上谈话")
        tell_decided(session, branch, waiver, now=NOW, base_url=BASE)
    one.rejected_at = one.rejected_reason = None
    tell_decided(session, branch, one, now=NOW, base_url=BASE)
    written = session.scalars(select(Letter).order_by(Letter.id)).all()
    assert [(letter.recipient_name, letter.kind) for letter in written] == [
        ("张三", "waiver-rejected"),
        ("张三", "waiver-rejected"),
        ("张三", "waiver-approved"),
    ]
    assert "请线上谈话" in written[0].text
    assert "K2" in written[0].subject
    for letter in written:
        assert "王五" not in letter.subject + letter.text + letter.html


# ── many ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_letters_are_queued_at_most_five_hundred_to_a_transaction_and_the_rest_by_the_next_call(engine: Engine, owner_url: str) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    many_branches(owner_url, 600)
    with transaction(engine, actor="cli") as session:
        session.execute(update(Process).values(due_on=date(2024, 12, 31)))
    written: list[int] = []
    breaks = [True]

    @contextmanager
    def begin() -> Iterator[Session]:
        with transaction(engine, actor="worker") as session:
            before = session.scalar(select(func.count()).select_from(Letter)) or 0
            yield session
            written.append((session.scalar(select(func.count()).select_from(Letter)) or 0) - before)
            if written[-1] and breaks.pop():
                raise InterruptedError

    with pytest.raises(InterruptedError):
        queue_due(begin, at("2024-12-30"), base_url=BASE)
    breaks.extend([False] * 10)
    queued = queue_due(begin, at("2024-12-30"), base_url=BASE)
    with transaction(engine, actor=None) as session:
        in_ledger = session.scalar(select(func.count()).select_from(Letter))
    assert in_ledger is not None
    assert queued == in_ledger > 600
    assert max(written) == 500
    assert queue_due(begin, at("2024-12-30"), base_url=BASE) == 0
