"""One process of any kind (流程): what is missing, its moves, its days, its history. A branch and its assessment have these routes alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, true
from typing_extensions import TypedDict

from api.frame.address import address_of
from api.frame.base import Answer, Request, Routes, service
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, number
from api.frame.shapes import ChangeShape, CheckShape, Items, Listed, MadeShape, OptionShape, change_shape, option_shape, unmet_shape, waiver_shape
from workflow.foundation.fields import Body, Day, LongText, one_of
from workflow.foundation.history import History, history_of
from workflow.foundation.vocabulary import STAGES, Kind, Stage, Trigger
from workflow.machine.gate import checklist
from workflow.machine.process import move, options
from workflow.people.access import Action
from workflow.rules.evidence import records_of
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Extension, Lock, StageChange, moves_made
from workflow.year.deadlines import extend, extensions_of


class MoveBody(Body):
    """A move as it is sent."""

    trigger = one_of(Trigger, required=True)
    to = one_of(Stage)
    reason = LongText(at_most=1000)
    due_on = Day()


class ExtensionBody(Body):
    """A later day for one stage."""

    stage = one_of(Stage, required=True)
    due_on = Day(required=True)
    reason = LongText(required=True, at_most=1000)


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


@dataclass(frozen=True)
class ProcessEdge:
    """Where the routes of a kind's processes stand, and who may use them."""

    kind: Kind
    at: str
    reads: Action
    moves: Action
    reads_history: Action
    visible: Callable[[Request], ColumnElement[bool]] = lambda request: true()
    """Which rows of the history a reader sees."""
    shown: Callable[[Request, Stage], bool] = lambda request, stage: True
    """Whether a reader sees what a stage asks."""


def process_routes(edge: ProcessEdge) -> Routes:
    """Declare the routes that a process of every kind has, below its address."""
    routes = Routes(kind=edge.kind)
    _reading_routes(routes, edge)
    _history_route(routes, edge)
    _move_routes(routes, edge)
    _extension_routes(routes, edge)
    return routes


def _reading_routes(routes: Routes, edge: ProcessEdge) -> None:
    # Which stage; default: the present one.
    stage_query: type[Body] = Body.from_dict({"stage": one_of(Stage, among=STAGES[edge.kind])}, name=f"{edge.kind.value.title()}StageQuery")  # type: ignore[assignment]

    @routes.get(f"{edge.at}/next", action=edge.reads, answers=Items[OptionShape])
    def read_next(request: Request) -> Any:
        """Every move declared from here, whoever asks, with all that stands in its way."""
        found = options(request.session, request.process, by=request.by)
        items = [option_shape(each, language()) for each in found]
        for item, each in zip(items, found, strict=True):
            if each.move.asks is not None and not edge.shown(request, each.move.asks):
                item["unmet"] = []
        return {"items": items}

    @routes.get(f"{edge.at}/requirements", action=edge.reads, answers=Items[CheckShape], query=stage_query)
    def read_requirements(request: Request, query: dict[str, Any]) -> Any:
        """The checklist of a stage: each requirement as met, unmet or waived, with people."""
        process = request.process
        stage = query.get("stage", process.stage)
        rows = checklist(request.session, process, stage, today=request.today) if edge.shown(request, stage) else []
        waivers = records_of(request.session, Waiver, process.id, after=0, limit=1000)
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


def _history_route(routes: Routes, edge: ProcessEdge) -> None:
    @routes.get(f"{edge.at}/history", action=edge.reads_history, answers=Listed[HistoryShape], query=Page)
    def read_history(request: Request, query: dict[str, Any]) -> Any:
        """Who changed what, from what, to what. Fields with readers of their own say only that they changed."""
        statement = history_of(request.process.id, edge.visible(request), after=after_of(query, 0, number), limit=query["limit"] + 1)
        rows = request.session.scalars(statement).all()
        return listed(rows, query, history_shape, lambda row: row.id)


def _move_routes(routes: Routes, edge: ProcessEdge) -> None:
    @routes.get(f"{edge.at}/moves", action=edge.reads, answers=Listed[ChangeShape], query=Page)
    def list_moves(request: Request, query: dict[str, Any]) -> Any:
        """Moves that were made."""
        rows = moves_made(request.session, request.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)

        def shape(row: StageChange) -> ChangeShape:
            # Why the office or the committee did what is theirs alone is theirs to know; why a branch was sent back it was told.
            told = row.trigger is Trigger.RETURN or edge.shown(request, row.source)
            return change_shape(row) if told else {**change_shape(row), "reason": None}

        return listed(rows, query, shape, lambda row: row.id)

    @routes.post(f"{edge.at}/moves", action=edge.moves, answers=MadeShape, lock=Lock.MOVE, body=MoveBody, if_match=True, status=201)
    def make_move(request: Request, body: dict[str, Any]) -> Any:
        """Move the branch. Refused with everything that is missing, never only the first."""
        change = move(
            request.session,
            request.process,
            body["trigger"],
            by=request.by,
            now=request.now,
            seen=request.seen,
            to=body.get("to"),
            reason=body.get("reason"),
            due_on=body.get("due_on"),
            base_url=service().settings.base_url or "",
        )
        process = request.process
        return Answer(
            {**change_shape(change), "stage": process.stage, "overdue": process.overdue(request.today)},
            201,
            version=process.version,
            location=f"{address_of(process)}/moves",
        )


def _extension_routes(routes: Routes, edge: ProcessEdge) -> None:
    @routes.get(f"{edge.at}/extensions", action=edge.reads, answers=Listed[ExtensionShape], query=Page)
    def list_extensions(request: Request, query: dict[str, Any]) -> Any:
        """Later days that the office gave this branch."""
        rows = extensions_of(request.session, request.process.id, after=after_of(query, 0, number), limit=query["limit"] + 1)
        return listed(rows, query, extension_shape, lambda row: row.id)

    @routes.post(f"{edge.at}/extensions", action=Action.EXTEND, answers=ExtensionShape, lock=Lock.MOVE, body=ExtensionBody, status=201)
    def give_extension(request: Request, body: dict[str, Any]) -> Any:
        """Give this branch a later day for a stage, with a reason."""
        row = extend(
            request.session,
            request.process,
            stage=body["stage"],
            due_on=body["due_on"],
            reason=body["reason"],
            by=request.by.staff_no,
            now=request.now,
        )
        return Answer(extension_shape(row), 201, version=request.process.version, location=f"{address_of(request.process)}/extensions")
