"""Help (帮助): one short page for each desk, for everybody, signed in or not."""

from __future__ import annotations

from api.pages.frame.visit import PageRoute, PageView, Shown, Visit

DESKS = {"member": "党员", "secretary": "书记和支委", "office": "党委办公室", "committee": "党委"}


def overview(visit: Visit) -> Shown:
    """Show the way to each desk's page, and what everybody needs to know."""
    return Shown("help/index.html", "帮助", {"desks": DESKS})


def _of(desk: str) -> PageView:
    def show(visit: Visit) -> Shown:
        return Shown(f"help/{desk}.html", f"{DESKS[desk]}怎么用", {}, trail=[("/help/", "帮助")])

    return show


PAGES = (PageRoute("/help/", overview, open=True), *(PageRoute(f"/help/{desk}", _of(desk), open=True) for desk in DESKS))
