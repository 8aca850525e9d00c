"""The history of a branch (历史): who changed what, as sentences, the newest first."""

from __future__ import annotations

from api.frame.address import BRANCH
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.visit import PageRoute, Shown, Visit
from api.pages.records import names_in, trail_of


def history(visit: Visit, year: int, code: str) -> Shown:
    """Show the moves and the changes of a branch."""
    here: dict[str, str | int] = {"year": year, "code": code}
    moves = visit.items(f"{BRANCH}/moves", here)
    values = {"moves": list(reversed(moves)), "names": names_in(visit, here)}
    return Shown("history.html", "历史", values, trail=trail_of(visit, here))


PAGES = (PageRoute(f"{OF_BRANCH}/history", history),)
