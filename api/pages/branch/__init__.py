"""The branch's desk (支部的工作台): the workbench, and a page for each thing that it works on."""

from __future__ import annotations

from collections.abc import Mapping

from api.pages.branch import history, meetings, papers, ratings, rectification, roll, talks, tallies, workbench
from api.pages.frame.own_forms import OwnForm
from api.pages.frame.visit import PageRoute

PAGES: tuple[PageRoute, ...] = (
    *workbench.PAGES,
    *talks.PAGES,
    *tallies.PAGES,
    *ratings.PAGES,
    *meetings.PAGES,
    *rectification.PAGES,
    *papers.PAGES,
    *roll.PAGES,
    *history.PAGES,
)
FORMS: Mapping[str, OwnForm] = {**talks.FORMS, **tallies.FORMS, **ratings.FORMS, **meetings.FORMS}
