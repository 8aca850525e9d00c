"""集中学习 (study), the first stage: sessions and make-ups."""

from __future__ import annotations

from typing import Any

from workflow.appraisal.study import sessions
from workflow.rules.acts import Act
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (*sessions.REQUIREMENTS,)
ACTS: tuple[Act[Any, Any], ...] = (*sessions.ACTS,)
