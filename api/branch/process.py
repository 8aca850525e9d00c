"""One process of any kind (流程): what is missing, its moves, its days, its history. A branch and its assessment have these routes alike."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import AT, location
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, number
from api.frame.records import collection_routes
from api.frame.routes import Answer, Routes
from api.frame.shapes import ChangeShape, CheckShape, Items, Listed, MadeShape, OptionShape, change_shape, option_shape, unmet_shape, waiver_shape
from workflow.acts.processes import OF_KIND, ProcessActs
from workflow.foundation.fields import (
    Body,
    Sent,
    one_of,
)
from workflow.foundation.history import History, history_of
from workflow.foundation.vocabulary import STAGES, Kind, Stage, Trigger
from workflow.machine.gate import checklist
from workflow.machine.kinds import KINDS
from workflow.machine.process import moves_made, options
from workflow.rules.acts import Call
from workflow.rules.evidence import records_of
from workflow.rules.kinds import ProcessKind
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Extension, StageChange
from workflow.year.deadlines import extensions_of


class HistoryShape(TypedDict):
    """A change of one row."""

    id: int
    at: datetime
    by: str
    on_behalf_of: str | None
    what: str
    key: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    reason: str | None


def history_shape(row: History) -> HistoryShape:
    return {
        "id": row.id,
        "at": row.at,
        "by": row.actor,
        "on_behalf_of": row.on_behalf_of,
        "what": row.what,
        "key": row.row_key,
        "old": row.old,
        "new": row.new,
        "reason": row.reason,
    }


class ExtensionShape(TypedDict):
    """A later day for one branch and stage."""

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


def routes_of(kind: ProcessKind) -> Routes:
    """All routes that come from a kind's declaration: those of its processes, and of the records below them."""
    return Routes([*process_routes(kind.kind), *(route for records in kind.records for route in collection_routes(records))])


def process_routes(kind: Kind) -> Routes:
    """Declare the routes that a process of every kind has, below its address."""
    declared, done, routes = KINDS[kind], OF_KIND[kind], Routes(kind=kind)
    _reading_routes(routes, declared)
    _history_route(routes, declared)
    _move_routes(routes, declared, done)
    _extension_routes(routes, declared, done)
    return routes


def _reading_routes(routes: Routes, kind: ProcessKind) -> None:
    # Which stage; default: the present one.
    stage_query: type[Body] = Body.from_dict({"stage": one_of(Stage, among=STAGES[kind.kind])}, name=f"{kind.kind.value.title()}StageQuery")  # type: ignore[assignment]

    @routes.get(f"{AT[kind.kind]}/next", action=kind.reads, answers=Items[OptionShape])
    def read_next(call: Call[object]) -> object:
        """Every move declared from here, whoever asks, with all that stands in its way."""
        found = options(call.session, call.process, by=call.by)
        items = [option_shape(each, language()) for each in found]
        for item, each in zip(items, found, strict=True):
            if each.move.asks is not None and not kind.stage_shown(call.by, each.move.asks):
                item["unmet"] = []
        return {"items": items}

    @routes.get(f"{AT[kind.kind]}/requirements", action=kind.reads, answers=Items[CheckShape], query=stage_query())
    def read_requirements(call: Call[object], query: Sent) -> object:
        """The checklist of a stage: each requirement as met, unmet or waived, with people."""
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
    @routes.get(f"{AT[kind.kind]}/history", action=kind.reads_history, answers=Listed[HistoryShape], query=Page())
    def read_history(call: Call[object], query: Sent) -> object:
        """Who changed what, from what, to what. Fields with readers of their own say only that they changed."""
        statement = history_of(call.process.id, kind.history_seen(call), after=after_of(query, 0, number), limit=query["limit"] + 1)
        rows = call.session.scalars(statement).all()
        return listed(rows, query, history_shape, lambda row: row.id)


def _move_routes(routes: Routes, kind: ProcessKind, acts: ProcessActs) -> None:
    @routes.get(f"{AT[kind.kind]}/moves", action=kind.reads, answers=Listed[ChangeShape], query=Page())
    def list_moves(call: Call[object], query: Sent) -> object:
        """Moves that were made."""
        rows = moves_made(call.session, call.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)

        def shape(row: StageChange) -> ChangeShape:
            # Why the office or the committee did what is theirs alone is theirs to know; why a branch was sent back it was told.
            told = row.trigger is Trigger.RETURN or kind.stage_shown(call.by, row.source)
            return change_shape(row) if told else {**change_shape(row), "reason": None}

        return listed(rows, query, shape, lambda row: row.id)

    @routes.post(f"{AT[kind.kind]}/moves", acts.move, answers=MadeShape, status=201)
    def make_move(call: Call[object], change: StageChange) -> object:
        """Move the branch. Refused with everything that is missing, never only the first."""
        overdue = change.due_on is not None and change.due_on < call.today
        made: MadeShape = {**change_shape(change), "stage": change.target, "overdue": overdue}
        return Answer(made, location=location(f"{AT[kind.kind]}/moves", call.process))


def _extension_routes(routes: Routes, kind: ProcessKind, acts: ProcessActs) -> None:
    @routes.get(f"{AT[kind.kind]}/extensions", action=kind.reads, answers=Listed[ExtensionShape], query=Page())
    def list_extensions(call: Call[object], query: Sent) -> object:
        """Later days that the office gave this branch."""
        rows = extensions_of(call.session, call.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)
        return listed(rows, query, extension_shape, lambda row: row.id)

    @routes.post(f"{AT[kind.kind]}/extensions", acts.extend, answers=ExtensionShape, status=201)
    def give_extension(call: Call[object], row: Extension) -> object:
        """Give this branch a later day for a stage, with a reason."""
        return Answer(extension_shape(row), location=location(f"{AT[kind.kind]}/extensions", call.process))
