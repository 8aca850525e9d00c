"""谈心谈话 (talks), the second stage.

The plan: 党支部委员之间、党支部委员与党员之间普遍进行一次谈心谈话，谈心谈话要诚恳听取党员对支部工作和班子成员的意见建议，注意了解党员工作
生活情况、思想状况和心理状态，肯定成绩、指出不足，沟通思想、交换意见。党支部委员特别是支部书记要有所侧重地重点谈，表达组织关怀，做好心理疏导，
针对思想实际给予帮助和引导。

Records: a talk between two people of the roll, with texts that have readers of their own; follow-ups with a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from typing import cast as typed

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, and_, case, cast, exists, func, literal, or_, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, word
from workflow.foundation.errors import Forbidden, Invalid, Words
from workflow.foundation.fields import Body, Day, Line, LongText, StaffNo, Truth, one_of
from workflow.foundation.history import History, track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Coverage, Post, Role, Severity, Stage, TalkWay, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.evidence import Evidence, amendable, must_be_open, must_have_happened
from workflow.rules.requirement import Missing, missing, present, requirement
from workflow.year.cycle import Cycle, Participant, Process, participants, secretaries

TEXTS = ("focus_reason", "opinions_branch", "opinions_committee", "affirmed", "shortcomings", "exchange")
"""What was said: for talker, partner and secretary."""
PRIVATE = ("private_notes",)
"""工作生活、思想状况、心理状态 (K4): for talker and secretary; when the partner is the secretary, for the talker alone."""

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Talk(Evidence, Base):
    """One talk between two people (一次谈心谈话)."""

    __tablename__ = "talk"
    __table_args__ = (
        CheckConstraint("talker <> partner", name="two_people"),
        Index("ix_talk_pair", "process_id", "talker", "partner", postgresql_where="withdrawn_at is null and rejected_at is null"),
    )

    held_on: Mapped[date]
    talker: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    partner: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    way: Mapped[TalkWay] = mapped_column(word(TalkWay, name="way"))
    place: Mapped[str | None]
    focus: Mapped[bool] = mapped_column(default=False)
    """重点谈 (K6)."""
    focus_reason: Mapped[str | None]
    opinions_branch: Mapped[str | None]
    opinions_committee: Mapped[str | None]
    affirmed: Mapped[str | None]
    shortcomings: Mapped[str | None]
    exchange: Mapped[str | None]
    private_notes: Mapped[str | None]

    follow_ups: Mapped[list[TalkFollowUp]] = relationship(lazy="selectin", order_by="TalkFollowUp.id")

    @classmethod
    def between(cls, one: type[Participant], other: type[Participant]) -> ColumnElement[bool]:
        """A talk that counts and was held by these two, whoever led it."""
        return and_(
            cls.process_id == one.process_id,
            cls.counts,
            or_(
                and_(cls.talker == one.staff_no, cls.partner == other.staff_no),
                and_(cls.talker == other.staff_no, cls.partner == one.staff_no),
            ),
        )


class TalkFollowUp(Numbered, Base):
    """Help that was promised in a talk, with its day (后续帮助). Follow-through: it never closes."""

    __tablename__ = "talk_follow_up"

    talk_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("talk.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    due_on: Mapped[date]
    what: Mapped[str]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    done_on: Mapped[date | None]


track(Talk.__table__, hidden=(*TEXTS, *PRIVATE))  # type: ignore[arg-type]
track(TalkFollowUp.__table__, hidden=("what",))  # type: ignore[arg-type]
_OF_TEXTS = "谈话人、谈话对象、本支部书记"
_OF_NOTES = "谈话人、本支部书记；当日对方是书记的，只有谈话人"
personal(
    Talk,
    Area.APPRAISAL,
    "谈心谈话",
    Data(
        "held_on 日期, talker 谈话人, partner 谈话对象, way 方式, place 地点, focus 是否重点谈",
        "谁与谁谈过（K1、K2、K6）",
        Action.READ_TALKS,
    ),
    Data(
        "opinions_branch 对支部工作的意见建议, opinions_committee 对班子成员的意见建议, affirmed 肯定成绩, "
        "shortcomings 指出不足, exchange 交换意见, focus_reason 重点谈的原因",
        "听取意见、指出不足、重点谈（K3、K5、K6）",
        _OF_TEXTS,
    ),
    Data("private_notes 工作生活、思想状况、心理状态", "了解情况（K4）", _OF_NOTES),
    of="谈话人，谈话对象",
)
personal(
    TalkFollowUp,
    Area.APPRAISAL,
    "谈话后的帮助",
    Data("due_on 期限, what 帮助什么, done_on 办成日期", "表达组织关怀，给予帮助（K7）", _OF_NOTES),
    of="谈话对象",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class TalkBody(Body):
    """A talk as it is sent."""

    held_on = Day(required=True)
    talker = StaffNo(required=True)
    partner = StaffNo(required=True)
    way = one_of(TalkWay, load_default=TalkWay.FACE)
    place = Line()
    focus = Truth()
    focus_reason = LongText(at_most=1000)
    opinions_branch = LongText()
    opinions_committee = LongText()
    affirmed = LongText()
    shortcomings = LongText()
    exchange = LongText()
    private_notes = LongText()


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def reads_notes(reader: Caller, talker: str, partner: str, branch_code: str, secretary: str | None) -> bool:
    """Whether somebody reads, and so may write, the private notes and follow-ups of a talk between these two.

    ``secretary`` is the 学工号 of the secretary on the roll: of a talk with him the talker alone.
    """
    return reader.staff_no == talker or (Role.SECRETARY in reader.roles_in(branch_code) and partner not in (reader.staff_no, secretary))


def hidden_from(reader: Caller, talk: Talk, branch_code: str, secretary: str | None) -> frozenset[str]:
    """The fields of a talk that this reader does not see.

    The office, the committee and the auditor see that a talk was held, not what was said; so do other committee members.
    """
    texts = reader.staff_no in (talk.talker, talk.partner) or Role.SECRETARY in reader.roles_in(branch_code)
    private = reads_notes(reader, talk.talker, talk.partner, branch_code, secretary)
    return frozenset(() if texts else TEXTS) | frozenset(() if private else (*PRIVATE, "follow_ups"))


def visible_history(reader: Caller, branch_code: str, secretary: str | None) -> ColumnElement[bool]:
    """Follow-ups are in the history for who reads them; that there is one says whom the branch cares for."""
    leads_branch = Role.SECRETARY in reader.roles_in(branch_code)
    by_secretary = and_(literal(leads_branch), Talk.partner != reader.staff_no, Talk.partner != (secretary or ""))
    readable = (
        exists()
        .where(
            TalkFollowUp.id == cast(History.row_key, BigInteger), Talk.id == TalkFollowUp.talk_id, or_(Talk.talker == reader.staff_no, by_secretary)
        )
        .correlate(History)
    )
    return case((History.what == TalkFollowUp.__tablename__, readable), else_=true())


def visible_talks(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """Which talks of a branch this reader knows of: a plain member those he took part in."""
    return or_(Talk.partner == reader.staff_no, Talk.talker == reader.staff_no) if reader.plain_member(branch_code) else true()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_talk(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Talk:
    """Record a talk. A committee member records his own, the secretary any. Raises StageClosed, Invalid, Forbidden."""
    _check(session, process, body, now)
    may_write(by, process, body["talker"])
    _may_write_notes(session, process, by, body, body["talker"], body["partner"])
    must_be_open(process, Stage.TALKS)
    row = Talk(
        process_id=process.id,
        recorded_by=by.staff_no,
        recorded_at=now,
        **{name: body.get(name) for name in ("place", *TEXTS, *PRIVATE)},
        **{name: body[name] for name in ("held_on", "talker", "partner")},
        way=body.get("way", TalkWay.FACE),
        focus=body.get("focus", False),
    )
    session.add(row)
    session.flush()
    return row


def amend_talk(session: Session, process: Process, row: Talk, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a talk; the old values stay in the history. Raises StageClosed, Stale, Conflict, Invalid, Forbidden."""
    merged = {"held_on": row.held_on, "talker": row.talker, "partner": row.partner, **body}
    _check(session, process, merged, now)
    for talker in (row.talker, merged["talker"]):
        may_write(by, process, talker)
    _may_write_notes(session, process, by, body, row.talker, row.partner)
    _may_write_notes(session, process, by, body, merged["talker"], merged["partner"])
    amendable(session, row, seen=seen)
    must_be_open(process, Stage.TALKS)
    for name, value in body.items():
        setattr(row, name, value)
    row.version += 1
    session.flush()


def _check(session: Session, process: Process, body: Mapping[str, Any], now: datetime) -> None:
    if body["talker"] == body["partner"]:
        raise Invalid({"partner": Words("不能同自己谈话", "nobody talks with himself")})
    must_have_happened("held_on", body["held_on"], now)
    participants(session, process.id, {"talker": [body["talker"]], "partner": [body["partner"]]})


def may_write(by: Caller, process: Process, talker: str) -> None:
    """The secretary writes any talk of his branch, a committee member those he led. Raises Forbidden."""
    if Role.SECRETARY not in by.roles_in(process.branch.code) and talker != by.staff_no:
        raise Forbidden(Words("支委只登记自己主谈的谈话", "a committee member records the talks he led himself"))


def _may_write_notes(session: Session, process: Process, by: Caller, body: Mapping[str, Any], talker: str, partner: str) -> None:
    """Who may not read the notes of a talk does not write them, nor names other people, by which he would come to read them."""
    renames = any(body.get(name, present) != present for name, present in (("talker", talker), ("partner", partner)))
    if not renames and body.keys().isdisjoint(PRIVATE):
        return
    if not _reads_notes(session, process, by, talker, partner):
        raise Forbidden(Words("思想状况等内容由主谈人登记；谈话双方写错的，请撤回后重新登记", "the private notes, and who talked, are the talker's"))


def _reads_notes(session: Session, process: Process, by: Caller, talker: str, partner: str) -> bool:
    secretary = secretaries(session, [process.id]).get(process.id)
    return reads_notes(by, talker, partner, process.branch.code, secretary.staff_no if secretary else None)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "K1",
    stage=Stage.TALKS,
    severity=Severity.HARD,
    todo_for=Role.COMMITTEE_MEMBER,
    waivable=Waivable.PER_SUBJECT,
    link="talks",
    zh="支部委员之间还有 {count} 对没有谈心谈话记录：{names}",
    en="{count} pairs of committee members have not talked with each other: {names}",
)
def committee_pairs_without_a_talk() -> Missing:
    """党支部委员之间普遍进行一次谈心谈话。"""
    return _pairs_without_a_talk(lambda one, other: (one.on_committee, other.on_committee, one.staff_no.collate("C") < other.staff_no.collate("C")))


@requirement(
    "K2",
    stage=Stage.TALKS,
    severity=Severity.HARD,
    todo_for=Role.COMMITTEE_MEMBER,
    waivable=Waivable.PER_SUBJECT,
    link="talks",
    zh="还有 {count} 名党员没有谈心谈话记录：{names}",
    en="{count} members have not been talked with: {names}",
)
def members_nobody_talked_with() -> Missing:
    """党支部委员与党员之间普遍进行一次谈心谈话。"""
    leader = aliased(Participant)
    with_a_leader = exists().where(Talk.between(Participant, leader), leader.process_id == Participant.process_id, leader.leads)
    return (
        missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name)
        .join(Process, Process.id == Participant.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(_mode(Coverage.DEFAULT), ~Participant.leads, *present(excused_count=True), ~with_a_leader.correlate(Participant))
    )


@requirement(
    "K2",
    stage=Stage.TALKS,
    severity=Severity.HARD,
    todo_for=Role.COMMITTEE_MEMBER,
    waivable=Waivable.PER_SUBJECT,
    link="talks",
    zh="委员与党员之间还有 {count} 对没有谈心谈话记录：{names}",
    en="{count} pairs of a committee member and a member have not talked: {names}",
)
def leaders_and_members_without_a_talk() -> Missing:
    """党支部委员与党员之间普遍进行一次谈心谈话（每名委员同每名党员）。"""
    return _pairs_without_a_talk(lambda one, other: (one.leads, ~other.leads, _mode(Coverage.STRICT)), only_first=True)


def _mode(mode: Coverage) -> ColumnElement[bool]:
    return typed(ColumnElement[bool], Cycle.plan["rules"]["coverage"].as_string() == mode.value)


def _pairs_without_a_talk(which: Any, *, only_first: bool = False) -> Missing:
    """Pairs of the roll that have no talk. Either of a pair of leaders may act, so there is a row for each; else only the leader acts."""
    one, other = aliased(Participant, name="one"), aliased(Participant, name="other")
    low, high = (
        func.least(one.staff_no.collate("C"), other.staff_no.collate("C")),
        func.greatest(one.staff_no.collate("C"), other.staff_no.collate("C")),
    )
    talked = exists().where(Talk.between(one, other)).correlate(one, other)
    who = func.unnest(array([one.person_id] if only_first else [one.person_id, other.person_id])).column_valued("who")
    return (
        missing(one.process_id, subject=func.concat(low, ":", high), name=func.concat(one.name, "—", other.name), person=who)
        .select_from(one)
        .join(other, other.process_id == one.process_id)
        .join(Process, Process.id == one.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(who.scalar_alias, true())
        .where(*which(one, other), one.left_on.is_(None), other.left_on.is_(None), ~talked)
    )


@requirement(
    "K6",
    stage=Stage.TALKS,
    severity=Severity.SOFT,
    todo_for=Role.SECRETARY,
    waivable=Waivable.WHOLE,
    link="talks",
    zh="书记还没有记有理由的重点谈话：{names}",
    en="the secretary has no focus talk with a reason: {names}",
)
def secretary_without_a_focus_talk() -> Missing:
    """党支部委员特别是支部书记要有所侧重地重点谈。"""
    focused = (
        exists()
        .where(
            Talk.process_id == Participant.process_id, Talk.counts, Talk.talker == Participant.staff_no, Talk.focus, Talk.focus_reason.is_not(None)
        )
        .correlate(Participant)
    )
    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name, person=Participant.person_id).where(
        Participant.post == Post.SECRETARY, *present(excused_count=True), ~focused
    )


REQUIREMENTS = (
    committee_pairs_without_a_talk,
    members_nobody_talked_with,
    leaders_and_members_without_a_talk,
    secretary_without_a_focus_talk,
)
