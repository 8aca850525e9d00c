"""集中学习 (study), the first stage: sessions and make-ups, and reading that was added later."""

from __future__ import annotations

from workflow.appraisal.study import added_reading, sessions
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (*sessions.REQUIREMENTS, *added_reading.REQUIREMENTS)
ACTS: tuple[AnyAct, ...] = (*sessions.ACTS,)
