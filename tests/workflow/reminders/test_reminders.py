"""Letters due at a moment: their times, recipients and duties, each sent once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller, person
from tests.support.letters.reminding import BASE, LEADERS, NO_OVERRIDES, at, due, duties, kinds, queue, send, talk, told_of
from tests.support.records.evidence import many_branches
from workflow.foundation.calendar import set_day
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import LetterState, Post, Stage
from workflow.machine.waivers import tell_decided, waive
from workflow.mail.items import LetterItem
from workflow.mail.outbox import Letter
from workflow.people.access import Scope
from workflow.people.accounts import account_of, disable
from workflow.people.organisation import Appointment, Person
from workflow.people.substitutes import name_substitute
from workflow.reminders import letters_due, queue_due
from workflow.reminders.when import nearest_reminder
from workflow.rules.evidence import reject
from workflow.year.cycle import Process
from workflow.year.deadlines import change_processes
from workflow.year.opening import close_cycle
from workflow.year.roll import participant

NO_TALK = "没有谈心谈话记录"
OFFICE = "党委办公室"

# ── when ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "days"),
    [
        (at("2024-12-18", "08:29"), None),
        (at("2024-12-18", "08:30"), 7),
        (at("2024-12-20", "08:29"), 7),
        (at("2024-12-20", "08:30"), 3),
        (at("2024-12-24", "08:29"), 3),
        (at("2024-12-24", "09:00"), 1),
        (at("2024-12-25", "09:00"), 0),
        (at("2024-12-25", "23:59"), 0),
        (at("2024-12-26", "00:00"), None),
        (at("2024-12-26", "08:29"), None),
        (at("2024-12-26", "09:00"), -1),
        (at("2025-01-01", "23:59"), -1),
        (at("2025-01-02", "08:29"), -1),
        (at("2025-01-02", "09:00"), -8),
        (at("2025-01-09", "09:00"), -15),
    ],
)
def test_seven_three_and_one_day_before_on_the_day_and_weekly_when_it_is_over_at_half_past_eight_and_never_on_a_day_off(
    now: datetime, days: int | None
) -> None:
    assert nearest_reminder(date(2024, 12, 25), now, NO_OVERRIDES, (7, 3, 1)) == days


def test_of_the_reminders_that_fall_on_the_day_before_a_holiday_only_the_nearest_goes() -> None:
    due_on = date(2025, 2, 6)
    assert nearest_reminder(due_on, at("2025-01-27", "08:29"), NO_OVERRIDES, (7, 3, 1)) is None
    assert nearest_reminder(due_on, at("2025-01-27"), NO_OVERRIDES, (7, 3, 1)) == 3
    assert nearest_reminder(due_on, at("2025-02-05"), NO_OVERRIDES, (7, 3, 1)) == 1


def test_a_make_up_sunday_is_as_good_as_a_monday() -> None:
    assert nearest_reminder(date(2025, 1, 27), at("2025-01-26", "08:29"), NO_OVERRIDES, (7, 3, 1)) == 3
    assert nearest_reminder(date(2025, 1, 27), at("2025-01-26"), NO_OVERRIDES, (7, 3, 1)) == 1


@pytest.mark.parametrize(
    ("now", "goes"),
    [
        (at("2024-12-26", "08:29"), False),
        (at("2024-12-26", "08:30"), True),
        (at("2024-12-26", "17:59"), True),
        (at("2024-12-26", "18:00"), False),
        (at("2024-12-28", "10:00"), False),
        (at("2024-12-29", "10:00"), False),
        (at("2024-12-30", "08:30"), True),
    ],
    ids=["early", "opening", "late", "evening", "Saturday", "Sunday", "Monday"],
)
def test_reminders_go_in_the_hours_of_working_days_even_after_a_gap(session: Session, branch: Process, now: datetime, goes: bool) -> None:
    assert bool(due(session, branch, now)) is goes
    queue(session, now)
    assert bool(told_of(session, branch)) is goes


def test_a_letter_that_waits_in_the_evening_is_not_sent_before_the_next_hours(session: Session, branch: Process) -> None:
    queue(session, at("2024-12-24", "17:59"))
    assert send(session, at("2024-12-24", "18:00")) == {}
    assert send(session, at("2024-12-24", "23:00")) == {}
    assert {each.state for each in told_of(session, branch)} == {LetterState.PENDING}
    assert set(send(session, at("2024-12-25", "08:30"))) >= LEADERS


def test_the_letter_counts_the_days_from_its_own_day(session: Session, branch: Process) -> None:
    # Three days before the 31st is a Saturday: the letter goes on Friday, with four days left.
    letter = due(session, branch, at("2024-12-27"))["张三"]
    assert letter.kind == "due-3"
    assert "还有4天到期" in letter.words.subject


def test_after_a_gap_only_the_nearest_letter_is_written(session: Session, branch: Process) -> None:
    assert queue(session, at("2024-12-27")) > 0
    assert kinds(told_of(session, branch)) == {"due-3"}
    queue(session, at("2024-12-30"))
    assert kinds(told_of(session, branch)) == {"due-3", "due-1"}


def test_a_letter_that_still_waits_when_the_next_is_due_is_not_sent_any_more(session: Session, branch: Process) -> None:
    queue(session, at("2024-12-27"))
    queue(session, at("2024-12-30", "08:00"))
    assert {each.state for each in told_of(session, branch)} == {LetterState.PENDING}
    queue(session, at("2024-12-30"))
    assert {(each.kind, each.state) for each in told_of(session, branch)} == {
        ("due-3", LetterState.MOOT),
        ("due-1", LetterState.PENDING),
    }


def test_a_letter_that_still_waits_when_the_day_is_over_is_not_sent_any_more(session: Session, branch: Process) -> None:
    queue(session, at("2024-12-31"))
    sent = send(session, at("2025-01-02"))
    assert {(each.kind, each.state) for each in told_of(session, branch)} == {("due-0", LetterState.MOOT), ("overdue-1", LetterState.SENT)}
    assert "已逾期2天" in sent["张三"].subject


# ── to whom ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_must_act_gets_his_own_duty_and_the_secretary_the_branchs(session: Session, branch: Process) -> None:
    for partner in ("李四", "钱七", "王五"):
        talk(session, branch, "张三", partner)
    letters = due(session, branch, at("2024-12-24"))
    assert {name: duties(letter.words) for name, letter in letters.items()} == {
        "张三": [f"支部委员之间还有 1 对{NO_TALK}", f"还有 1 名党员{NO_TALK}", "书记尚未登记重点谈心（须写明缘由）"],
        "李四": [f"支部委员之间还有 1 对{NO_TALK}", f"还有 1 名党员{NO_TALK}"],
        "钱七": [f"支部委员之间还有 1 对{NO_TALK}", f"还有 1 名党员{NO_TALK}"],
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
    assert f"还有 1 名党员{NO_TALK}" in duties(due(session, branch, at("2024-12-24"))["张三"].words)


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
    assert set(due(session, branch, at("2024-12-24"))) == {"钱七", OFFICE}


@pytest.mark.parametrize("why", ["nobody has the post", "the account is disabled", "they left the school"])
def test_a_branch_whose_secretary_letters_do_not_reach_is_told_to_the_office(session: Session, branch: Process, why: str) -> None:
    everything = duties(due(session, branch, at("2024-12-24"))["张三"].words)
    if why == "nobody has the post":
        participant(session, branch.id, "z3").post = None
    elif why == "the account is disabled":
        disable(session, account_of(session, "z3"), by=caller(session, "office"), now=NOW)
    else:
        person(session, "张三").branch_id = None
        session.execute(update(Appointment).where(Appointment.person_id == person(session, "张三").id).values(ends_on=date(2024, 12, 20)))
    session.flush()
    letter = due(session, branch, at("2024-12-24"))[OFFICE]
    assert duties(letter.words)[:2] == everything[:2]
    assert "改送党委办公室" in letter.words.text
    assert "您所在的" not in letter.words.text
    sent = send(session, at("2024-12-24"))
    states = {each.recipient: each.state for each in told_of(session, branch)}
    assert OFFICE in sent
    assert ("张三" in sent) is (why == "nobody has the post")
    assert (states.get("张三") is LetterState.GONE) is (why != "nobody has the post")


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
    queue(session, at("2024-12-24"))
    states = {each.recipient: each.state for each in told_of(session, branch)}
    assert states == {"张三": LetterState.PENDING, "李四": LetterState.NO_ADDRESS, "钱七": LetterState.NO_ADDRESS}


# ── which processes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_filed_branch_gets_no_letters(session: Session, branch: Process) -> None:
    change_processes(session, [branch], {"stage": Stage.FILED})
    assert due(session, branch, at("2024-12-24")) == {}


def test_a_closed_cycle_gets_no_letters(session: Session, branch: Process) -> None:
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    assert letters_due(session, at("2024-12-24"), base_url=BASE) == []


def test_a_requirement_of_a_later_stage_is_not_asked_yet(session: Session) -> None:
    process = a_school(session)
    lines = duties(due(session, process, at("2024-12-20"))["张三"].words)
    assert [line[:7] for line in lines] == ["尚未登记集中学", "还有 2 种必", "还有 5 名党"]


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
    assert f"还有 2 名党员{NO_TALK}" in letters["张三"].words.text


def test_a_later_day_or_a_move_ends_the_letters_that_a_branch_is_overdue(session: Session, branch: Process) -> None:
    queue(session, at("2025-01-02"))
    assert kinds(told_of(session, branch)) == {"overdue-1"}
    change_processes(session, [branch], {"stage": Stage.REPORT})
    assert LEADERS.isdisjoint(send(session, at("2025-01-02", "10:00")))
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
    assert written[0].subject == "关于D0101党支部“谈心谈话”情况说明的批复：未予同意"
    for letter in written:
        assert "王五" not in letter.subject + letter.text + letter.html


# ── many ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_letters_are_queued_at_most_five_hundred_to_a_transaction_and_the_rest_by_the_next_call(engine: Engine, owner_url: str) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    many_branches(owner_url, 600)
    with transaction(engine, actor="cli") as session:
        session.execute(update(Process).values(due_on=date(2024, 12, 31), entered_at=NOW))
    written: list[int] = []
    breaks = [True]

    @contextmanager
    def begin() -> Iterator[Session]:
        with transaction(engine, actor="worker") as session:
            before = session.scalar(select(func.count()).select_from(LetterItem)) or 0
            yield session
            written.append((session.scalar(select(func.count()).select_from(LetterItem)) or 0) - before)
            if written[-1] and breaks.pop():
                raise InterruptedError

    with pytest.raises(InterruptedError):
        queue_due(begin, at("2024-12-30"), base_url=BASE)
    breaks.extend([False] * 10)
    queued = queue_due(begin, at("2024-12-30"), base_url=BASE)
    with transaction(engine, actor=None) as session:
        in_ledger = session.scalar(select(func.count()).select_from(LetterItem))
    assert in_ledger is not None
    assert queued == in_ledger > 600
    assert max(written) == 500
    assert queue_due(begin, at("2024-12-30"), base_url=BASE) == 0
