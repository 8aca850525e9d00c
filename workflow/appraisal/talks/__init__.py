"""谈心谈话 (talks), the second stage: the talks, and the contents that the plan asks of a talk."""

from __future__ import annotations

from workflow.appraisal.talks import follow_ups, requirements, signs, talks
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *requirements.REQUIREMENTS,
    *signs.REQUIREMENTS,
)
ACTS: tuple[AnyAct, ...] = (*talks.TALKS.acts, *follow_ups.ACTS)
