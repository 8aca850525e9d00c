"""支部年度情况 (facts of the year): what a branch tells of its year for the summary. It is recorded and shown, never judged.

The plan: 围绕各支部完成主要工作、参加重要集中活动，重点从以下方面汇总评价：1.三会一课制度落实；2.党员培养发展；3.党风廉政建设。

One row for each process, which the branch fills and the office checks (核对); a change wants a new check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base, any_of, notes
from workflow.foundation.errors import Conflict, Stale, Words
from workflow.foundation.fields import Body, Inner, LongText, Truth, Whole
from workflow.foundation.history import changed_since, track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Role, Severity, Stage
from workflow.people.access import Action, Caller
from workflow.rules.evidence import must_be_open
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Process

THREE_MEETINGS = {"general": "支部党员大会", "committee": "支部委员会", "group": "党小组会", "lesson": "党课"}
"""三会一课, as the plan's settings name them."""
DEVELOPMENT = {"applicants": "入党申请人", "activists": "入党积极分子", "candidates": "发展对象", "admitted": "发展党员", "confirmed": "转正"}

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Facts(Base):
    """What one branch did in the year (年度工作情况)."""

    __tablename__ = "facts"
    __table_args__ = (CheckConstraint("version >= 1", name="version"), CheckConstraint("(checked_by is null) = (checked_at is null)", name="checked"))

    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"), primary_key=True)
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
    """Whether there was anything to tell of (有无违纪违规问题)."""
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    checked_by: Mapped[str | None]
    """Who of the office has checked it as it stands."""
    checked_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


track(Facts.__table__)  # type: ignore[arg-type]
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

_Counts: dict[str, type[Body]] = {
    name: Body.from_dict({field: Whole(at_most=10_000) for field in fields}, name=name)  # type: ignore[misc]
    for name, fields in {"ThreeMeetings": THREE_MEETINGS, "Development": DEVELOPMENT}.items()
}


class CleanGovernmentBody(Body):
    """党风廉政建设: what was done, and whether there was anything to tell of."""

    text = LongText()
    issues = Truth()


class FactsBody(Body):
    """The facts of a branch's year, whole. What is left out is not known, and shown as missing."""

    main_work = LongText()
    three_meetings = Inner(_Counts["ThreeMeetings"])
    development = Inner(_Counts["Development"])
    clean_government = Inner(CleanGovernmentBody)


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def facts_of(session: Session, process: Process, *, held: bool = False) -> Facts | None:
    """What a branch has told of its year, if anything; ``held`` for who will change it."""
    return session.get(Facts, process.id, with_for_update={"key_share": True} if held else None, populate_existing=True)


def facts_of_many(session: Session, process_ids: Sequence[int]) -> dict[int, Facts]:
    """The same of many, in one query."""
    rows = session.scalars(select(Facts).where(any_of(Facts.process_id, process_ids)).execution_options(populate_existing=True))
    return {row.process_id: row for row in rows}


def state_facts(
    session: Session, process: Process, row: Facts | None, body: Mapping[str, Any], *, seen: int | None, by: Caller, now: datetime
) -> Facts:
    """Tell the facts, whole. Raises Stale, StageClosed."""
    if row is not None and row.version != seen:
        raise Stale(version=row.version, changed=changed_since(session, Facts.__table__, process.id, seen or 0))  # type: ignore[arg-type]
    must_be_open(process, Stage.COLLECTING)
    if row is None:
        row = Facts(process_id=process.id, version=0)
        session.add(row)
    row.version += 1
    row.main_work = body.get("main_work")
    for group, names in (("three_meetings", THREE_MEETINGS), ("development", DEVELOPMENT)):
        for name in names:
            setattr(row, name, body.get(group, {}).get(name))
    clean = body.get("clean_government", {})
    row.clean_government, row.clean_issues = clean.get("text"), clean.get("issues")
    row.recorded_by, row.recorded_at, row.checked_by, row.checked_at = by.staff_no, now, None, None
    session.flush()
    return row


def check_facts(session: Session, process: Process, row: Facts | None, *, by: Caller, now: datetime) -> Facts:
    """The office has checked the facts as they stand. Raises Conflict when there are none, or they are checked already; StageClosed."""
    must_be_open(process, Stage.SUMMARISED)
    if row is None:
        raise Conflict(Words("支部还没有填写年度工作情况", "the branch has told nothing yet"))
    if row.checked_by is not None:
        raise Conflict(Words("已经核对", "it is checked already"))
    row.checked_by, row.checked_at = by.staff_no, now
    row.version += 1
    session.flush()
    return row


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
