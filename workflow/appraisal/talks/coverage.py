"""The coverage matrix of the talks (谈心谈话覆盖表): the pairs that have and have not talked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.appraisal.talks.requirements import (
    REQUIREMENTS,
)
from workflow.appraisal.talks.talks import (
    Talk,
)
from workflow.foundation.vocabulary import Coverage
from workflow.rules.requirement import Missing, present
from workflow.year.cycle import Participant, Process


@dataclass(frozen=True)
class CoverageMatrix:
    """The coverage matrix (谈心谈话覆盖表): people, talks of each pair, pairs still missing."""

    mode: Coverage
    people: Sequence[Participant]
    pairs: Sequence[tuple[str, str, int]]
    missing: Sequence[tuple[str, str]]


def coverage(session: Session, process: Process) -> CoverageMatrix:
    """Build the matrix of a branch.

    The missing pairs are the rows of K1 and of the K2 of this cycle. In the default reading a
    member nobody talked with is missing with every leader, since a talk with any of them would do.
    """
    people = session.scalars(
        select(Participant).where(Participant.process_id == process.id, *present(excused_count=True)).order_by(Participant.staff_no)
    ).all()
    low, high = func.least(Talk.talker, Talk.partner), func.greatest(Talk.talker, Talk.partner)
    counted = session.execute(
        select(low, high, func.count()).where(Talk.process_id == process.id, Talk.counts).group_by(low, high).order_by(low, high)
    ).all()
    mode = Coverage(process.cycle.plan["rules"]["coverage"])
    open_rows = [subject for each in REQUIREMENTS if each.clause in ("K1", "K2") for subject in session.scalars(_subjects(each.query(), process.id))]
    leaders = [person.staff_no for person in people if person.leads]
    pairs = {
        (min(a, b), max(a, b))
        for subject in open_rows
        for a, b in ([tuple(subject.split(":", 1))] if ":" in subject else [(leader, subject) for leader in leaders])
    }
    return CoverageMatrix(mode, people, [(a, b, n) for a, b, n in counted], sorted(pairs))


def _subjects(query: Missing, process_id: int) -> Any:
    rows = query.subquery()
    return select(rows.c.subject_id).where(rows.c.process_id == process_id).distinct()
