"""The own desk (我的事项): the way to one's desk, what is missing from oneself, help."""

from __future__ import annotations

from api.pages.frame.visit import PageRoute
from api.pages.home import account, desk, guide

PAGES: tuple[PageRoute, ...] = (*desk.PAGES, *account.PAGES, *guide.PAGES)
