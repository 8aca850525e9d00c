"""谈心谈话 (talks), the second stage: who talked with whom, and what a talk should hold."""

from __future__ import annotations

from workflow.appraisal.talks import signs, talks
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *talks.REQUIREMENTS,
    *signs.REQUIREMENTS,
)
