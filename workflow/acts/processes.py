"""The acts of every process (流程通用事项), made for each kind: moves, extensions, reasons, its roll.

They are made from the kind's declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import (
    Body,
    Day,
    Line,
    LongText,
    Sent,
    about,
    many,
    one_of,
)
from workflow.foundation.vocabulary import MAIN, WORKING_STAGES, Kind, Stage, Trigger, Waivable
from workflow.machine import waivers
from workflow.machine.kinds import KINDS
from workflow.machine.process import move, move_together
from workflow.machine.rolls import settle_where_rated
from workflow.people.access import Action
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
    Done,
    must_not_be_about_them,
    must_not_be_their_branch,
    must_not_be_their_entry,
)
from workflow.rules.bulk import bulk, by_code, by_staff_no
from workflow.rules.evidence import must_be_unaccepted, record_of, reject
from workflow.rules.kinds import ProcessKind
from workflow.rules.records import REASON
from workflow.rules.requirement import Waiver
from workflow.rules.telling import tell_excuse_decided
from workflow.year.cycle import Cycle, Extension, Participant, StageChange
from workflow.year.deadlines import extend, must_lie_ahead, past_due_ok
from workflow.year.finding import Lock, cycle_by_year, processes_of
from workflow.year.roll import ConfirmExcuseSchema, RollSchema, amend_roll, confirm_excuse, participant, refuse_excuse, withdraw_excuse

T = TypeVar("T")
U = TypeVar("U")
_REASON = about("理由", "reason", "写清楚为什么", "say why", example="材料还要补充")


class MoveSchema(Body):
    """A move: its target, its reason, and its day, as its trigger asks."""

    trigger = one_of(Trigger, required=True, **about("动作", "trigger", "推进、报送、退回等", "advance, file, return …", example="advance"))
    to = one_of(Stage, **about("到哪个环节", "to", "有几个去处时填写", "where there are several", example="talks"))
    reason = LongText(at_most=1000, **_REASON)
    due_on = Day(**about("本轮期限", "due on", "退回、重新启动时填写", "of a new round", example="2025-01-20"))
    past_due_ok = past_due_ok()


class ExtensionSchema(Body):
    """A later day for one stage."""

    stage = one_of(Stage, required=True, **about("环节", "stage", "哪个环节延期", "which stage", example="report"))
    due_on = Day(required=True, **about("延期到", "due on", "须晚于现有期限", "later than the present day", example="2025-02-10"))
    reason = LongText(required=True, at_most=1000, **_REASON)
    past_due_ok = past_due_ok()


def _move(call: Call[object], sent: Sent) -> StageChange:
    must_lie_ahead({"due_on": sent.get("due_on")}, sent, call.now)
    return move(
        call.session,
        call.process,
        sent["trigger"],
        by=call.by,
        now=call.now,
        seen=call.seen,
        to=sent.get("to"),
        reason=sent.get("reason"),
        due_on=sent.get("due_on"),
        base_url=call.base_url,
    )


def _extend(call: Call[object], sent: Sent) -> Extension:
    must_lie_ahead({"due_on": sent["due_on"]}, sent, call.now)
    return extend(call.session, call.process, stage=sent["stage"], due_on=sent["due_on"], reason=sent["reason"], by=call.by.staff_no, now=call.now)


def _version_of_process(call: Call[object], result: object) -> int:
    return call.process.version


# ── many at once ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _advance_many(kind: Kind) -> Callable[[Call[Cycle], Sent], Done]:
    stages = WORKING_STAGES[kind]

    def advance(call: Call[Cycle], sent: Sent) -> Done:
        of_year = {each.branch.code: each for each in processes_of(call.session, call.on, kind, lock=Lock.MOVE)}
        if unknown := [code for code in sent.get("branches", []) if code not in of_year]:
            raise Invalid({"branches": [Words(f"本年度没有党支部 {code} 的考核", f"no branch {code} is assessed") for code in unknown]})
        before = stages[stages.index(sent["to"]) - 1]
        wanted = sent.get("branches", [code for code, each in of_year.items() if each.stage is before])
        moving = [each for code, each in of_year.items() if code in wanted]
        if not moving:
            raise Conflict(Words(f"没有处于“{before.zh}”的支部", f"no branch stands at {before.value}"))
        return Done(move_together(call.session, moving, Trigger.ADVANCE, to=sent["to"], by=call.by, now=call.now))

    return advance


def _advance_schema(kind: Kind) -> Body:
    class AdvanceSchema(Body):
        """The target stage, and the branches: all at the stage before it, unless some are named."""

        to = one_of(
            Stage,
            among=WORKING_STAGES[kind][1:],
            required=True,
            **about("到哪个环节", "to", "推进到的环节", "the stage to come to", example=WORKING_STAGES[kind][1].value),
        )
        branches = many(
            Line(at_most=32), at_least=1, **about("党支部", "branches", "不填为处于上一环节的全部支部", "all that stand before it", example=["D0101"])
        )

    return AdvanceSchema()


# ── reasons in place of what is missing ───────────────────────────────────────────────────────────────────────────────


def _waiver(call: Call[object], record_id: int) -> Waiver:
    return record_of(call.session, Waiver, call.process.id, record_id, held=True)


def _give(call: Call[object], sent: Sent) -> Waiver:
    return waivers.waive(call.session, call.process, sent, by=call.by.staff_no, now=call.now)


def _approve(call: Call[Waiver], sent: Sent) -> Waiver:
    must_be_unaccepted(call.process)
    waivers.approve(call.on, by=call.by.staff_no, now=call.now)
    return _told(call)


def _reject(call: Call[Waiver], sent: Sent) -> Waiver:
    must_be_unaccepted(call.process)
    reject(call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
    return _told(call)


def _told(call: Call[Waiver]) -> Waiver:
    """Tell the branch the office's decision."""
    waivers.tell_decided(call.session, call.process, call.on, now=call.now, base_url=call.base_url)
    return call.on


def _take_back(call: Call[Waiver], sent: Sent) -> Waiver:
    waivers.take_back(call.process, call.on, by=call.by.staff_no, now=call.now, reason=sent["reason"])
    return call.on


# ── the roll ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _line(call: Call[object], staff_no: str) -> Participant:
    return participant(call.session, call.process.id, staff_no, held=True)


def _change_line(call: Call[Participant], sent: Sent) -> None:
    if "rated_here" in sent:
        must_not_be_their_branch(call.by, call.process)
        must_not_be_about_them(call.by, call.on.staff_no)
    amend_roll(call.session, call.process, call.on, sent, seen=call.seen, by=call.by)
    if not sent.keys().isdisjoint(("excused_kind", "excused_reason")):
        _uncover(call, "不参加的理由已改动")
    if "rated_here" not in sent:
        return
    settle_where_rated(call.session, [call.process.id])
    call.session.refresh(call.on)
    if call.on.rated_here is not sent["rated_here"]:
        zh = f"{call.on.name}已在别的支部报送，或者不在本支部的名册上，请先处理那一个支部"
        raise Conflict(Words(zh, f"{call.on.name} was reported by another branch, or is on this roll no more"))


def _withdraw_excuse(call: Call[Participant], sent: Sent) -> None:
    withdraw_excuse(call.session, call.process, call.on)
    _uncover(call, "不参加已撤回")


def _confirm_excuse(call: Call[Participant], sent: Sent) -> None:
    must_not_be_their_entry(call.by, call.on.excused_by)
    confirm_excuse(call.session, call.process, call.on, by=call.by)
    if clauses := sent.get("covers"):
        waivers.cover(call.session, call.process, call.on, clauses, by=call.by.staff_no, now=call.now)
    tell_excuse_decided(call.session, call.process, call.on, now=call.now, base_url=call.base_url)


def _refuse_excuse(call: Call[Participant], sent: Sent) -> None:
    must_not_be_their_entry(call.by, call.on.excused_by)
    refuse_excuse(call.session, call.process, call.on, reason=sent["reason"], by=call.by)
    _uncover(call, "不参加已退回")
    tell_excuse_decided(call.session, call.process, call.on, now=call.now, base_url=call.base_url)


def _uncover(call: Call[Participant], reason: str) -> None:
    waivers.uncover(call.session, call.on, by=call.by.staff_no, now=call.now, reason=reason)


def _and_the_line(does: Callable[[Call[Participant], Sent], object]) -> Callable[[Call[Participant], Sent], Participant]:
    """Wrap a function of a line of the roll, so that the act returns the line."""

    def done(call: Call[Participant], sent: Sent) -> Participant:
        does(call, sent)
        return call.on

    return done


# ── of each kind ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ProcessActs:
    """The acts on the processes of a kind, whatever is recorded below them (流程通用事项)."""

    move: Act[Any, StageChange]
    extend: Act[Any, Extension]
    advance_many: Act[Cycle, Done] | None
    move_many: Act[Cycle, Done] | None
    """Of the branches' own year: moves of many branches, such as their acceptance."""
    waivers: Mapping[str, Act[Any, Waiver]]
    """The acts ``give``, ``approve``, ``reject``, ``withdraw``.

    None where no requirement of the kind can be waived.
    """
    roll: Mapping[str, Act[Any, Participant]]
    """The acts ``change``, ``withdraw``, ``confirm``, ``refuse``.

    None where the kind excuses nobody.
    """
    roll_many: Mapping[str, Act[Any, Done]]
    """The acts ``change`` of many in one branch, ``confirm`` of many in many branches."""

    @property
    def all(self) -> tuple[AnyAct, ...]:
        several = tuple(act for act in (self.advance_many, self.move_many) if act)
        return (self.move, self.extend, *several, *self.waivers.values(), *self.roll.values(), *self.roll_many.values())


def _act(kind: ProcessKind, name: str, zh: str, en: str, action: Action, does: Callable[[Call[T], Sent], U], **options: Any) -> Act[T, U]:
    return Act(name, zh, en, action, does, **{"kind": kind.kind, "lock": Lock.EVIDENCE, **options})


def _moving(kind: ProcessKind) -> Act[object, StageChange]:
    moving = {"lock": Lock.MOVE, "sends": MoveSchema(), "wants_version": True, "version": _version_of_process}
    return _act(kind, "move", "办理环节变动", "move the process", kind.moving, _move, **moving)


def _extending(kind: ProcessKind) -> Act[object, Extension]:
    extending = {"lock": Lock.MOVE, "sends": ExtensionSchema(), "version": _version_of_process}
    return _act(kind, "extend", "准予延期", "give a later day", Action.EXTEND, _extend, **extending)


def _advancing_many(kind: ProcessKind) -> Act[Cycle, Done] | None:
    if kind.advancing_many is None:
        return None
    return Act(
        "advance_many",
        "一并推进",
        "advance many branches",
        kind.advancing_many,
        _advance_many(kind.kind),
        on=lambda call, year: cycle_by_year(call.session, year),
        sends=_advance_schema(kind.kind),
    )


def _waiving(kind: ProcessKind) -> dict[str, Act[object, Waiver]]:
    if all(each.waivable is Waivable.NO for each in kind.requirements):
        return {}
    act = partial(_act, kind, link="waivers")
    return {
        "give": act("waive", "说明理由", "give a reason for what is missing", Action.WAIVE, _give, sends=waivers.WaiverSchema()),
        "approve": act("approve_waiver", "批准理由", "approve a reason", Action.DECIDE_WAIVER, _approve, on=_waiver),
        "reject": act("reject_waiver", "退回理由", "refuse a reason", Action.DECIDE_WAIVER, _reject, on=_waiver, sends=REASON),
        "withdraw": act("withdraw_waiver", "撤回理由", "take a reason back", Action.WAIVE, _take_back, on=_waiver, sends=REASON),
    }


def _excusing(kind: ProcessKind) -> dict[str, Act[Participant, Participant]]:
    if not kind.excusing:
        return {}
    act = partial(_act, kind, on=_line, link="roll")
    change = _and_the_line(_change_line)
    withdraw, confirm, refuse = (_and_the_line(each) for each in (_withdraw_excuse, _confirm_excuse, _refuse_excuse))
    changing = {"sends": RollSchema(partial=True), "wants_version": True}
    return {
        "change": act("change_roll_line", "改动名册一行", "change a line of the roll", Action.EDIT_ROLL, change, **changing),
        "withdraw": act("withdraw_excuse", "撤回不参加", "take an excuse back", Action.EDIT_ROLL, withdraw),
        "confirm": act("confirm_excuse", "确认不参加", "confirm an excuse", Action.CONFIRM_EXCUSE, confirm, sends=ConfirmExcuseSchema()),
        "refuse": act("refuse_excuse", "退回不参加", "refuse an excuse", Action.CONFIRM_EXCUSE, refuse, sends=REASON),
    }


def _acts_of(kind: ProcessKind) -> ProcessActs:
    move, roll = _moving(kind), _excusing(kind)
    move_many = bulk(move, code=by_code()) if kind.kind is MAIN else None
    roll_many: dict[str, Act[Any, Done]] = {}
    if roll:
        roll_many["change"] = bulk(roll["change"], staff_no=by_staff_no())
        roll_many["confirm"] = bulk(roll["confirm"], code=by_code(), staff_no=by_staff_no())
    return ProcessActs(move, _extending(kind), _advancing_many(kind), move_many, _waiving(kind), roll, roll_many)


OF_KIND: Mapping[Kind, ProcessActs] = {kind: _acts_of(declared) for kind, declared in KINDS.items()}
ACTS: tuple[AnyAct, ...] = tuple(act for each in OF_KIND.values() for act in each.all)
