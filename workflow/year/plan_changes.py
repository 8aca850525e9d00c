"""The differences between two plans (方案比较), key by key.

For an office that writes the next year's plan from the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from workflow.foundation.errors import Words
from workflow.year.plan import Plan
from workflow.year.plan_values import Part


@dataclass(frozen=True)
class PlanChange:
    """One key that differs; None on the side where it is not there."""

    key: str
    before: str | None
    after: str | None

    @property
    def words(self) -> Words:
        if self.before is None:
            return Words(f"增  {self.key}：{self.after}", f"added    {self.key}: {self.after}")
        if self.after is None:
            return Words(f"删  {self.key}：{self.before}", f"removed  {self.key}: {self.before}")
        return Words(f"改  {self.key}：{self.before} → {self.after}", f"changed  {self.key}: {self.before} → {self.after}")


def plan_changes(before: Plan, after: Plan) -> list[PlanChange]:
    """List the keys that differ, those of ``before`` first.

    Entries of lists are compared by their name, whatever their order.
    """
    old, new = dict(_leaves(before, "")), dict(_leaves(after, ""))
    return [PlanChange(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)]


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    below = f"{path}." if path else ""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), f"{below}{name}")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{below}{name}")
    elif isinstance(value, tuple):
        for each in value:
            yield from _leaves(each, f"{path}[{each.known_by if isinstance(each, Part) else each}]")
    elif value is not None:
        yield path, str(value)
