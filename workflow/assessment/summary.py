"""汇总与建议 (summary and proposal): one sheet for each branch with all that the plan names, and what the office proposes.

The plan: 党办牵头汇总情况提出考核结果建议。……校党委综合以上述职、参加活动和各支部对本支部委员会的评议结果等情况，研究确定优秀党支部。

Everything on the sheet is computed from the records at the moment it is asked for; only the proposal is written. No score is made of it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from workflow.database import Base, word
from workflow.history import track
from workflow.vocabulary import Level

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Proposal(Base):
    """What the office proposes for one branch, and why (考核结果建议)."""

    __tablename__ = "proposal"
    __table_args__ = (CheckConstraint("version >= 1", name="version"),)

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"), primary_key=True)
    result: Mapped[Level | None] = mapped_column(word(Level, name="result"))
    reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)


# What is proposed is known to nobody of the branch: its history answers to who reads the school's.
track(Proposal.__table__)  # type: ignore[arg-type]
