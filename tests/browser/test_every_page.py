"""Every page in a real browser: axe finds nothing, nothing is wider than its window."""

from __future__ import annotations

import pytest

from tests.browser.accessibility import overflow, violations
from tests.browser.every_page import ROLES, a_full_world, every_page, who
from tests.browser.sites import Site

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

WIDTHS = (360, 768, 1280)


def test_axe_finds_nothing_at_any_width_in_either_scheme(site: Site) -> None:
    world = a_full_world(site.house)
    pages = list(every_page(world))
    assert len(pages) > 100
    wrong: dict[str, list[str]] = {}
    """The places where each fault is seen."""
    for role in ROLES:
        with site.visit(who(world, role)) as page:
            for address in [address for looking, address in pages if looking == role]:
                page.goto(address)
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 800})
                    for scheme in ("light", "dark"):
                        page.emulate_media(color_scheme=scheme)
                        for fault in [*violations(page), *filter(None, [overflow(page)])]:
                            wrong.setdefault(fault, []).append(f"{role} {address} {width} {scheme}")
    assert not wrong, "\n".join(f"{len(places)} × {fault}, first at {places[0]}" for fault, places in wrong.items())
