"""谈心谈话 (talks), the second stage.

The plan: 党支部委员之间、党支部委员与党员之间普遍进行一次谈心谈话，谈心谈话要诚恳听取党员对支部工作
和班子成员的意见建议，注意了解党员工作生活情况、思想状况和心理状态，肯定成绩、指出不足，沟通思想、交
换意见。党支部委员特别是支部书记要有所侧重地重点谈，表达组织关怀，做好心理疏导，针对思想实际给予帮助
和引导。

Records: a talk between two people of the roll, with texts that have readers of their own;
follow-ups with a day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from marshmallow import fields
from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, and_, case, cast, exists, literal, or_, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, any_of, notes, word
from workflow.foundation.errors import Forbidden, Invalid, Words
from workflow.foundation.fields import (
    Day,
    Line,
    LongText,
    Sent,
    StaffNo,
    Truth,
    about,
    one_of,
)
from workflow.foundation.history import History, tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Post, Role, Stage, TalkWay
from workflow.people.access import Action, Caller
from workflow.people.organisation import Appointment, Person, in_post
from workflow.rules.acts import (
    Call,
)
from workflow.rules.evidence import STANDING, Evidence, Timed, must_end_after_it_began, must_have_happened
from workflow.rules.records import EntrySchema, Records, RecordSchema, end_time, start_time
from workflow.year.cycle import Participant, Process
from workflow.year.roll import participants

TEXTS = ("focus_reason", "opinions_branch", "opinions_committee", "affirmed", "shortcomings", "exchange")
SAID = (*TEXTS, "no_opinions")
"""The texts of the talk, and that no opinion was given: for talker, partner and secretary."""
PRIVATE = ("private_notes",)
"""工作生活、思想状况、心理状态 (K4): for talker and secretary.

If the partner is the secretary: for the talker alone.
"""

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked(hidden=(*SAID, *PRIVATE))
class Talk(Timed, Evidence, Base):
    """One talk between two people (一次谈心谈话)."""

    __tablename__ = "talk"
    __table_args__ = (
        CheckConstraint("talker <> partner", name="two_people"),
        CheckConstraint("ended_at >= started_at", name="times"),
        Index("ix_talk_pair", "process_id", "talker", "partner", postgresql_where=STANDING),
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
    private_notes: Mapped[str | None] = mapped_column(info=notes("K4"))
    no_opinions: Mapped[bool] = mapped_column(default=False, sort_order=201)
    """无意见 (K3): asked for opinions, the partner had none."""
    talker_led: Mapped[bool] = mapped_column(sort_order=120)
    """True if the talker led the branch on that day, whatever posts they have later (K2)."""
    partner_led: Mapped[bool] = mapped_column(sort_order=120)
    with_secretary: Mapped[bool] = mapped_column(sort_order=120)
    """True if the partner was secretary on that day: the notes are the talker's alone (K4)."""

    follow_ups: Mapped[list[TalkFollowUp]] = relationship(lazy="selectin", order_by="TalkFollowUp.id")

    @classmethod
    def between(cls, one: type[Participant], other: type[Participant]) -> ColumnElement[bool]:
        """Select talks that count between these two, whoever of them led it."""
        return and_(
            cls.process_id == one.process_id,
            cls.counts,
            or_(
                and_(cls.talker == one.staff_no, cls.partner == other.staff_no),
                and_(cls.talker == other.staff_no, cls.partner == one.staff_no),
            ),
        )

    @classmethod
    def with_a_leader(cls, member: type[Participant]) -> ColumnElement[bool]:
        """Select talks that count between a member and somebody who led on the day of the talk."""
        by_leader, of_leader = and_(cls.partner == member.staff_no, cls.talker_led), and_(cls.talker == member.staff_no, cls.partner_led)
        return and_(cls.process_id == member.process_id, cls.counts, or_(by_leader, of_leader))


@tracked(hidden=("what",))
class TalkFollowUp(Numbered, Base):
    """Help that was promised in a talk, with its day (后续帮助). No stage closes it."""

    __tablename__ = "talk_follow_up"

    talk_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("talk.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    due_on: Mapped[date]
    what: Mapped[str]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    done_on: Mapped[date | None]


_OF_TEXTS = "谈话人、谈话对象、本支部书记"
_OF_NOTES = "谈话人、本支部书记；当日对方是书记的，只有谈话人"
personal(
    Talk,
    Area.APPRAISAL,
    "谈心谈话",
    Data(
        "held_on 日期, started_at 开始时间, ended_at 结束时间, talker 谈话人, partner 谈话对象, way 方式, place 地点, focus 是否重点谈, "
        "talker_led 谈话人当日是否主持支部工作, partner_led 谈话对象当日是否主持支部工作, with_secretary 谈话对象当日是否书记",
        "谁与谁谈过（K1、K2、K6）",
        Action.READ_TALKS,
    ),
    Data(
        "opinions_branch 对支部工作的意见建议, opinions_committee 对班子成员的意见建议, no_opinions 是否没有意见, affirmed 肯定成绩, "
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


class FollowUpSchema(EntrySchema):
    """Help that was promised (帮助)."""

    due_on = Day(required=True, **about("期限", "day", "答应哪一天以前办到", "until when it was promised", example="2024-12-31"))
    what = LongText(required=True, at_most=2000, **about("帮助什么", "what", "答应帮助解决什么", "what was promised", example="上门看望"))
    done_on = Day(dump_only=True, **about("办成日期", "done on"))


class TalkSchema(RecordSchema):
    """A talk without the fields that its reader may not see."""

    held_on = Day(required=True, **about("日期", "day", "谈话的日期", "the day of the talk", example="2024-12-19"))
    started_at, ended_at = start_time(), end_time()
    talker = StaffNo(required=True, **about("谈话人", "talker", "主谈人的学工号", "who led the talk", example="20160001"))
    partner = StaffNo(required=True, **about("谈话对象", "partner", "谈话对象的学工号", "who was talked with", example="20160005"))
    way = one_of(
        TalkWay,
        load_default=TalkWay.FACE,
        **about("方式", "way", "当面、电话；不填为当面", "how they talked, face to face if left out", example="face"),
    )
    place = Line(**about("地点", "place", "在哪里谈的", "where they talked", example="党员活动室"))
    focus = Truth(load_default=False, **about("重点谈", "focus", "是不是重点谈的对象（K6）", "whether it is a talk of focus (K6)", example=False))
    focus_reason = LongText(
        at_most=1000, **about("重点谈的原因", "why of focus", "为什么重点谈（K6）", "why it is of focus (K6)", example="工作岗位变动")
    )
    opinions_branch = LongText(
        **about(
            "对支部的意见建议", "opinions on the branch", "对支部工作的意见建议（K3）", "advice on the branch's work (K3)", example="多组织实践学习"
        )
    )
    opinions_committee = LongText(
        **about(
            "对班子的意见建议", "opinions on the committee", "对支部班子成员的意见建议（K3）", "advice on the committee (K3)", example="多到宿舍走走"
        )
    )
    no_opinions = Truth(
        load_default=False,
        **about("无意见", "no opinions", "听取了意见，对方没有意见建议（K3）", "asked for, and there were none (K3)", example=False),
    )
    affirmed = LongText(**about("肯定成绩", "affirmed", "肯定了哪些成绩（K5）", "what was affirmed (K5)", example="学习认真，带头承担工作"))
    shortcomings = LongText(**about("指出不足", "shortcomings", "指出了哪些不足（K5）", "what was found wanting (K5)", example="联系群众不够主动"))
    exchange = LongText(**about("交换意见", "exchange", "交换了哪些意见（K5）", "what was exchanged (K5)", example="商定每月一次思想汇报"))
    private_notes = LongText(
        **about(
            "思想状况等",
            "private notes",
            "工作生活、思想状况、心理状态（K4），只有主谈人和书记看得到",
            "seen by the talker and the secretary alone (K4)",
            example="最近家中有人生病，压力较大",
        )
    )
    follow_ups = fields.List(fields.Nested(FollowUpSchema), dump_only=True, **about("帮助", "follow-ups", always=True))


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def reads_notes(reader: Caller, talker: str, partner: str, branch_code: str, *, with_secretary: bool) -> bool:
    """Tell whether the reader may read and write a talk's private notes and follow-ups.

    ``with_secretary``: the partner was secretary on the day; only the talker reads those notes.
    """
    of_branch = Role.SECRETARY in reader.roles_in(branch_code) and partner != reader.staff_no
    return reader.staff_no == talker or (of_branch and not with_secretary)


def hidden_from(reader: Caller, talk: Talk, branch_code: str) -> frozenset[str]:
    """List the fields of a talk that this reader may not see.

    The office, the committee, the auditor and other committee members see that a talk was held, but
    not what was said.
    """
    texts = reader.staff_no in (talk.talker, talk.partner) or Role.SECRETARY in reader.roles_in(branch_code)
    private = reads_notes(reader, talk.talker, talk.partner, branch_code, with_secretary=talk.with_secretary)
    return frozenset(() if texts else SAID) | frozenset(() if private else (*PRIVATE, "follow_ups"))


def visible_history(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """Limit follow-ups in the history to readers of the private notes.

    A follow-up alone would already tell that the branch cares for this member.
    """
    leads_branch = Role.SECRETARY in reader.roles_in(branch_code)
    by_secretary = and_(literal(leads_branch), Talk.partner != reader.staff_no, ~Talk.with_secretary)
    readable = (
        exists()
        .where(
            TalkFollowUp.id == cast(History.row_key, BigInteger), Talk.id == TalkFollowUp.talk_id, or_(Talk.talker == reader.staff_no, by_secretary)
        )
        .correlate(History)
    )
    return case((History.what == TalkFollowUp.__tablename__, readable), else_=true())


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Talks(Records[Talk]):
    """谈心谈话: a committee member records the talks they led, the secretary any talk."""

    name, zh, en = "talks", "谈心谈话", "talk"
    model, schema = Talk, TalkSchema()
    stages = (Stage.TALKS,)
    read, write = Action.READ_TALKS, Action.RECORD_TALK

    def check(self, session: Session, process: Process, row: Talk | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        was = _who_and_when(row) if row else {}
        whole = {**was, **sent}
        if whole["talker"] == whole["partner"]:
            raise Invalid({"partner": Words("不能同自己谈话", "a talk is between two people")})
        must_have_happened("held_on", whole["held_on"], now)
        must_end_after_it_began(row, sent)
        _must_not_contradict(row, sent)
        posts = _posts_of(session, process, whole)
        for each in (was, whole) if row else (whole,):
            may_write(by, process, each["talker"])
        if row is not None:
            _may_write_notes(process, by, sent, row.talker, row.partner, with_secretary=row.with_secretary)
        _may_write_notes(process, by, sent, whole["talker"], whole["partner"], with_secretary=posts["with_secretary"])

    def fill(self, session: Session, process: Process, row: Talk, sent: Sent, *, by: Caller, now: datetime) -> None:
        was, partner, with_secretary = _who_and_when(row), row.partner, row.with_secretary
        self.write_columns(row, sent)
        if (talk := _who_and_when(row)) == was:
            return
        for name, value in _posts_of(session, process, talk).items():
            setattr(row, name, value)
        # For good: what was said to the secretary of then is not opened by another day (K4).
        row.with_secretary |= with_secretary is True and row.partner == partner

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Show a plain member only the talks they took part in."""
        return or_(Talk.partner == reader.staff_no, Talk.talker == reader.staff_no) if reader.plain_member(branch_code) else true()

    def may_withdraw(self, by: Caller, process: Process, row: Talk) -> None:
        may_write(by, process, row.talker)

    def seen_by(self, call: Call[object]) -> Callable[[Talk], dict[str, object]]:
        """Show talks without the fields that this reader may not see."""
        code = call.process.branch.code
        return lambda row: self.schema.shown(row, without=hidden_from(call.by, row, code))


TALKS = Talks()


def _who_and_when(row: Talk) -> dict[str, Any]:
    return {"held_on": row.held_on, "talker": row.talker, "partner": row.partner}


def may_write(by: Caller, process: Process, talker: str) -> None:
    """Let the secretary write any talk of the branch, a committee member those they led.

    Raises Forbidden.
    """
    if Role.SECRETARY not in by.roles_in(process.branch.code) and talker != by.staff_no:
        raise Forbidden(Words("支委只登记自己主谈的谈话", "a committee member records only the talks they led"))


def _must_not_contradict(row: Talk | None, sent: Sent) -> None:
    """Raise Invalid for opinions beside 无意见; either may stand on the row already."""
    none, *told = (sent.get(name, getattr(row, name, None)) for name in ("no_opinions", "opinions_branch", "opinions_committee"))
    if none and any(told):
        raise Invalid({"no_opinions": Words("已记有意见建议，不能同时注明“无意见”", "opinions are recorded: it cannot be that there were none")})


def _may_write_notes(process: Process, by: Caller, body: Sent, talker: str, partner: str, *, with_secretary: bool) -> None:
    """Let only readers of the private notes write them or change talker and partner.

    Otherwise a writer could make themselves a party of the talk, and so come to read its notes.
    Raises Forbidden.
    """
    renames = any(body.get(name, present) != present for name, present in (("talker", talker), ("partner", partner)))
    if not renames and body.keys().isdisjoint(PRIVATE):
        return
    if not reads_notes(by, talker, partner, process.branch.code, with_secretary=with_secretary):
        raise Forbidden(Words("思想状况等内容由主谈人登记；谈话双方写错的，请撤回后重新登记", "the private notes, and who talked, are the talker's"))


def _posts_of(session: Session, process: Process, talk: Mapping[str, Any]) -> dict[str, bool]:
    """Tell which of the two led on the day of the talk, and whether the partner was secretary.

    By their posts on that day; and by the roll as it is now, since a roster tells no earlier day
    than its own. Raises Invalid for somebody who is not on the roll.
    """
    named = {side: [talk[side]] for side in ("talker", "partner")}
    lines = participants(session, process.id, named)
    held = session.execute(
        select(Person.staff_no, Appointment.post, Appointment.on_committee)
        .join(Person, Person.id == Appointment.person_id)
        .where(Appointment.branch_id == process.branch_id, any_of(Person.staff_no, [*lines]), *in_post(talk["held_on"]))
    ).all()
    leading = {row.staff_no for row in held if (row.on_committee if process.branch.has_committee else row.post in (Post.SECRETARY, Post.DEPUTY))}
    leading |= {staff_no for staff_no, line in lines.items() if line.leads}
    secretary = {row.staff_no for row in held if row.post is Post.SECRETARY} | {
        staff_no for staff_no, line in lines.items() if line.post is Post.SECRETARY
    }
    return {
        "talker_led": talk["talker"] in leading,
        "partner_led": talk["partner"] in leading,
        "with_secretary": talk["partner"] in secretary,
    }
