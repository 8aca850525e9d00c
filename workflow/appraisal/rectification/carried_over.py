"""上年未了事项 (carried over): open help, cases and commitments of earlier years, for this year.

The measures of last year stand in the ledger, with the words for the duty report (F9). This tells
the branch what else it still owes; it writes nothing, and nothing of it goes into a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session, aliased

from workflow.appraisal.ledger import UNDER_WAY, Commitment
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.aftercare_signs import case_is_open, decided, help_is_open, next_step
from workflow.foundation.database import any_of
from workflow.foundation.vocabulary import Kind, MeasureState
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.roll import is_gone


@dataclass(frozen=True)
class OpenHelp:
    """A help plan of an earlier year that is not ended (未结束的帮扶)."""

    year: int
    staff_no: str
    name: str
    helper: str | None
    """The helper's name."""
    review_on: date | None


@dataclass(frozen=True)
class OpenCase:
    """A disposition case of an earlier year that is not through (未办结的处置)."""

    year: int
    staff_no: str
    name: str
    waits_for: str
    """The next step, in Chinese."""
    until: date | None
    """The last day of a 限期改正."""


@dataclass(frozen=True)
class OpenCommitment:
    """A commitment of an earlier year that is not kept yet (未兑现的承诺)."""

    year: int
    staff_no: str
    name: str
    text: str
    due_on: date | None
    state: MeasureState


@dataclass(frozen=True)
class CarriedOver:
    """All that a branch still owes of its earlier years, the oldest first (上年未了事项)."""

    help_plans: Sequence[OpenHelp]
    cases: Sequence[OpenCase]
    commitments: Sequence[OpenCommitment]


def carried_over(session: Session, process: Process) -> CarriedOver:
    """Read the open matters of the branch's earlier years; three queries.

    Those about a member who has left the branch are not asked any more.
    """
    helper = aliased(Participant, name="helper")
    helps = (
        _earlier(process, HelpPlan, helper.name, HelpPlan.review_on)
        .outerjoin(helper, and_(helper.process_id == HelpPlan.process_id, helper.staff_no == HelpPlan.helper))
        .where(help_is_open())
    )
    cases = _earlier(process, DispositionCase, next_step(), decided("until")).where(case_is_open())
    promised = _earlier(process, Commitment, Commitment.text, Commitment.due_on, Commitment.state)
    commitments = promised.where(Commitment.counts, any_of(Commitment.state, UNDER_WAY))
    return CarriedOver(
        [OpenHelp(*row) for row in session.execute(helps)],
        [OpenCase(*row) for row in session.execute(cases)],
        [OpenCommitment(*row) for row in session.execute(commitments)],
    )


def _earlier(process: Process, record: type[HelpPlan] | type[DispositionCase] | type[Commitment], *columns: Any) -> Select[Any]:
    """Select such records of the branch's earlier years, each with its member on the roll."""
    member = and_(Participant.process_id == record.process_id, Participant.staff_no == record.staff_no, Participant.left_on.is_(None))
    return (
        select(Cycle.year, Participant.staff_no, Participant.name, *columns)
        .select_from(record)
        .join(Participant, member)
        .join(Process, Process.id == record.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(Process.branch_id == process.branch_id, Process.kind == Kind.APPRAISAL, Cycle.year < process.cycle.year)
        .where(~is_gone(record.process_id, record.staff_no))
        .order_by(Cycle.year, record.id)
    )
