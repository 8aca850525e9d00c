"""组织生活会·述职评议 (self-review), the third stage: members' texts and the meeting."""

from __future__ import annotations

from workflow.appraisal.self_review import meeting_requirements, self_reviews
from workflow.rules.acts import AnyAct
from workflow.rules.requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = (
    *self_reviews.REQUIREMENTS,
    *meeting_requirements.REQUIREMENTS,
)
WAITING = meeting_requirements.WAITING
ACTS: tuple[AnyAct, ...] = (*self_reviews.SELF_REVIEWS.acts,)
