"""A move as it is declared (环节变动的声明). Each kind of process lists its own; the machine, the buttons and the diagram come from the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workflow.vocabulary import Role, Stage, Trigger


@dataclass(frozen=True)
class Move:
    """From one stage to another by a trigger: who may, and what it asks."""

    trigger: Trigger
    source: Stage
    target: Stage
    who: Role
    asks_requirements: bool = False
    """The requirements of ``source`` must be met or waived."""
    asks_reason: bool = False
    opens_round: bool = False
    """A new round, with its day when the target's own day has passed."""


def earlier(stages: Sequence[Stage], stage: Stage) -> Iterator[Stage]:
    """The stages before one, nearest first."""
    yield from reversed(stages[: stages.index(stage)])
