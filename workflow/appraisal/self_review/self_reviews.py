"""组织生活会·述职评议 (self-review), the third stage: what each member writes of himself, and what the meeting must have.

The plan: 进行自我检查、党性分析，开展批评和自我批评。……评议党员主要围绕履行党员义务和履行岗位职责，对照以下7各方面情形进行评议。

Six of the seven aspects are standards that a member reviews himself against; the seventh lists the signs of an unqualified member and stands with
the disposition cases. Records: a self-review, a draft until it is submitted. Meetings and tallies have rooms of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, Text, and_, cast, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.appraisal.meetings.meetings import Meeting, MeetingAttendance
from workflow.appraisal.study.sessions import StudyAttendance, StudyMakeUp, StudySession
from workflow.foundation.database import Base, act_as, any_of, notes, word
from workflow.foundation.errors import Conflict, Forbidden, Invalid, Words
from workflow.foundation.fields import Body, ByName, Line, LongText, StaffNo, Truth, one_of
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Level, MeetingForm, Role, Severity, Stage, Standing, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.evidence import Evidence, amendable, must_be_open
from workflow.rules.requirement import Missing, Requirement, missing, present, requirement
from workflow.year.cycle import Cycle, Participant, Process, participants

ASPECTS = ("A1", "A2", "A3", "A4", "A5", "A6")

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class SelfReview(Evidence, Base):
    """What a member writes of himself by the six aspects (个人自评)."""

    __tablename__ = "self_review"
    __table_args__ = (
        Index("uq_self_review_standing", "process_id", "staff_no", unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"),
    )

    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    aspects: Mapped[dict[str, Any]] = mapped_column(JSONB, info=notes("M7"))
    """Aspect (A1 to A6) to text."""
    level: Mapped[Level | None] = mapped_column(word(Level))
    """自评等次; none for a probationary member."""
    submitted: Mapped[bool]
    """A draft until then, which nobody else reads."""


# A draft is its writer's: the history tells that it changed.
track(SelfReview.__table__, hidden=("aspects", "level"))  # type: ignore[arg-type]
personal(
    SelfReview,
    Area.APPRAISAL,
    "个人自评",
    Data(
        "staff_no 何人, aspects 六个方面的自评, level 自评等次, submitted 是否提交",
        "自我检查、党性分析（G2、A1 至 A6）；提交前只有本人和代填人看得到",
        Action.READ_SELF_REVIEWS,
    ),
    of="每名党员",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class SelfReviewBody(Body):
    """A self-review as it is sent."""

    staff_no = StaffNo(required=True)
    aspects = ByName(keys=Line(at_most=8), values=LongText())
    level = one_of(Level)
    submitted = Truth()


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible_self_reviews(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """A draft is seen by its member and by who wrote it down; a plain member sees his own alone."""
    own = or_(SelfReview.staff_no == reader.staff_no, SelfReview.recorded_by == reader.staff_no)
    return own if reader.plain_member(branch_code) else or_(SelfReview.submitted, own)


@dataclass(frozen=True)
class Participation:
    """How often somebody took part in what his branch held: shown beside A6."""

    studies: int
    studied: int
    made_up: int
    meetings: int
    attended: int


def attendance_of(session: Session, process_id: int, staff_nos: Sequence[str] | None = None) -> dict[str, Participation]:
    """The attendance of people (default: of the whole roll), in one query."""
    counted = [StudySession.process_id == process_id, StudySession.counts]
    held = select(func.count()).where(*counted)
    there = select(func.count()).where(*counted, StudyAttendance.session_id == StudySession.id, StudyAttendance.staff_no == Participant.staff_no)
    later = select(func.count()).where(*counted, StudyMakeUp.session_id == StudySession.id, StudyMakeUp.staff_no == Participant.staff_no)
    of_him = [MeetingAttendance.meeting_id == Meeting.id, MeetingAttendance.staff_no == Participant.staff_no]
    of_branch = [Meeting.process_id == process_id, Meeting.counts]
    listed = select(MeetingAttendance.meeting_id).where(*of_him).correlate(Meeting, Participant).exists()
    # A general meeting calls everybody, one of the committee the committee, one of a group whom it lists.
    calls = or_(listed, Meeting.form == MeetingForm.GENERAL, and_(Meeting.form == MeetingForm.COMMITTEE, Participant.leads))
    called = select(func.count()).select_from(Meeting).where(*of_branch, calls)
    came = select(func.count()).where(*of_branch, *of_him, MeetingAttendance.present)
    counts = [each.correlate(Participant).scalar_subquery() for each in (held, there, later, called, came)]
    rows = session.execute(
        select(Participant.staff_no, *counts).where(
            Participant.process_id == process_id, true() if staff_nos is None else any_of(Participant.staff_no, staff_nos)
        )
    )
    return {staff_no: Participation(*counted) for staff_no, *counted in rows}


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_self_review(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> SelfReview:
    """Begin or submit a self-review: each his own, the secretary also one that came on paper. Raises Invalid, Forbidden, StageClosed."""
    who = _check(session, process, body, body["staff_no"])
    may_write(by, process, body["staff_no"])
    _check_level(who, body)
    must_be_open(process, Stage.SELF_REVIEW)
    _as_himself(session, by, body["staff_no"])
    row = SelfReview(
        process_id=process.id,
        staff_no=body["staff_no"],
        aspects=body.get("aspects", {}),
        level=body.get("level"),
        submitted=body.get("submitted", False),
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    session.add(row)
    session.flush()
    return row


def amend_self_review(session: Session, process: Process, row: SelfReview, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Go on with a self-review: aspects that are left out stay. Raises Invalid, Forbidden, Stale, Conflict, StageClosed."""
    if body.get("staff_no", row.staff_no) != row.staff_no:
        raise Invalid({"staff_no": Words("自评写错人的，请撤回后重新登记", "withdraw it and enter another")})
    who = _check(session, process, body, row.staff_no)
    may_write(by, process, row.staff_no)
    _check_level(who, body)
    amendable(session, row, seen=seen)
    if row.submitted and body.get("submitted") is False:
        raise Conflict(Words("已经提交，不再改回草稿；可以继续修改，或者撤回后重新填写", "it was submitted: go on correcting it, or withdraw it"))
    must_be_open(process, Stage.SELF_REVIEW)
    _as_himself(session, by, row.staff_no)
    row.aspects = {**row.aspects, **body.get("aspects", {})}
    row.level = body.get("level", row.level)
    row.submitted = body.get("submitted", row.submitted)
    row.version += 1
    session.flush()


def may_write(by: Caller, process: Process, staff_no: str) -> None:
    """Raises Forbidden."""
    if staff_no != by.staff_no and Role.SECRETARY not in by.roles_in(process.branch.code):
        raise Forbidden(Words("自评由党员本人填写，纸质的由书记录入", "a self-review is the member's own"))


def _as_himself(session: Session, by: Caller, staff_no: str) -> None:
    """Who stands in for the secretary writes of himself as himself."""
    if by.staff_no == staff_no:
        act_as(session, actor=by.staff_no)


def _check(session: Session, process: Process, body: Mapping[str, Any], staff_no: str) -> Participant:
    known = {aspect["id"] for aspect in process.cycle.plan["rules"]["aspects"]}
    errors = {
        f"aspects.{name}": Words(f"本年度方案没有这一方面；自评的方面为 {'、'.join(sorted(known))}", f"no such aspect; there are {sorted(known)}")
        for name in body.get("aspects", {})
        if name not in known
    }
    who = participants(session, process.id, {"staff_no": [staff_no]})[staff_no]
    if who.left_on is not None:
        errors["staff_no"] = Words(f"{who.name} 已不在本支部", f"{who.name} has left this branch")
    if errors:
        raise Invalid(errors)
    return who


def _check_level(who: Participant, body: Mapping[str, Any]) -> None:
    """Asked only of who may write it: others would learn by it who is probationary."""
    if who.standing is Standing.PROBATIONARY and "level" in body:
        raise Invalid({"level": Words("预备党员不评定等次，也不填自评等次（D3）", "a probationary member has no level (D3)")})


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


_asked = partial(requirement, stage=Stage.SELF_REVIEW, severity=Severity.HARD, todo_for=Role.MEMBER, link="self-reviews")


@_asked(
    "G2",
    waivable=Waivable.PER_SUBJECT,
    zh="还有 {count} 名党员没有提交自评：{names}",
    en="{count} members have not submitted their self-review: {names}",
)
def members_without_a_self_review() -> Missing:
    """进行自我检查、党性分析，开展批评和自我批评。"""
    written = (
        select(SelfReview.id)
        .where(SelfReview.process_id == Participant.process_id, SelfReview.staff_no == Participant.staff_no, SelfReview.counts, SelfReview.submitted)
        .correlate(Participant)
        .exists()
    )
    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=Participant.person_id).where(
        *present(), ~written
    )


def _aspect(clause: str, title: str, sentence: str) -> Requirement:
    """S: each aspect answered. A sign for each aspect, so that each stands beside its own sentence."""

    def query() -> Missing:
        asked = Cycle.plan["rules"]["aspects"].contains(cast(literal(f'[{{"id": "{clause}"}}]', Text), JSONB))
        return (
            missing(SelfReview.process_id, subject=SelfReview.staff_no, name=Participant.name, person=Participant.person_id)
            .join(Participant, and_(Participant.process_id == SelfReview.process_id, Participant.staff_no == SelfReview.staff_no))
            .join(Process, Process.id == SelfReview.process_id)
            .join(Cycle, Cycle.id == Process.cycle_id)
            .where(SelfReview.counts, SelfReview.submitted, ~SelfReview.aspects.has_key(clause), asked, Participant.left_on.is_(None))
        )

    query.__name__, query.__doc__ = f"self_reviews_without_{clause.lower()}", sentence
    return _asked(
        clause,
        severity=Severity.SIGN,
        zh=f"{{count}} 份自评没有写“{title}”方面：{{names}}",
        en=f"{{count}} self-reviews do not answer aspect {clause}: {{names}}",
    )(query)


self_reviews_without_a1 = _aspect(
    "A1",
    "理想信念",
    "理想信念方面。是否具有坚定的共产主义理想和建设中国特色社会主义信念，是否牢固树立政治意识、大局意识、核心意识、看齐意识",
)
self_reviews_without_a2 = _aspect(
    "A2", "宗旨意识", "宗旨意识方面。是否做到把党的宗旨落实到自己的本职工作中；是否坚持求真务实，讲实话、办实事，坚持原则，顾全大局"
)
self_reviews_without_a3 = _aspect("A3", "遵纪守法", "遵纪守法方面。是否遵守《党章》，坚决执行党的决议，严守党纪、政纪、国法，坚决做到令行禁止")
self_reviews_without_a4 = _aspect("A4", "学习", "学习方面。是否积极投身“两学一做”学习教育；是否认真学习新知识和新技能，不断提高综合素质和工作能力")
self_reviews_without_a5 = _aspect("A5", "业务工作", "业务工作方面。是否在教学、管理以及工作、学习和社会生活中起先锋模范作用")
self_reviews_without_a6 = _aspect("A6", "组织生活", "组织生活方面。是否按规定参加党的组织生活,完成党组织分配的任务")


REQUIREMENTS = (
    members_without_a_self_review,
    self_reviews_without_a1,
    self_reviews_without_a2,
    self_reviews_without_a3,
    self_reviews_without_a4,
    self_reviews_without_a5,
    self_reviews_without_a6,
)
