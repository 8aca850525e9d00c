"""The office's desk (党办的工作台): the wall, what waits, years, rosters, people, letters."""

from __future__ import annotations

from api.pages.frame.visit import PageRoute
from api.pages.office import inbox, lists, people, roster, wall, years
from api.pages.office.foretold import FORETOLD as FORETOLD

PAGES: tuple[PageRoute, ...] = (*wall.PAGES, *inbox.PAGES, *lists.PAGES, *roster.PAGES, *years.PAGES, *people.PAGES)
