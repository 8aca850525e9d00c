"""新增的必读文件 (added reading): titles that a 补充通知 added after a branch had left the study.

The plan is read with its amendments, so a branch that stands in the study, or comes back to it, is
asked by E3 and E4. Here are the signs for the others, until they are accepted: they never block.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import TableValuedAlias, Text, column, exists, func, true

from workflow.appraisal.study.sessions import StudySession, has_studied, members_who_have_not_studied
from workflow.appraisal.study.titles import among
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.rules.requirement import Missing, Waiver, missing, present, requirement
from workflow.year.amendments import Amendment
from workflow.year.cycle import Participant, Process

_asked = partial(
    requirement,
    stage=Stage.REPORT,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    asked_from=Stage.TALKS,
    asked_until=Stage.REPORT,
    link="study-sessions",
)


_past_it = (Process.stage != Stage.STUDY, Process.stage != Stage.ACCEPTED)


@_asked("E3", zh="补充通知新增的必读文件还没有组织学习：{names}", en="titles that an amendment added have not been studied: {names}")
def added_titles_not_read() -> Missing:
    """重点学习《中国共产党纪律处分条例》《中国共产党支部工作条例（试行）》。

    (Of the titles that a 补充通知 added since the branch left the study.)
    """
    added = _added_titles()
    title = added.c.value
    here = among(StudySession.titles, title, StudySession, added)
    read = exists().where(StudySession.process_id == Process.id, StudySession.counts, here).correlate(Process, added)
    return (
        missing(Process.id, subject=title, name=func.concat("《", func.translate(title, "《》", "〈〉"), "》"))
        .join(Amendment, Amendment.cycle_id == Process.cycle_id)
        .join(added, true())
        .where(*_past_it, ~read)
    )


@_asked(
    "E4",
    zh="还有 {count} 名党员没有学完补充通知新增的必读文件：{names}",
    en="{count} members have not studied all titles that an amendment added: {names}",
)
def members_without_added_reading() -> Missing:
    """把党支部职责任务搞清楚，把合格党员标准搞清楚，打牢开好组织生活会和开展民主评议党员的思想基础。

    (Of the titles that a 补充通知 added since the branch left the study. A reason that was accepted
    for a member after the 补充通知 covers its titles too.)
    """
    added = _added_titles()
    reason = (
        exists()
        .where(
            Waiver.process_id == Participant.process_id,
            Waiver.requirement == members_who_have_not_studied.name,
            Waiver.stands,
            Waiver.covers.has_key(Participant.staff_no),
            Waiver.recorded_at >= Amendment.recorded_at,
        )
        .correlate(Participant, Amendment)
    )
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, amount=func.count())
        .join(Process, Process.id == Participant.process_id)
        .join(Amendment, Amendment.cycle_id == Process.cycle_id)
        .join(added, true())
        .where(*present(), *_past_it, ~has_studied(added), ~reason)
        .group_by(Participant.process_id, Participant.person_id)
    )


def _added_titles() -> TableValuedAlias:
    """Select the titles that an amendment added, a row each."""
    return func.jsonb_array_elements_text(Amendment.required_reading).table_valued(column("value", Text), name="added")


REQUIREMENTS = (added_titles_not_read, members_without_added_reading)
