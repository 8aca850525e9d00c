"""Accessibility (可用性): what axe finds on a page that is open."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_axe = Axe()
OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "resultTypes": ["violations"]}


def violations(page: Page) -> list[str]:
    """Return what axe has against a page: the rule, the place, the reason."""
    found: list[dict[str, Any]] = _axe.run(page, options=OPTIONS).response["violations"]
    return [f"{each['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}" for each in found for node in each["nodes"]]


def overflow(page: Page) -> str:
    """Return a complaint about a page that is wider than its window, or nothing."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return f"wider than its window: {page.url}" if wide else ""
