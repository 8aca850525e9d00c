"""One service for all walks: two branches with a record of every sort."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.builders import NOW
from tests.support.servers import a_house
from tests.support.world import World, records


@pytest.fixture(scope="package")
def built(superuser: str, template: str) -> Iterator[World]:
    with a_house(superuser, template) as house:
        here, there = house.a_branch(), house.a_branch()
        yield World(house, here, there, records(house, here), records(house, there))


@pytest.fixture
def world(built: World) -> World:
    """The service, at ten on a Friday."""
    built.house.clock.now = NOW
    return built
