"""A move as it is declared (环节变动的声明). Each kind of process lists its own; the machine, the buttons and the diagram come from the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workflow.foundation.vocabulary import Role, Stage, Trigger


@dataclass(frozen=True)
class Move:
    """From one stage to another by a trigger: who may, and what it asks."""

    trigger: Trigger
    source: Stage
    target: Stage
    who: Role
    asks: Stage | None = None
    """The stage whose requirements must be met or waived: ``source``, but where something is decided anew."""
    asks_reason: bool = False
    opens_round: bool = False
    """A new round, with its day when the target's own day has passed."""
    together: bool = False
    """Made by one act over many branches, never for one of them alone."""

    @property
    def asks_requirements(self) -> bool:
        return self.asks is not None


def earlier(stages: Sequence[Stage], stage: Stage) -> Iterator[Stage]:
    """The stages before one, nearest first."""
    yield from reversed(stages[: stages.index(stage)])
