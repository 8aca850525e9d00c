"""Substitutes (委托代办): members who act with the posts of another of the branch for some days.

History then says "A for B". The absent person keeps their posts and may act too. A substitute has
what the other's own appointments give on the day, in that branch alone: never an office of the
school, and never what the other has as somebody's substitute.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, Select, or_, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, any_of
from workflow.foundation.errors import Conflict, Exists, Forbidden, Invalid, NotFound, Words
from workflow.foundation.fields import (
    Answered,
    Body,
    Day,
    Line,
    Moment,
    Sent,
    StaffNo,
    Whole,
    about,
)
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Post, Role, Standing, local_day
from workflow.people.access import Action, Caller, Scope
from workflow.people.organisation import Appointment, Branch, Person, in_post, person_by_staff_no

LEADING = (Post.SECRETARY, Post.DEPUTY)
"""The posts whose holders name their own substitute."""
LONGEST = timedelta(days=365)
"""The longest term, and the longest time ahead at which one begins (ours: the plan names none)."""


@tracked()
class Substitute(Numbered, Base):
    """A person who stands for another (受托人) from a first day to a last one."""

    __tablename__ = "substitute"
    __table_args__ = (
        CheckConstraint("ends_on >= starts_on", name="dates"),
        CheckConstraint("person_id <> substitute_id", name="another"),
        Index("ix_substitute_substitute_id", "substitute_id"),
        Index("ix_substitute_branch_id", "branch_id"),
    )

    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"))
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    """The person who is stood for."""
    substitute_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    ended_at: Mapped[datetime | None]
    """The time at which it was ended before its last day."""
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]

    branch: Mapped[Branch] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[person_id])
    substitute: Mapped[Person] = relationship(foreign_keys=[substitute_id])


personal(
    Substitute,
    Area.PEOPLE,
    "委托代办",
    Data(
        "person_id 委托人, substitute_id 受托人, starts_on 开始日期, ends_on 结束日期, ended_at 提前结束的时间",
        "书记外出时由谁办理，记录写明“某某代某某”（Q1）",
        Action.READ_SUBSTITUTES,
    ),
    of="书记、副书记和受托人",
)


class SubstituteSchema(Answered):
    """A substitute for a dated period. Without ``staff_no`` people name their own."""

    id = Whole(dump_only=True, **about("编号", "number", always=True))
    branch = Line(dump_only=True, attribute="branch.code", **about("党支部", "branch", always=True))
    staff_no = StaffNo(**about("委托人", "for whom", "不填为本人", "oneself if left out", example="20160001", reads="person.staff_no", always=True))
    name = Line(dump_only=True, attribute="person.name", **about("委托人姓名", "their name", always=True))
    substitute = StaffNo(
        required=True,
        **about(
            "受托人",
            "substitute",
            "本支部的正式党员；仅限系统填报，不代行职务",
            "a full member of the branch",
            example="20160005",
            reads="substitute.staff_no",
        ),
    )
    substitute_name = Line(dump_only=True, attribute="substitute.name", **about("受托人姓名", "the substitute's name", always=True))
    starts_on = Day(required=True, **about("开始日期", "from", "委托代办的第一天", "the first day", example="2024-12-20"))
    ends_on = Day(required=True, **about("结束日期", "to", "委托代办的最后一天，至多一年", "the last day, a year at most", example="2024-12-31"))
    ended_at = Moment(dump_only=True, **about("提前结束时间", "ended at"))
    recorded_by = StaffNo(dump_only=True, **about("登记人", "recorded by", always=True))
    recorded_at = Moment(dump_only=True, **about("登记时间", "recorded at", always=True))


SUBSTITUTE = SubstituteSchema()


class EndSubstituteSchema(Body):
    """An earlier last day; without one it ends at once."""

    ends_on = Day(**about("结束日期", "to", "不填为立即结束", "at once if left out", example="2024-12-25"))


def standing(on: date | ColumnElement[date]) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a substitute stands on a day."""
    return (Substitute.starts_on <= on, Substitute.ends_on >= on, Substitute.ended_at.is_(None))


def name_substitute(session: Session, body: Sent, *, by: Caller, reach: Collection[Scope], now: datetime) -> Substitute:
    """Name a substitute: a secretary or deputy for themselves, the office for anybody.

    Raises Forbidden, Invalid, and Exists when either of the two is named for some of these days
    already.
    """
    staff_no = body.get("staff_no", by.staff_no)
    if Scope.ALL not in reach and staff_no != by.staff_no:
        raise Forbidden(Words("只能为自己指定受托人", "you name your own substitute alone"))
    starts_on, ends_on = body["starts_on"], body["ends_on"]
    person = _known(session, "staff_no", staff_no)
    held = (Appointment.person_id == person.id, Appointment.branch_id == person.branch_id, *in_post(starts_on))
    posts = set(session.scalars(select(Appointment.post).where(*held)))
    if Scope.ALL not in reach and not posts & set(LEADING):
        raise Forbidden(Words("书记、副书记本人才能指定受托人", "only a secretary or deputy names a substitute"))
    if not posts or person.branch_id is None:
        raise Invalid({"staff_no": Words(f"{person.name} 届时没有支部职务，无须委托代办", f"{person.name} holds no post in a branch on that day")})
    if body["substitute"] == person.staff_no:
        raise Invalid({"substitute": Words("受托人不能是本人", "the substitute is another member")})
    substitute = _full_member(session, person.branch_id, body["substitute"])
    if substitute.id == by.person_id:
        raise Forbidden(Words("不能指定自己为受托人，请他人办理", "nobody names themselves a substitute"))
    _must_be_a_term(starts_on, ends_on, local_day(now))
    # The branch's row puts simultaneous namings in order; rows that refer to it do not wait.
    session.execute(select(Branch.id).where(Branch.id == person.branch_id).with_for_update(key_share=True))
    in_these_days = (Substitute.starts_on <= ends_on, Substitute.ends_on >= starts_on, Substitute.ended_at.is_(None))
    same = or_(Substitute.person_id == person.id, Substitute.substitute_id == substitute.id)
    if session.scalar(select(Substitute.id).where(Substitute.branch_id == person.branch_id, same, *in_these_days).limit(1)) is not None:
        raise Exists(Words("该时段内已指定受托人，或其已受他人委托", "one of the two is named for some of these days already"))
    row = Substitute(
        branch_id=person.branch_id,
        person_id=person.id,
        substitute_id=substitute.id,
        starts_on=starts_on,
        ends_on=ends_on,
        ended_at=None,
        recorded_by=by.staff_no,
        recorded_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _full_member(session: Session, branch_id: int, staff_no: str) -> Person:
    """Find a full member of a branch.

    Raises Invalid, with the same words for anybody else: who there is elsewhere is nobody's
    business.
    """
    found = select(Person).where(Person.staff_no == staff_no, Person.branch_id == branch_id, Person.standing == Standing.FULL)
    person = session.scalar(found)
    if person is None:
        raise Invalid({"substitute": Words("受托人须是本支部的正式党员", "a substitute is a full member of the same branch")})
    return person


def _must_be_a_term(starts_on: date, ends_on: date, today: date) -> None:
    """Raise Invalid for days that are over, in the wrong order, or too far apart or ahead."""
    if ends_on < starts_on:
        raise Invalid({"ends_on": Words(f"早于开始日期 {starts_on}", f"before it begins on {starts_on}")})
    if ends_on < today:
        raise Invalid({"ends_on": Words("委托期限已经过去", "lies in the past")})
    if starts_on > today + LONGEST:
        raise Invalid({"starts_on": Words("至多提前一年指定", "is more than a year ahead")})
    if ends_on > starts_on + LONGEST:
        raise Invalid({"ends_on": Words(f"委托期限至多一年，至 {starts_on + LONGEST}", f"a term is a year at most, to {starts_on + LONGEST}")})


def end_substitute(
    session: Session, row: Substitute, *, by: Caller, reach: Collection[Scope], now: datetime, ends_on: date | None = None
) -> Substitute:
    """End it at once, or give it an earlier last day.

    Only the person it stands for and the office may. Raises Forbidden, Invalid, Conflict when it
    has ended.
    """
    if Scope.ALL not in reach and row.person_id != by.person_id:
        raise Forbidden(Words("只能结束自己的委托安排", "you end your own substitute alone"))
    session.refresh(row, ["ends_on", "ended_at"], with_for_update={"key_share": True})
    if row.ended_at is not None or row.ends_on < local_day(now):
        raise Conflict(Words("委托代办已经结束", "it has ended"))
    if ends_on is None:
        row.ended_at = now
    elif not row.starts_on <= ends_on <= row.ends_on:
        raise Invalid({"ends_on": Words(f"须在 {row.starts_on} 与 {row.ends_on} 之间", f"must lie between {row.starts_on} and {row.ends_on}")})
    else:
        row.ends_on = ends_on
    session.flush()
    return row


def substitutes_after(session: Session, substitute_id: int, limit: int, *, branches: Collection[str] | None = None) -> Sequence[Substitute]:
    """List substitutes in the order they were named, past ones included.

    Of all branches or of some.
    """
    statement = _rows().where(Substitute.id > substitute_id)
    if branches is not None:
        statement = statement.join(Substitute.branch).where(any_of(Branch.code, branches))
    return session.scalars(statement.order_by(Substitute.id).limit(limit)).all()


def substitute_by_id(session: Session, substitute_id: int, *, branches: Collection[str] | None = None) -> Substitute:
    """Find a substitute. Raises NotFound, also for one of another branch than these."""
    row = session.scalar(_rows().where(Substitute.id == substitute_id))
    if row is None or (branches is not None and row.branch.code not in branches):
        raise NotFound
    return row


def branches_within(by: Caller, granted: Mapping[Role, Scope]) -> list[str] | None:
    """List the branches that these roles of a caller reach; None is all."""
    if Scope.ALL in granted.values():
        return None
    return [code for code, roles in by.branches.items() if roles & granted.keys()]


def _rows() -> Select[Substitute]:
    return select(Substitute).options(joinedload(Substitute.branch), joinedload(Substitute.person), joinedload(Substitute.substitute))


def _known(session: Session, field: str, staff_no: str) -> Person:
    try:
        return person_by_staff_no(session, staff_no)
    except NotFound as missing:
        raise Invalid({field: missing.detail}) from None
