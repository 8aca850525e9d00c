"""Requirements of all kinds (各项要求): their list, their stages, the holders of their roles."""

from __future__ import annotations

from collections.abc import Mapping

from workflow.foundation.vocabulary import KIND_OF, Kind, Post, Role, Stage, Trigger
from workflow.machine.kinds import KINDS
from workflow.rules.requirement import Requirement
from workflow.year.plan import Plan

REQUIREMENTS: Mapping[Kind, tuple[Requirement, ...]] = {kind: each.requirements for kind, each in KINDS.items()}


WAITING: Mapping[Kind, tuple[Requirement, ...]] = {kind: each.waiting for kind, each in KINDS.items()}
"""The work that waits for somebody and is lacked by no branch: only to-dos ask it."""


BY_NAME: Mapping[str, Requirement] = {each.name: each for asked in (REQUIREMENTS, WAITING) for kind in asked for each in asked[kind]}


CLAUSES = frozenset(each.clause for each in BY_NAME.values())
"""The clauses that are asked: a plan must have a sentence for each."""


_IS_SECRETARY = f"r.post in ('{Post.SECRETARY.value}', '{Post.DEPUTY.value}')"


HOLDERS: Mapping[Role, str] = {
    Role.SECRETARY: _IS_SECRETARY,
    Role.COMMITTEE_MEMBER: f"(r.leads or {_IS_SECRETARY})",
    Role.MEMBER: "true",
}
"""The condition that a person holds a role which must act, as SQL over a line ``r`` of a roll.

The school's roles stand on no roll.
"""


def passed_through(plan: Plan) -> list[Stage]:
    """List the stages that a year passes through.

    Its plan drops every clause that they ask, and nobody has to act there except to go on.
    """
    led_on = {move.source for each in KINDS.values() for move in each.moves if move.trigger is Trigger.ADVANCE}
    asked = {stage: {each.clause for each in requirements_of(KIND_OF[stage], stage)} for stage in Stage if stage in led_on}
    return [stage for stage, clauses in asked.items() if clauses and clauses <= plan.not_asked.keys()]


def requirements_of(kind: Kind, stage: Stage) -> tuple[Requirement, ...]:
    return tuple(each for each in REQUIREMENTS[kind] if each.stage is stage)
