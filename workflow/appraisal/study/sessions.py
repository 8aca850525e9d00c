"""集中学习 (study), the first stage.

The plan: 党支部召开组织生活会和开展民主评议党员前，要采取适当方式组织党员集中学习、相互交流。重点学
习《中国共产党纪律处分条例》《中国共产党支部工作条例（试行）》。通过深化学习……把党支部职责任务搞清
楚，把合格党员标准搞清楚，打牢开好组织生活会和开展民主评议党员的思想基础。

Records: a study session with its titles, the members present and the exchange of views; make-ups by
members who were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

from marshmallow import fields
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    PrimaryKeyConstraint,
    TableValuedAlias,
    Text,
    UniqueConstraint,
    case,
    column,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from sqlalchemy.sql.selectable import Exists as ExistsClause

from workflow.appraisal.study.titles import among, near_misses, title_key
from workflow.foundation.database import Base, Numbered, notes
from workflow.foundation.errors import Conflict, Exists, Invalid, Words
from workflow.foundation.fields import (
    Answered,
    Day,
    Line,
    LongText,
    Sent,
    StaffNo,
    about,
    many,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Role, Severity, Stage, Waivable
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    Call,
)
from workflow.rules.bulk import bulk
from workflow.rules.evidence import Evidence, must_have_happened
from workflow.rules.records import EntrySchema, Records, RecordSchema
from workflow.rules.requirement import Missing, in_a_former_branch, missing, present, requirement
from workflow.year.amendments import Amendment, added_titles
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.plan_values import bare_title
from workflow.year.roll import participants

# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class StudySession(Evidence, Base):
    """One session of study (一次集中学习)."""

    __tablename__ = "study_session"

    held_on: Mapped[date]
    form: Mapped[str | None] = mapped_column(info=notes("E2"))
    """领学、辅导、讨论、自学 …: free, 采取适当方式 (E2)."""
    titles: Mapped[list[str]] = mapped_column(JSONB)
    """The titles that were read, without 《》.

    They are compared with the cycle's required titles as ``titles.title_key`` writes them.
    """
    exchange: Mapped[str | None]
    """相互交流: the exchange of views."""

    attendance: Mapped[list[StudyAttendance]] = relationship(lazy="selectin", order_by="StudyAttendance.staff_no", cascade="all, delete-orphan")
    make_ups: Mapped[list[StudyMakeUp]] = relationship(lazy="selectin", order_by="StudyMakeUp.id")

    @property
    def present(self) -> list[str]:
        return [each.staff_no for each in self.attendance]


@tracked()
class StudyAttendance(Base):
    """A member's presence at a session (到会)."""

    __tablename__ = "study_attendance"
    __table_args__ = (PrimaryKeyConstraint("session_id", "staff_no"),)

    session_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("study_session.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))


@tracked()
class StudyMakeUp(Numbered, Base):
    """A member's later study of a session that they missed (补学). No stage closes it."""

    __tablename__ = "study_make_up"
    __table_args__ = (UniqueConstraint("session_id", "staff_no"),)

    session_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("study_session.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    made_up_on: Mapped[date]
    how: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


personal(
    StudySession,
    Area.APPRAISAL,
    "集中学习",
    Data("exchange 相互交流的内容", "学习记录（E1）", Action.READ_PROCESS),
    of="登记人，记录说到的人",
    other="held_on form titles",
)
personal(
    StudyAttendance,
    Area.APPRAISAL,
    "学习到会",
    Data("staff_no 何人", "谁还没有学（E4）", Action.READ_PROCESS),
    of="到会的党员",
)
personal(
    StudyMakeUp,
    Area.APPRAISAL,
    "补学",
    Data("staff_no 何人, made_up_on 补学日期, how 补学方式", "谁已经补学（E4）", Action.READ_PROCESS),
    of="补学的党员",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class MakeUpSchema(EntrySchema):
    """A make-up of a session."""

    staff_no = StaffNo(required=True, **about("补学人", "who", "没有到会、后来补学的党员", "the member who was not there", example="20160005"))
    on = Day(required=True, attribute="made_up_on", **about("补学日期", "day", "哪一天补学的", "the day of the make-up", example="2024-12-21"))
    how = Line(**about("补学方式", "how", "怎样补学的", "how it was made up", example="自学并写心得"))


class SimilarTitleSchema(Answered):
    """A title that resembles a required one and does not count as it."""

    title = Line(required=True, **about("登记的标题", "title"))
    required_title = Line(required=True, **about("必读文件", "required title"))


class StudySessionSchema(RecordSchema):
    """A session, with the members present and the make-ups."""

    held_on = Day(required=True, **about("日期", "day", "集中学习的日期", "the day of the session", example="2024-12-19"))
    form = Line(**about("形式", "form", "领学、讨论、参观等", "how it was held", example="支部书记领学"))
    titles = many(
        Line(),
        at_most=50,
        **about("学习内容", "titles", "学了哪些文件，逐项填写", "what was studied, one by one", example=["中国共产党纪律处分条例"]),
    )
    present = many(StaffNo(), **about("到会人员", "present", "到会党员的学工号", "staff numbers of those present", example=["20160001"]))
    exchange = LongText(**about("交流情况", "exchange", "相互交流的内容（E1）", "what was exchanged (E1)", example="结合岗位谈体会"))
    make_ups = fields.List(fields.Nested(MakeUpSchema), dump_only=True, **about("补学", "make-ups", always=True))
    similar_titles = fields.List(
        fields.Nested(SimilarTitleSchema),
        dump_only=True,
        **about("相近的标题", "similar titles", "与必读文件相近而不相同，不算学过", "near a required one, not counted as it", always=True),
    )


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class StudySessions(Records[StudySession]):
    """集中学习: recorded by the branch's leaders, read by the branch and the school."""

    name, zh, en = "study-sessions", "集中学习", "study session"
    model, schema = StudySession, StudySessionSchema()
    stages = (Stage.STUDY,)
    read, write = Action.READ_PROCESS, Action.RECORD_STUDY

    def check(self, session: Session, process: Process, row: StudySession | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        if "held_on" in sent:
            must_have_happened("held_on", sent["held_on"], now)
        participants(session, process.id, {"present": sent.get("present", ())})

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        return {"titles": []}

    def fill(self, session: Session, process: Process, row: StudySession, sent: Sent, *, by: Caller, now: datetime) -> None:
        self.write_columns(row, {**sent, "titles": _plain(sent["titles"])} if "titles" in sent else sent)
        if "present" in sent:
            there = {attendance.staff_no: attendance for attendance in row.attendance}
            row.attendance = [
                there.get(staff_no) or StudyAttendance(staff_no=staff_no, process_id=process.id) for staff_no in sorted(sent["present"])
            ]

    def stays_open(self, session: Session, process: Process, row: StudySession | None, sent: Sent) -> bool:
        """Tell whether it reads nothing but titles that a 补充通知 added (0032)."""
        titles = {*_plain(sent.get("titles", [])), *(row.titles if row is not None else ())}
        added = {title_key(title) for title in added_titles(session, process.cycle_id)}
        return bool(titles) and {title_key(title) for title in titles} <= added

    def seen_by(self, call: Call[object]) -> Callable[[StudySession], dict[str, object]]:
        """Show sessions with the titles that may be meant for a required one."""
        required = call.process.cycle.plan["rules"]["required_reading"]

        def seen(row: StudySession) -> dict[str, object]:
            similar = [{"title": title, "required_title": meant} for title, meant in near_misses(row.titles, required)]
            return self.schema.shown(row, without=_BESIDE) | {"similar_titles": similar}

        return seen


SESSIONS = StudySessions()
_BESIDE = frozenset({"similar_titles"})


def _plain(titles: list[str]) -> list[str]:
    """Write titles as the plan keeps them: people write the book marks or not."""
    return [bare_title(title) for title in titles]


def record_make_up(session: Session, process: Process, row: StudySession, body: Sent, *, by: Caller, now: datetime) -> StudyMakeUp:
    """Record that a member made a session up.

    Raises Invalid; Conflict if the session was withdrawn or rejected; Exists if the member was
    there or has made it up already.
    """
    must_have_happened("on", body["made_up_on"], now)
    if body["made_up_on"] < row.held_on:
        raise Invalid({"on": Words(f"补学不能早于这次学习的 {row.held_on}", f"must not be before the session on {row.held_on}")})
    who = participants(session, process.id, {"staff_no": [body["staff_no"]]})[body["staff_no"]]
    if not row.counts:
        raise Conflict(Words("这次学习的记录已撤回或退回，不能补学", "this session was withdrawn or rejected"))
    if any(each.staff_no == who.staff_no for each in row.attendance):
        raise Exists(Words(f"{who.name} 已经到会，不需要补学", f"{who.name} was present"))
    if any(each.staff_no == who.staff_no for each in row.make_ups):
        raise Exists(Words(f"{who.name} 已经补学", f"{who.name} has made it up"))
    made_up = StudyMakeUp(
        session_id=row.id,
        staff_no=who.staff_no,
        process_id=process.id,
        made_up_on=body["made_up_on"],
        how=body.get("how"),
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    row.make_ups.append(made_up)
    session.flush()
    return made_up


MAKE_UPS = MakeUpSchema()
MAKE_UP: Act[StudySession, StudyMakeUp] = SESSIONS.act(
    "record_make_up",
    "登记补学",
    "record a make-up",
    lambda call, sent: record_make_up(call.session, call.process, call.on, sent, by=call.by, now=call.now),
    action=Action.RECORD_STUDY,
    on=SESSIONS.held,
    sends=MAKE_UPS,
    shows=MAKE_UPS,
    closes=(),
)
MAKE_UP_MANY = bulk(MAKE_UP)
ACTS = (*SESSIONS.acts, MAKE_UP, MAKE_UP_MANY)


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────────


@requirement(
    "E1",
    stage=Stage.STUDY,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="study-sessions",
    zh="尚未登记集中学习（须有参加人员和交流情况）",
    en="no study session yet that records who was present and what was exchanged",
)
def no_study_with_exchange() -> Missing:
    """党支部召开组织生活会和开展民主评议党员前，要采取适当方式组织党员集中学习、相互交流。"""
    return missing(Process.id).where(~a_study(StudySession.process_id == Process.id).correlate(Process))


def a_study(*which: ColumnElement[bool]) -> ExistsClause:
    """Ask whether there is a study session that the meeting may follow (E1).

    It counts, somebody attended, and it notes an exchange of views.
    """
    attended = exists().where(StudyAttendance.session_id == StudySession.id).correlate(StudySession)
    return exists().where(StudySession.counts, StudySession.exchange.is_not(None), attended, *which)


@requirement(
    "E3",
    stage=Stage.STUDY,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="study-sessions",
    zh="还有 {count} 种必读文件没有组织学习：{names}",
    en="{count} required titles have not been studied: {names}",
)
def required_titles_not_read() -> Missing:
    """重点学习《中国共产党纪律处分条例》《中国共产党支部工作条例（试行）》。"""
    required = _required_titles()
    title = required.c.value
    here = among(StudySession.titles, title, StudySession, required)
    read = exists().where(StudySession.process_id == Process.id, StudySession.counts, here).correlate(Process, required)
    return (
        missing(Process.id, subject=title, name=func.concat("《", func.translate(title, "《》", "〈〉"), "》"))
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(required, true())
        .where(~read)
    )


@requirement(
    "E4",
    stage=Stage.STUDY,
    severity=Severity.SOFT,
    todo_for=Role.SECRETARY,
    waivable=Waivable.WHOLE,
    link="study-sessions",
    zh="还有 {count} 名党员没有学完必读文件，也没有补学：{names}",
    en="{count} members have neither attended nor made up all required reading: {names}",
)
def members_who_have_not_studied() -> Missing:
    """把党支部职责任务搞清楚，把合格党员标准搞清楚，打牢开好组织生活会和开展民主评议党员的思想基础。"""
    required = _required_titles()
    added = exists().where(Amendment.cycle_id == Cycle.id, Amendment.required_reading.has_key(required.c.value)).correlate(Cycle, required)
    # The plan's own titles count as one, each added one as one more: a reason of before an
    # amendment does not cover its titles (0032).
    unread = select(func.count(case((added, required.c.value), else_="").distinct())).where(~has_studied(required))
    return (
        missing(
            Participant.process_id,
            subject=Participant.staff_no,
            name=Participant.name,
            amount=unread.select_from(required).correlate(Cycle, Participant).scalar_subquery(),
        )
        .join(Process, Process.id == Participant.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(*present(), select(required.c.value).where(~has_studied(required)).correlate(Cycle, Participant).exists())
    )


def has_studied(titles: TableValuedAlias) -> ColumnElement[bool]:
    """Ask whether a member attended a session that reads one of these titles, or made it up.

    In a former branch of theirs in the same year, too.
    """

    def studied(line: type[Participant]) -> ColumnElement[bool]:
        took_part = [
            exists().where(part.session_id == StudySession.id, part.staff_no == line.staff_no).correlate(StudySession, line)
            for part in (StudyAttendance, StudyMakeUp)
        ]
        read = (
            StudySession.process_id == line.process_id,
            StudySession.counts,
            among(StudySession.titles, titles.c.value, StudySession, titles),
            or_(*took_part),
        )
        return exists().where(*read).correlate(line, titles)

    return or_(studied(Participant), in_a_former_branch(Participant, studied))


def _required_titles() -> TableValuedAlias:
    """Select the cycle's required titles (必读文件), a row each."""
    return func.jsonb_array_elements_text(Cycle.plan["rules"]["required_reading"]).table_valued(column("value", Text), name="required")


REQUIREMENTS = (no_study_with_exchange, required_titles_not_read, members_who_have_not_studied)
