"""Two branches with a record of every sort."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import a_house
from tests.support.world import EVERYBODY, World, client_of, records


@pytest.fixture(scope="module")
def world(superuser: str, template: str) -> Iterator[World]:
    with a_house(superuser, template) as house:
        here, there = house.a_branch(), house.a_branch()
        made = World(house, here, there, records(house, here), records(house, there))
        for who in EVERYBODY[:-1]:
            client_of(made, who)
        yield made
