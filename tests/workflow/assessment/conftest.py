"""Two branches with an activity of the year."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import a_school
from tests.support.records.assessment import an_assessment
from tests.support.records.assessment_activities import an_activity
from tests.support.records.attendance_sheets import School
from workflow.year.finding import cycle_by_year


@pytest.fixture
def school(session: Session) -> School:
    a_school(session)
    cycle = cycle_by_year(session, 2024)
    return School(cycle, an_activity(session, cycle), an_assessment(session), an_assessment(session, "D0201"))
