"""Forms drawn for their work (专门的表单): a matrix or a table instead of one control below another.

The act, its address and the names of its fields stay those of the derived form: only the drawing
differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.pages.frame.forms import Control
from workflow.foundation.errors import Refusal
from workflow.rules.acts import Address

if TYPE_CHECKING:
    from api.pages.frame.visit import Visit


@dataclass(frozen=True)
class Filling:
    """A form as it is to be shown (表单现状): what stands in it, and what was wrong with it."""

    values: Mapping[str, Any]
    errors: Mapping[str, Sequence[str]]
    """Messages by the path of their field in the body that was sent."""
    controls: Sequence[Control]
    refusal: Refusal | None
    new: bool
    """True if nothing stands there yet and nothing was typed."""

    def control(self, name: str) -> Control:
        """Return the derived control of a field."""
        return next(each for each in self.controls if each.name == name)


@dataclass(frozen=True)
class OwnForm:
    """The drawing of the form of one act: its template, and the values that it needs."""

    template: str
    values: Callable[[Visit, Address, Filling], Mapping[str, Any]]
