"""党委考核支部 (assessment), track A of the plan: its stages, its moves, its requirements. Nothing registers itself; what counts is listed here."""

from __future__ import annotations

from itertools import pairwise

from workflow.assessment import activities, arrangement, decision, duty_reports, facts, proposals, summary
from workflow.foundation.vocabulary import WORKING_STAGES, Kind, Role, Stage, Trigger
from workflow.rules.moves import Move
from workflow.rules.requirement import Requirement

KIND = Kind.ASSESSMENT

MOVES: tuple[Move, ...] = (
    *(Move(Trigger.ADVANCE, source, target, Role.OFFICE, asks=source) for source, target in pairwise(WORKING_STAGES[KIND])),
    *(
        Move(Trigger.RETURN, source, Stage.COLLECTING, Role.OFFICE, asks_reason=True, opens_round=True)
        for source in (Stage.SUMMARISED, Stage.PROPOSED)
    ),
    Move(Trigger.STEP_BACK, Stage.PROPOSED, Stage.SUMMARISED, Role.OFFICE, asks_reason=True),
    # A decision is corrected only by another decision, which asks what the first one asked.
    *(
        Move(Trigger.DECIDE, source, Stage.DECIDED, Role.COMMITTEE, asks=Stage.PROPOSED, together=True)
        for source in (Stage.PROPOSED, Stage.DECIDED, Stage.PUBLISHED)
    ),
    Move(Trigger.PUBLISH, Stage.DECIDED, Stage.PUBLISHED, Role.OFFICE, together=True),
)

REQUIREMENTS: tuple[Requirement, ...] = (
    *arrangement.REQUIREMENTS,
    *duty_reports.REQUIREMENTS,
    *facts.REQUIREMENTS,
    *activities.REQUIREMENTS,
    *proposals.REQUIREMENTS,
    *summary.REQUIREMENTS,
    *decision.REQUIREMENTS,
)
