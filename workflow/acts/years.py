"""The year and its calendar as acts (年度、工作日历).

Open a year, change its days, publish, close; set a day of the calendar, forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from marshmallow import fields

from workflow.foundation.calendar import CalendarDay, forget_day, set_day
from workflow.foundation.errors import Invalid, NotFound
from workflow.foundation.fields import (
    Body,
    Day,
    Line,
    Sent,
    Truth,
    about,
)
from workflow.foundation.vocabulary import Stage
from workflow.machine.asked import CLAUSES, passed_through
from workflow.people.access import Action
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)
from workflow.rules.telling import tell_year_published
from workflow.year.cycle import Cycle, cycle_by_year
from workflow.year.deadlines import STAGES_WITH_A_DAY, change_deadlines
from workflow.year.opening import close_cycle, open_cycle, publish
from workflow.year.plan_files import find_plan, read_plan

# ── the year ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _day(stage: Stage) -> Day:
    label = about(f"{stage.zh}的期限", f"{stage.value} by", "当天结束前", "by the end of that day", example="2025-01-26")
    return Day(allow_none=True, **label)


Deadlines: type[Body] = Body.from_dict({stage.value: _day(stage) for stage in STAGES_WITH_A_DAY}, name="Deadlines")  # type: ignore[assignment]
_DAYS = about("各环节期限", "deadlines", "报送的期限必填，其余可以不填", "the report's is required", example={"report": "2025-01-26"})


class OpenSchema(Body):
    """The plan, and the days that the office sets: the report's is required."""

    plan = Line(required=True, at_most=32, **about("方案", "plan", "方案文件的名称", "the name of the plan's file", example="2024"))
    deadlines = fields.Nested(Deadlines, required=True, **_DAYS)


class CycleSchema(Body):
    """New days. Those left out stay."""

    deadlines = fields.Nested(Deadlines, required=True, **_DAYS)


def _days(deadlines: Mapping[str, Any]) -> dict[Stage, Any]:
    return {Stage(stage): day for stage, day in deadlines.items()}


def _open(call: Call[object], sent: Sent) -> Cycle:
    try:
        name, text = find_plan(sent["plan"], call.settings.data_dir)
    except NotFound as missing:
        raise Invalid({"plan": missing.detail}) from None
    plan = read_plan(text, CLAUSES, name=name)
    return open_cycle(call.session, plan, _days(sent["deadlines"]), now=call.now, passed_through=passed_through(plan))


def a_year(call: Call[object], year: int) -> Cycle:
    """Find the year that an address names. Raises NotFound."""
    return cycle_by_year(call.session, year)


def _held(call: Call[object], year: int) -> Cycle:
    return cycle_by_year(call.session, year, for_update=True)


def _and_the_year(does: Callable[[Call[Cycle], Sent], object]) -> Callable[[Call[Cycle], Sent], Cycle]:
    """Wrap a function of a year, so that the act returns the year."""

    def done(call: Call[Cycle], sent: Sent) -> Cycle:
        does(call, sent)
        return call.on

    return done


def _act(name: str, zh: str, en: str, does: Callable[[Call[Cycle], Sent], object], **options: Any) -> Act[Cycle, Cycle]:
    return Act(name, zh, en, Action.WRITE_CYCLES, _and_the_year(does), on=_held, **options)


OPEN_YEAR: Act[Any, Cycle] = Act("open_year", "建立年度", "open a year from a plan", Action.WRITE_CYCLES, _open, sends=OpenSchema())
CHANGE_DEADLINES = _act(
    "change_deadlines",
    "调整期限",
    "change the days of a year",
    lambda call, sent: change_deadlines(call.session, call.on, _days(sent.get("deadlines", {})), seen=call.seen, now=call.now),
    sends=CycleSchema(partial=True),
    wants_version=True,
)


def _publish(call: Call[Cycle], sent: Sent) -> int:
    opened = publish(call.session, call.on, now=call.now)
    tell_year_published(call.session, call.on, now=call.now, base_url=call.base_url)
    return opened


PUBLISH_YEAR = _act("publish_year", "发布年度", "publish a year", _publish)
CLOSE_YEAR = _act("close_year", "关闭年度", "close a year", lambda call, sent: close_cycle(call.session, call.on, now=call.now))

# ── the calendar ──────────────────────────────────────────────────────────────────────────────────────────────────────


class CalendarSchema(Body):
    """The office's setting of a day."""

    working = Truth(required=True, **about("工作日", "working day", "是否上班", "whether the school works", example=True))
    note = Line(**about("说明", "note", "为什么", "why", example="校庆调休"))


def a_day(call: Call[object], day: str) -> date:
    """Read the day of an address. Raises NotFound for text that is no day."""
    try:
        if not Day.PATTERN.fullmatch(day) or not 1900 <= int(day[:4]) <= 2999:
            raise ValueError(day)
        return date.fromisoformat(day)
    except ValueError:
        raise NotFound from None


def _set(call: Call[date], sent: Sent) -> CalendarDay:
    return set_day(call.session, call.on, working=sent["working"], note=sent.get("note"))


SET_DAY: Act[date, CalendarDay] = Act(
    "set_day", "设定工作日", "set a day of the calendar", Action.WRITE_CALENDAR, _set, on=a_day, sends=CalendarSchema()
)
FORGET_DAY: Act[date, None] = Act(
    "forget_day",
    "恢复官方日历",
    "let the official calendar hold for a day again",
    Action.WRITE_CALENDAR,
    lambda call, sent: forget_day(call.session, call.on),
    on=a_day,
)

ACTS: tuple[AnyAct, ...] = (OPEN_YEAR, CHANGE_DEADLINES, PUBLISH_YEAR, CLOSE_YEAR, SET_DAY, FORGET_DAY)
