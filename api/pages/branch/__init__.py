"""The branch's desk (支部的工作台): the workbench, its roll, its reasons, its history."""

from __future__ import annotations

from api.pages.branch import history, roll, talks, workbench
from api.pages.frame.visit import PageRoute

PAGES: tuple[PageRoute, ...] = (*workbench.PAGES, *talks.PAGES, *roll.PAGES, *history.PAGES)
