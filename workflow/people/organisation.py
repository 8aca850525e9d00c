"""The school's party organisation (组织): branches, people, and their posts between two days.

A process copies what it needs to its roll (``cycle.Participant``): code that judges a process never
reads these tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, and_, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, any_of, word
from workflow.foundation.errors import NotFound, Words
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import LeftReason, Post, PunishmentKind, Role, Standing
from workflow.people.access import Action


@tracked()
class Branch(Numbered, Base):
    """A branch (党支部) of a unit (分党委). The unit is a grouping and a filter, not a role."""

    __tablename__ = "branch"

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    unit_code: Mapped[str]
    unit_name: Mapped[str]
    has_committee: Mapped[bool]
    """True if the committee sheet of the roster names three or more."""


@tracked()
class Person(Numbered, Base):
    """A person (人员), known by the 学工号.

    A party member has a branch and a standing; an officer of the school need not.
    """

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("staff_no ~ '^[0-9A-Za-z_-]{1,32}$'", name="staff_no"),
        CheckConstraint("branch_id is null or standing is not null", name="member_has_standing"),
        Index("ix_person_branch", "branch_id"),
    )

    staff_no: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[str | None]
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"))
    standing: Mapped[Standing | None] = mapped_column(word(Standing))
    cadre: Mapped[bool] = mapped_column(default=False)
    """The mark 党员领导干部: takes part in the meeting of their own branch (M6)."""
    party_group: Mapped[str | None] = mapped_column(sort_order=210)
    """The group within the branch (党小组), in the roster's words."""

    left_on: Mapped[date | None] = mapped_column(sort_order=200)
    """The day on which they left the school's organisation; None while they belong to a branch."""
    left_reason: Mapped[LeftReason | None] = mapped_column(word(LeftReason, name="left_reason"), sort_order=200)
    version: Mapped[int] = mapped_column(default=1, server_default="1", sort_order=200)
    """Raised by changes of one person; a roster counts as none."""

    branch: Mapped[Branch | None] = relationship()


@tracked()
class Punishment(Numbered, Base):
    """A punishment (处分) that stands on a person, whichever branch they are in."""

    __tablename__ = "punishment"
    __table_args__ = (
        CheckConstraint("until is null or until >= given_on", name="dates"),
        Index("ix_punishment_person", "person_id"),
    )

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    kind: Mapped[PunishmentKind] = mapped_column(word(PunishmentKind, name="kind"))
    given_on: Mapped[date]
    until: Mapped[date | None]
    """The last day of its effect; None while no end is known."""
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None]

    person: Mapped[Person] = relationship()

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether it was recorded by mistake and has no effect."""
        return self.withdrawn_at is not None


@tracked()
class Appointment(Numbered, Base):
    """A post between two days (任职): in a branch, or an office of the school."""

    __tablename__ = "appointment"
    __table_args__ = (
        CheckConstraint("(post is null) <> (role is null)", name="post_or_role"),
        CheckConstraint("(post is null) = (branch_id is null)", name="post_in_branch"),
        CheckConstraint("ends_on is null or ends_on >= starts_on - 1", name="dates"),
        Index("ix_appointment_person", "person_id"),
        Index(
            "uq_appointment_open",
            "person_id",
            "branch_id",
            "post",
            "role",
            unique=True,
            postgresql_where="ends_on is null",
            postgresql_nulls_not_distinct=True,
        ),
    )

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"))
    post: Mapped[Post | None] = mapped_column(word(Post))
    role: Mapped[Role | None] = mapped_column(word(Role, name="role"))
    title: Mapped[str | None]
    """The roster's own words: 组织委员、宣传委员 …"""
    on_committee: Mapped[bool] = mapped_column(default=False)
    """True if the committee sheet names this person (支部委员会)."""
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    """The last day in the post; the day before ``starts_on`` for one that never took effect."""

    person: Mapped[Person] = relationship()
    branch: Mapped[Branch | None] = relationship()


personal(Branch, Area.PEOPLE, "党支部", other="code name unit_code unit_name has_committee")
personal(
    Person,
    Area.PEOPLE,
    "人员",
    Data("staff_no 学工号, name 姓名, branch_id 所在党支部", "各项记录以学工号指到人", Action.READ_ROLL),
    Data("email 邮箱", "寄提醒和邀请", "无人；名册上只显示有没有邮箱"),
    Data("standing 人员类别", "谁有表决权、谁评等次（D1、D5）", Action.READ_PROCESS),
    Data("cadre 是否党员领导干部", "参加所在支部的会（M6）", Action.READ_PROCESS),
    Data("left_on 离开本校组织的日期, left_reason 离开原因", "离开以后不再有要求，已评定的照样计入", Action.READ_PROCESS),
    Data("party_group 党小组", "党小组会由谁参加（M1）", Action.READ_PROCESS),
    of="党员，学校工作人员",
)
personal(
    Punishment,
    Area.PEOPLE,
    "处分",
    Data(
        "person_id 何人, kind 处分种类, given_on 处分日期, until 影响期满日期, withdrawn_reason 撤回的理由",
        "留党察看期间没有表决权（D1）；一年内受过处分又拟评优秀的，提示（D5）",
        Action.READ_PEOPLE,
    ),
    of="受处分的党员，登记人",
)
personal(
    Appointment,
    Area.PEOPLE,
    "任职",
    Data(
        "person_id 何人, branch_id 在哪个党支部, post 支部职务, role 学校职务, title 职务名称, "
        "on_committee 是否列入支部委员会, starts_on 任职日期, ends_on 离任日期",
        "谁可以办什么；谁是书记、支委（Q1、K1）",
        Action.READ_APPOINTMENTS,
    ),
    of="担任支部职务或学校职务的人",
)


def in_post(on: date | ColumnElement[date]) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that an appointment holds on a day."""
    return (Appointment.starts_on <= on, or_(Appointment.ends_on.is_(None), Appointment.ends_on >= on))


def not_over(on: date) -> ColumnElement[bool]:
    """Return the condition that an appointment lasts on a day, or begins later."""
    return or_(Appointment.ends_on.is_(None), and_(Appointment.ends_on >= on, Appointment.ends_on >= Appointment.starts_on))


def holders_of(session: Session, role: Role, on: date) -> Sequence[Person]:
    """List the people who hold a role of the school on a day."""
    held = select(Appointment.person_id).where(Appointment.role == role, *in_post(on))
    return session.scalars(select(Person).where(Person.id.in_(held)).order_by(Person.id)).all()


def person_by_staff_no(session: Session, staff_no: str) -> Person:
    """Find a person by 学工号. Raises NotFound."""
    person = session.scalar(select(Person).where(Person.staff_no == staff_no))
    if person is None:
        raise NotFound(Words(f"没有学工号为 {staff_no} 的人员", f"nobody has the number {staff_no}"))
    return person


def staff_nos(session: Session, person_ids: Sequence[int]) -> dict[int, str]:
    """Return the 学工号 of people, in one query."""
    return {row.id: row.staff_no for row in session.execute(select(Person.id, Person.staff_no).where(any_of(Person.id, person_ids)))}


def hold_organisation(session: Session) -> None:
    """Let nobody else change posts or apply a roster until this transaction ends."""
    session.execute(text("select pg_advisory_xact_lock(hashtext('zhibu.roster'))"))


def branch_by_code(session: Session, code: str) -> Branch:
    """Find a branch by its code. Raises NotFound."""
    branch = session.scalar(select(Branch).where(Branch.code == code))
    if branch is None:
        raise NotFound(Words(f"没有编码为 {code} 的党支部", f"there is no branch {code}"))
    return branch
