"""A branch with its people, and browsers of theirs (书记的页面)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.builders import NOW
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import Cast, House

Browsers = Callable[[str], Visitor]


@pytest.fixture
def cast(house: House) -> Cast:
    house.clock.now = NOW
    return house.a_branch()


@pytest.fixture
def as_(house: House) -> Browsers:
    return lambda who: visitor(house.engine, house.app, who)
