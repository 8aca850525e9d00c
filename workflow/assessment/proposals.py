"""考核结果建议 (proposal): the office's proposal for a branch to the committee, and its reason.

The plan: 党办牵头汇总情况提出考核结果建议。

One row for each process, which the office writes while it summarises. It proposes and decides
nothing.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, String, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base
from workflow.foundation.errors import Invalid, Words
from workflow.foundation.fields import Answered, Line, LongText, Sent, about
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Kind, Role, Severity, Stage
from workflow.people.access import ACCESS, Action, Caller
from workflow.rules.acts import (
    AnyAct,
)
from workflow.rules.bulk import bulk, by_code
from workflow.rules.requirement import Missing, blanks, missing, requirement
from workflow.rules.single import OnProcess, Single
from workflow.year.cycle import Cycle, Process
from workflow.year.plan import branch_results_of

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


# Nobody of the branch knows what is proposed: only readers of the school see its history.
@tracked()
class Proposal(OnProcess, Base):
    """A proposal of the office for one branch, with its reason (考核结果建议)."""

    __tablename__ = "proposal"
    __table_args__ = (CheckConstraint("version >= 1", name="version"),)

    result: Mapped[str | None] = mapped_column(String(32))
    """建议等次, by the key of the plan's ``branch_results``."""
    reason: Mapped[str | None]


personal(
    Proposal,
    Area.ASSESSMENT,
    "考核结果建议",
    Data("reason 理由", "党委办公室提出建议（R3）", Action.READ_PROPOSAL),
    of="理由说到的人",
    other="result",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class ProposalSchema(Answered):
    """A proposal, whole (考核结果建议). A field that is left out is not proposed yet."""

    result = Line(
        at_most=32,
        **about(
            "建议等次", "result", "党委办公室建议的等次，按方案的代号（R3）", "what the office proposes, by the plan's keys (R3)", example="qualified"
        ),
    )
    reason = LongText(at_most=2000, **about("理由", "reason", "为什么这样建议", "why it is proposed", example="完成各项任务"))


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def reads_proposals(reader: Caller) -> bool:
    """Tell whether somebody reads proposals, wherever they are shown.

    A role in the school allows it, never a role in the branch.
    """
    return bool(reader.school & ACCESS[Action.READ_PROPOSAL].keys())


def wrong_result(cycle: Cycle, result: str) -> Words | None:
    """Find what is wrong with the result of a branch; None if the year's plan has it."""
    known = branch_results_of(cycle.plan)
    if result in known:
        return None
    listed = "、".join(f"{key}（{word}）" for key, word in known.items())
    return Words(f"本年度方案的考核等次为 {listed} 之一", f"must be one of {', '.join(known)}, as this year's plan has it")


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class OfficeProposal(Single[Proposal]):
    """考核结果建议: written by the office while it summarises."""

    name, zh, en = "proposal", "考核结果建议", "proposal"
    model, schema = Proposal, ProposalSchema()
    kind, stage = Kind.ASSESSMENT, Stage.SUMMARISED
    reads, writes = Action.READ_PROPOSAL, Action.ASSESS_BRANCH

    def check(self, session: Session, process: Process, row: Proposal | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if (result := sent.get("result")) is not None and (fault := wrong_result(process.cycle, result)):
            raise Invalid({"result": fault})


PROPOSAL = OfficeProposal()
PROPOSE_MANY = bulk(PROPOSAL.writing, code=by_code())
ACTS: tuple[AnyAct, ...] = (*PROPOSAL.acts, PROPOSE_MANY)


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
