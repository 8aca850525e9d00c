"""报送 (report), the sixth stage: the 情况表 with its figures, and the checklist of papers."""

from __future__ import annotations

from workflow.appraisal.report import counted_once, days, form, requirements, waiting
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (*requirements.REQUIREMENTS, *counted_once.REQUIREMENTS, *days.REQUIREMENTS)
WAITING = waiting.WAITING
ACTS: tuple[AnyAct, ...] = (*form.ACTS,)
