"""会议 (meetings): the self-review, report and deciding meetings, and their minutes.

The plan: 党支部根据党员人数等实际情况，以党员大会、党支部委员会会议或者党小组会形式，召开组织生活
会，并组织开展民主评议党员。党支部书记代表党支部委员会向党员大会述职……党支部委员会开展批评和自我批评
要联系具体人、具体事，直接点问题、摆表现，不说空话套话，不搞一团和气。党员领导干部参加所在党支部组织
生活会。……各支部要注意做好会议记录。

Records: a meeting with its purpose, form, attendance, criticisms and vote, confirmed by its
recorder and by its chair. ``recording`` records meetings; ``self_review`` and ``rating`` say what a
stage asks of its meetings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from marshmallow import fields
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, notes, word
from workflow.foundation.fields import Answered, Day, Inner, Line, LongText, Moment, StaffNo, Whole, about, lines, many, one_of
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Stage
from workflow.people.access import Action
from workflow.rules.evidence import STANDING, Evidence, Timed
from workflow.rules.records import RecordSchema, end_time, start_time

STAGE: Mapping[MeetingPurpose, Stage] = {
    MeetingPurpose.LIFE: Stage.SELF_REVIEW,
    MeetingPurpose.REPORT: Stage.SELF_REVIEW,
    MeetingPurpose.DECIDING: Stage.RATING,
}
"""The stage that closes a meeting, by its purpose."""

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Vote:
    """The vote of a deciding meeting (表决)."""

    yes: int
    no: int
    abstain: int


@dataclass(frozen=True)
class Confirmation:
    """The moments at which chair and recorder confirmed the minutes (确认)."""

    chair: datetime | None
    recorder: datetime | None


@tracked()
class Meeting(Timed, Evidence, Base):
    """One meeting and its minutes (会议记录)."""

    __tablename__ = "meeting"
    __table_args__ = (
        CheckConstraint("chair <> recorder", name="two_people"),
        CheckConstraint("ended_at >= started_at", name="times"),
        CheckConstraint("num_nulls(vote_yes, vote_no, vote_abstain) in (0, 3)", name="vote_whole"),
        CheckConstraint("purpose <> 'deciding' or form <> 'group'", name="deciding_form"),
        Index("ix_meeting_purpose", "process_id", "purpose", postgresql_where=STANDING),
    )

    purpose: Mapped[MeetingPurpose] = mapped_column(word(MeetingPurpose, name="purpose"), info=notes("B0"))
    """The purpose: one flow (B0).

    The self-review meeting and the appraisal may be one meeting, or one after the other.
    """
    form: Mapped[MeetingForm] = mapped_column(word(MeetingForm, name="form"))
    group_name: Mapped[str | None]
    """The group (党小组) that met; several group meetings may make one self-review meeting."""
    held_on: Mapped[date]
    place: Mapped[str | None]
    chair: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    recorder: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    theme: Mapped[str]
    """主题 (G1): the cycle's, unless the branch wrote another."""
    agenda: Mapped[list[str]]
    duty_report: Mapped[str | None]
    """The secretary's report for the committee (述职, M2)."""
    rectification_report: Mapped[str | None]
    """The report on the results of last year's measures (F9)."""
    vote_yes: Mapped[int | None]
    vote_no: Mapped[int | None]
    vote_abstain: Mapped[int | None]
    minutes: Mapped[str | None]
    chair_confirmed_at: Mapped[datetime | None]
    recorder_confirmed_at: Mapped[datetime | None]
    guests: Mapped[list[Any]] = mapped_column(JSONB, sort_order=101)
    """列席人员: the name and capacity of each guest."""

    attendance: Mapped[list[MeetingAttendance]] = relationship(lazy="selectin", order_by="MeetingAttendance.staff_no", cascade="all, delete-orphan")
    criticisms: Mapped[list[MeetingCriticism]] = relationship(lazy="selectin", order_by="MeetingCriticism.number", cascade="all, delete-orphan")

    @property
    def present(self) -> list[str]:
        return [each.staff_no for each in self.attendance if each.present]

    @property
    def absent(self) -> list[MeetingAttendance]:
        return [each for each in self.attendance if not each.present]

    @property
    def criticised(self) -> dict[str, int]:
        """The number of criticisms of each person."""
        return dict(sorted(Counter(each.about for each in self.criticisms).items()))

    @property
    def vote(self) -> Vote | None:
        if self.vote_yes is None or self.vote_no is None or self.vote_abstain is None:
            return None
        return Vote(self.vote_yes, self.vote_no, self.vote_abstain)

    @property
    def confirmed(self) -> Confirmation:
        return Confirmation(self.chair_confirmed_at, self.recorder_confirmed_at)

    @property
    def stage(self) -> Stage:
        return STAGE[self.purpose]


@tracked()
class MeetingAttendance(Base):
    """A member's presence at a meeting, or absence with its reason (到会、请假)."""

    __tablename__ = "meeting_attendance"
    __table_args__ = (PrimaryKeyConstraint("meeting_id", "staff_no"), CheckConstraint("not present or reason is null", name="reason"))

    meeting_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("meeting.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    present: Mapped[bool]
    reason: Mapped[str | None]


@tracked()
class MeetingCriticism(Numbered, Base):
    """One line of criticism or self-criticism (批评与自我批评).

    It names a person, a matter, how the matter showed, and what follows. We never judge it.
    """

    __tablename__ = "meeting_criticism"

    meeting_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("meeting.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    number: Mapped[int]
    speaker: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    about: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    matter: Mapped[str | None]
    shown: Mapped[str | None]
    improve: Mapped[str | None]


personal(
    Meeting,
    Area.APPRAISAL,
    "会议记录",
    Data(
        "chair 主持人, recorder 记录人, chair_confirmed_at 主持人确认的时间, recorder_confirmed_at 记录人确认的时间, "
        "duty_report 书记述职的要点, rectification_report 上年度整改落实情况, minutes 会议记录, guests 列席人员",
        "会议记录（M2、F9、D1、Q4）",
        Action.READ_MEETINGS,
    ),
    of="主持人、记录人，记录说到的人",
    other="purpose form group_name held_on started_at ended_at place theme agenda vote_yes vote_no vote_abstain",
)
personal(
    MeetingAttendance,
    Area.APPRAISAL,
    "会议到会",
    Data("staff_no 何人, present 是否到会, reason 缺席原因", "到会够不够（D1、M6）", Action.READ_MEETINGS),
    of="应到会的党员",
)
personal(
    MeetingCriticism,
    Area.APPRAISAL,
    "批评与自我批评",
    Data(
        "speaker 发言人, about 对象, matter 具体事, shown 表现、问题, improve 改进",
        "联系具体人、具体事（M4、M5）",
        Action.READ_MEETINGS,
    ),
    of="发言人，批评对象",
    other="number",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class GuestSchema(Answered):
    """A guest (列席人员), with the capacity in which they came."""

    name = Line(required=True, at_most=50, **about("姓名", "name", "谁列席", "the guest", example="李明"))
    capacity = Line(at_most=100, **about("身份", "capacity", "以什么身份列席", "in which capacity", example="学院党委委员"))


class AbsenceSchema(Answered):
    """An absent member (缺席), with the reason."""

    staff_no = StaffNo(required=True, **about("何人", "who", "没有到会的党员", "the member who was not there", example="20160005"))
    reason = Line(**about("原因", "reason", "为什么没有到会", "why they were not there", example="出差"))


_about = about  # a line of criticism has a field of that name


class CriticismSchema(Answered):
    """One line of criticism (批评与自我批评): by a speaker, of somebody, on which matter."""

    speaker = StaffNo(required=True, **_about("发言人", "speaker", "发言的党员", "who spoke", example="20160001"))
    about = StaffNo(required=True, **_about("对象", "about", "批评谁；自我批评填本人", "of whom; the speaker in self-criticism", example="20160001"))
    matter = LongText(at_most=2000, **_about("具体事", "matter", "联系哪一件具体事", "which matter", example="主题党日两次迟到"))
    # marshmallow takes its fields out of the class: the method is there.
    shown = LongText(  # type: ignore[assignment]
        at_most=2000, **_about("表现", "how it showed", "有什么表现、问题", "how it showed", example="没有带头遵守时间")
    )
    improve = LongText(at_most=2000, **_about("改进", "what follows", "今后怎样改进", "what will be better", example="今后提前十分钟到会"))


class VoteSchema(Answered):
    """The vote of a deciding meeting (表决)."""

    yes = Whole(required=True, **about("赞成", "yes", "赞成的票数", "votes for it", example=8))
    no = Whole(load_default=0, **about("反对", "no", "反对的票数；不填为 0", "votes against it, none if left out", example=0))
    abstain = Whole(load_default=0, **about("弃权", "abstain", "弃权的票数；不填为 0", "abstentions, none if left out", example=0))


class ConfirmationSchema(Answered):
    """The moments at which chair and recorder confirmed the minutes (确认)."""

    chair = Moment(dump_only=True, **about("主持人确认的时间", "by the chair"))
    recorder = Moment(dump_only=True, **about("记录人确认的时间", "by the recorder"))


class MeetingSchema(RecordSchema):
    """A meeting and its minutes (会议记录). Theme and agenda left out are the year's."""

    purpose = one_of(MeetingPurpose, required=True, **about("会议内容", "purpose", "开什么会", "what the meeting is for", example="life"))
    form = one_of(MeetingForm, required=True, **about("会议形式", "form", "以什么形式开会", "who meets", example="general"))
    group = Line(attribute="group_name", **about("党小组", "group", "党小组会写明哪个党小组", "which group, if a group met", example="第一党小组"))
    held_on = Day(required=True, **about("日期", "day", "开会的日期", "the day of the meeting", example="2024-12-19"))
    started_at, ended_at = start_time(), end_time()
    place = Line(**about("地点", "place", "在哪里开的", "where it was held", example="党员活动室"))
    chair = StaffNo(**about("主持人", "chair", "主持人的学工号", "who was in the chair", example="20160001"))
    recorder = StaffNo(**about("记录人", "recorder", "记录人的学工号，与主持人不是同一人", "who took the minutes, not the chair", example="20160002"))
    theme = LongText(at_most=500, **about("主题", "theme", "不填为本年度的主题（G1）", "the year's if left out (G1)", example="实干", always=True))
    agenda = many(
        Line(), at_most=50, **about("议程", "agenda", "逐项填写；不填为方案的议程", "the plan's if left out", example=["自我检查"], always=True)
    )
    present = many(StaffNo(), **about("到会人员", "present", "到会党员的学工号", "staff numbers of those present", example=["20160001"], always=True))
    absent = lines(
        AbsenceSchema, **about("缺席人员", "absent", "没有到会的党员和原因", "the absent, and why", example=[{"staff_no": "20160005"}], always=True)
    )
    guests = lines(
        GuestSchema,
        at_most=50,
        **about("列席人员", "guests", "不是本支部党员的列席人员和身份", "guests and their capacity", example=[{"name": "李明"}], always=True),
    )
    criticisms = lines(
        CriticismSchema,
        **about(
            "批评和自我批评",
            "criticisms",
            "联系具体人、具体事，逐条填写（M4）",
            "line by line, of people and matters (M4)",
            example=[{"speaker": "20160001", "about": "20160001", "matter": "主题党日两次迟到"}],
            always=True,
        ),
    )
    criticised = fields.Dict(dump_only=True, **about("受批评次数", "how often criticised", "只有主持人看得到（M5）", "for the chair alone (M5)"))
    duty_report = LongText(
        **about("述职要点", "duty report", "书记代表支委会述职（M2）", "what the secretary reported (M2)", example="抓学习、抓整改")
    )
    rectification_report = LongText(
        **about("上年度整改落实", "last year's measures", "上年度整改措施的落实情况（F9）", "what became of them (F9)", example="三项措施都已落实")
    )
    vote = Inner(VoteSchema, **about("表决", "vote", "研究评定意见的会议的表决情况（D1）", "the vote of a deciding meeting (D1)", example={"yes": 8}))
    minutes = LongText(at_most=30_000, **about("会议记录", "minutes", "记录的内容（Q4）", "the text of the minutes (Q4)", example="逐项进行，见记录"))
    confirmed = fields.Nested(ConfirmationSchema, dump_only=True, **about("确认", "confirmed", always=True))
