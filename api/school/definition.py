"""How a branch moves, what each stage asks, and what can be done (流程说明): told from the code that does it."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from marshmallow.fields import Field
from typing_extensions import TypedDict

from api.frame.routes import Routes, Tag
from api.frame.words import said
from workflow.acts import OF_KIND, OF_SCHOOL
from workflow.foundation.vocabulary import MAIN, STAGES, Kind, Role, Severity, Stage, Trigger, Waivable
from workflow.machine.asked import CLAUSES, REQUIREMENTS
from workflow.machine.process import MOVES
from workflow.people.access import ACCESS, Action
from workflow.readings.diagram import mermaid, recorded_in
from workflow.rules.acts import (
    AnyAct,
    Call,
)
from workflow.rules.requirement import Requirement
from workflow.year.plan import find_plan, read_plan

routes = Routes(tag=Tag("process", "流程说明", "how a process is declared"))


class RequirementShape(TypedDict):
    """A requirement as it is declared (要求)."""

    clause: str
    requirement: str
    stage: Stage
    severity: Severity
    waivable: Waivable
    sentence: str


def requirement_shape(requirement: Requirement) -> RequirementShape:
    return {
        "clause": requirement.clause,
        "requirement": requirement.name,
        "stage": requirement.stage,
        "severity": requirement.severity,
        "waivable": requirement.waivable,
        "sentence": requirement.sentence,
    }


class FieldShape(TypedDict):
    """A field of a body, with label, help and example (填写项)."""

    name: str
    zh: str
    en: str
    help_zh: str | None
    help_en: str | None
    example: Any
    required: bool


class ActShape(TypedDict):
    """An act as it is declared (事项)."""

    name: str
    zh: str
    en: str
    who: list[Role]
    """Who may try it by the table; the verb may want more. Empty: everybody, without signing in."""
    stage: Stage | None
    closes: list[Stage]
    """The stages that close it once they are left, ``stage`` the first of them."""
    wants_version: bool
    sends: list[FieldShape]
    link: str


def act_shape(act: AnyAct) -> ActShape:
    return {
        "name": act.name,
        "zh": act.zh,
        "en": act.en,
        "who": sorted(ACCESS[act.action]) if act.action else [],
        "stage": act.closes[0] if act.closes else None,
        "closes": list(act.closes),
        "wants_version": act.wants_version,
        "sends": [field_shape(name, field) for name, field in act.sends.load_fields.items()] if act.sends else [],
        "link": act.link,
    }


def field_shape(name: str, field: Field[object]) -> FieldShape:
    label, help_words = field.metadata["label"], field.metadata.get("help")
    return {
        "name": field.data_key or name,
        "zh": label.zh,
        "en": label.en,
        "help_zh": help_words.zh if help_words else None,
        "help_en": help_words.en if help_words else None,
        "example": field.metadata.get("example"),
        "required": field.required,
    }


class StageNameShape(TypedDict):
    """A stage with its name (环节)."""

    stage: Stage
    name: Annotated[str, said("环节名称", "name of the stage")]


DeclaredMoveShape = TypedDict(
    "DeclaredMoveShape",
    {
        "trigger": Trigger,
        "name": Annotated[str, said("动作名称", "name of the trigger")],
        "from": Stage,
        "to": Stage,
        "who": Annotated[Role, said("由哪个角色办理", "role that makes it")],
        "asks_requirements": bool,
        "asks_reason": bool,
        "opens_round": bool,
        "together": bool,
    },
)
DeclaredMoveShape.__doc__ = "A move as it is declared (动作)."


class ClauseShape(TypedDict):
    """A clause that nothing asks for (尚未核查的条款)."""

    clause: str
    sentence: str


class RecordedClauseShape(ClauseShape):
    """A clause that is recorded and not asked for (只登记的条款)."""

    where: list[str]


class DefinedShape(TypedDict):
    """One kind of process as it is declared (一种流程)."""

    stages: list[StageNameShape]
    moves: list[DeclaredMoveShape]
    requirements: list[RequirementShape]
    acts: list[ActShape]
    recorded: list[RecordedClauseShape]
    not_asked: list[ClauseShape]
    diagram: str


class SchoolActsShape(TypedDict):
    """Acts that belong to no process (学校的事项)."""

    acts: list[ActShape]


class DefinitionShape(DefinedShape):
    """Every kind of process, and at the top that of the branches' own year (流程说明)."""

    kinds: dict[Kind, DefinedShape]
    school: SchoolActsShape


@routes.get("/process", action=Action.READ_DEFINITION, answers=DefinitionShape, zh="流程、要求与事项")
def read_definition(call: Call[object]) -> object:
    """Read each kind of process: its stages, moves, requirements, acts and diagram."""
    kinds = {kind.value: _definition(kind) for kind in MOVES}
    return {"kinds": kinds, "school": {"acts": [act_shape(act) for act in OF_SCHOOL]}, **kinds[MAIN]}


@cache
def _definition(kind: Kind) -> dict[str, object]:
    request = {each.clause for each in REQUIREMENTS[kind]}
    recorded = recorded_in()
    name, text = find_plan("2024", None)
    sentences = read_plan(text, CLAUSES, name=name).clauses
    return {
        "stages": [{"stage": stage, "name": stage.zh} for stage in STAGES[kind]],
        "moves": [
            {
                "trigger": move.trigger,
                "name": move.trigger.zh,
                "from": move.source,
                "to": move.target,
                "who": move.who,
                "asks_requirements": move.asks_requirements,
                "asks_reason": move.asks_reason,
                "opens_round": move.opens_round,
                "together": move.together,
            }
            for move in MOVES[kind]
        ],
        "requirements": [requirement_shape(each) for each in REQUIREMENTS[kind]],
        "acts": [act_shape(act) for act in OF_KIND[kind]],
        "recorded": [{"clause": clause, "sentence": sentences[clause], "where": where} for clause, where in recorded.items() if clause in sentences],
        "not_asked": [
            {"clause": clause, "sentence": sentence} for clause, sentence in sentences.items() if clause not in request and clause not in recorded
        ],
        "diagram": mermaid(kind),
    }
