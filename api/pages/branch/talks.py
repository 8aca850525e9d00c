"""The talk matrix (谈话对照表): committee by members, each cell held, missing, explained or free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from api.frame.address import BRANCH
from api.pages.branch.place import BranchPlace, stands
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.own_forms import Filling, OwnForm
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.vocabulary import Coverage, Stage
from workflow.people.access import Action
from workflow.rules.acts import Address

MARKS = {"held": "✓", "missing": "!", "waived": "说", "self": "—", "any": "", "free": ""}
"""The sign in a cell, by its state."""
WORDS = {"held": "已谈", "missing": "还没有谈", "waived": "已说明情况", "any": "还没有支委谈过", "free": "可谈，不要求"}


@dataclass(frozen=True)
class TalkCell:
    """Two people of the matrix, and whether they have talked."""

    state: str
    mark: str
    words: str
    address: str | None


@dataclass(frozen=True)
class TalkerRow:
    """A leader of the branch, with a cell for each of its people."""

    name: str
    post: str
    cells: Sequence[TalkCell]


@dataclass(frozen=True)
class PartnerColumn:
    """A column of the matrix: a member, and whether nobody has talked with them."""

    name: str
    state: str


class Matrix:
    """The matrix of a branch, from the API's coverage, talks and reasons."""

    def __init__(self, place: BranchPlace, coverage: Mapping[str, Any], talks: Sequence[Mapping[str, Any]]) -> None:
        self.place = place
        self.people = {each["staff_no"]: each for each in coverage["people"]}
        order = {row["staff_no"]: at for at, row in enumerate(place.roll)}
        self.columns = sorted(self.people, key=lambda who: (not self.people[who]["leads"], order.get(who, 0)))
        self.leaders = [who for who in self.columns if self.people[who]["leads"]]
        self.strict = coverage["mode"] == Coverage.STRICT
        self.held = {(pair["a"], pair["b"]): pair["talks"] for pair in coverage["pairs"]}
        missing = {(pair["a"], pair["b"]) for pair in coverage["missing"]}
        waived = self._explained()
        self.waived = {pair for pair in missing if f"{pair[0]}:{pair[1]}" in waived or any(who in waived for who in pair)}
        self.missing = missing - self.waived
        self.latest = {_pair(row["talker"], row["partner"]): row["id"] for row in talks if stands(row)}
        self.open = place.visit.may(Action.RECORD_TALK, place.code) and not place.closed(Stage.TALKS)

    def _explained(self) -> set[str]:
        """Return the people and pairs for which a reason stands."""
        rows = [row for row in self.place.items("waivers") if stands(row) and row["clause"] in ("K1", "K2")]
        return {subject["id"] for row in rows for subject in row["subjects"]}

    def state(self, one: str, other: str) -> str:
        """Tell how it stands between two people."""
        pair = _pair(one, other)
        if one == other:
            return "self"
        if pair in self.held:
            return "held"
        if pair in self.waived:
            return "waived"
        if pair not in self.missing:
            return "free"
        # In the plan's wider reading a talk with any one leader is enough for a member.
        both = self.people[one]["leads"] and self.people[other]["leads"]
        return "missing" if self.strict or both else "any"

    def cell(self, talker: str, partner: str) -> TalkCell:
        state = self.state(talker, partner)
        if state == "self":
            return TalkCell(state, MARKS[state], "", None)
        count, names = self.held.get(_pair(talker, partner), 0), f"{self.people[talker]['name']}—{self.people[partner]['name']}"
        words = f"{names}：{WORDS[state]}" + (f" {count} 次" if count > 1 else "")
        return TalkCell(state, str(count) if count > 1 else MARKS[state], words, self._address(state, talker, partner))

    def _address(self, state: str, talker: str, partner: str) -> str | None:
        """Return the address of the talk, or of the form with the pair filled in."""
        if state == "held":
            found = self.latest.get(_pair(talker, partner))
            return None if found is None else f"{self.place.path}/talks/{found}"
        if not self.open or not (self.place.leads or talker == self.place.visit.call.by.staff_no):
            return None
        return f"{self.place.path}/talks/new?{urlencode({'talker': talker, 'partner': partner, 'next': f'{self.place.path}/talks'})}"

    @cached_property
    def rows(self) -> list[TalkerRow]:
        posts = {row["staff_no"]: row.get("title") or getattr(row.get("post"), "zh", "") for row in self.place.roll}
        return [TalkerRow(self.people[who]["name"], posts.get(who) or "", [self.cell(who, each) for each in self.columns]) for who in self.leaders]

    def partners(self) -> list[PartnerColumn]:
        states = {who: {self.state(leader, who) for leader in self.leaders} for who in self.columns}
        return [PartnerColumn(self.people[who]["name"], "any" if "any" in states[who] else "") for who in self.columns]

    def counted(self) -> dict[str, tuple[int, int]]:
        """Count what is done of what is asked: pairs of leaders, and members."""
        pairs = [(one, other) for at, one in enumerate(self.leaders) for other in self.leaders[at + 1 :]]
        members = [who for who in self.columns if who not in self.leaders]
        lacking = {who for pair in self.missing | self.waived for who in pair if who in members}
        done = sum(1 for one, other in pairs if self.state(one, other) == "held")
        return {"pairs": (done, len(pairs)), "members": (len(members) - len(lacking), len(members))}


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def talks(visit: Visit, year: int, code: str) -> Shown:
    """Show the talks of a branch: as a matrix for its leaders, and as a list."""
    place = BranchPlace(visit, year, code)
    rows = visit.items(f"{BRANCH}/talks", place.address)
    coverage = place.body("talks/coverage")
    matrix = Matrix(place, coverage, rows) if coverage and coverage["people"] else None
    legend = [(state, MARKS[state], words) for state, words in WORDS.items() if matrix and _occurs(matrix, state)]
    values = {
        "matrix": matrix,
        "legend": legend,
        "rows": sorted(rows, key=_when, reverse=True),
        "names": place.names,
        "at": f"{place.path}/talks",
        "records": matrix.open if matrix else False,
        "closed": place.closed(Stage.TALKS),
    }
    return Shown("branch/talks.html", "谈心谈话", values, trail=place.trail)


def _when(row: Any) -> tuple[Any, int]:
    return row["held_on"], row["id"]


def _occurs(matrix: Matrix, state: str) -> bool:
    return any(cell.state == state for row in matrix.rows for cell in row.cells)


ASIDE = ("started_at", "ended_at", "focus", "focus_reason")
"""The fields of a talk that stand folded until something is written there."""


def talk_form(visit: Visit, address: Address, filling: Filling) -> Mapping[str, Any]:
    """Give the short form of a talk: the pair, when and how, what was said."""
    controls = {each.name: each for each in filling.controls}
    errors = {name.partition(".")[0] for name in filling.errors}
    first = [controls.pop(name) for name in ("talker", "partner", "held_on", "way", "place") if name in controls]
    folded = [controls.pop(name) for name in ASIDE if name in controls]
    names = BranchPlace(visit, address["year"], str(address["code"])).names
    pair = [names.get(str(filling.values.get(side) or ""), "") for side in ("talker", "partner")]
    return {
        "pair": "—".join(pair) if all(pair) else "",
        "first": first,
        "folded": folded,
        "opened": any(each.value or each.name in errors for each in folded),
        "said": list(controls.values()),
    }


PAGES = (PageRoute(f"{OF_BRANCH}/talks", talks),)
_FORM = OwnForm("branch/talk.html", talk_form)
FORMS = {"record_talk": _FORM, "amend_talk": _FORM}
