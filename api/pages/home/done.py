"""Things done (已办): a member's own part of the year, from the records that they may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from api.frame.address import BRANCH
from api.pages.frame.look import day
from api.pages.frame.visit import Visit
from api.pages.home.cards import stands
from workflow.foundation.errors import Forbidden, NotFound

Address = Mapping[str, str | int]
Line = tuple[date | None, str, str]
"""The day, the words, the page."""


def done_by(visit: Visit, here: Address, names: Mapping[str, str]) -> list[Line]:
    """List what this person has done or was at, the newest first."""
    at, me = f"/{here['year']}/{here['code']}", visit.call.by.staff_no
    found: list[Line] = []
    for noun, lines in _LINES.items():
        for row in _standing(visit, here, noun):
            found += [(on, words, f"{at}/{_PLACES.get(noun, noun)}/{row.get('id') or me}") for on, words in lines(row, me, names)]
    return sorted(found, key=lambda line: line[0] or date.min, reverse=True)


def _standing(visit: Visit, here: Address, noun: str) -> list[Any]:
    try:
        rows = visit.items(f"{BRANCH}/{noun}", here)
    except (NotFound, Forbidden):
        return []
    return [row for row in rows if stands(row)]


def _study(row: Any, me: str, names: Mapping[str, str]) -> Iterator[tuple[date | None, str]]:
    if me in row["present"]:
        yield row["held_on"], "集中学习，到会"


def _talk(row: Any, me: str, names: Mapping[str, str]) -> Iterator[tuple[date | None, str]]:
    if me in (row["talker"], row["partner"]):
        other = row["partner"] if row["talker"] == me else row["talker"]
        yield row["held_on"], f"同{names.get(other, other)}谈心谈话"


def _review(row: Any, me: str, names: Mapping[str, str]) -> Iterator[tuple[date | None, str]]:
    if row["staff_no"] == me and row["submitted"]:
        yield row["recorded_at"].date(), "个人自评，已提交"


def _meeting(row: Any, me: str, names: Mapping[str, str]) -> Iterator[tuple[date | None, str]]:
    if me in row["present"]:
        yield row["held_on"], f"{row['purpose'].zh}，到会"


def _rating(row: Any, me: str, names: Mapping[str, str]) -> Iterator[tuple[date | None, str]]:
    if row["staff_no"] == me and row.get("acknowledged"):
        yield row["acknowledged"]["at"].date(), "评定意见，已知悉"


def _commitment(row: Any, me: str, names: Mapping[str, str]) -> Iterator[tuple[date | None, str]]:
    if row["staff_no"] == me:
        until = f"（{day(row['due_on'])}前）" if row.get("due_on") else ""
        yield row["recorded_at"].date(), f"整改承诺：{row['text']}{until}"


_LINES = {
    "study-sessions": _study,
    "talks": _talk,
    "self-reviews": _review,
    "meetings": _meeting,
    "ratings": _rating,
    "commitments": _commitment,
}
_PLACES = {"study-sessions": "study"}
