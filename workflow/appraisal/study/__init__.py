"""集中学习 (study), the first stage: sessions and make-ups."""

from __future__ import annotations

from workflow.appraisal.study import sessions
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (*sessions.REQUIREMENTS,)
ACTS: tuple[AnyAct, ...] = (*sessions.ACTS,)
