"""整改 (rectification), the fifth stage: problems, measures, commitments, publications."""

from __future__ import annotations

from workflow.appraisal.rectification import commitments, handover, measures, problems, publications, signs
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *measures.REQUIREMENTS,
    *handover.REQUIREMENTS,
    *commitments.REQUIREMENTS,
    *publications.REQUIREMENTS,
    *signs.REQUIREMENTS,
)
ACTS: tuple[AnyAct, ...] = (
    *problems.PROBLEMS.acts,
    *measures.ACTS,
    handover.HAND_OVER,
    *commitments.ACTS,
    *publications.ACTS,
)
