"""A browser and a school that it visits, one for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import NoBrowser, a_browser
from tests.browser.sites import Site, a_site


@pytest.fixture(scope="module")
def site(superuser: str, template: str) -> Iterator[Site]:
    """A school behind a port, and a browser. Fails where this machine has none.

    Not for the whole run: while Playwright is open, this thread has an event loop.
    """
    try:
        with a_browser() as browser, a_site(superuser, template, browser) as made:
            yield made
            assert made.complaints == []
    except NoBrowser as missing:
        pytest.fail(str(missing))
