"""查摆问题 (problems): problems that came to light in meetings, talks, tallies and letters.

Each can be answered by a measure or a commitment.

The plan: 根据查摆出的问题和党员群众的意见建议，党支部委员会要制定整改措施，党员要作出整改承诺。
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from workflow.appraisal.ledger import COMMITTEE, Problem
from workflow.foundation.fields import (
    LongText,
    Sent,
    StaffNo,
    about,
    one_of,
)
from workflow.foundation.vocabulary import ProblemSource, Stage
from workflow.people.access import Action, Caller
from workflow.rules.records import Records, RecordSchema
from workflow.year.cycle import Process
from workflow.year.roll import participants

# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class ProblemSchema(RecordSchema):
    """A problem (查摆出的问题). ``about`` is a 学工号 or ``committee``."""

    source = one_of(ProblemSource, required=True, **about("来源", "source", "从哪里查摆出来的", "where it came to light", example="meeting"))
    whose = StaffNo(
        required=True,
        data_key="about",
        **about("谁的问题", "about", "党员的学工号，班子的问题写 committee", "a staff number, or committee", example=COMMITTEE),
    )
    text = LongText(required=True, **about("问题", "problem", "存在什么问题", "what is wrong", example="“三会一课”质量不高"))


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Problems(Records[Problem]):
    """查摆问题: recorded by the branch's leaders, read by the branch's leaders and the school."""

    name, zh, en = "problems", "查摆问题", "problem"
    model, schema = Problem, ProblemSchema()
    stages = (Stage.RECTIFICATION,)
    read, write = Action.READ_PROCESS, Action.RECORD_PROBLEM

    def check(self, session: Session, process: Process, row: Problem | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if sent.get("whose", COMMITTEE) != COMMITTEE:
            participants(session, process.id, {"about": [sent["whose"]]})

    def fill(self, session: Session, process: Process, row: Problem, sent: Sent, *, by: Caller, now: datetime) -> None:
        self.write_columns(row, sent)
        if "whose" in sent:
            row.about = None if sent["whose"] == COMMITTEE else sent["whose"]


PROBLEMS = Problems()
