"""The own matters (我的事项): cards of what is to be done, what is done, and what the branch shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.frame.address import ASSESSMENT, BRANCH
from api.pages.frame.visit import Elsewhere, PageRoute, PageView, Shown, Visit
from api.pages.home.cards import OwnCard, cards_of, stands
from api.pages.home.done import done_by
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import Role
from workflow.machine.asked import BY_NAME
from workflow.people.access import SCHOOL_READERS, Action


def home(visit: Visit) -> Elsewhere:
    """Send a visitor to their desk: the wall, the workbench, or their own matters."""
    by, year = visit.call.by, visit.year
    led = sorted(code for code, roles in by.branches.items() if roles - {Role.MEMBER})
    if year is not None and by.school & SCHOOL_READERS:
        return Elsewhere(f"/{year}/")
    if year is not None and led:
        return Elsewhere(f"/{year}/{led[0]}")
    return Elsewhere("/me")


def mine(visit: Visit) -> Shown:
    """Show what is missing from this person, in all their branches, and what they have done."""
    own = [each for each in visit.todos if BY_NAME[each["requirement"]].todo_for is Role.MEMBER]
    # Several requirements may ask for one and the same form: it is one thing to do.
    cards: dict[str, OwnCard] = {card.address: card for todo in reversed(own) for card in cards_of(visit, todo)}
    branches = [part for code in sorted(visit.call.by.branches) if (part := _branch(visit, code))]
    values = {"cards": [*reversed(cards.values())], "others": _of_posts(visit), "branches": branches, "year": visit.year}
    return Shown("me.html", "我的事项", values)


def _of_posts(visit: Visit) -> list[dict[str, Any]]:
    """Count what waits for the posts that somebody holds, with the way to its desk."""
    found: dict[str, dict[str, Any]] = {}
    for each in visit.todos:
        if BY_NAME[each["requirement"]].todo_for is Role.MEMBER:
            continue
        code = each["branch"]["code"]
        led = visit.may(Action.READ_PROCESS, code)
        row = found.setdefault(code, {"name": each["branch"]["name"], "count": 0, "address": _desk(each) if led else each["link"]})
        row["count"] += 1
    return list(found.values())


def _desk(todo: Mapping[str, Any]) -> str:
    code = todo["branch"]["code"]
    return f"/{todo['cycle']}/{code}" if todo["kind"] == "appraisal" else f"/{todo['cycle']}/assessments/{code}"


def _branch(visit: Visit, code: str) -> dict[str, Any] | None:
    """Return what somebody has done in a branch this year, and what it shows to its members."""
    if visit.year is None or Role.MEMBER not in visit.call.by.branches[code]:
        return None
    here: dict[str, str | int] = {"year": visit.year, "code": code}
    roll = visit.body_if_any(f"{BRANCH}/roll", here)
    if roll is None:
        return None
    names = {row["staff_no"]: row["name"] for row in roll["items"]}
    assessment = visit.body_if_any(ASSESSMENT, here)
    return {
        "at": f"/{visit.year}/{code}",
        "code": code,
        "names": names,
        "done": done_by(visit, here, names),
        "measures": _published(visit, here),
        "result": assessment.get("result") if assessment else None,
    }


def _published(visit: Visit, here: Mapping[str, str | int]) -> list[Any]:
    """Return the measures that this member may comment on: those of the branch that stand."""
    rows = visit.body_if_any(f"{BRANCH}/measures", here)
    if rows is None:
        return []
    return [row for row in rows["items"] if stands(row)]


def own_self_review(visit: Visit) -> Elsewhere:
    """Lead to the form of the own self-review: the one that was begun, or a new one."""
    here = _own_branch(visit)
    at, me = f"/{here['year']}/{here['code']}/self-reviews", visit.call.by.staff_no
    begun = [row for row in visit.items(f"{BRANCH}/self-reviews", here) if row["staff_no"] == me and stands(row)]
    return Elsewhere(f"{at}/{begun[0]['id']}/edit?next=/me" if begun else f"{at}/new?staff_no={me}&next=/me")


def _to(noun: str) -> PageView:
    def lead(visit: Visit) -> Elsewhere:
        here = _own_branch(visit)
        return Elsewhere(f"/{here['year']}/{here['code']}/{noun}")

    return lead


def _own_branch(visit: Visit) -> dict[str, str | int]:
    """Return the branch that this person belongs to. Raises NotFound."""
    code = next((code for code, roles in sorted(visit.call.by.branches.items()) if Role.MEMBER in roles), None)
    if visit.year is None or code is None:
        raise NotFound
    return {"year": visit.year, "code": code}


PAGES = (
    PageRoute("/", home),
    PageRoute("/me", mine),
    PageRoute("/me/self-review", own_self_review),
    PageRoute("/me/commitments", _to("commitments")),
    PageRoute("/me/measures", _to("measures")),
)
