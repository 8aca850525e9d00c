"""The office's desk (党办的页面): the wall, what is missing, letters, years, people."""

from __future__ import annotations

from api.pages.frame.visit import PageRoute
from api.pages.office import inbox, lists, wall

PAGES: tuple[PageRoute, ...] = (*wall.PAGES, *inbox.PAGES, *lists.PAGES)
