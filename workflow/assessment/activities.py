"""集中活动 (activities of the year): what the school held together, and who of each branch was there.

The plan: 围绕各支部完成主要工作、参加重要集中活动……参加党员教育学习、文明创建、志愿服务等集中活动的出勤及表现情况。

Records: an activity of the year, and a line for each person who was expected at it, as the attendance sheet (出勤表) says. An activity belongs
to the year; the line of a person to his branch's assessment, as the roll knew him when the sheet was applied.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from workflow.database import Base, notes, word
from workflow.evidence import Retractable
from workflow.history import track
from workflow.vocabulary import ActivityKind, Presence

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Activity(Retractable, Base):
    """One activity of the year (集中活动)."""

    __tablename__ = "activity"
    __table_args__ = (CheckConstraint("expected >= 0", name="expected"), Index("ix_activity_cycle", "cycle_id", "held_on"))

    cycle_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    kind: Mapped[ActivityKind] = mapped_column(word(ActivityKind, name="kind"))
    name: Mapped[str]
    held_on: Mapped[date]
    expected: Mapped[int | None]
    """应到: how many people of the whole school were expected, where the office knows it; the sheet is compared with it."""


class Attendance(Base):
    """Somebody was expected at an activity and came, was on leave or stayed away (出勤)."""

    __tablename__ = "attendance"
    __table_args__ = (PrimaryKeyConstraint("activity_id", "staff_no"), Index("ix_attendance_process", "process_id"))

    activity_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("activity.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    """The assessment of the branch that he counts for."""
    presence: Mapped[Presence] = mapped_column(word(Presence, name="presence"), info=notes("S4"))

    activity: Mapped[Activity] = relationship()


for _table in (Activity, Attendance):
    track(_table.__table__)  # type: ignore[arg-type]
