"""年度以外的日期 (days outside the year): records of before it began, or of after it was to end.

The plan: 坚持实事求是，客观公正，严格程序。

The year under review begins on its first of January; it is to end on the day by which the branch
must file its form, a later one of its own included (docs/0031). What goes on after that by itself
(help, steps of a case, progress of measures) is no evidence of the year and stands in no row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, Text, cast, func, literal, or_, select, union_all

from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.rating.aftercare import DispositionCase
from workflow.appraisal.rating.ratings import Rating
from workflow.appraisal.rectification.publications import Publication, RectificationFiling
from workflow.appraisal.study.sessions import StudySession
from workflow.appraisal.talks.talks import Talk
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Cycle, Process
from workflow.year.deadlines import due_day


@requirement(
    "Q2",
    stage=Stage.REPORT,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    asked_from=Stage.STUDY,
    link="next",
    zh="{count} 项记录的日期在本年度以外：{names}",
    en="{count} records have a day outside the year: {names}",
)
def records_outside_the_year() -> Missing:
    """各支部要结合党员队伍现状，按照党员评议标准，坚持实事求是，客观公正，严格程序"""
    dated = union_all(*(_days(*each) for each in _DATED)).subquery("dated").c
    ends = due_day(literal(Stage.REPORT, Process.stage.type), Process.round, Process.round_due_on)
    early, late = dated.day < func.make_date(cast(Cycle.year, Integer), 1, 1), dated.day > ends
    return (
        missing(dated.process_id, subject=dated.subject, name=func.concat(dated.day, " ", dated.zh))
        .join(Process, Process.id == dated.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(or_(early, late))
    )


_DATED: tuple[tuple[str, str, Any, Any, Any], ...] = (
    ("study-sessions", "集中学习", StudySession, StudySession.held_on, StudySession.id),
    ("talks", "谈心谈话", Talk, Talk.held_on, Talk.id),
    ("meetings", "会议", Meeting, Meeting.held_on, Meeting.id),
    ("ratings", "评定意见反馈", Rating, Rating.feedback_on, Rating.staff_no),
    ("disposition-cases", "提出处置建议", DispositionCase, DispositionCase.proposed_on, DispositionCase.id),
    ("publications", "公示", Publication, Publication.from_on, Publication.id),
    ("rectification-filings", "报备", RectificationFiling, RectificationFiling.sent_on, RectificationFiling.id),
)
"""The dated evidence: its address, its name, its table, its day, and the id that an address has."""


def _days(address: str, zh: str, model: Any, day: Any, number: Any) -> Any:
    subject = func.concat(address, "/", cast(number, Text))
    return select(model.process_id.label("process_id"), subject.label("subject"), literal(zh).label("zh"), day.label("day")).where(model.counts)


REQUIREMENTS = (records_outside_the_year,)
