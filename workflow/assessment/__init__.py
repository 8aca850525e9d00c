"""党委考核支部 (assessment), track A of the plan: its moves, requirements and acts.

Nothing registers itself: the tuples here list all that counts.
"""

from __future__ import annotations

from itertools import pairwise

from workflow.assessment import activities, arrangement, attendance, deciding, duty_reports, facts, proposals, summary
from workflow.foundation.vocabulary import WORKING_STAGES, Kind, Role, Stage, Trigger
from workflow.people.access import SCHOOL_READERS, Action, Caller
from workflow.rules.acts import AnyAct
from workflow.rules.kinds import ProcessKind
from workflow.rules.moves import Move
from workflow.rules.requirement import Requirement

MOVES: tuple[Move, ...] = (
    *(Move(Trigger.ADVANCE, source, target, Role.OFFICE, asks=source) for source, target in pairwise(WORKING_STAGES[Kind.ASSESSMENT])),
    *(
        Move(Trigger.RETURN, source, Stage.COLLECTING, Role.OFFICE, asks_reason=True, opens_round=True, judges=True)
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
    *deciding.REQUIREMENTS,
)

ACTS: tuple[AnyAct, ...] = (
    *arrangement.ACTS,
    *duty_reports.ACTS,
    *facts.ACTS,
    *activities.ACTS,
    *attendance.ACTS,
    *proposals.ACTS,
)


def _stage_shown(by: Caller, stage: Stage) -> bool:
    """Show a branch only the stage of collecting, in which it is asked itself.

    Only the school's readers may know what the office and the committee still lack.
    """
    return stage is Stage.COLLECTING or bool(by.school & SCHOOL_READERS)


KIND = ProcessKind(
    Kind.ASSESSMENT,
    MOVES,
    REQUIREMENTS,
    (),
    ACTS,
    reads=Action.READ_ASSESSMENT_PROCESS,
    reads_history=Action.READ_SCHOOL,
    moving=Action.MOVE_ASSESSMENT,
    waiting=deciding.WAITING,
    stage_shown=_stage_shown,
    advancing_many=Action.MOVE_ASSESSMENT,
)
