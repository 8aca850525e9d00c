"""The place of a page in a branch (所在支部): its address, its people, the stage where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from api.frame.address import BRANCH, CYCLE
from api.pages.frame.visit import Visit
from workflow.foundation.errors import Forbidden, NotFound
from workflow.foundation.vocabulary import MAIN, STAGES, Post, Role, Stage


class BranchPlace:
    """One branch in one year, as far as the visitor may read it; each reading is made once."""

    def __init__(self, visit: Visit, year: int | str, code: str) -> None:
        self.visit, self.year, self.code = visit, int(year), str(code)
        self.address: dict[str, str | int] = {"year": self.year, "code": self.code}
        self.path = f"/{self.year}/{self.code}"

    def items(self, noun: str, parameters: Mapping[str, str] | None = None) -> list[Any]:
        """Return the first items of a list below the branch; none where it is not theirs."""
        try:
            return self.visit.items(f"{BRANCH}/{noun}", self.address, parameters)
        except (NotFound, Forbidden):
            return []

    def body(self, noun: str) -> Any:
        """Return a reading below the branch; None where it is not theirs to read."""
        return self.visit.body_if_any(f"{BRANCH}/{noun}", self.address)

    @cached_property
    def cycle(self) -> Any:
        return self.visit.body(CYCLE, {"year": self.year})

    @cached_property
    def process(self) -> Any:
        return self.visit.body_if_any(BRANCH, self.address)

    @cached_property
    def roll(self) -> list[Any]:
        """The people of the branch, leaders first, in the order of their posts."""
        rows = self.items("roll")
        order = {post.value: at for at, post in enumerate(Post)}
        return sorted(rows, key=lambda row: (not row.get("leads", False), order.get(row.get("post") or "", len(order)), row["staff_no"]))

    @property
    def present(self) -> list[Any]:
        """The people who are still there."""
        return [row for row in self.roll if row.get("left_on") is None]

    @cached_property
    def names(self) -> dict[str, str]:
        return {row["staff_no"]: row["name"] for row in self.roll}

    @property
    def leaders(self) -> set[str]:
        """The people who lead the branch: its committee, or its secretary and deputy."""
        return {row["staff_no"] for row in self.present if row.get("leads")}

    @property
    def leads(self) -> bool:
        """Tell whether the visitor acts as secretary here."""
        return Role.SECRETARY in self.visit.call.by.roles_in(self.code)

    def closed(self, stage: Stage) -> bool:
        """Tell whether a stage is behind the branch, and its records with it."""
        if self.process is None:
            return False
        order = STAGES[MAIN]
        return order.index(Stage(self.process["stage"])) > order.index(stage) or bool(self.process["ended"])

    @property
    def trail(self) -> list[tuple[str, str]]:
        name = self.process["branch"]["name"] if self.process else self.code
        return [(f"/{self.year}/", f"{self.year}年度"), (self.path, name)]


def stands(row: Mapping[str, Any]) -> bool:
    """Tell whether a record counts: neither withdrawn nor rejected."""
    return row.get("withdrawn") is None and row.get("rejected") is None
