"""会议 (meetings): the self-review meeting, the report to the general meeting, the deciding meeting, and their minutes.

The plan: 党支部根据党员人数等实际情况，以党员大会、党支部委员会会议或者党小组会形式，召开组织生活会，并组织开展民主评议党员。党支部书记代表党支部
委员会向党员大会述职……党支部委员会开展批评和自我批评要联系具体人、具体事，直接点问题、摆表现，不说空话套话，不搞一团和气。党员领导干部参加所在
党支部组织生活会。……各支部要注意做好会议记录。

Records: a meeting with its purpose, form, attendance, criticisms and vote, confirmed by its recorder and by its chair. What a stage asks of its
meetings stands in ``self_review`` and ``rating``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.appraisal.ledger import NOTHING_LAST_YEAR, last_years_measures
from workflow.appraisal.study.sessions import StudySession, a_study
from workflow.foundation.database import Base, Numbered, act_as, notes, word
from workflow.foundation.errors import Conflict, Forbidden, Invalid, Words
from workflow.foundation.fields import Body, Day, Inner, Line, LongText, StaffNo, Whole, lines, many, one_of
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Stage
from workflow.people.access import Action, Caller
from workflow.rules.evidence import Evidence, amendable, must_be_open, must_have_happened, must_stand
from workflow.year.cycle import Participant, Process, participants

STAGE: Mapping[MeetingPurpose, Stage] = {
    MeetingPurpose.LIFE: Stage.SELF_REVIEW,
    MeetingPurpose.REPORT: Stage.SELF_REVIEW,
    MeetingPurpose.DECIDING: Stage.RATING,
}
"""Which stage closes a meeting."""

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Meeting(Evidence, Base):
    """One meeting and its minutes (会议记录)."""

    __tablename__ = "meeting"
    __table_args__ = (
        CheckConstraint("chair <> recorder", name="two_people"),
        CheckConstraint("num_nulls(vote_yes, vote_no, vote_abstain) in (0, 3)", name="vote_whole"),
        CheckConstraint("purpose <> 'deciding' or form <> 'group'", name="deciding_form"),
        Index("ix_meeting_purpose", "process_id", "purpose", postgresql_where="withdrawn_at is null and rejected_at is null"),
    )

    purpose: Mapped[MeetingPurpose] = mapped_column(word(MeetingPurpose, name="purpose"), info=notes("B0"))
    """One flow: the self-review meeting and the appraisal may be one meeting, or one after the other."""
    form: Mapped[MeetingForm] = mapped_column(word(MeetingForm, name="form"))
    group_name: Mapped[str | None]
    """Which group (党小组) met; several group meetings may make one self-review meeting."""
    held_on: Mapped[date]
    place: Mapped[str | None]
    chair: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    recorder: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    theme: Mapped[str]
    """主题 (G1): the cycle's, unless the branch wrote another."""
    agenda: Mapped[list[str]]
    duty_report: Mapped[str | None]
    """What the secretary reported for the committee (述职, M2)."""
    rectification_report: Mapped[str | None]
    """What became of last year's measures (F9)."""
    vote_yes: Mapped[int | None]
    vote_no: Mapped[int | None]
    vote_abstain: Mapped[int | None]
    minutes: Mapped[str | None]
    chair_confirmed_at: Mapped[datetime | None]
    recorder_confirmed_at: Mapped[datetime | None]

    attendance: Mapped[list[MeetingAttendance]] = relationship(lazy="selectin", order_by="MeetingAttendance.staff_no", cascade="all, delete-orphan")
    criticisms: Mapped[list[MeetingCriticism]] = relationship(lazy="selectin", order_by="MeetingCriticism.number", cascade="all, delete-orphan")

    @property
    def present(self) -> list[str]:
        return [each.staff_no for each in self.attendance if each.present]

    @property
    def stage(self) -> Stage:
        return STAGE[self.purpose]


class MeetingAttendance(Base):
    """Somebody was there, or was not and why (到会、请假)."""

    __tablename__ = "meeting_attendance"
    __table_args__ = (PrimaryKeyConstraint("meeting_id", "staff_no"), CheckConstraint("not present or reason is null", name="reason"))

    meeting_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("meeting.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    present: Mapped[bool]
    reason: Mapped[str | None]


class MeetingCriticism(Numbered, Base):
    """One line of criticism or self-criticism (批评与自我批评): to whom, which matter, how it showed, what follows. Never judged by us."""

    __tablename__ = "meeting_criticism"

    meeting_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("meeting.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    number: Mapped[int]
    speaker: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    about: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    matter: Mapped[str | None]
    shown: Mapped[str | None]
    improve: Mapped[str | None]


for _table in (Meeting, MeetingAttendance, MeetingCriticism):
    track(_table.__table__)  # type: ignore[arg-type]
personal(
    Meeting,
    Area.APPRAISAL,
    "会议记录",
    Data(
        "chair 主持人, recorder 记录人, chair_confirmed_at 主持人确认的时间, recorder_confirmed_at 记录人确认的时间, "
        "duty_report 书记述职的要点, rectification_report 上年度整改落实情况, minutes 会议记录",
        "会议记录（M2、F9、D1、Q4）",
        Action.READ_MEETINGS,
    ),
    of="主持人、记录人，记录说到的人",
    other="purpose form group_name held_on place theme agenda vote_yes vote_no vote_abstain",
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


class AbsenceBody(Body):
    """Who was not there, and why."""

    staff_no = StaffNo(required=True)
    reason = Line()


class CriticismBody(Body):
    """One line of criticism: who to whom, on which matter."""

    speaker = StaffNo(required=True)
    about = StaffNo(required=True)
    matter = LongText(at_most=2000)
    shown = LongText(at_most=2000)
    improve = LongText(at_most=2000)


class VoteBody(Body):
    """The vote of a deciding meeting."""

    yes = Whole(required=True)
    no = Whole(load_default=0)
    abstain = Whole(load_default=0)


class MeetingBody(Body):
    """A meeting as it is sent. Theme and agenda left out are those of the year."""

    purpose = one_of(MeetingPurpose, required=True)
    form = one_of(MeetingForm, required=True)
    group = Line()
    held_on = Day(required=True)
    place = Line()
    chair = StaffNo()
    recorder = StaffNo()
    theme = LongText(at_most=500)
    agenda = many(Line(), at_most=50)
    present = many(StaffNo())
    absent = lines(AbsenceBody)
    criticisms = lines(CriticismBody)
    duty_report = LongText()
    rectification_report = LongText()
    vote = Inner(VoteBody)
    minutes = LongText(at_most=30_000)


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible_meetings(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """Which meetings of a branch this reader knows of: a plain member those whose minutes he confirms."""
    return or_(Meeting.chair == reader.staff_no, Meeting.recorder == reader.staff_no) if reader.plain_member(branch_code) else true()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record_meeting(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Meeting:
    """Record a meeting. Raises StageClosed, Invalid: no self-review meeting before the study session (E1), no vote that does not add up."""
    _check(session, process, body, now)
    purpose = body["purpose"]
    must_be_open(process, STAGE[purpose])
    row = Meeting(
        process_id=process.id,
        recorded_by=by.staff_no,
        recorded_at=now,
        theme=process.cycle.theme,
        agenda=list(process.cycle.plan["rules"]["agenda"]) if purpose is MeetingPurpose.LIFE else [],
    )
    _fill(process, row, body)
    _nothing_last_year(session, process, row)
    session.add(row)
    session.flush()
    return row


def amend_meeting(session: Session, process: Process, row: Meeting, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """Correct a meeting; what was confirmed must be confirmed again. Raises StageClosed, Stale, Conflict, Invalid."""
    if body.get("form", MeetingForm.GROUP) is not MeetingForm.GROUP and "group" not in body:
        row.group_name = None  # only a group meeting has one
    _check(session, process, {**_as_sent(row), **body}, now)
    amendable(session, row, seen=seen)
    for stage in {row.stage, STAGE[body.get("purpose", row.purpose)]}:
        must_be_open(process, stage)
    _fill(process, row, body)
    _nothing_last_year(session, process, row)
    row.chair_confirmed_at = row.recorder_confirmed_at = None
    row.version += 1
    session.flush()


def confirm_minutes(session: Session, process: Process, row: Meeting, *, by: Caller, now: datetime) -> None:
    """Recorder and chair confirm the minutes, each for himself. Raises Forbidden, Conflict, StageClosed."""
    if by.staff_no not in (row.chair, row.recorder):
        raise Forbidden(Words("会议记录由记录人和主持人本人确认", "minutes are confirmed by their recorder and by their chair"))
    must_stand(row)
    must_be_open(process, row.stage)
    name = "chair_confirmed_at" if by.staff_no == row.chair else "recorder_confirmed_at"
    if getattr(row, name) is not None:
        raise Conflict(Words("您已经确认过", "you have confirmed it already"))
    act_as(session, actor=by.staff_no)  # nobody confirms in another's name, whomever he stands in for
    setattr(row, name, now)
    row.version += 1
    session.flush()


_PLAIN = ("purpose", "form", "held_on", "place", "chair", "recorder", "theme", "agenda", "duty_report", "rectification_report", "minutes")


def _nothing_last_year(session: Session, process: Process, row: Meeting) -> None:
    """A duty report tells what became of last year's measures (F9). Where there were none the product says so; where there were some,
    the secretary does: a text that nobody has read would report nothing."""
    if row.duty_report is not None and row.rectification_report is None and not last_years_measures(session, process):
        row.rectification_report = NOTHING_LAST_YEAR


def _as_sent(row: Meeting) -> dict[str, Any]:
    """What of a meeting is checked together, as it would be sent."""
    vote = None if row.vote_yes is None else {"yes": row.vote_yes, "no": row.vote_no, "abstain": row.vote_abstain}
    kept = {
        **{name: getattr(row, name) for name in ("purpose", "form", "held_on", "chair", "recorder")},
        "group": row.group_name,
        "present": row.present,
        "absent": [{"staff_no": each.staff_no} for each in row.attendance if not each.present],
        "vote": vote,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _fill(process: Process, row: Meeting, body: Mapping[str, Any]) -> None:
    for name in _PLAIN:
        if name in body:
            setattr(row, name, body[name])
    if "group" in body:
        row.group_name = body["group"]
    if "vote" in body:
        row.vote_yes, row.vote_no, row.vote_abstain = (body["vote"][name] for name in ("yes", "no", "abstain"))
    if not body.keys().isdisjoint(("present", "absent")):
        _fill_attendance(process, row, body)
    if "criticisms" in body:
        row.criticisms = [
            MeetingCriticism(process_id=process.id, number=number, **{name: line.get(name) for name in CriticismBody().fields})
            for number, line in enumerate(body["criticisms"], 1)
        ]


def _fill_attendance(process: Process, row: Meeting, body: Mapping[str, Any]) -> None:
    """Bring the lines into step; one that says the same stays, so that the history tells only what changed."""
    present = set(body["present"]) if "present" in body else set(row.present)
    reasons = {each.staff_no: each.reason for each in row.attendance if not each.present}
    if "absent" in body:
        reasons = {each["staff_no"]: each.get("reason") for each in body["absent"]}
    lines = {each.staff_no: each for each in row.attendance}
    for staff_no in present | reasons.keys():
        line = lines.get(staff_no) or MeetingAttendance(staff_no=staff_no, process_id=process.id)
        line.present, line.reason = staff_no in present, None if staff_no in present else reasons[staff_no]
        lines[staff_no] = line
    row.attendance = [lines[staff_no] for staff_no in sorted(present | reasons.keys())]


def _check(session: Session, process: Process, body: Mapping[str, Any], now: datetime) -> None:
    """Raises Invalid with every fault."""
    must_have_happened("held_on", body["held_on"], now)
    present, absent = body.get("present", ()), [each["staff_no"] for each in body.get("absent", ())]
    named = participants(
        session,
        process.id,
        {
            "present": present,
            "absent": absent,
            **{name: [body[name]] for name in ("chair", "recorder") if name in body},
            "criticisms": [line[name] for line in body.get("criticisms", ()) for name in ("speaker", "about")],
        },
    )
    errors: dict[str, Words] = {}
    if body["purpose"] is MeetingPurpose.DECIDING and body["form"] is MeetingForm.GROUP:
        errors["form"] = Words("评定由支部委员会会议或者党员大会作出，不能由党小组会作出（D1）", "a group meeting cannot decide (D1)")
    if "group" in body and body["form"] is not MeetingForm.GROUP:
        errors["group"] = Words("只有党小组会才写明党小组", "only a group meeting names its group")
    if "chair" in body and body["chair"] == body.get("recorder"):
        errors["recorder"] = Words("主持人和记录人应为两人", "chair and recorder are two people")
    if twice := sorted(set(absent) & set(present)) or sorted({each for each in absent if absent.count(each) > 1}):
        errors["absent"] = Words(f"{'、'.join(named[each].name for each in twice)} 不能重复登记", f"{', '.join(twice)} stands there twice")
    if body["purpose"] is MeetingPurpose.DECIDING and (after := _last_life_meeting(session, process)) is not None and body["held_on"] < after:
        errors["held_on"] = Words(f"评定会议不能早于 {after} 的组织生活会（D2）", f"the decision comes after the self-review meeting of {after} (D2)")
    if "vote" in body and present and (fault := _vote_fault(body["form"], body["vote"], [named[each] for each in present])):
        errors["vote"] = fault
    if body["purpose"] is MeetingPurpose.LIFE and not _has_studied(session, process, body["held_on"]):
        errors["held_on"] = Words(
            f"{body['held_on']} 之前（含当天）没有记有相互交流的集中学习，不能召开组织生活会（E1）",
            f"no study session with its exchange of views on or before {body['held_on']} (E1)",
        )
    if errors:
        raise Invalid(errors)


def _vote_fault(form: MeetingForm, vote: Mapping[str, int], present: Sequence[Participant]) -> Words | None:
    """Votes cannot be more than those present who may vote: in a committee meeting the committee, else who has the right to."""
    may = [each for each in present if each.voting and (each.leads or form is not MeetingForm.COMMITTEE)]
    given = sum(vote.values())
    if given <= len(may):
        return None
    return Words(f"赞成、反对、弃权合计 {given} 票，多于到会有表决权的 {len(may)} 人（D1）", f"{given} votes by {len(may)} present who may vote (D1)")


def _last_life_meeting(session: Session, process: Process) -> date | None:
    return session.scalar(
        select(func.max(Meeting.held_on)).where(Meeting.process_id == process.id, Meeting.counts, Meeting.purpose == MeetingPurpose.LIFE)
    )


def _has_studied(session: Session, process: Process, day: date) -> bool:
    return bool(session.scalar(select(a_study(StudySession.process_id == process.id, StudySession.held_on <= day))))
