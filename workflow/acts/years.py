"""The year and its calendar as acts (年度、工作日历).

Open a year, read its plan again, drop it, change its days, publish, amend, close, reopen; set a day
of the calendar, forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from marshmallow import fields

from workflow.foundation.calendar import CalendarDay, forget_day, set_day
from workflow.foundation.database import Json
from workflow.foundation.errors import Invalid, NotFound
from workflow.foundation.fields import (
    Body,
    ByName,
    Day,
    Inner,
    Line,
    LongText,
    Sent,
    Truth,
    about,
    many,
)
from workflow.foundation.vocabulary import Stage
from workflow.machine.asked import CLAUSES, passed_through
from workflow.machine.rolls import rolls_follow
from workflow.people.access import Action
from workflow.reminders import letters_to_come
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
    Done,
)
from workflow.rules.records import REASON
from workflow.rules.telling import tell_year_amended, tell_year_published
from workflow.year.amendments import Additions, Touched, amend_plan, due_days, touched_by
from workflow.year.cycle import Cycle
from workflow.year.deadlines import STAGES_WITH_A_DAY, change_deadlines, must_lie_ahead, past_due_ok
from workflow.year.finding import cycle_by_year
from workflow.year.opening import close_cycle, drop, open_cycle, plan_file_of, publish, reopen_cycle, reread
from workflow.year.plan import Plan
from workflow.year.plan_files import find_plan, read_plan
from workflow.year.plan_values import bare_title

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
    past_due_ok = past_due_ok()


class CycleSchema(Body):
    """New days. Those left out stay."""

    deadlines = fields.Nested(Deadlines, required=True, **_DAYS)
    past_due_ok = past_due_ok()


class CloseSchema(Body):
    """The end of a year. Branches that are still open need a reason."""

    leave_open = Truth(
        load_default=False,
        **about("留下未办完的", "leave open", "还有支部没有办完也办结", "close even while branches are open", example=True),
    )
    reason = LongText(at_most=1000, **about("理由", "reason", "留下未办完的，须写明", "required to leave anything open", example="两个支部并入他校"))


class AddedReadingSchema(Body):
    """Titles of documents that everybody reads as well."""

    add = many(
        Line(),
        at_most=50,
        **about("新增", "added", "逐个写文件标题", "titles, one by one", example=["中国共产党党员教育管理工作条例"]),
    )


class AmendmentSchema(Body):
    """A notice that adds to the plan: reading, later days, words. It takes nothing away."""

    number = Line(required=True, at_most=64, **about("文号", "number", "补充通知的文号", "the notice's own", example="校党发〔2025〕3号"))
    issued_on = Day(required=True, **about("印发日期", "issued on", "哪一天印发的", "the day of the notice", example="2024-12-19"))
    reason = LongText(required=True, at_most=1000, **about("理由", "reason", "为什么补充", "why it is needed", example="市委组织部要求增加学习内容"))
    required_reading = Inner(
        AddedReadingSchema, **about("必读文件", "required reading", "只能新增", "more of it", example={"add": ["中国共产党党员教育管理工作条例"]})
    )
    deadlines = fields.Nested(Deadlines, **about("各环节期限", "deadlines", "只能推迟", "later days alone", example={"report": "2031-01-28"}))
    texts = ByName(
        at_most=200,
        keys=Line(at_most=32),
        values=LongText(at_most=2000),
        **about(
            "补充的文字",
            "texts",
            "条款编号、环节或 guiding_text，各写补充的话，接在方案原文之后",
            "by clause, stage or guiding_text: words that follow the plan's own",
            example={"K2": "在外实习的党员可以视频谈话"},
        ),
    )


def _days(deadlines: Mapping[str, Any]) -> dict[Stage, Any]:
    return {Stage(stage): day for stage, day in deadlines.items()}


def _plan(call: Call[object], name: str) -> Plan:
    try:
        file, text = find_plan(name, call.settings.data_dir)
    except NotFound as missing:
        raise Invalid({"plan": missing.detail}) from None
    return read_plan(text, CLAUSES, name=file)


def _open(call: Call[object], sent: Sent) -> Cycle:
    days = _days(sent["deadlines"])
    _must_lie_ahead(days, sent, call.now)
    plan = _plan(call, sent["plan"])
    return open_cycle(call.session, plan, days, now=call.now, passed_through=passed_through(plan), file=sent["plan"])


def _reread(call: Call[Cycle], sent: Sent) -> None:
    file = plan_file_of(call.on)
    plan = _plan(call, file)
    reread(call.session, call.on, plan, now=call.now, passed_through=passed_through(plan), file=file)


def _close(call: Call[Cycle], sent: Sent) -> None:
    close_cycle(call.session, call.on, now=call.now, leave_open=sent["leave_open"], reason=sent.get("reason"))


def _publish(call: Call[Cycle], sent: Sent) -> int:
    opened = publish(call.session, call.on, now=call.now)
    tell_year_published(call.session, call.on, now=call.now, base_url=call.base_url)
    return opened


def _reopen(call: Call[Cycle], sent: Sent) -> None:
    reopen_cycle(call.session, call.on, reason=sent["reason"], now=call.now)
    rolls_follow(call.session, now=call.now)


def _change_days(call: Call[Cycle], sent: Sent) -> Done:
    days = _days(sent.get("deadlines", {}))
    _must_lie_ahead({stage: day for stage, day in days.items() if day != call.on.deadline(stage)}, sent, call.now)
    before = letters_to_come(call.session, call.on, call.now)
    change_deadlines(call.session, call.on, days, seen=call.seen, now=call.now)
    return Done((call.on,), {"letters": len(letters_to_come(call.session, call.on, call.now) - before)})


def _must_lie_ahead(days: Mapping[Stage, date | None], sent: Sent, now: datetime) -> None:
    must_lie_ahead({f"deadlines.{stage.value}": day for stage, day in days.items()}, sent, now)


LISTED = 1000
"""The most processes that an amendment lists; its counts are of all."""


def _amend(call: Call[Cycle], sent: Sent) -> Done:
    session, cycle = call.session, call.on
    titles = [bare_title(title) for title in sent.get("required_reading", {}).get("add", ())]
    adds = Additions(titles, _days(sent.get("deadlines", {})), sent.get("texts", {}))
    before, letters = due_days(session, cycle), letters_to_come(session, cycle, call.now)
    named = {"number": sent["number"], "issued_on": sent["issued_on"], "reason": sent["reason"]}
    row = amend_plan(session, cycle, adds, **named, by=call.actor, now=call.now)
    told = tell_year_amended(session, row, now=call.now, base_url=call.base_url)
    touched = touched_by(session, cycle, row, before)
    counts = {
        "branches": len({each.code for each in touched}),
        "asked": sum(each.reading == "asked" for each in touched),
        "signs": sum(each.reading == "sign" for each in touched),
        "days": sum(each.due_on != each.due_before for each in touched),
        "letters": told + len(letters_to_come(session, cycle, call.now) - letters),
    }
    return Done((row,), {"counts": counts, "branches": [_reached(each) for each in touched[:LISTED]]})


def _reached(each: Touched) -> Json:
    """Tell as JSON what an amendment means for a process."""
    return {
        "branch": {"code": each.code, "name": each.name, "unit": each.unit},
        "kind": each.kind.value,
        "stage": each.stage.value,
        "reading": each.reading,
        "due_on": each.due_on and each.due_on.isoformat(),
        "due_before": each.due_before and each.due_before.isoformat(),
    }


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
CHANGE_DEADLINES: Act[Cycle, Done] = Act(
    "change_deadlines",
    "调整期限",
    "change the days of a year",
    Action.WRITE_CYCLES,
    _change_days,
    on=_held,
    sends=CycleSchema(partial=True),
    wants_version=True,
    version=lambda call, result: call.on.version,
)
AMEND_PLAN: Act[Cycle, Done] = Act(
    "amend_plan", "补充通知", "amend the plan of a published year", Action.WRITE_CYCLES, _amend, on=_held, sends=AmendmentSchema()
)
PUBLISH_YEAR = _act("publish_year", "发布年度", "publish a year", _publish)
REREAD_YEAR = _act("reread_year", "重新读取方案", "read the plan of a draft again", _reread)
DROP_YEAR: Act[Cycle, None] = Act(
    "drop_year", "删除年度草稿", "drop a draft", Action.WRITE_CYCLES, lambda call, sent: drop(call.session, call.on), on=_held
)
CLOSE_YEAR = _act("close_year", "办结年度", "close a year", _close, sends=CloseSchema())
REOPEN_YEAR = _act(
    "reopen_year",
    "重新启动年度",
    "reopen a year",
    _reopen,
    sends=REASON,
)

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

ACTS: tuple[AnyAct, ...] = (
    OPEN_YEAR,
    REREAD_YEAR,
    DROP_YEAR,
    CHANGE_DEADLINES,
    PUBLISH_YEAR,
    AMEND_PLAN,
    CLOSE_YEAR,
    REOPEN_YEAR,
    SET_DAY,
    FORGET_DAY,
)
