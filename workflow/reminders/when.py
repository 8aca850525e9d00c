"""The times of reminders (何时提醒): in working hours; of missed ones only the nearest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta

from workflow.foundation.calendar import Overrides, is_working_day, unannounced, working_day_on_or_after, working_day_on_or_before
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import SCHOOL_ZONE, local_day

OPENING, CLOSING = time(8, 30), time(18)
"""The hours in which reminders go, by the school's clock, on working days."""
OVERDUE_EVERY = 7
FOLLOW_UP_DAYS = (1, 0)
HORIZON = timedelta(days=120)
"""Longer than the first reminder and the longest holiday before it, the school's own included."""
WEEK = timedelta(days=7)


def nearest_reminder(due_on: date, now: datetime, overrides: Overrides, before: Collection[int]) -> int | None:
    """Return the last reminder of a day whose time has come; None before the first.

    It is one of the days ``before`` it, 0 on it, or -1, -8, -15 … once it is over.
    """
    over = (local_day(now) - due_on).days
    return _nearest(due_on, (*before, 0) if over <= 0 else range(-1, -over - 1, -OVERDUE_EVERY), now, overrides)


def goes_at(due_on: date, days_before: int, overrides: Overrides) -> datetime:
    """Return the time at which a reminder goes: at half past eight on a working day.

    That is the working day on or before the reminder's day; if the deadline is over, the working
    day on or after it.
    """
    day = due_on - timedelta(days=days_before)
    working_day = working_day_on_or_before if days_before >= 0 else working_day_on_or_after
    return datetime.combine(working_day(day, overrides), OPENING, tzinfo=SCHOOL_ZONE)


def digest_of_week(now: datetime, overrides: Overrides) -> date | None:
    """Return the Monday of the week whose digest is due.

    It is due from half past eight on the first working day of the week. None before that, and in a
    week without one.
    """
    today = local_day(now)
    monday = today - timedelta(days=today.weekday())
    first = working_day_on_or_after(monday, overrides)
    return monday if first < monday + WEEK and datetime.combine(first, OPENING, tzinfo=SCHOOL_ZONE) <= now else None


def day_of_letters(now: datetime, overrides: Overrides) -> date | None:
    """Return the local day whose reminders go now; None outside the hours of working days."""
    local = now.astimezone(SCHOOL_ZONE)
    in_hours = OPENING <= local.time() < CLOSING
    return local.date() if in_hours and is_working_day(local.date(), overrides) else None


def _nearest(due_on: date, steps: Iterable[int], now: datetime, overrides: Overrides) -> int | None:
    return min((days for days in steps if goes_at(due_on, days, overrides) <= now), default=None)


def follow_up_step(due_on: date, now: datetime, overrides: Overrides) -> int | None:
    return _nearest(due_on, FOLLOW_UP_DAYS, now, overrides) if due_on >= local_day(now) else None


def days_ahead(now: datetime) -> list[date]:
    today = local_day(now)
    return [today + timedelta(days=n) for n in range(HORIZON.days + 1)]


def reason_of(what: Words, due_on: date, days_before: int, overrides: Overrides) -> Words:
    planned, goes = due_on - timedelta(days=days_before), goes_at(due_on, days_before, overrides).date()
    zh = f"{what}前{days_before}天" if days_before > 0 else f"{what}当天" if days_before == 0 else f"{what}已过{-days_before}天"
    days = f"{abs(days_before)} day{'' if abs(days_before) == 1 else 's'}"
    en = f"{days} before {what.en}" if days_before > 0 else f"on the day: {what.en}" if days_before == 0 else f"{days} after {what.en}"
    if goes == planned:
        return Words(zh, en)
    zh_moved, moved = ("提前", "brought forward") if goes < planned else ("顺延", "put off")
    return Words(f"{zh}（遇休息日，{zh_moved}至{goes.month}月{goes.day}日）", f"{en} ({moved} to {goes}, a day off)")


def remark_of(year: int) -> str | None:
    caveat = unannounced(year)
    return caveat.zh if caveat else None
