"""The declaration of a move (环节变动的声明). Each kind of process lists its own.

The machine, the buttons and the diagram come from the list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from workflow.foundation.vocabulary import Role, Stage, Trigger


@dataclass(frozen=True)
class Move:
    """A move from one stage to another by a trigger, with its role and its requirements."""

    trigger: Trigger
    source: Stage
    target: Stage
    who: Role
    asks: Stage | None = None
    """The stage whose requirements must be met or waived.

    It is ``source``, except where something is decided anew.
    """
    asks_reason: bool = False
    opens_round: bool = False
    """True for a new round, with a day of its own when the target's day has passed."""
    together: bool = False
    """True for a move made by one act over many branches, never for one of them alone."""
    judges: bool = False
    """True for a decision on what a branch handed in: ``who`` makes it, or else the committee.

    Nobody makes it for a branch in which they have a post.
    """
    through: tuple[Stage, ...] = ()
    """The stages that it passes on the way, since the year's plan asks nothing of them."""

    @property
    def asks_requirements(self) -> bool:
        return self.asks is not None


def moves_around(moves: Sequence[Move], empty: Collection[Stage]) -> tuple[Move, ...]:
    """List the moves of a year that asks nothing of the ``empty`` stages.

    A move to such a stage goes on by the same trigger to the next one. A move back to such a stage
    is left out. A stage that is left by another trigger stays: somebody has to act there, even if
    nothing is asked.
    """
    found = []
    for move in moves:
        order = tuple(Stage).index
        if move.target in empty and order(move.target) < order(move.source):
            continue
        led = move
        while led.target in empty and (onward := _onward(moves, led)) is not None:
            led = replace(led, target=onward.target, through=(*led.through, led.target))
        found.append(led)
    return tuple(found)


def _onward(moves: Sequence[Move], move: Move) -> Move | None:
    return next((each for each in moves if each.source is move.target and each.trigger is move.trigger), None)


def earlier(stages: Sequence[Stage], stage: Stage) -> Iterator[Stage]:
    """List the stages before one, nearest first."""
    yield from reversed(stages[: stages.index(stage)])
