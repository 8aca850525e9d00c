"""民主评议 (appraisal), track B of the plan: its stages, its moves, its requirements. Nothing registers itself; what counts is listed here."""

from __future__ import annotations

from itertools import pairwise

from workflow.appraisal import rating, rectification, report, self_review, study, talks
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind, Role, Stage, Trigger
from workflow.rules.moves import Move, earlier
from workflow.rules.requirement import Requirement

KIND = Kind.APPRAISAL
_ALL, _WORK = STAGES[KIND], WORKING_STAGES[KIND]

MOVES: tuple[Move, ...] = (
    *(Move(Trigger.ADVANCE, source, target, Role.SECRETARY, asks=source) for source, target in pairwise(_WORK)),
    Move(Trigger.FILE, Stage.REPORT, Stage.FILED, Role.SECRETARY, asks=Stage.REPORT),
    Move(Trigger.ACCEPT, Stage.FILED, Stage.ACCEPTED, Role.OFFICE),
    *(
        Move(Trigger.RETURN, source, target, Role.OFFICE, asks_reason=True, opens_round=True)
        for source in (*_WORK, Stage.FILED)
        for target in earlier(_ALL, source)
    ),
    *(Move(Trigger.STEP_BACK, source, target, Role.SECRETARY, asks_reason=True) for source in _WORK for target in earlier(_ALL, source)),
    Move(Trigger.WITHDRAW, Stage.FILED, Stage.REPORT, Role.SECRETARY, asks_reason=True),
    *(
        Move(Trigger.REOPEN, Stage.ACCEPTED, target, Role.OFFICE, asks_reason=True, opens_round=True)
        for target in (Stage.REPORT, *earlier(_WORK, Stage.REPORT))
    ),
)

REQUIREMENTS: tuple[Requirement, ...] = (
    *study.REQUIREMENTS,
    *talks.REQUIREMENTS,
    *self_review.REQUIREMENTS,
    *rating.REQUIREMENTS,
    *rectification.REQUIREMENTS,
    *report.REQUIREMENTS,
)
