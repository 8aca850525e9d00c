"""The ratings (评定意见): a row for each member, the quota in view, feedback for many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.frame.address import BRANCH
from api.pages.branch.place import BranchPlace, stands
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.own_forms import Filling, OwnForm
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.vocabulary import ABSTAIN, FeedbackWay, Level, Stage, Standing, TallySubject
from workflow.people.access import Action
from workflow.rules.acts import Address

BASES = {"full": "正式党员", "rated": "参加评定的党员"}
"""The words of the numbers that a quota is a share of."""
_VOTES = {**{level.value: level.zh for level in Level}, ABSTAIN: "弃权"}


@dataclass(frozen=True)
class RatingRow:
    """One member of the table: what is known of them, and what was typed."""

    person: Mapping[str, Any]
    self_level: Level | None
    votes: str
    rating: Mapping[str, Any] | None
    typed: Mapping[str, Any] = field(default_factory=dict)
    errors: Sequence[str] = ()

    @property
    def on_probation(self) -> bool:
        return self.person.get("standing") is Standing.PROBATIONARY


def ratings(visit: Visit, year: int, code: str) -> Shown:
    """Show the ratings of a branch: to its secretary as a table to type in."""
    place = BranchPlace(visit, year, code)
    found = visit.items(f"{BRANCH}/ratings", place.address)
    if not place.process:
        # A member: their own, once they were told.
        mine = [row for row in found if stands(row)]
        values = {"rows": mine, "at": f"{place.path}/ratings", "levels": Level}
        return Shown("branch/my_rating.html", "评定意见", values, trail=place.trail)
    return Shown("branch/ratings.html", "评定意见", table_of(visit, place, {}, {}), trail=place.trail)


def table_of(visit: Visit, place: BranchPlace, typed: Mapping[str, Any], errors: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Give the whole table: each member, the quota, and who waits to be told."""
    standing = {row["staff_no"]: row for row in place.items("ratings") if stands(row)}
    reviews = {row["staff_no"]: row["level"] for row in place.items("self-reviews") if stands(row) and row["submitted"]}
    tally = next((row for row in place.items("tallies") if stands(row) and row["subject"] is TallySubject.MEMBERS and row["counted_at"]), None)
    sent, faults = _by_member(typed, errors)
    votes = tally["counts"] if tally else {}
    rows = [
        RatingRow(
            person,
            reviews.get(who),
            _votes(votes.get(who)),
            standing.get(who),
            sent.get(who, {}),
            faults.get(who, ()),
        )
        for person in place.present
        if person.get("rated_here", True)
        for who in [person["staff_no"]]
    ]
    told = [row for row in rows if row.rating and row.rating["feedback"]]
    writes = visit.may(Action.RATE, place.code) and not place.closed(Stage.RATING)
    return {
        "rows": rows,
        "levels": list(Level),
        "quota": place.body("ratings/quota"),
        "bases": BASES,
        "counted": tally is not None,
        "writes": writes,
        "open_rows": [row for row in rows if row.rating is None],
        "to_tell": [row for row in rows if row.rating and not row.rating["feedback"]],
        "told": told,
        "ways": list(FeedbackWay),
        "at": f"{place.path}/ratings",
        "tallies": f"{place.path}/tallies",
        "own_no": visit.call.by.staff_no,
        "given": typed,
        "faults": {name: each for name, each in errors.items() if name.rpartition(".")[2] in ("given_on", "way", "items")},
    }


def _votes(of: Any) -> str:
    """Write the votes on a member in a line; of bands, those that say something."""
    if not isinstance(of, Mapping):
        return "—"
    said = [f"{_VOTES.get(name, name)} {vote}" for name, vote in of.items() if vote and vote != "未过半数"]
    return "，".join(said) or "—"


def _by_member(typed: Mapping[str, Any], errors: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return what was typed for each member, and what was wrong with it."""
    items = [each for each in typed.get("items") or [] if isinstance(each, Mapping)]
    numbers = [str(each.get("staff_no", "")) for each in items]
    faults: dict[str, list[str]] = {}
    for name, messages in errors.items():
        part = name.split(".")
        if part[0] == "items" and len(part) > 1 and part[1].isdigit() and int(part[1]) < len(numbers):
            faults.setdefault(numbers[int(part[1])], []).extend(messages)
    return dict(zip(numbers, items, strict=True)), faults


def bulk_form(visit: Visit, address: Address, filling: Filling) -> Mapping[str, Any]:
    """Give the table again, with what was typed and what was wrong."""
    return table_of(visit, BranchPlace(visit, address["year"], str(address["code"])), filling.values, filling.errors)


PAGES = (PageRoute(f"{OF_BRANCH}/ratings", ratings),)
FORMS = {
    "record_rating_in_bulk": OwnForm("branch/ratings_form.html", bulk_form),
    "give_feedback_in_bulk": OwnForm("branch/feedback_form.html", bulk_form),
}
