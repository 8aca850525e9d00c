"""查摆问题 (problems): what came to light in meetings, talks, tallies and letters. Each can be answered by a measure or a commitment.

The plan: 根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施，党员要作出整改承诺。
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.appraisal.ledger import COMMITTEE, Problem
from workflow.foundation.fields import Body, LongText, StaffNo, one_of
from workflow.foundation.vocabulary import ProblemSource, Stage
from workflow.people.access import Caller
from workflow.rules.evidence import amendable, must_be_open
from workflow.year.cycle import Process, participants

# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class ProblemBody(Body):
    """A problem as it is sent. ``about`` is a 学工号 or ``committee``."""

    source = one_of(ProblemSource, required=True)
    about = StaffNo(required=True)
    text = LongText(required=True)


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_problem(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Problem:
    """Record a problem. Raises StageClosed, Invalid."""
    _check(session, process, body)
    must_be_open(process, Stage.RECTIFICATION)
    row = Problem(process_id=process.id, recorded_by=by.staff_no, recorded_at=now)
    _fill(row, body)
    session.add(row)
    session.flush()
    return row


def amend_problem(session: Session, process: Process, row: Problem, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a problem; the old values stay in the history. Raises StageClosed, Stale, Conflict, Invalid."""
    _check(session, process, body)
    amendable(session, row, seen=seen)
    must_be_open(process, Stage.RECTIFICATION)
    _fill(row, body)
    row.version += 1
    session.flush()


def _check(session: Session, process: Process, body: Mapping[str, Any]) -> None:
    if body.get("about", COMMITTEE) != COMMITTEE:
        participants(session, process.id, {"about": [body["about"]]})


def _fill(row: Problem, body: Mapping[str, Any]) -> None:
    for name, value in body.items():
        setattr(row, name, None if (name, value) == ("about", COMMITTEE) else value)
