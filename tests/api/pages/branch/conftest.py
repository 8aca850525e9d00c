"""A branch with its people, and browsers of theirs (书记的页面)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from tests.support.builders import NOW
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.cycle import Process
from workflow.year.finding import process_of

Browsers = Callable[[str], Visitor]


@pytest.fixture
def cast(house: House) -> Cast:
    house.clock.now = NOW
    return house.a_branch()


@pytest.fixture
def as_(house: House) -> Browsers:
    return lambda who: visitor(house.engine, house.app, who)


def stand_at(house: House, cast: Cast, stage: Stage) -> None:
    """Put a branch into a stage, even if requirements are not met."""
    with transaction(house.engine, actor="cli") as session:
        session.execute(update(Process).where(Process.id == process_of(session, 2024, cast.code).id).values(stage=stage))
