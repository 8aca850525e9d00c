"""One process of any kind (流程): what is missing, its moves, its days, its history.

A branch and its assessment both have these routes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from typing_extensions import TypedDict

from api.frame.address import AT, location
from api.frame.changes import HistoryShape, history_shape
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, number
from api.frame.records import collection_routes
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import (
    ChangeShape,
    CheckShape,
    Items,
    Listed,
    MadeShape,
    OptionShape,
    ProcessShape,
    WaiverShape,
    change_shape,
    option_shape,
    process_shape,
    unmet_shape,
    waiver_shape,
)
from workflow.acts.processes import OF_KIND, ProcessActs
from workflow.foundation.errors import MoveNotPossible, RequirementsUnmet, Words
from workflow.foundation.fields import (
    Body,
    Sent,
    YesNo,
    about,
    one_of,
)
from workflow.foundation.history import history_of
from workflow.foundation.vocabulary import STAGES, Kind, MeetingForm, Stage, Trigger
from workflow.machine.gate import checklist
from workflow.machine.kinds import KINDS
from workflow.machine.process import last_return, moves_made, options, reasons_in_the_way
from workflow.roster import ending
from workflow.rules.acts import Call
from workflow.rules.evidence import records_of
from workflow.rules.kinds import FormHint, ProcessKind
from workflow.rules.moves import Move
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Extension, Process, StageChange
from workflow.year.deadlines import extensions_of
from workflow.year.roll import secretaries


class FormHintShape(TypedDict):
    """The form of meeting that suits the size of the branch (建议的会议形式)."""

    clause: str
    members: int
    groups: int
    form: MeetingForm
    message: str


class ReasonShape(WaiverShape):
    """A reason that waits for approval or was refused (待批准、未批准的理由)."""

    state: str


class NextShape(TypedDict):
    """The moves from this stage, with what the branch has been told (下一步)."""

    items: list[OptionShape]
    returned: ChangeShape | None
    reasons: list[ReasonShape]
    hint: FormHintShape | None


class HistoryPage(Page):
    """The page of a history that is asked for."""

    newest = YesNo(load_default=False, **about("新的在前", "newest first", "从最近的改动列起", "begin with the last change", example=True))


def form_hint_shape(hint: FormHint | None, speech: str) -> FormHintShape | None:
    if hint is None:
        return None
    return {"clause": hint.clause, "members": hint.members, "groups": hint.groups, "form": hint.form, "message": hint.message.speak(speech)}


def reason_shape(row: Waiver) -> ReasonShape:
    return {**waiver_shape(row), "state": "waiting" if row.rejected_at is None else "refused"}


class ExtensionShape(TypedDict):
    """A later day for one branch and stage (延期)."""

    id: int
    stage: Stage
    round: int
    due_on: date
    reason: str
    version: int
    by: str
    at: datetime


def extension_shape(row: Extension) -> ExtensionShape:
    return {
        "id": row.id,
        "stage": row.stage,
        "round": row.round,
        "due_on": row.due_on,
        "reason": row.reason,
        "version": row.version,
        "by": row.given_by,
        "at": row.given_at,
    }


def tag_of_process(kind: Kind) -> Tag:
    """Name the noun of the processes of a kind."""
    return Tag(kind.address, kind.zh, f"where each {kind.value} stands, and its moves")


def routes_of(kind: ProcessKind) -> Routes:
    """Declare all routes of a kind: those of its processes, and of their records."""
    return Routes([*process_routes(kind.kind), *(route for records in kind.records for route in collection_routes(records))])


def process_routes(kind: Kind) -> Routes:
    """Declare the routes that a process of every kind has, below its address."""
    declared, done, routes = KINDS[kind], OF_KIND[kind], Routes(kind=kind, tag=tag_of_process(kind))
    _reading_routes(routes, declared)
    _history_route(routes, declared)
    _move_routes(routes, declared, done)
    _extension_routes(routes, declared, done)
    _ending_routes(routes, kind)
    return routes


def _reading_routes(routes: Routes, kind: ProcessKind) -> None:
    # Which stage; default: the present one.
    stage_query: type[Body] = Body.from_dict(
        {"stage": one_of(Stage, among=STAGES[kind.kind], **about("环节", "stage", "不填为当前环节", "the present one if left out"))},
        name=f"{kind.kind.value.title()}StageQuery",
    )  # type: ignore[assignment]

    @routes.get(f"{AT[kind.kind]}/next", action=kind.reads, answers=NextShape, zh="现在能做哪些动作")
    def read_next(call: Call[object]) -> object:
        """List every move from this stage with all that blocks it, whoever asks.

        Beside it the signs, the last return, and the reasons that wait or were refused.
        """
        session, process, speech = call.session, call.process, language()
        found = options(session, process, by=call.by, today=call.today)
        shown = [each if each.move.asks is None or kind.stage_shown(call.by, each.move.asks) else replace(each, unmet=(), signs=()) for each in found]
        blocks = {row.requirement.name for each in shown for row in each.unmet}
        returned = last_return(session, process)
        answer: NextShape = {
            "items": [option_shape(each, speech) for each in shown],
            "returned": None if returned is None else change_shape(returned),
            "reasons": [reason_shape(row) for row in reasons_in_the_way(session, process, blocks)],
            "hint": form_hint_shape(kind.hint(session, process), speech),
        }
        return answer

    @routes.get(f"{AT[kind.kind]}/requirements", action=kind.reads, answers=Items[CheckShape], query=stage_query(), zh="环节清单")
    def read_requirements(call: Call[object], query: Sent) -> object:
        """List the requirements of a stage as met, unmet or waived, with people."""
        process = call.process
        stage = query.get("stage", process.stage)
        rows = checklist(call.session, process, stage, today=call.today) if kind.stage_shown(call.by, stage) else []
        waivers = records_of(call.session, Waiver, process.id, after=0, limit=1000)
        return {
            "items": [
                {
                    **unmet_shape(each, language()),
                    "state": each.state,
                    "waivers": [waiver_shape(row) for row in waivers if row.requirement == each.requirement.name],
                }
                for each in rows
            ]
        }


def _history_route(routes: Routes, kind: ProcessKind) -> None:
    @routes.get(f"{AT[kind.kind]}/history", action=kind.reads_history, answers=Listed[HistoryShape], query=HistoryPage(), zh="列出历史")
    def read_history(call: Call[object], query: Sent) -> object:
        """List changes of this process and its records.

        Fields with limited readers say only that they changed.
        """
        statement = history_of(
            call.process.id, kind.history_seen(call), after=after_of(query, 0, number), limit=query["limit"] + 1, newest=query["newest"]
        )
        rows = call.session.scalars(statement).all()
        return listed(rows, query, history_shape, lambda row: row.id)


def told_of(moves: Sequence[Move]) -> Words:
    """Describe each trigger with the fields that it needs besides its name."""
    single = [move for move in moves if not move.together]
    zh, en = [], []
    for trigger in dict.fromkeys(move.trigger for move in single):
        made = [move for move in single if move.trigger is trigger]
        forks = len({move.source for move in made}) < len(made)
        wants = [name for name, wanted in (("to", forks), ("reason", made[0].asks_reason), ("due_on", made[0].opens_round)) if wanted]
        zh.append(f"`{trigger.value}` {trigger.zh}" + (f"（{'、'.join(wants)}）" if wants else ""))
        en.append(f"`{trigger.value}`" + (f" ({', '.join(wants)})" if wants else ""))
    late = Words("due_on 只在那个环节的期限已过时必填。", "due_on is required only if the day of that stage has passed.")
    several = any("due_on" in each for each in en)
    return Words(f"动作：{'、'.join(zh)}。{late.zh if several else ''}", f"Triggers: {', '.join(en)}. {late.en if several else ''}".rstrip())


def _move_routes(routes: Routes, kind: ProcessKind, acts: ProcessActs) -> None:
    @routes.get(f"{AT[kind.kind]}/moves", action=kind.reads, answers=Listed[ChangeShape], query=Page(), zh="列出动作")
    def list_moves(call: Call[object], query: Sent) -> object:
        """List the moves that were made."""
        rows = moves_made(call.session, call.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)

        def shape(row: StageChange) -> ChangeShape:
            # The reasons of the office and the committee for their own moves are theirs to know;
            # a branch that was sent back was told the reason.
            told = row.trigger is Trigger.RETURN or kind.stage_shown(call.by, row.source)
            return change_shape(row) if told else {**change_shape(row), "reason": None}

        return listed(rows, query, shape, lambda row: row.id)

    refuses = (RequirementsUnmet, MoveNotPossible)

    @routes.post(f"{AT[kind.kind]}/moves", acts.move, answers=MadeShape, status=201, refuses=refuses, more=told_of(kind.moves))
    def make_move(call: Call[object], change: StageChange) -> object:
        """Move the process. A refusal lists everything that is missing, never only the first."""
        overdue = change.due_on is not None and change.due_on < call.today
        made: MadeShape = {**change_shape(change), "stage": change.target, "overdue": overdue}
        return Answer(made, location=location(f"{AT[kind.kind]}/moves", call.process))


def _extension_routes(routes: Routes, kind: ProcessKind, acts: ProcessActs) -> None:
    @routes.get(f"{AT[kind.kind]}/extensions", action=kind.reads, answers=Listed[ExtensionShape], query=Page(), zh="列出延期")
    def list_extensions(call: Call[object], query: Sent) -> object:
        """List the later days that the office gave."""
        rows = extensions_of(call.session, call.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)
        return listed(rows, query, extension_shape, lambda row: row.id)

    @routes.post(f"{AT[kind.kind]}/extensions", acts.extend, answers=ExtensionShape, status=201)
    def give_extension(call: Call[object], row: Extension) -> object:
        """Give a later day for a stage, with a reason."""
        return Answer(extension_shape(row), location=location(f"{AT[kind.kind]}/extensions", call.process))


def _ending_routes(routes: Routes, kind: Kind) -> None:
    end, resume = ending.OF_KIND[kind]

    def shown(call: Call[object], process: Process) -> ProcessShape:
        return process_shape(process, secretaries(call.session, [process.id]).get(process.id), call.today)

    @routes.post(f"{AT[kind]}/end", end, answers=ProcessShape)
    def end_process(call: Call[object], process: Process) -> object:
        """Take a branch out of the year: merged, dissolved, temporary or new. Its records stay."""
        return Answer(shown(call, process), version=process.version)

    @routes.post(f"{AT[kind]}/resume", resume, answers=ProcessShape)
    def resume_process(call: Call[object], process: Process) -> object:
        """Let a branch take part again, at the stage where it stood."""
        return Answer(shown(call, process), version=process.version)
