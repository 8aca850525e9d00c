"""支部年度情况 (facts of the year): a branch's account of its year, for the summary.

The plan: 围绕各支部完成主要工作、参加重要集中活动，重点从以下方面汇总评价：1.三会一课制度落实；2.党
员培养发展；3.党风廉政建设。

It is recorded and shown, never judged. One row for each process, which the branch fills and the
office checks (核对); a change needs a new check.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import CheckConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base, notes
from workflow.foundation.errors import Conflict, Words
from workflow.foundation.fields import (
    Answered,
    Inner,
    LongText,
    Moment,
    Sent,
    StaffNo,
    Truth,
    Whole,
    about,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Kind, Role, Severity, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    AnyAct,
)
from workflow.rules.evidence import must_be_open
from workflow.rules.requirement import Missing, missing, requirement
from workflow.rules.single import OnProcess, Single
from workflow.year.cycle import Process

THREE_MEETINGS = {"general": "支部党员大会", "committee": "支部委员会会议", "group": "党小组会", "lesson": "党课"}
"""三会一课, as the plan's settings name them."""
DEVELOPMENT = {
    "applicants": "入党申请人",
    "activists": "入党积极分子",
    "candidates": "发展对象",
    "admitted": "接收预备党员",
    "confirmed": "预备党员转正",
}

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class Facts(OnProcess, Base):
    """The year of one branch (年度工作情况)."""

    __tablename__ = "facts"
    __table_args__ = (CheckConstraint("version >= 1", name="version"), CheckConstraint("(checked_by is null) = (checked_at is null)", name="checked"))

    main_work: Mapped[str | None]
    """完成主要工作情况 (R4)."""
    general: Mapped[int | None] = mapped_column(info=notes("S1"))
    committee: Mapped[int | None]
    group: Mapped[int | None] = mapped_column("group_meetings")
    lesson: Mapped[int | None]
    applicants: Mapped[int | None] = mapped_column(info=notes("S2"))
    activists: Mapped[int | None]
    candidates: Mapped[int | None]
    admitted: Mapped[int | None]
    confirmed: Mapped[int | None]
    clean_government: Mapped[str | None] = mapped_column(info=notes("S3"))
    clean_issues: Mapped[bool | None]
    """True if there was a breach of discipline (有无违纪违规问题)."""
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    checked_by: Mapped[str | None]
    """The person of the office who has checked it as it stands."""
    checked_at: Mapped[datetime | None]

    @property
    def three_meetings(self) -> Facts:
        """The facts themselves: the groups of the schema are columns side by side here."""
        return self

    development = clean = three_meetings


_DEVELOPED = "applicants activists candidates admitted confirmed"
personal(
    Facts,
    Area.ASSESSMENT,
    "年度工作情况",
    Data(
        "main_work 主要工作, clean_government 党风廉政建设, clean_issues 有无违纪违规",
        "考核支部（R4、S3）",
        Action.READ_ASSESSMENT_PROCESS,
    ),
    of="登记人，核对人，文字说到的人",
    other=f"general committee group_meetings lesson {_DEVELOPED}",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────

_MOST = 10_000
"""The largest number: more of anything in one year is a slip of the pen."""


class ThreeMeetingsSchema(Answered):
    """三会一课: the number of each in the year."""

    general = Whole(
        at_most=_MOST, **about(THREE_MEETINGS["general"], "general meetings", "全年开了几次党员大会", "how many were held in the year", example=4)
    )
    committee = Whole(
        at_most=_MOST, **about(THREE_MEETINGS["committee"], "committee meetings", "全年开了几次支委会", "how many were held in the year", example=12)
    )
    group = Whole(
        at_most=_MOST, **about(THREE_MEETINGS["group"], "group meetings", "全年开了几次党小组会", "how many were held in the year", example=12)
    )
    lesson = Whole(at_most=_MOST, **about(THREE_MEETINGS["lesson"], "lessons", "全年上了几次党课", "how many were given in the year", example=4))


class DevelopmentSchema(Answered):
    """党员培养发展: the number of people at each step."""

    applicants = Whole(at_most=_MOST, **about(DEVELOPMENT["applicants"], "applicants", "年末有多少名", "how many at the end of the year", example=6))
    activists = Whole(at_most=_MOST, **about(DEVELOPMENT["activists"], "activists", "年末有多少名", "how many at the end of the year", example=4))
    candidates = Whole(at_most=_MOST, **about(DEVELOPMENT["candidates"], "candidates", "年末有多少名", "how many at the end of the year", example=2))
    admitted = Whole(at_most=_MOST, **about(DEVELOPMENT["admitted"], "admitted", "全年发展多少名", "how many in the year", example=1))
    confirmed = Whole(at_most=_MOST, **about(DEVELOPMENT["confirmed"], "confirmed", "全年预备党员转正多少名", "how many in the year", example=1))


class CleanGovernmentSchema(Answered):
    """党风廉政建设: the work done, and whether there was a breach of discipline."""

    text = LongText(
        attribute="clean_government",
        **about("情况", "text", "开展了哪些党风廉政工作（S3）", "what was done (S3)", example="开展警示教育两次"),
    )
    issues = Truth(
        attribute="clean_issues",
        **about("有无违纪违规", "issues", "有没有违纪违规问题", "whether there was any breach of discipline", example=False),
    )


class FactsSchema(Answered):
    """The facts of a branch's year, whole (年度工作情况).

    A fact that is left out is not known, and is shown as missing.
    """

    main_work = LongText(**about("主要工作", "main work", "完成主要工作的情况（R4）", "the main work of the year (R4)", example="完成审核评估迎评"))
    three_meetings = Inner(
        ThreeMeetingsSchema,
        **about("三会一课", "meetings", "全年各开了几次（S1）", "how often each was held (S1)", example={"general": 4}, always=True),
    )
    development = Inner(
        DevelopmentSchema,
        **about("培养发展", "development", "各环节有多少人（S2）", "how many stand at each step (S2)", example={"admitted": 1}, always=True),
    )
    clean_government = Inner(
        CleanGovernmentSchema,
        attribute="clean",
        **about("党风廉政", "clean government", "党风廉政建设情况（S3）", "what was done for it (S3)", example={"issues": False}, always=True),
    )
    recorded_by = StaffNo(dump_only=True, **about("登记人", "recorded by", always=True))
    recorded_at = Moment(dump_only=True, **about("登记时间", "recorded at", always=True))
    checked_by = StaffNo(dump_only=True, **about("核对人", "checked by"))
    checked_at = Moment(dump_only=True, **about("核对时间", "checked at"))


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_TOLD = ("main_work", *THREE_MEETINGS, *DEVELOPMENT, "clean_government", "clean_issues")


class YearFacts(Single[Facts]):
    """年度工作情况: told by the branch, checked by the office; a change needs a new check."""

    name, zh, en = "facts", "年度工作情况", "facts of the year"
    model, schema = Facts, FactsSchema()
    kind, stage = Kind.ASSESSMENT, Stage.COLLECTING
    reads, writes = Action.READ_ASSESSMENT_PROCESS, Action.STATE_FACTS

    def values(self, session: Session, process: Process, row: Facts | None, sent: Sent, *, by: Caller, now: datetime) -> Mapping[str, object]:
        told = {"main_work": sent.get("main_work")}
        for group in ("three_meetings", "development", "clean"):
            told |= sent.get(group, {})
        traces = {"recorded_by": by.staff_no, "recorded_at": now, "checked_by": None, "checked_at": None}
        return {**dict.fromkeys(_TOLD), **told, **traces}


FACTS = YearFacts()


def check_facts(session: Session, process: Process, row: Facts | None, *, by: Caller, now: datetime) -> Facts:
    """Note that the office has checked the facts as they stand.

    Raises StageClosed, and Conflict if there are none or they are checked already.
    """
    must_be_open(process, Stage.SUMMARISED)
    if row is None:
        raise Conflict(Words("支部还没有填写年度工作情况", "the branch has told nothing yet"))
    if row.checked_by is not None:
        raise Conflict(Words("已经核对", "it is checked already"))
    row.checked_by, row.checked_at = by.staff_no, now
    row.version += 1
    session.flush()
    return row


CHECK: Act[Facts, Facts] = FACTS.act(
    "check_facts",
    "核对年度工作情况",
    "check the facts of the year",
    lambda call, sent: check_facts(call.session, call.process, call.found, by=call.by, now=call.now),
    action=Action.CONFIRM_FACTS,
    on=FACTS.held,
    shows=FACTS.schema,
    closes=(Stage.SUMMARISED,),
)
ACTS: tuple[AnyAct, ...] = (*FACTS.acts, CHECK)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "R4",
    stage=Stage.COLLECTING,
    severity=Severity.SIGN,
    todo_for=Role.SECRETARY,
    link="facts",
    zh="还没有填写完成主要工作的情况",
    en="nothing is told of the main work of the year",
)
def main_work_not_told() -> Missing:
    """围绕各支部完成主要工作、参加重要集中活动，重点从以下方面汇总评价"""
    told = select(Facts.process_id).where(Facts.process_id == Process.id, Facts.main_work.is_not(None)).correlate(Process).exists()
    return missing(Process.id).where(~told)


REQUIREMENTS = (main_work_not_told,)
