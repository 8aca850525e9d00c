"""报送 (report), the sixth stage: the 情况表, its filing, and signs of a mere formality.

The plan: 1月26日前将《2024年度民主评议情况表》交党委办公室。……各支部要切实加强对民主评议党员工作的
组织领导，党支部书记为第一责任人……确保民主评议党员不走过场。

Here are the requirements that must be met before the form is filed, and the signs that a branch
only went through the motions.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Boolean, Text, column, func, select, true
from sqlalchemy.orm import aliased

from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.minutes import meeting_name
from workflow.appraisal.rating.ratings import Rating, of_member
from workflow.appraisal.report.checklist import papers
from workflow.appraisal.report.figures import checked, figures
from workflow.appraisal.report.form import Form
from workflow.appraisal.self_review.self_reviews import SelfReview
from workflow.appraisal.study.sessions import StudySession, a_study
from workflow.appraisal.talks.talks import Talk
from workflow.foundation.database import any_of
from workflow.foundation.vocabulary import WORKING_STAGES, Kind, MeetingPurpose, Post, Role, Severity, Stage
from workflow.rules.requirement import TODAY, Missing, blanks, missing, requirement
from workflow.year.cycle import Participant, Process

# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────

_asked = partial(requirement, stage=Stage.REPORT, severity=Severity.HARD, todo_for=Role.SECRETARY, link="form")


@_asked("Q6", zh="情况表还没有填写{names}", en="the form still lacks: {names}")
def form_not_filled_in() -> Missing:
    """1月26日前将《2024年度民主评议情况表》交党委办公室。"""
    lacks = blanks({"prepared_by": ("填表人", Form.prepared_by.is_(None)), "phone": ("联系电话", Form.phone.is_(None))})
    return (
        missing(Process.id, subject=lacks.c.field, name=lacks.c.zh)
        .outerjoin(Form, Form.process_id == Process.id)
        .join(lacks, true())
        .where(lacks.c.blank)
    )


@_asked("Q6", zh="情况表的数字不一致：{names}", en="the form's figures do not agree: {names}")
def form_does_not_add_up() -> Missing:
    """1月26日前将《2024年度民主评议情况表》交党委办公室。"""
    f = figures().c
    checks = (
        func.unnest(*checked(f))
        .table_valued(column("check", Text), column("zh", Text), column("holds", Boolean), name="checks", joins_implicitly=True)
        .render_derived()
    )
    return missing(f.process_id, subject=checks.c.check, name=checks.c.zh).join(checks, true()).where(~checks.c.holds)


@_asked("Q1", asked_from=Stage.STUDY, link="roll", zh="名册上没有党支部书记", en="the roll names no secretary")
def no_secretary_named() -> Missing:
    """各支部要切实加强对民主评议党员工作的组织领导，党支部书记为第一责任人，要亲自抓，扎实抓好每一阶段、每一环节的工作。"""
    named = (
        select(Participant.person_id)
        .where(Participant.process_id == Process.id, Participant.post == Post.SECRETARY, Participant.left_on.is_(None))
        .correlate(Process)
        .exists()
    )
    return missing(Process.id).where(~named)


@_asked("Q1", severity=Severity.SIGN, asked_from=Stage.STUDY, link="next", zh="本环节已过期限：{names}", en="this stage is past its day: {names}")
def stage_overdue() -> Missing:
    """各支部要切实加强对民主评议党员工作的组织领导，党支部书记为第一责任人，要亲自抓，扎实抓好每一阶段、每一环节的工作。"""
    return missing(Process.id, subject=Process.stage, name=func.concat("期限 ", Process.due_on)).where(
        Process.due_on < TODAY, any_of(Process.stage, WORKING_STAGES[Kind.APPRAISAL])
    )


_walked = partial(_asked, "Q3", severity=Severity.SIGN)
ALIKE_FROM = 30
"""The characters of a text from which on equal texts look copied: “无” may be everybody's own."""


@_walked(
    asked_from=Stage.SELF_REVIEW,
    link="meetings",
    zh="{count} 次组织生活会与集中学习在同一天，之前没有学习：{names}",
    en="{count} self-review meetings were held on the day of the study and none before: {names}",
)
def meetings_on_the_day_of_the_study() -> Missing:
    """真正评议出群众一致公认的先进，处置不合格党员，确保民主评议党员不走过场。"""
    of_branch = StudySession.process_id == Meeting.process_id
    same_day = a_study(of_branch, StudySession.held_on == Meeting.held_on).correlate(Meeting)
    before = a_study(of_branch, StudySession.held_on < Meeting.held_on).correlate(Meeting)
    return _life_meetings().where(same_day, ~before)


@_walked(
    asked_from=Stage.SELF_REVIEW,
    link="meetings",
    zh="{count} 次组织生活会当天才谈心谈话：{names}",
    en="{count} self-review meetings were held on the day of all the talks: {names}",
)
def meetings_on_the_day_of_the_talks() -> Missing:
    """真正评议出群众一致公认的先进，处置不合格党员，确保民主评议党员不走过场。"""
    same_day, before = (
        select(Talk.id).where(Talk.process_id == Meeting.process_id, Talk.counts, which).correlate(Meeting).exists()
        for which in (Talk.held_on == Meeting.held_on, Talk.held_on < Meeting.held_on)
    )
    return _life_meetings().where(same_day, ~before)


@_walked(
    asked_from=Stage.SELF_REVIEW,
    link="self-reviews",
    zh="{count} 名党员的自评与他人雷同：{names}",
    en="the self-reviews of {count} members say the same as another's: {names}",
)
def copied_self_reviews() -> Missing:
    """真正评议出群众一致公认的先进，处置不合格党员，确保民主评议党员不走过场。"""
    other = aliased(SelfReview)
    mine, theirs = (func.jsonb_each_text(row.aspects).table_valued("key", "value", joins_implicitly=True) for row in (SelfReview, other))
    copied = (
        select(other.id)
        .join(theirs, true())
        .join(mine, true())
        .where(
            other.process_id == SelfReview.process_id,
            other.staff_no != SelfReview.staff_no,
            other.counts,
            other.submitted,
            mine.c.key == theirs.c.key,
            mine.c.value == theirs.c.value,
            func.length(mine.c.value) >= ALIKE_FROM,
        )
        .correlate(SelfReview)
        .exists()
    )
    return (
        missing(SelfReview.process_id, subject=SelfReview.staff_no, name=Participant.name)
        .join(Participant, (Participant.process_id == SelfReview.process_id) & (Participant.staff_no == SelfReview.staff_no))
        .where(SelfReview.counts, SelfReview.submitted, Participant.left_on.is_(None), copied)
    )


@_walked(
    asked_from=Stage.RATING,
    link="ratings",
    zh="{count} 名党员的评定意见与他人雷同：{names}",
    en="the opinions on {count} members say the same as on another: {names}",
)
def copied_opinions() -> Missing:
    """真正评议出群众一致公认的先进，处置不合格党员，确保民主评议党员不走过场。"""
    other = aliased(Rating)
    copied = (
        select(other.id)
        .where(other.process_id == Rating.process_id, other.staff_no != Rating.staff_no, other.counts, other.opinion == Rating.opinion)
        .where(func.length(Rating.opinion) >= ALIKE_FROM)
        .correlate(Rating)
        .exists()
    )
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name)
        .join(Rating, of_member())
        .where(Participant.left_on.is_(None), copied)
    )


@_asked("Q5", severity=Severity.SIGN, link="archive", zh="归档目录还缺 {count} 项：{names}", en="the archive lacks {count} papers: {names}")
def papers_missing() -> Missing:
    """整理留存评议资料。"""
    paper = papers().c
    return missing(paper.process_id, subject=paper.paper, name=paper.name).where(paper.have < paper.need)


def _life_meetings() -> Missing:
    return missing(Meeting.process_id, subject=Meeting.id, name=meeting_name()).where(Meeting.counts, Meeting.purpose == MeetingPurpose.LIFE)


REQUIREMENTS = (
    form_not_filled_in,
    form_does_not_add_up,
    no_secretary_named,
    stage_overdue,
    meetings_on_the_day_of_the_study,
    meetings_on_the_day_of_the_talks,
    copied_self_reviews,
    copied_opinions,
    papers_missing,
)
