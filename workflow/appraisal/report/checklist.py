"""归档目录 (the archive): each paper that a branch keeps, as present or missing.

The plan: 各支部要注意做好会议记录，整理留存评议资料。
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Subquery, Text, and_, column, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Commitment, Measure, Problem
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tallies import Tally
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.ratings import Rating, of_member
from workflow.appraisal.rectification.publications import Publication, RectificationFiling
from workflow.appraisal.report.figures import Condition, has, records
from workflow.appraisal.report.form import Form
from workflow.appraisal.self_review.self_reviews import SelfReview
from workflow.appraisal.study.sessions import StudySession
from workflow.appraisal.talks.signs import asked_for_opinions
from workflow.appraisal.talks.talks import Talk
from workflow.foundation.vocabulary import Level, MeetingPurpose, ProblemSource, TallySubject
from workflow.rules.requirement import present
from workflow.year.cycle import Participant, Process


def _people(*which: Condition) -> ColumnElement[int]:
    """Count people of the roll, each with their rating."""
    return (
        select(func.count())
        .select_from(Participant)
        .outerjoin(Rating, of_member())
        .where(Participant.process_id == Process.id, Participant.left_on.is_(None), *which)
        .correlate(Process)
        .scalar_subquery()
    )


def _papers() -> dict[str, tuple[str, ColumnElement[int], ColumnElement[int] | int]]:
    """List the papers of 归档目录 in order: name, number there is, number needed."""
    purpose, confirmed = Meeting.purpose, and_(Meeting.chair_confirmed_at.is_not(None), Meeting.recorder_confirmed_at.is_not(None))
    asked_for = records(Talk, asked_for_opinions()) + records(Problem, Problem.source == ProblemSource.OPINIONS)
    # Two counts, not one with "or": "or" would read all plans and cases of the school to answer for
    # one branch.
    looked_after = _people(Rating.level == Level.BASIC, has(HelpPlan)) + _people(Rating.level == Level.UNQUALIFIED, has(DispositionCase))
    in_trouble = or_(Rating.level == Level.BASIC, Rating.level == Level.UNQUALIFIED)
    return {
        "plan": ("通知方案", literal(1), 1),
        "study": ("学习记录", records(StudySession), 1),
        "talks": ("谈心谈话记录及汇总", records(Talk), 1),
        "opinions": ("征求意见汇总", asked_for, 1),
        "duty_report": ("述职报告", records(Meeting, Meeting.duty_report.is_not(None)), 1),
        "self_reviews": ("个人自评", _people(*present(), has(SelfReview, SelfReview.submitted)), _people(*present())),
        "life_meeting": ("组织生活会会议记录及签到", records(Meeting, purpose == MeetingPurpose.LIFE, confirmed), 1),
        "tallies": ("测评票（密封）及计票单", records(Tally, Tally.counted_at.is_not(None)), len(TallySubject)),
        "deciding_meeting": ("研究评定意见的会议记录", records(Meeting, purpose == MeetingPurpose.DECIDING, confirmed), 1),
        "form": ("情况表", _written_form, 1),
        "feedback": ("反馈单", _people(Rating.level.is_not(None), Rating.feedback_on.is_not(None)), _people(Rating.level.is_not(None))),
        "ledger": ("整改台账", records(Measure), 1),
        "commitments": ("整改承诺书", _people(*present(), has(Commitment)), _people(*present())),
        "publication": ("公示件", records(Publication), 1),
        "receipt": ("报备回执", records(RectificationFiling, RectificationFiling.received_at.is_not(None)), 1),
        "aftercare": ("帮扶、处置材料", looked_after, _people(in_trouble)),
    }


_written_form = select(func.count()).where(Form.process_id == Process.id, Form.prepared_by.is_not(None)).correlate(Process).scalar_subquery()


@cache
def papers() -> Subquery:
    """Select a row for each paper of each process: number there is, number needed."""
    listed = _papers()
    rows = (
        func.unnest(
            array([literal(paper) for paper in listed]),
            array([literal(zh) for zh, _, _ in listed.values()]),
            array([have for _, have, _ in listed.values()]),
            array([need if not isinstance(need, int) else literal(need) for _, _, need in listed.values()]),
        )
        .table_valued(
            column("paper", Text), column("name", Text), column("have", BigInteger), column("need", BigInteger), name="listed", joins_implicitly=True
        )
        .render_derived()
    )
    return select(Process.id.label("process_id"), *rows.c).join(rows, true()).subquery("papers")


@dataclass(frozen=True)
class Paper:
    """One line of the contents list (归档目录)."""

    paper: str
    name: str
    have: int
    need: int

    @property
    def present(self) -> bool:
        return self.have >= self.need


def archive_of(session: Session, process: Process) -> list[Paper]:
    """List every paper of a branch, in the order of the list."""
    rows = papers()
    found: dict[str, Any] = {
        row.paper: Paper(row.paper, row.name, row.have, row.need) for row in session.execute(select(rows).where(rows.c.process_id == process.id))
    }
    return [found[paper] for paper in _papers()]


def kept_until(process: Process) -> date | None:
    """Find the last day on which the papers of a year are kept.

    The year's plan says how many years they are kept. None: for good.
    """
    years = process.cycle.plan["rules"]["settings"].get("retention_years")
    return date(process.cycle.year + years, 12, 31) if years else None
