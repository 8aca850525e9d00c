"""The own desk (我的事项): the way to one's desk, what is missing from oneself, help."""

from __future__ import annotations

from api.pages.frame.visit import Elsewhere, PageRoute, Shown, Visit
from workflow.foundation.vocabulary import Role
from workflow.people.access import SCHOOL_READERS


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
    """Show what is missing from this person, in all their branches."""
    by = visit.call.by
    return Shown("me.html", "我的事项", {"todos": visit.todos, "branches": sorted(by.branches), "year": visit.year})


PAGES = (PageRoute("/", home), PageRoute("/me", mine))
