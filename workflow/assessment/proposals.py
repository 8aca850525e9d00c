"""考核结果建议 (proposal): what the office proposes for a branch to the committee, and why.

The plan: 党办牵头汇总情况提出考核结果建议。

One row for each process, which the office writes while it summarises. It proposes and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base, any_of, word
from workflow.foundation.errors import Stale
from workflow.foundation.fields import Body, LongText, one_of
from workflow.foundation.history import changed_since, track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Level, Role, Severity, Stage
from workflow.people.access import Action
from workflow.rules.evidence import must_be_open
from workflow.rules.requirement import Missing, blanks, missing, requirement
from workflow.year.cycle import Process

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Proposal(Base):
    """What the office proposes for one branch, and why (考核结果建议)."""

    __tablename__ = "proposal"
    __table_args__ = (CheckConstraint("version >= 1", name="version"),)

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"), primary_key=True)
    result: Mapped[Level | None] = mapped_column(word(Level, name="result"))
    """建议等次. The plan names 优秀党支部 alone; the other words are those with which the summary's column 党办建议等次 is filled."""
    reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)


# What is proposed is known to nobody of the branch: its history answers to who reads the school's.
track(Proposal.__table__)  # type: ignore[arg-type]
personal(
    Proposal,
    Area.ASSESSMENT,
    "考核结果建议",
    Data("reason 理由", "党办提出建议（R3）", Action.READ_PROPOSAL),
    of="理由说到的人",
    other="result",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class ProposalBody(Body):
    """A proposal, whole. What is left out is not proposed yet."""

    result = one_of(Level)
    reason = LongText(at_most=2000)


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def proposal_of(session: Session, process: Process, *, held: bool = False) -> Proposal | None:
    """What the office proposes for a branch, if anything; ``held`` for who will change it."""
    return session.get(Proposal, process.id, with_for_update={"key_share": True} if held else None, populate_existing=True)


def proposals_of(session: Session, process_ids: Sequence[int]) -> dict[int, Proposal]:
    """The same of many, in one query."""
    rows = session.scalars(select(Proposal).where(any_of(Proposal.process_id, process_ids)).execution_options(populate_existing=True))
    return {row.process_id: row for row in rows}


def propose(session: Session, process: Process, row: Proposal | None, body: Mapping[str, Any], *, seen: int | None) -> Proposal:
    """Propose a result for a branch, whole. Raises Stale, StageClosed."""
    if row is not None and row.version != seen:
        raise _stale(session, row, seen or 0)
    must_be_open(process, Stage.SUMMARISED)
    if row is None:
        return _first(session, process, body)
    row.result, row.reason = body.get("result"), body.get("reason")
    row.version += 1
    session.flush()
    return row


def _first(session: Session, process: Process, body: Mapping[str, Any]) -> Proposal:
    """There was no row to hold: of two who both find none, the slower one is told that it changed."""
    given = {"result": body.get("result"), "reason": body.get("reason")}
    row: Proposal | None = session.scalar(
        insert(Proposal).values(process_id=process.id, version=1, **given).on_conflict_do_nothing().returning(Proposal)
    )
    if row is None:
        raise _stale(session, session.get_one(Proposal, process.id, populate_existing=True), 0)
    return row


def _stale(session: Session, row: Proposal, seen: int) -> Stale:
    return Stale(version=row.version, changed=changed_since(session, Proposal.__table__, row.process_id, seen))  # type: ignore[arg-type]


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "R3",
    stage=Stage.SUMMARISED,
    severity=Severity.HARD,
    todo_for=Role.OFFICE,
    link="proposal",
    zh="考核结果建议还缺：{names}",
    en="the proposal lacks: {names}",
)
def proposal_incomplete() -> Missing:
    """党办牵头汇总情况提出考核结果建议。"""
    lacks = blanks({"result": ("建议等次", Proposal.result.is_(None)), "reason": ("理由", Proposal.reason.is_(None))})
    return (
        missing(Process.id, subject=lacks.c.field, name=lacks.c.zh)
        .outerjoin(Proposal, Proposal.process_id == Process.id)
        .join(lacks, true())
        .where(lacks.c.blank)
    )


REQUIREMENTS = (proposal_incomplete,)
