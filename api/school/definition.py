"""The definition of each process (流程说明): its moves, the requirements of its stages, its acts.

It is generated from the code that enforces it.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from marshmallow.fields import Field
from typing_extensions import TypedDict

from api.frame.routes import Routes, Tag
from api.frame.words import said
from workflow.acts import OF_KIND, OF_SCHOOL
from workflow.foundation.database import Json
from workflow.foundation.errors import NotFound
from workflow.foundation.fields import Body, Parameter, Sent, about
from workflow.foundation.vocabulary import MAIN, STAGES, Kind, Role, Severity, Stage, Trigger, Waivable
from workflow.machine.asked import REQUIREMENTS
from workflow.machine.process import MOVES
from workflow.people.access import ACCESS, Action
from workflow.readings.diagram import mermaid, recorded_in
from workflow.rules.acts import (
    AnyAct,
    Call,
)
from workflow.rules.requirement import Requirement
from workflow.year.opening import plan_quoted

routes = Routes(tag=Tag("process", "流程说明", "how a process is declared"))


class RequirementShape(TypedDict):
    """A requirement as it is declared (要求)."""

    clause: str
    requirement: str
    stage: Stage
    severity: Severity
    waivable: Waivable
    sentence: str


def requirement_shape(requirement: Requirement, sentence: str | None) -> RequirementShape:
    return {
        "clause": requirement.clause,
        "requirement": requirement.name,
        "stage": requirement.stage,
        "severity": requirement.severity,
        "waivable": requirement.waivable,
        "sentence": sentence or requirement.sentence,
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
    """Roles that may try it by the access table; the verb may ask for more.

    Empty: everybody, without signing in.
    """
    stage: Stage | None
    closes: list[Stage]
    """The stages that close it once they are left; ``stage`` is the first of them."""
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
    """A clause of the plan (条款)."""

    clause: str
    sentence: str | None


class NotAskedShape(ClauseShape):
    """A clause that nothing asks for, with the plan's reason to drop it (不核查的条款)."""

    reason: Annotated[str | None, said("方案不要求的理由；没有为 null", "why the plan drops it; null where it does not")]


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
    not_asked: list[NotAskedShape]
    passed_through: list[Stage]
    diagram: str


class SchoolActsShape(TypedDict):
    """Acts that belong to no process (学校的事项)."""

    acts: list[ActShape]


class DefinitionShape(DefinedShape):
    """Every kind of process; the branches' own year stands at the top level too (流程说明)."""

    year: Annotated[int, said("引用哪一年的方案", "year whose plan is quoted")]
    kinds: dict[Kind, DefinedShape]
    school: SchoolActsShape


class OfYear(Body):
    """The year whose plan is quoted."""

    year = Parameter(
        at_least=2000,
        at_most=9999,
        **about(
            "年度",
            "year",
            "引用哪一年的方案；不填为已发布的，没有则为最新的",
            "whose plan is quoted: the published one if left out, else the newest",
            example=2024,
        ),
    )


@routes.get("/process", action=Action.READ_DEFINITION, answers=DefinitionShape, query=OfYear(), zh="流程、要求与事项", refuses=(NotFound,))
def read_definition(call: Call[object], query: Sent) -> object:
    """Read each kind of process, in the words of a year's plan.

    Without a year it is the published one, else the newest. Clauses that the plan does not ask,
    or that are recorded only, are listed apart.
    """
    plan = plan_quoted(call.session, query.get("year"))
    kinds = {kind.value: _quoted(kind, plan) for kind in MOVES}
    return {"year": plan["year"], "kinds": kinds, "school": {"acts": [act_shape(act) for act in OF_SCHOOL]}, **kinds[MAIN]}


def _quoted(kind: Kind, plan: Json) -> dict[str, object]:
    """Define a kind of process in the sentences of a stored plan."""
    sentences, dropped = plan["clauses"], plan.get("not_asked", {})
    asked, recorded = {each.clause for each in REQUIREMENTS[kind]}, recorded_in()
    return {
        **_declared(kind),
        "passed_through": [stage for stage in STAGES[kind] if stage in plan.get("passed_through", ())],
        "requirements": [requirement_shape(each, sentences.get(each.clause)) for each in REQUIREMENTS[kind] if each.clause not in dropped],
        "recorded": [{"clause": clause, "sentence": sentences[clause], "where": where} for clause, where in recorded.items() if clause in sentences],
        "not_asked": [
            {"clause": clause, "sentence": sentence, "reason": dropped.get(clause)}
            for clause, sentence in {**sentences, **{clause: sentences.get(clause) for clause in dropped}}.items()
            if clause in dropped or (clause not in asked and clause not in recorded)
        ],
    }


@cache
def _declared(kind: Kind) -> dict[str, object]:
    """Define the parts of a kind that are the same in every year."""
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
        "acts": [act_shape(act) for act in OF_KIND[kind]],
        "diagram": mermaid(kind),
    }
