"""评定 (rating), the fourth stage: the decision, the levels and the care that follows.

The levels have their quota and their patterns.
"""

from __future__ import annotations

from workflow.appraisal.rating import aftercare_help, aftercare_procedure, aftercare_requirements, aftercare_signs, deciding, patterns, quota, ratings
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *deciding.REQUIREMENTS,
    *ratings.REQUIREMENTS,
    *quota.REQUIREMENTS,
    *patterns.REQUIREMENTS,
    *aftercare_requirements.REQUIREMENTS,
    *aftercare_signs.REQUIREMENTS,
)
ACTS: tuple[AnyAct, ...] = (*ratings.ACTS, *aftercare_help.ACTS, *aftercare_procedure.ACTS)
