"""Names of the components (组件名称): the noun, without the suffixes of our classes.

An answer has the noun itself; a body that is only sent is called ``…Input``, and the body of a
PATCH ``…Changes``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from api.frame.openapi.schemas import AT

OTHERWISE: Mapping[str, str] = {
    "ProblemSchema": "IdentifiedProblem",  # Problem is the name of RFC 9457
    "ProblemPage": "IdentifiedProblemPage",
    "ChangeShape": "Move",
    "MadeShape": "MadeMove",
    "OptionShape": "MoveOption",
    "LocatedShape": "LocatedUnmet",
    "CheckShape": "CheckedRequirement",
    "CheckedShape": "FormCheck",
    "DoneShape": "RectificationRate",
    "OnSiteShape": "ReportSession",
    "SlotShape": "ReportSlot",
    "ListingShape": "DecisionWithList",
    "StepSchema": "DispositionStep",
    "Filing": "FormFiling",
    "ProgressShape": "SchoolProgress",
    "ResultShape": "BranchResult",
    "ResultSchema": "BranchResultInput",
    "CoverageShape": "TalkCoverage",
    "PatternShape": "RatingPattern",
}
"""Names of components for which the noun alone does not work.

It would mislead, is taken, or would give a client's class the name of one of its fields.
"""


def names(components: Mapping[str, Any], answers: object, everything: object) -> dict[str, str]:
    """Give each component that is used its name; ``answers`` are the parts that are answered.

    Raises ValueError if two different components would get one name.
    """
    answered, used = _reached(answers, components), _reached(everything, components)
    new = {name: _name(name, name in answered) for name in components if name in used}
    twice = {name for name, count in Counter(new.values()).items() if count > 1}
    for name in twice:
        properties = [sorted(components[each].get("properties", ())) for each, called in new.items() if called == name]
        if any(each != properties[0] or not each for each in properties):
            raise ValueError(f"several schemas would be called {name}: {[each for each, called in new.items() if called == name]}")
    return new


def _name(name: str, answered: bool) -> str:
    if name in OTHERWISE:
        return OTHERWISE[name]
    if found := re.fullmatch(r"(Listed|Items)_(\w+?)_", name):
        noun = _name(found[2], answered)
        return f"{noun}Page" if found[1] == "Listed" else f"{noun}List"
    noun = re.sub(r"(Schema|Shape)(Changes)?$", "", name)
    if name.endswith("Changes"):
        noun = OTHERWISE.get(f"{noun}Schema", noun)
    if name.endswith("Changes"):
        return noun if answered else f"{noun}Changes"
    return noun if answered or noun == name else f"{noun}Input"


def _reached(parts: object, components: Mapping[str, Any]) -> set[str]:
    """Find the components that these parts lead to."""
    reached: set[str] = set()
    open_ones = set(references(parts))
    while open_ones:
        reached |= open_ones
        open_ones = {name for each in open_ones for name in references(components.get(each, {}))} - reached
    return reached


def references(part: object) -> Iterator[str]:
    """Yield the names of the schemas that a part refers to."""
    if isinstance(part, dict):
        found = part.get("$ref")
        if isinstance(found, str) and found.startswith(AT):
            yield found.removeprefix(AT)
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def renamed(part: Any, new: Mapping[str, str]) -> Any:
    """Copy a part with the new names in its references."""
    if isinstance(part, dict):
        return {
            key: f"{AT}{new[each.removeprefix(AT)]}" if key == "$ref" and isinstance(each, str) and each.startswith(AT) else renamed(each, new)
            for key, each in part.items()
        }
    return [renamed(each, new) for each in part] if isinstance(part, list) else part
