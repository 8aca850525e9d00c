"""评定 (rating), the fourth stage: the decision, the levels and the care that follows.

The levels have their quota and their patterns.
"""

from __future__ import annotations

from workflow.appraisal.rating import aftercare, aftercare_requirements, deciding, patterns, quota, ratings
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *deciding.REQUIREMENTS,
    *ratings.REQUIREMENTS,
    *quota.REQUIREMENTS,
    *patterns.REQUIREMENTS,
    *aftercare_requirements.REQUIREMENTS,
)
ACTS: tuple[AnyAct, ...] = (*ratings.ACTS, *aftercare.ACTS)
