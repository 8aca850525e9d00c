"""组织生活会·述职评议 (self-review), the third stage: the self-review of each member.

The plan: 进行自我检查、党性分析，开展批评和自我批评。……评议党员主要围绕履行党员义务和履行岗位职责，
对照以下7各方面情形进行评议。

Six of the seven aspects are standards for the review of oneself; the seventh lists the signs of an
unqualified member and stands with the disposition cases. Records: a self-review, a draft until it
is submitted. Meetings and tallies have rooms of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

from marshmallow import fields
from sqlalchemy import ColumnElement, ForeignKey, Index, Text, and_, cast, column, exists, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.appraisal.meetings.meetings import Meeting, MeetingAttendance
from workflow.appraisal.study.sessions import StudyAttendance, StudyMakeUp, StudySession
from workflow.foundation.database import Base, act_as, any_of, word
from workflow.foundation.errors import Conflict, Forbidden, Invalid, Words
from workflow.foundation.fields import (
    Answered,
    ByName,
    Line,
    LongText,
    Sent,
    StaffNo,
    Truth,
    Whole,
    about,
    one_of,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Level, MeetingForm, Role, Severity, Stage, Standing, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Call,
)
from workflow.rules.evidence import STANDING, Evidence, amendable, must_be_open
from workflow.rules.records import Records, RecordSchema
from workflow.rules.requirement import Missing, Requirement, in_a_former_branch, missing, present, requirement
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.roll import participants

ASPECTS = ("A1", "A2", "A3", "A4", "A5", "A6")
"""The aspects that have a clause of their own."""

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


# A draft is its writer's: the history tells only that it changed.
@tracked(hidden=("aspects", "level"))
class SelfReview(Evidence, Base):
    """A member's review of themselves by the six aspects (个人自评)."""

    __tablename__ = "self_review"
    __table_args__ = (Index("uq_self_review_standing", "process_id", "staff_no", unique=True, postgresql_where=STANDING),)

    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    aspects: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The text of each aspect (A1 to A6)."""
    level: Mapped[Level | None] = mapped_column(word(Level))
    """自评等次; none for a probationary member."""
    submitted: Mapped[bool]
    """False for a draft, which only its member and its writer read."""


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


class ParticipationSchema(Answered):
    """A member's attendance at what their branch held (到会情况)."""

    studies = Whole(dump_only=True, **about("集中学习次数", "study sessions", always=True))
    studied = Whole(dump_only=True, **about("参加学习次数", "studied", always=True))
    made_up = Whole(dump_only=True, **about("补学次数", "made up", always=True))
    meetings = Whole(dump_only=True, **about("应到会议次数", "meetings", always=True))
    attended = Whole(dump_only=True, **about("到会次数", "attended", always=True))


PARTICIPATION = ParticipationSchema()


class SelfReviewSchema(RecordSchema):
    """A self-review, with the member's own attendance beside aspect A6 (个人自评)."""

    staff_no = StaffNo(required=True, **about("何人", "member", "自评党员的学工号", "whose self-review it is", example="20160005"))
    aspects = ByName(
        at_most=50,
        keys=Line(at_most=8),
        values=LongText(),
        **about(
            "六个方面", "aspects", "逐个方面写自评，可以分次写", "what was written of each aspect", example={"A1": "信念坚定，仍有不足"}, always=True
        ),
    )
    level = one_of(
        Level,
        **about("自评等次", "level", "自己评为哪一等次；预备党员不填", "the member's own; none while on probation", example="qualified"),
    )
    submitted = Truth(
        load_default=False,
        **about("提交", "submitted", "提交前只有本人和代填人看得到", "a draft until it is submitted", example=True, always=True),
    )
    attendance = fields.Nested(ParticipationSchema, dump_only=True, **about("到会情况", "attendance", always=True))


# ── attendance ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Participation:
    """A member's attendance at what their branch held (到会情况): shown beside A6."""

    studies: int
    studied: int
    made_up: int
    meetings: int
    attended: int


def attendance_of(session: Session, process_id: int, staff_nos: Sequence[str] | None = None) -> dict[str, Participation]:
    """Count the attendance of people (default: of the whole roll), in one query."""
    counted = [StudySession.process_id == process_id, StudySession.counts]
    held = select(func.count()).where(*counted)
    there = select(func.count()).where(*counted, StudyAttendance.session_id == StudySession.id, StudyAttendance.staff_no == Participant.staff_no)
    later = select(func.count()).where(*counted, StudyMakeUp.session_id == StudySession.id, StudyMakeUp.staff_no == Participant.staff_no)
    of_him = [MeetingAttendance.meeting_id == Meeting.id, MeetingAttendance.staff_no == Participant.staff_no]
    of_branch = [Meeting.process_id == process_id, Meeting.counts]
    listed = select(MeetingAttendance.meeting_id).where(*of_him).correlate(Meeting, Participant).exists()
    # A general meeting calls everybody, a committee meeting the committee, a group meeting those it
    # lists.
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


_BESIDE = frozenset({"attendance"})
"""The fields that are answered beside a self-review and are no part of it."""


class SelfReviews(Records[SelfReview]):
    """Self-reviews (个人自评): written by each member, or by the secretary from paper."""

    name, zh, en = "self-reviews", "个人自评", "self-review"
    model, schema = SelfReview, SelfReviewSchema()
    stages = (Stage.SELF_REVIEW,)
    read, write = Action.READ_SELF_REVIEWS, Action.RECORD_SELF_REVIEW

    def check(self, session: Session, process: Process, row: SelfReview | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        staff_no = row.staff_no if row else sent["staff_no"]
        if sent.get("staff_no", staff_no) != staff_no:
            raise Invalid({"staff_no": Words("自评写错人的，请撤回后重新登记", "withdraw it and enter another")})
        who = _check(session, process, sent, staff_no)
        may_write(by, process, staff_no)
        # Asked last: the answer would tell others which members are probationary.
        if who.standing is Standing.PROBATIONARY and "level" in sent:
            raise Invalid({"level": Words("预备党员不评定等次，也不填自评等次（D3）", "a probationary member has no level (D3)")})

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        return {"aspects": {}}

    def fill(self, session: Session, process: Process, row: SelfReview, sent: Sent, *, by: Caller, now: datetime) -> None:
        """Write what was sent; aspects that are left out stay."""
        if by.staff_no == (row.staff_no or sent["staff_no"]):
            # A substitute of the secretary writes their own self-review in their own name.
            act_as(session, actor=by.staff_no)
        self.write_columns(row, {**sent, "aspects": {**row.aspects, **sent.get("aspects", {})}})

    def amend(self, session: Session, process: Process, row: SelfReview, sent: Sent, *, seen: int, by: Caller, now: datetime) -> None:
        """Go on with a self-review.

        Raises Invalid, Forbidden, Stale, StageClosed; Conflict, also for turning a submitted one
        back into a draft.
        """
        self.check(session, process, row, sent, by=by, now=now)
        amendable(session, row, seen=seen)
        # This is refused first, before a closed stage is.
        if row.submitted and sent.get("submitted") is False:
            raise Conflict(Words("已经提交，不再改回草稿；可以继续修改，或者撤回后重新填写", "it was submitted: go on correcting it, or withdraw it"))
        must_be_open(process, Stage.SELF_REVIEW)
        self.fill(session, process, row, sent, by=by, now=now)
        row.version += 1
        session.flush()

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Show a draft only to its member and writer; plain members see only their own."""
        own = or_(SelfReview.staff_no == reader.staff_no, SelfReview.recorded_by == reader.staff_no)
        return own if reader.plain_member(branch_code) else or_(SelfReview.submitted, own)

    def may_withdraw(self, by: Caller, process: Process, row: SelfReview) -> None:
        may_write(by, process, row.staff_no)

    def seen_by(self, call: Call[object]) -> Callable[[SelfReview], dict[str, object]]:
        """Show self-reviews with the attendance of their members, read once for all of them."""
        attendance = cache(lambda: attendance_of(call.session, call.process.id))
        return lambda row: self.schema.shown(row, without=_BESIDE) | {"attendance": PARTICIPATION.shown(attendance()[row.staff_no])}


SELF_REVIEWS = SelfReviews()


def may_write(by: Caller, process: Process, staff_no: str) -> None:
    """Let the member and the secretary write a self-review. Raises Forbidden."""
    if staff_no != by.staff_no and Role.SECRETARY not in by.roles_in(process.branch.code):
        raise Forbidden(Words("自评由党员本人填写，纸质的由书记录入", "a self-review is the member's own"))


def _check(session: Session, process: Process, sent: Sent, staff_no: str) -> Participant:
    """Check aspects and member.

    Raises Invalid for an aspect that is not of the year, and for a member who is not on the roll or
    has left.
    """
    known = {aspect["id"] for aspect in process.cycle.plan["rules"]["aspects"]}
    errors = {
        f"aspects.{name}": Words(f"本年度方案没有这一方面；自评的方面为 {'、'.join(sorted(known))}", f"no such aspect; there are {sorted(known)}")
        for name in sent.get("aspects", {})
        if name not in known
    }
    who = participants(session, process.id, {"staff_no": [staff_no]})[staff_no]
    if who.left_on is not None:
        errors["staff_no"] = Words(f"{who.name} 已不在本支部", f"{who.name} has left this branch")
    if errors:
        raise Invalid(errors)
    return who


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

    def written(line: type[Participant]) -> ColumnElement[bool]:
        theirs = (SelfReview.process_id == line.process_id, SelfReview.staff_no == line.staff_no)
        return exists().where(*theirs, SelfReview.counts, SelfReview.submitted).correlate(line)

    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=Participant.person_id).where(
        *present(), ~written(Participant), ~in_a_former_branch(Participant, written)
    )


def _aspect(clause: str, sentence: str) -> Requirement:
    """Make the sign (S) for a self-review that does not answer one aspect.

    Each aspect of the plan of 2024 has a sign of its own, beside its own sentence.
    """

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
        zh=f"{{count}} 份自评没有写“{{{clause}}}”方面：{{names}}",
        en=f"{{count}} self-reviews do not answer aspect {clause}: {{names}}",
    )(query)


self_reviews_without_a1 = _aspect(
    "A1", "理想信念方面。是否具有坚定的共产主义理想和建设中国特色社会主义信念，是否牢固树立政治意识、大局意识、核心意识、看齐意识"
)
self_reviews_without_a2 = _aspect(
    "A2", "宗旨意识方面。是否做到把党的宗旨落实到自己的本职工作中；是否坚持求真务实，讲实话、办实事，坚持原则，顾全大局"
)
self_reviews_without_a3 = _aspect("A3", "遵纪守法方面。是否遵守《党章》，坚决执行党的决议，严守党纪、政纪、国法，坚决做到令行禁止")
self_reviews_without_a4 = _aspect("A4", "学习方面。是否积极投身“两学一做”学习教育；是否认真学习新知识和新技能，不断提高综合素质和工作能力")
self_reviews_without_a5 = _aspect("A5", "业务工作方面。是否在教学、管理以及工作、学习和社会生活中起先锋模范作用")
self_reviews_without_a6 = _aspect("A6", "组织生活方面。是否按规定参加党的组织生活,完成党组织分配的任务")


@_asked("M7", severity=Severity.SIGN, zh="{count} 处自评没有写：{names}", en="{count} aspects are not answered: {names}")
def self_reviews_without_other_aspects() -> Missing:
    """评议党员主要围绕履行党员义务和履行岗位职责，对照以下7各方面情形进行评议。

    (Aspects that another year's plan has besides.)
    """
    asked = func.jsonb_array_elements(Cycle.plan["rules"]["aspects"]).table_valued(column("value", JSONB), name="asked")
    aspect, title = asked.c.value["id"].as_string(), asked.c.value["title"].as_string()
    return (
        missing(
            SelfReview.process_id,
            subject=func.concat(SelfReview.staff_no, ":", aspect),
            name=func.concat(Participant.name, "（", title, "）"),
            person=Participant.person_id,
        )
        .join(Participant, and_(Participant.process_id == SelfReview.process_id, Participant.staff_no == SelfReview.staff_no))
        .join(Process, Process.id == SelfReview.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(asked, true())
        .where(
            SelfReview.counts,
            SelfReview.submitted,
            aspect.not_in(ASPECTS),
            ~SelfReview.aspects.has_key(aspect),
            Participant.left_on.is_(None),
        )
    )


REQUIREMENTS = (
    members_without_a_self_review,
    self_reviews_without_a1,
    self_reviews_without_a2,
    self_reviews_without_a3,
    self_reviews_without_a4,
    self_reviews_without_a5,
    self_reviews_without_a6,
    self_reviews_without_other_aspects,
)
