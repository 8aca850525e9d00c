"""报送 (report), the sixth stage: the 情况表 with its figures, and the checklist of papers."""

from __future__ import annotations

from typing import Any

from workflow.appraisal.report import form, requirements
from workflow.rules.acts import Act
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (*requirements.REQUIREMENTS,)
ACTS: tuple[Act[Any, Any], ...] = (*form.ACTS,)
