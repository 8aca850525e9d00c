"""The facts that the model knows of a branch: its people, its evidence and its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NEEDS_APPROVAL = "more_excellent_than_the_quota"


@dataclass
class Person:
    """A person on the roll."""

    staff_no: str
    full: bool = True
    secretary: bool = False
    on_committee: bool = False
    leads: bool = False
    cadre: bool = False
    excused: str = ""
    """``asked``, then ``confirmed``."""
    gone: bool = False
    """True after a transfer; the roll keeps the person until it follows."""
    left: bool = False
    counted: bool = True
    """False after leaving without a level: somebody who was rated stays in the year's figures."""


@dataclass
class Record:
    """One piece of evidence: its kind, its body, and its later history."""

    kind: str
    key: str
    body: dict[str, Any]
    by: str
    stands: bool = True
    made_up: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)
    tellers: list[str] = field(default_factory=list)
    told: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.body.get(name)


@dataclass
class Reason:
    """A waiver."""

    key: str
    requirement: str
    covers: Mapping[str, int]
    stands: bool = True
    approved: bool = False

    def covers_now(self, subject: str, amount: int) -> bool:
        return self.stands and (self.approved or self.requirement != NEEDS_APPROVAL) and self.covers.get(subject, 0) >= amount
