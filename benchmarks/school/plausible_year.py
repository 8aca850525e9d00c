"""The year of one branch of the plausible school (一个支部的一年): its days, dice and slips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy.orm import Session
from workflow.year.cycle import Participant, Process
from workflow.year.roll import roll

BRANCHES, CARELESS, LATE = 60, 2, 3
"""The careless are the first of the late, and these the first of all."""
SIZES = (4, 8, 14, 18, 20, 22, 22, 22, 24, 30, 45)
OFFICE, SLIP, WITHOUT_OPINIONS = "10000001", 0.01, 0.1
MEAN, DEVIATION = 0.60, 0.15
DEADLINE, TODAY = date(2025, 1, 26), date(2025, 1, 28)
STUDIED, TALKED, MET, DECIDED = (
    date(2024, 12, 10),
    date(2024, 12, 16),
    date(2024, 12, 27),
    date(2025, 1, 8),
)
BEGUN, COUNTED, RATED, RECORDED = (
    datetime(2024, 12, 2, 1, tzinfo=UTC) + timedelta(days=each) for each in (0, 26, 30, 38)
)
WRONG = (BEGUN, RECORDED + timedelta(days=1))
"""Levels of the careless: of before the ballot, or changed after the decision."""
COMMITTEE_FROM = 7


WORDS = [
    "按时参加",
    "主动承担",
    "联系群众",
    "发言具体",
    "读书笔记",
    "带头值班",
    "帮助同事",
    "教学相长",
    "课题攻关",
    "志愿服务",
]
COPIED = "认真学习领会精神，严格要求自己，积极完成各项任务，发挥先锋模范作用，今后继续努力。"


@dataclass
class Year:
    """The year of one branch, written record by record."""

    session: Session
    dice: Random
    process: Process
    careless: bool
    late: bool
    people: Sequence[Participant] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.people = roll(self.session, self.process.id)

    def slips(self) -> bool:
        """Tell whether something is left undone: always, or once in a hundred."""
        return self.careless or self.dice.random() < SLIP

    def made(self, by: Participant | None = None, at: datetime = BEGUN) -> dict[str, Any]:
        """Give the traces of a record."""
        author = self.people[0] if by is None else by
        return {"process_id": self.process.id, "recorded_by": author.staff_no, "recorded_at": at}

    def day(self, day: date) -> date:
        """Give the day of a record: all on one day of another year, or after the branch's own."""
        if self.careless:
            return date(2023, 11, 1)
        return DEADLINE + timedelta(days=1) if self.late and day >= MET else day

    def said(self, *about: object) -> str:
        """Make up a text of one's own."""
        words = " ".join(self.dice.choice(WORDS) for _ in range(6))
        return f"{'、'.join(map(str, about))}：{words}，今后继续改进"
