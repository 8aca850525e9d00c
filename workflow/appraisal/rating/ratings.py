"""评定 (rating), the fourth stage: the opinion on each member, and how it is told to him.

The plan: 支部委员会会议或者党员大会根据民主测评情况，综合党员日常表现情况，实事求是地对每名党员提出评定意见……对党员的评定意见要向本人反馈。

Records: a rating with its level and opinion, or why somebody is not rated; the feedback, which is of that opinion and of no later one; the
member's acknowledgement, which gates nothing and never closes. The ballot informs and never decides, and comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, Index, and_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from workflow.appraisal.meetings.tallies import Tally
from workflow.foundation.database import Base, act_as, word
from workflow.foundation.errors import Conflict, Forbidden, Invalid, Words
from workflow.foundation.fields import Body, Day, LongText, StaffNo, one_of
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import FeedbackWay, Level, Role, Severity, Stage, Standing, TallySubject, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.evidence import OfMember, amendable, must_be_open, must_have_happened, must_stand
from workflow.rules.requirement import Missing, missing, present, requirement
from workflow.year.cycle import Participant, Process, participants

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Rating(OfMember, Base):
    """The opinion on one member (评定意见), and its feedback (反馈)."""

    __tablename__ = "rating"
    __table_args__ = (
        CheckConstraint("level is null or not_rated_reason is null", name="level_or_reason"),
        CheckConstraint("(feedback_on is null) = (feedback_way is null)", name="feedback_whole"),
        CheckConstraint("acknowledged_at is null or feedback_on is not null", name="acknowledged_after"),
        CheckConstraint("remark is null or acknowledged_at is not null", name="remark"),
        Index("uq_rating_standing", "process_id", "staff_no", unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"),
    )

    level: Mapped[Level | None] = mapped_column(word(Level))
    level_set_at: Mapped[datetime | None]
    """When the level last changed: Q2 compares it with the decision."""
    not_rated_reason: Mapped[str | None]
    opinion: Mapped[str | None]
    reason: Mapped[str | None]
    """Why the level is far from the ballot (D4)."""
    feedback_on: Mapped[date | None]
    feedback_way: Mapped[FeedbackWay | None] = mapped_column(word(FeedbackWay))
    acknowledged_at: Mapped[datetime | None]
    """已知悉."""
    remark: Mapped[str | None]


track(Rating.__table__)  # type: ignore[arg-type]
personal(
    Rating,
    Area.APPRAISAL,
    "评定",
    Data(
        "staff_no 何人, level 评定等次, opinion 评定意见, not_rated_reason 不评等次的原因",
        "评定意见（D3、D5）；反馈以后本人才看得到",
        Action.READ_RATINGS,
    ),
    Data(
        "feedback_on 反馈日期, feedback_way 反馈方式, acknowledged_at 本人确认的时间, remark 本人的话",
        "向本人反馈（D6）",
        Action.READ_RATINGS,
    ),
    Data("reason 与票数差得多的理由", "不搞平衡照顾（D4）", Action.READ_RATINGS),
    Data("level_set_at 等次改动的时间", "与评定会议比对（Q2）", Action.READ_RATINGS),
    of="每名党员",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class RatingBody(Body):
    """A rating as it is sent: a level with its opinion, or why there is none."""

    staff_no = StaffNo(required=True)
    level = one_of(Level)
    not_rated_reason = LongText(at_most=1000)
    opinion = LongText()
    reason = LongText(at_most=1000)


class FeedbackBody(Body):
    """When and how the opinion was told to the member."""

    given_on = Day(required=True)
    way = one_of(FeedbackWay, required=True)


class AcknowledgeBody(Body):
    """The member has been told; what he adds."""

    remark = LongText(at_most=2000)


class TallyFirst(Conflict):
    """The ballot on the members is counted before anybody is rated (D2)."""

    slug = "tally-first"
    title = Words("对党员的民主测评还没有计票，不能先提出评定意见（D2）", "the ballot on the members must be counted first (D2)")


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible_ratings(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """Which ratings of a branch this reader knows of: a plain member his own, once it was told to him."""
    told = and_(Rating.staff_no == reader.staff_no, Rating.feedback_on.is_not(None))
    return told if reader.plain_member(branch_code) else true()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_TOLD = ("level", "not_rated_reason", "opinion")
"""What the member is told."""


def record_rating(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Rating:
    """Enter the opinion on a member. Raises Invalid, StageClosed, TallyFirst."""
    _check(session, process, body, body["staff_no"])
    _must_be_time(session, process, body, body["staff_no"])
    row = Rating(
        process_id=process.id,
        staff_no=body["staff_no"],
        recorded_by=by.staff_no,
        recorded_at=now,
        level_set_at=now if "level" in body else None,
        **{name: body.get(name) for name in (*_TOLD, "reason")},
        **dict.fromkeys(("feedback_on", "feedback_way", "acknowledged_at", "remark")),
    )
    session.add(row)
    session.flush()
    return row


def amend_rating(session: Session, process: Process, row: Rating, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a rating. A level takes the place of a reason not to rate, and the other way round; what the member was told before is void.

    Raises Invalid, Stale, Conflict, StageClosed, TallyFirst.
    """
    if body.get("staff_no", row.staff_no) != row.staff_no:
        raise Invalid({"staff_no": Words("评定写错人的，请撤回后重新登记", "withdraw it and enter another")})
    _check(session, process, body, row.staff_no)
    amendable(session, row, seen=seen)
    _must_be_time(session, process, body, row.staff_no)
    told = [getattr(row, name) for name in _TOLD]
    was = row.level
    if "level" in body:
        row.level, row.not_rated_reason = body["level"], None
    if "not_rated_reason" in body:
        row.level, row.not_rated_reason = None, body["not_rated_reason"]
    for name in ("opinion", "reason"):
        if name in body:
            setattr(row, name, body[name])
    if row.level is not was:
        row.level_set_at = now
    if told != [getattr(row, name) for name in _TOLD]:
        row.feedback_on = row.feedback_way = row.acknowledged_at = row.remark = None
    row.version += 1
    session.flush()


def give_feedback(session: Session, process: Process, row: Rating, body: Mapping[str, Any], *, by: Caller, now: datetime) -> None:
    """Note that the opinion was told to the member. Raises Invalid, Conflict, StageClosed."""
    must_have_happened("given_on", body["given_on"], now)
    must_stand(row)
    if row.level is None and row.not_rated_reason is None:
        raise Conflict(Words("还没有评定等次，也没有不评定的理由，不能反馈", "there is neither a level nor a reason to tell of"))
    must_be_open(process, Stage.RATING)
    if row.acknowledged_at is not None:
        raise Conflict(Words("党员已确认已知悉，不再改动反馈", "the member has acknowledged it already"))
    row.feedback_on, row.feedback_way = body["given_on"], body["way"]
    row.version += 1
    session.flush()


def acknowledge(session: Session, row: Rating, *, remark: str | None, by: Caller, now: datetime) -> None:
    """The member confirms that he was told (已知悉). It never closes. Raises Forbidden, Conflict."""
    if row.staff_no != by.staff_no:
        raise Forbidden(Words("由党员本人确认已知悉", "the member himself acknowledges it"))
    must_stand(row)
    if row.feedback_on is None:
        raise Conflict(Words("评定意见还没有反馈给您", "you have not been told yet"))
    if row.acknowledged_at is not None:
        raise Conflict(Words("您已经确认过", "you have acknowledged it already"))
    # Who stands in for the secretary speaks for himself here.
    act_as(session, actor=by.staff_no)
    row.acknowledged_at, row.remark = now, remark
    row.version += 1
    session.flush()


def _must_be_time(session: Session, process: Process, body: Mapping[str, Any], staff_no: str) -> None:
    """Raises StageClosed, TallyFirst, Conflict for a level of somebody who was not on the ballot: he came later, and the form would not add up."""
    must_be_open(process, Stage.RATING)
    tally = members_tally(session, process.id)
    if tally is None:
        raise TallyFirst
    if "level" in body and staff_no not in tally.figures:
        raise Conflict(Words("不在民主测评票上，请写明不评定的理由（D2）", "he was not on the ballot: give the reason not to rate him (D2)"))


def members_tally(session: Session, process_id: int) -> Tally | None:
    """The counted ballot on the members, if there is one."""
    return session.scalar(select(Tally).where(Tally.process_id == process_id, of_members()))


def of_members() -> ColumnElement[bool]:
    """That a tally is the counted ballot on the members."""
    return and_(Tally.subject == TallySubject.MEMBERS, Tally.counts, Tally.counted_at.is_not(None))


def _check(session: Session, process: Process, body: Mapping[str, Any], staff_no: str) -> None:
    who = participants(session, process.id, {"staff_no": [staff_no]})[staff_no]
    errors: dict[str, Words] = {}
    if who.left_on is not None:
        errors["staff_no"] = Words(f"{who.name} 已不在本支部", f"{who.name} has left this branch")
    if "level" in body:
        if who.standing is Standing.PROBATIONARY:
            errors["level"] = Words("预备党员不评定等次（D3）", "a probationary member has no level (D3)")
        elif who.excused_confirmed_by is not None:
            errors["level"] = Words(f"{who.name} 经党办确认不参加，请写明不评定的理由", f"{who.name} is excused: give the reason not to rate him")
        elif not who.rated_here:
            errors["level"] = Words(f"{who.name} 不在本支部评定", f"{who.name} is not rated in this branch")
        if "not_rated_reason" in body:
            either = Words("评定等次和不评定的理由只能填一项", "either a level or a reason not to rate")
            errors = {"level": either, "not_rated_reason": either, **errors}
    if errors:
        raise Invalid(errors)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────

_asked = partial(requirement, stage=Stage.RATING, severity=Severity.HARD, todo_for=Role.SECRETARY, link="ratings")


def rated(*which: ColumnElement[bool] | InstrumentedAttribute[bool], person: Any = None) -> Missing:
    """Members on the roll whose rating is such: a row each, with the member as its subject."""
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=person)
        .join(Rating, of_member())
        .where(Participant.left_on.is_(None), *which)
    )


def of_member() -> ColumnElement[bool]:
    """The rating of this line of the roll that counts."""
    return and_(Rating.process_id == Participant.process_id, Rating.staff_no == Participant.staff_no, Rating.counts)


@_asked(
    "D3",
    zh="还有 {count} 名党员没有评定意见，也没有写明不评定的理由：{names}",
    en="{count} members have neither a level with its opinion nor a reason not to be rated: {names}",
)
def members_without_a_rating() -> Missing:
    """实事求是地对每名党员提出评定意见"""
    whole = or_(and_(Rating.level.is_not(None), Rating.opinion.is_not(None)), Rating.not_rated_reason.is_not(None))
    has_one = select(Rating.id).where(of_member(), whole).correlate(Participant).exists()
    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name).where(
        *present(), Participant.standing == Standing.FULL, Participant.rated_here, ~has_one
    )


@_asked(
    "D6",
    waivable=Waivable.PER_SUBJECT,
    zh="还有 {count} 名党员的评定意见没有向本人反馈：{names}",
    en="the opinion on {count} members was not told to them: {names}",
)
def ratings_not_fed_back() -> Missing:
    """对党员的评定意见要向本人反馈。"""
    return rated(Rating.level.is_not(None), Rating.feedback_on.is_(None))


@_asked(
    "D6",
    severity=Severity.SIGN,
    todo_for=Role.MEMBER,
    asked_until=Stage.ACCEPTED,
    zh="{count} 名党员还没有确认已知悉评定意见：{names}",
    en="{count} members have not acknowledged what they were told: {names}",
)
def feedback_not_acknowledged() -> Missing:
    """对党员的评定意见要向本人反馈。"""
    return rated(Rating.feedback_on.is_not(None), Rating.acknowledged_at.is_(None), person=Participant.person_id)


REQUIREMENTS = (members_without_a_rating, ratings_not_fed_back, feedback_not_acknowledged)
