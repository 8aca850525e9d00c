"""评定 (rating), the fourth stage: the opinion on each member, and its feedback.

The plan: 支部委员会会议或者党员大会根据民主测评情况，综合党员日常表现情况，实事求是地对每名党员提出
评定意见……对党员的评定意见要向本人反馈。

Records: a rating with its level and opinion, or the reason for none; feedback, which holds for that
opinion and no later one; the member's acknowledgement, which blocks nothing and which no stage
closes. The ballot comes first; it informs and never decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial

from marshmallow import fields
from sqlalchemy import CheckConstraint, ColumnElement, Index, and_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from workflow.appraisal.meetings.tallies import Tally, banded, sees_counts
from workflow.appraisal.self_review.self_reviews import PARTICIPATION, ParticipationSchema, SelfReview, attendance_of
from workflow.foundation.database import Base, act_as, word
from workflow.foundation.errors import Conflict, Forbidden, Invalid, Words
from workflow.foundation.fields import Answered, Day, LongText, Moment, Sent, StaffNo, about, one_of
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import FeedbackWay, Level, Role, Severity, Stage, Standing, TallySubject, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.acts import Act, Call
from workflow.rules.bulk import bulk, by_staff_no
from workflow.rules.evidence import STANDING, OfMember, must_be_open, must_have_happened, must_stand, record_of_member
from workflow.rules.records import Records, RecordSchema
from workflow.rules.requirement import Missing, missing, requirement
from workflow.year.cycle import Participant, Process
from workflow.year.roll import participants

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Feedback:
    """The day and way in which the member was told the opinion (反馈)."""

    given_on: date
    way: FeedbackWay


@dataclass(frozen=True)
class Acknowledgement:
    """The member's confirmation that they were told (已知悉), with a remark."""

    at: datetime
    remark: str | None


@tracked()
class Rating(OfMember, Base):
    """The opinion on one member (评定意见), and its feedback (反馈)."""

    __tablename__ = "rating"
    __table_args__ = (
        CheckConstraint("level is null or not_rated_reason is null", name="level_or_reason"),
        CheckConstraint("(feedback_on is null) = (feedback_way is null)", name="feedback_whole"),
        CheckConstraint("acknowledged_at is null or feedback_on is not null", name="acknowledged_after"),
        CheckConstraint("remark is null or acknowledged_at is not null", name="remark"),
        Index("uq_rating_standing", "process_id", "staff_no", unique=True, postgresql_where=STANDING),
    )

    level: Mapped[Level | None] = mapped_column(word(Level))
    level_set_at: Mapped[datetime | None]
    """The moment at which the level last changed: Q2 compares it with the decision."""
    not_rated_reason: Mapped[str | None]
    opinion: Mapped[str | None]
    reason: Mapped[str | None]
    """The reason for a level that is not the ballot's (D4)."""
    feedback_on: Mapped[date | None]
    feedback_way: Mapped[FeedbackWay | None] = mapped_column(word(FeedbackWay))
    acknowledged_at: Mapped[datetime | None]
    """已知悉."""
    remark: Mapped[str | None]

    @property
    def feedback(self) -> Feedback | None:
        return None if self.feedback_on is None or self.feedback_way is None else Feedback(self.feedback_on, self.feedback_way)

    @property
    def acknowledged(self) -> Acknowledgement | None:
        return None if self.acknowledged_at is None else Acknowledgement(self.acknowledged_at, self.remark)


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
    Data("reason 与测评结果不一致的理由", "不搞平衡照顾（D4）", Action.READ_RATINGS),
    Data("level_set_at 等次改动的时间", "与研究评定意见的会议比对（Q2）", Action.READ_RATINGS),
    of="每名党员",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class FeedbackSchema(Answered):
    """The day and way in which the member was told the opinion (反馈)."""

    given_on = Day(required=True, **about("反馈日期", "day", "哪一天向本人反馈的", "the day on which they were told", example="2024-12-20"))
    way = one_of(FeedbackWay, required=True, **about("反馈方式", "way", "当面还是书面", "face to face or in writing", example="face"))


class AcknowledgeSchema(Answered):
    """The member's confirmation that they were told (已知悉), with a remark."""

    at = Moment(dump_only=True, **about("确认时间", "at", always=True))
    remark = LongText(at_most=2000, **about("本人的话", "remark", "本人想补充的话，可以不填", "what the member adds, if anything", example="同意"))


class RatingSchema(RecordSchema):
    """A rating (评定意见): a level and opinion or the reason for none, with facts beside it."""

    staff_no = StaffNo(required=True, **about("何人", "member", "评定谁", "whom it is of", example="20160005"))
    level = one_of(Level, **about("评定等次", "level", "评定为哪一等次（D3）", "the level (D3)", example="qualified"))
    not_rated_reason = LongText(
        at_most=1000, **about("不评等次的原因", "why not rated", "不评等次的写明原因，与等次只填一项", "instead of a level", example="预备党员")
    )
    opinion = LongText(**about("评定意见", "opinion", "实事求是的评定意见（D3）", "the opinion (D3)", example="履行职责较好"))
    reason = LongText(
        at_most=1000,
        **about("理由", "reason", "与民主测评结果不一致的写明理由（D4）", "why the level is not the ballot's (D4)", example="承担了全部支教任务"),
    )
    feedback = fields.Nested(FeedbackSchema, dump_only=True, **about("反馈", "feedback"))
    acknowledged = fields.Nested(AcknowledgeSchema, dump_only=True, **about("已知悉", "acknowledged"))
    tally = fields.Dict(dump_only=True, **about("测评结果", "ballot", "票数；票少的只说约几成", "votes, or bands where few voted"))
    """Not for the member."""
    facts = fields.Nested(ParticipationSchema, dump_only=True, **about("到会情况", "attendance", always=True))
    self_level = one_of(Level, dump_only=True, **about("自评等次", "own level"))


class TallyFirst(Conflict):
    """No rating before the ballot on the members is counted (先测评后评定, D2)."""

    slug = "tally-first"
    title = Words("对党员的民主测评还没有计票，不能先提出评定意见（D2）", "the ballot on the members must be counted first (D2)")


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_TOLD = ("level", "not_rated_reason", "opinion")
"""The columns that the member is told."""
_BESIDE = frozenset({"tally", "facts", "self_level"})
"""The fields that are answered beside a rating and are no part of it."""


class Ratings(Records[Rating]):
    """Ratings (评定意见): written by the secretary, read by their member after the feedback."""

    name, zh, en = "ratings", "评定意见", "rating"
    model, schema = Rating, RatingSchema()
    stages = (Stage.RATING,)
    read, write = Action.READ_RATINGS, Action.RATE
    by_staff_no = True

    def check(self, session: Session, process: Process, row: Rating | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        staff_no = row.staff_no if row else sent["staff_no"]
        if sent.get("staff_no", staff_no) != staff_no:
            raise Invalid({"staff_no": Words("评定写错人的，请撤回后重新登记", "withdraw it and enter another")})
        _check(session, process, sent, staff_no)

    def must_fit(self, session: Session, process: Process, row: Rating | None, sent: Sent) -> None:
        """Refuse ratings before the ballot, and levels of members who were not on it.

        Raises TallyFirst, and Conflict for such a level: the form would not add up.
        """
        tally = members_tally(session, process.id)
        if tally is None:
            raise TallyFirst
        if "level" in sent and (row.staff_no if row else sent["staff_no"]) not in tally.figures:
            raise Conflict(
                Words("不在民主测评票上，请写明不评定等次的原因（D2）", "this member was not on the ballot: give the reason for no level (D2)")
            )

    def fill(self, session: Session, process: Process, row: Rating, sent: Sent, *, by: Caller, now: datetime) -> None:
        """Write what was sent; level and reason replace each other; a change voids feedback."""
        told, was = [getattr(row, name) for name in _TOLD], row.level
        replaced = {"level": None, "not_rated_reason": None} if not sent.keys().isdisjoint(("level", "not_rated_reason")) else {}
        self.write_columns(row, {**replaced, **sent})
        if row.level is not was:
            row.level_set_at = now
        if told != [getattr(row, name) for name in _TOLD]:
            row.feedback_on = row.feedback_way = row.acknowledged_at = row.remark = None

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Show a plain member only their own rating, after the feedback."""
        told = and_(Rating.staff_no == reader.staff_no, Rating.feedback_on.is_not(None))
        return told if reader.plain_member(branch_code) else true()

    def seen_by(self, call: Call[object]) -> Callable[[Rating], dict[str, object]]:
        """Show ratings with votes, attendance and self-review beside them, each read once."""
        votes = cache(lambda: _votes(call))
        attendance = cache(lambda: attendance_of(call.session, call.process.id))
        levels = cache(lambda: _self_levels(call))

        def seen(row: Rating) -> dict[str, object]:
            facts = PARTICIPATION.shown(attendance()[row.staff_no])
            beside = {"tally": votes().get(row.staff_no), "facts": facts, "self_level": levels().get(row.staff_no)}
            return self.schema.shown(row, without=_BESIDE) | beside

        return seen


RATINGS = Ratings()


def _votes(call: Call[object]) -> Mapping[str, object]:
    """Find the votes on each member, as far as this reader may know them."""
    tally = None if call.by.plain_member(call.process.branch.code) else members_tally(call.session, call.process.id)
    if tally is None:
        return {}
    exact = sees_counts(call.by, call.process, tally.valid)
    return tally.figures if exact else {staff_no: banded(votes, tally.valid) for staff_no, votes in tally.figures.items()}


def _self_levels(call: Call[object]) -> dict[str, Level | None]:
    """Find the level that each member wrote in their submitted self-review."""
    submitted = (SelfReview.process_id == call.process.id, SelfReview.counts, SelfReview.submitted)
    return {row.staff_no: row.level for row in call.session.scalars(select(SelfReview).where(*submitted))}


def give_feedback(session: Session, process: Process, row: Rating, body: Sent, *, by: Caller, now: datetime) -> None:
    """Note that the opinion was told to the member. Raises Invalid, Conflict, StageClosed."""
    must_have_happened("given_on", body["given_on"], now)
    must_stand(row)
    if row.level is None and row.not_rated_reason is None:
        raise Conflict(Words("还没有评定等次，也没有不评定等次的原因，不能反馈", "there is neither a level nor a reason to tell of"))
    must_be_open(process, Stage.RATING)
    if row.acknowledged_at is not None:
        raise Conflict(Words("党员已确认已知悉，不再改动反馈", "the member has acknowledged it already"))
    row.feedback_on, row.feedback_way = body["given_on"], body["way"]
    row.version += 1
    session.flush()


def acknowledge(session: Session, row: Rating, *, remark: str | None, by: Caller, now: datetime) -> None:
    """Confirm as member that one was told (已知悉), at any stage. Raises Forbidden, Conflict."""
    if row.staff_no != by.staff_no:
        raise Forbidden(Words("由党员本人确认已知悉", "only the member may acknowledge it"))
    must_stand(row)
    if row.feedback_on is None:
        raise Conflict(Words("评定意见还没有反馈给您", "you have not been told yet"))
    if row.acknowledged_at is not None:
        raise Conflict(Words("您已经确认过", "you have acknowledged it already"))
    # A substitute of the secretary speaks for themselves here.
    act_as(session, actor=by.staff_no)
    row.acknowledged_at, row.remark = now, remark
    row.version += 1
    session.flush()


def _give_feedback(call: Call[Rating], sent: Sent) -> Rating:
    give_feedback(call.session, call.process, call.on, sent, by=call.by, now=call.now)
    return call.on


def _to_acknowledge(call: Call[object], staff_no: str) -> Rating:
    """Find a rating to acknowledge; one's own even before feedback, to learn there is none."""
    visible = None if staff_no == call.by.staff_no else RATINGS.visible(call.by, call.process.branch.code)
    return record_of_member(call.session, Rating, call.process.id, staff_no, visible=visible, held=True)


def _acknowledge(call: Call[Rating], sent: Sent) -> Rating:
    acknowledge(call.session, call.on, remark=sent.get("remark"), by=call.by, now=call.now)
    return call.on


GIVE_FEEDBACK: Act[Rating, Rating] = RATINGS.act(
    "give_feedback", "反馈评定意见", "tell a member their rating", _give_feedback, action=Action.RATE, on=RATINGS.held, sends=FeedbackSchema()
)
ACKNOWLEDGE: Act[Rating, Rating] = RATINGS.act(
    "acknowledge_rating",
    "确认已知悉评定意见",
    "acknowledge a rating",
    _acknowledge,
    action=Action.ACKNOWLEDGE,
    on=_to_acknowledge,
    sends=AcknowledgeSchema(),
    closes=(),
)
RATE_MANY = bulk(RATINGS.recording)
GIVE_FEEDBACK_TO_MANY = bulk(GIVE_FEEDBACK, staff_no=by_staff_no())
ACTS = (*RATINGS.acts, GIVE_FEEDBACK, ACKNOWLEDGE, RATE_MANY, GIVE_FEEDBACK_TO_MANY)


def members_tally(session: Session, process_id: int) -> Tally | None:
    """Find the counted ballot on the members, if there is one."""
    return session.scalar(select(Tally).where(Tally.process_id == process_id, of_members()))


def of_members() -> ColumnElement[bool]:
    """Ask whether a tally is the counted ballot on the members."""
    return and_(Tally.subject == TallySubject.MEMBERS, Tally.counts, Tally.counted_at.is_not(None))


def _check(session: Session, process: Process, sent: Sent, staff_no: str) -> None:
    """Refuse a member who has left, or a level that they cannot have. Raises Invalid."""
    who = participants(session, process.id, {"staff_no": [staff_no]})[staff_no]
    errors: dict[str, Words] = {}
    if who.left_on is not None and not who.rated_here:
        errors["staff_no"] = Words(f"{who.name} 已不在本支部", f"{who.name} has left this branch")
    if "level" in sent:
        if who.standing is Standing.PROBATIONARY:
            errors["level"] = Words("预备党员不评定等次（D3）", "a probationary member has no level (D3)")
        elif who.excused_confirmed_by is not None:
            errors["level"] = Words(
                f"{who.name} 经党委办公室确认不参加，请写明不评定等次的原因", f"{who.name} is excused: give the reason for no level"
            )
        elif not who.rated_here and who.left_on is None:
            errors["level"] = Words(f"{who.name} 不在本支部评定", f"{who.name} is not rated in this branch")
        if "not_rated_reason" in sent:
            either = Words("评定等次和不评定等次的原因只能填一项", "either a level or a reason not to rate")
            errors = {"level": either, "not_rated_reason": either, **errors}
    if errors:
        raise Invalid(errors)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────

_asked = partial(requirement, stage=Stage.RATING, severity=Severity.HARD, todo_for=Role.SECRETARY, link="ratings")


def rated(*which: ColumnElement[bool] | InstrumentedAttribute[bool], person: object = None) -> Missing:
    """Select members on the roll with such a rating, each the subject of a row."""
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=person)
        .join(Rating, of_member())
        .where(Participant.left_on.is_(None), *which)
    )


def of_member() -> ColumnElement[bool]:
    """Join a line of the roll with its rating that counts."""
    return and_(Rating.process_id == Participant.process_id, Rating.staff_no == Participant.staff_no, Rating.counts)


@_asked(
    "D3",
    zh="还有 {count} 名党员没有评定意见，也没有写明不评定等次的原因：{names}",
    en="{count} members have neither a level with its opinion nor a reason not to be rated: {names}",
)
def members_without_a_rating() -> Missing:
    """实事求是地对每名党员提出评定意见"""
    whole = or_(and_(Rating.level.is_not(None), Rating.opinion.is_not(None)), Rating.not_rated_reason.is_not(None))
    has_one = select(Rating.id).where(of_member(), whole).correlate(Participant).exists()
    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name).where(
        Participant.rated_here, Participant.excused_confirmed_by.is_(None), Participant.standing == Standing.FULL, ~has_one
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
