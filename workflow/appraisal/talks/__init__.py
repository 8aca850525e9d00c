"""谈心谈话 (talks), the second stage: who talked with whom, and what a talk should hold."""

from __future__ import annotations

from workflow.appraisal.talks import follow_ups, requirements, signs, talks
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *requirements.REQUIREMENTS,
    *signs.REQUIREMENTS,
)
ACTS: tuple[AnyAct, ...] = (*talks.TALKS.acts, *follow_ups.ACTS)
