"""A branch with a day for its stage."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import a_school
from workflow.foundation.vocabulary import Stage
from workflow.year.cycle import Process
from workflow.year.deadlines import change_processes


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch in its talks, due on Tuesday, 31 December 2024."""
    process = a_school(session)
    change_processes(session, [process], {"stage": Stage.TALKS})
    return process
