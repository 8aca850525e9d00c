"""Branches at the beginning of their year, with all the records that they will need."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school
from tests.support.records.assessment import a_decision, all_assessment, an_assessment
from tests.support.records.assessment_summary import a_proposal
from tests.support.records.evidence import (
    all_evidence,
)
from workflow.foundation.vocabulary import Post
from workflow.roster.posts import appoint
from workflow.year.cycle import Process


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning, with all the evidence it will need, and 孙八 as its deputy."""
    process = a_school(session)
    appoint(session, {"staff_no": "s8", "branch": "D0101", "post": Post.DEPUTY, "starts_on": date(2024, 3, 1)}, now=NOW)
    all_evidence(session, process)
    return process


@pytest.fixture
def assessments(session: Session, branch: Process) -> list[int]:
    """The assessments of the two branches at the beginning, with all the records they will need."""
    found = [an_assessment(session, code) for code in ("D0101", "D0201")]
    for process in found:
        all_assessment(session, process)
        a_proposal(session, process)
    a_decision(session, found[0], also=["D0201"])
    return [process.id for process in found]
