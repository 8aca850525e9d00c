"""民主评议 (appraisal), track B of the plan: its moves, requirements and acts.

Nothing registers itself: the tuples here list all that counts.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement

from workflow.appraisal import meetings, rating, rectification, report, self_review, study, talks
from workflow.appraisal.meetings.recording import MEETINGS
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.appraisal.rating.aftercare_help import HELP_PLANS
from workflow.appraisal.rating.aftercare_procedure import CASES
from workflow.appraisal.rating.ratings import RATINGS
from workflow.appraisal.rectification.commitments import COMMITMENTS
from workflow.appraisal.rectification.measures import MEASURES
from workflow.appraisal.rectification.problems import PROBLEMS
from workflow.appraisal.rectification.publications import FILINGS, PUBLICATIONS
from workflow.appraisal.self_review.self_reviews import SELF_REVIEWS
from workflow.appraisal.self_review.suggested_form import suggested_form
from workflow.appraisal.study.sessions import SESSIONS
from workflow.appraisal.talks.talks import TALKS, visible_history
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind, Role, Stage, Trigger
from workflow.people.access import Action
from workflow.rules.acts import AnyAct, Call
from workflow.rules.kinds import ProcessKind
from workflow.rules.moves import Move, earlier
from workflow.rules.records import Records
from workflow.rules.requirement import Requirement

_ALL, _WORK = STAGES[Kind.APPRAISAL], WORKING_STAGES[Kind.APPRAISAL]

MOVES: tuple[Move, ...] = (
    *(Move(Trigger.ADVANCE, source, target, Role.SECRETARY, asks=source) for source, target in pairwise(_WORK)),
    Move(Trigger.FILE, Stage.REPORT, Stage.FILED, Role.SECRETARY, asks=Stage.REPORT),
    Move(Trigger.ACCEPT, Stage.FILED, Stage.ACCEPTED, Role.OFFICE, judges=True),
    *(
        Move(Trigger.RETURN, source, target, Role.OFFICE, asks_reason=True, opens_round=True, judges=True)
        for source in (*_WORK, Stage.FILED)
        for target in earlier(_ALL, source)
    ),
    *(Move(Trigger.STEP_BACK, source, target, Role.SECRETARY, asks_reason=True) for source in _WORK for target in earlier(_ALL, source)),
    Move(Trigger.WITHDRAW, Stage.FILED, Stage.REPORT, Role.SECRETARY, asks_reason=True),
    *(
        Move(Trigger.REOPEN, Stage.ACCEPTED, target, Role.OFFICE, asks_reason=True, opens_round=True, judges=True)
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

RECORDS: tuple[Records[Any], ...] = (
    SESSIONS,
    TALKS,
    SELF_REVIEWS,
    MEETINGS,
    TALLIES,
    RATINGS,
    HELP_PLANS,
    CASES,
    PROBLEMS,
    MEASURES,
    COMMITMENTS,
    PUBLICATIONS,
    FILINGS,
)

ACTS: tuple[AnyAct, ...] = (
    *study.ACTS,
    *talks.ACTS,
    *self_review.ACTS,
    *meetings.ACTS,
    *rating.ACTS,
    *rectification.ACTS,
    *report.ACTS,
)


def _history_seen(call: Call[object]) -> ColumnElement[bool]:
    return visible_history(call.by, call.process.branch.code)


KIND = ProcessKind(
    Kind.APPRAISAL,
    MOVES,
    REQUIREMENTS,
    RECORDS,
    ACTS,
    reads=Action.READ_PROCESS,
    reads_history=Action.READ_PROCESS,
    moving=Action.MOVE,
    history_seen=_history_seen,
    waiting=(*self_review.WAITING, *report.WAITING),
    hint=suggested_form,
    excusing=True,
)
