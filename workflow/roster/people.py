"""People one by one (人员): added, moved, gone, renamed and punished without a workbook.

The rolls of branches that have not filed follow at once. Records stay with the branch where they
were made; ``workflow.machine.rolls`` says where somebody is rated and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Text, bindparam, or_, select, text, update
from sqlalchemy.orm import Session, joinedload

from workflow.foundation.database import Base
from workflow.foundation.errors import Conflict, Exists, Invalid, NotFound, Stale, Words
from workflow.foundation.fields import Answered, Body, Day, EmailAddress, Line, Sent, StaffNo, Truth, Whole, about, one_of
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import LeftReason, PunishmentKind, Standing, local_day
from workflow.machine.rolls import rolls_follow
from workflow.people.access import Action, Caller
from workflow.people.accounts import open_account
from workflow.people.organisation import Appointment, Branch, Person, Punishment, branch_by_code, hold_organisation, person_by_staff_no
from workflow.people.roles import must_hand_out, roles_in_school
from workflow.rules.acts import Act, AnyAct, Call, must_not_be_about_them
from workflow.rules.evidence import must_have_happened
from workflow.rules.records import REASON
from workflow.year.cycle import Participant

# ── what is sent and shown ────────────────────────────────────────────────────────────────────────────────────────────

_MAIL = about("邮箱", "mail address", "寄通知邮件，不显示", "for letters, never shown", example="wang@school.example")
_BRANCH = about("党支部", "branch", "党支部编码", "the code of a branch", example="D0101", reads="branch.code")


class MemberSchema(Answered):
    """A person of the school's organisation (人员)."""

    staff_no = StaffNo(required=True, **about("学工号", "staff number", "本校学工号", "the number in the school", example="20160001"))
    name = Line(required=True, at_most=50, **about("姓名", "name", "与身份证件一致", "as on the identity card", example="王五"))
    branch = Line(at_most=32, **_BRANCH)
    standing = one_of(Standing, **about("人员类别", "standing", "正式党员、预备党员", "full or probationary", example="full"))
    cadre = Truth(
        **about("党员领导干部", "leading cadre", "参加所在支部的组织生活会（M6）", "takes part in their branch's meeting (M6)", example=False)
    )
    email = EmailAddress(load_only=True, **_MAIL)
    left_on = Day(dump_only=True, **about("离开日期", "left on"))
    left_reason = one_of(LeftReason, dump_only=True, **about("离开原因", "why they left"))


PERSON = MemberSchema()


class PersonChangeSchema(Body):
    """A new name or address of a person."""

    name = Line(at_most=50, **about("姓名", "name", "与身份证件一致", "as on the identity card", example="王五"))
    email = EmailAddress(**_MAIL)


class PersonMoveSchema(Body):
    """The branch that a person moves to, the day, and why."""

    branch = Line(required=True, at_most=32, **about("转入的党支部", "branch", "党支部编码", "the code of the new branch", example="D0201"))
    on = Day(required=True, **about("转入日期", "day", "到新支部的第一天", "the first day in the new branch", example="2024-12-20"))
    reason = Line(**about("理由", "reason", "为什么转", "why they move", example="调整专业"))


class PersonLeaveSchema(Body):
    """The day on which a person left the school's organisation, and why."""

    on = Day(required=True, **about("离开日期", "day", "不再属于本校党组织的第一天", "the first day outside", example="2024-12-20"))
    reason = one_of(LeftReason, required=True, **about("离开原因", "reason", "转出、毕业、去世等", "transferred, graduated …", example="graduated"))


class RenumberSchema(Body):
    """The new 学工号 of the same person."""

    to = StaffNo(required=True, **about("新的学工号", "new staff number", "没有别人使用的", "one that nobody has", example="20240001"))


class PunishmentSchema(Answered):
    """A punishment of a member, with its day and its end."""

    id = Whole(dump_only=True, **about("编号", "number", always=True))
    kind = one_of(PunishmentKind, required=True, **about("处分种类", "kind", "留党察看期间没有表决权", "probation takes the vote", example="warning"))
    on = Day(required=True, attribute="given_on", **about("处分日期", "given on", "决定作出的日期", "the day of the decision", example="2024-06-01"))
    until = Day(**about("影响期满日期", "until", "没有定的不填", "left out where there is none", example="2025-05-31"))
    withdrawn = Truth(dump_only=True, **about("已撤回", "withdrawn", reads="is_withdrawn", always=True))


PUNISHMENT = PunishmentSchema()

# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def add_person(session: Session, sent: Sent, *, now: datetime) -> Person:
    """Add a member to a branch, with an account. Raises Exists, Invalid."""
    hold_organisation(session)
    staff_no = sent["staff_no"]
    if session.scalar(select(Person.id).where(Person.staff_no == staff_no)) is not None:
        raise Exists(Words(f"已有学工号 {staff_no} 的人员；转来的请用“转移”", f"there is somebody with {staff_no}: move them"))
    if "branch" not in sent or "standing" not in sent:
        raise Invalid({name: Words("必须填写", "is required") for name in ("branch", "standing") if name not in sent})
    branch = _branch(session, sent["branch"])
    person = Person(
        staff_no=staff_no, name=sent["name"], email=sent.get("email"), branch_id=branch.id, standing=sent["standing"], cadre=sent.get("cadre", False)
    )
    session.add(person)
    session.flush()
    open_account(session, person, now=now)
    rolls_follow(session, now=now, branches=[branch.id])
    return person


def amend_person(session: Session, person: Person, sent: Sent, *, by: Caller | None = None, seen: int, now: datetime) -> Person:
    """Change a person's name or address; the rolls of running branches follow.

    Raises Stale, Conflict, and Forbidden for the address of somebody whose role of the school the
    caller does not give: a link to set their password would go there.
    """
    if person.version != seen:
        raise Stale(version=person.version, changed=changed_since(session, Person, person.id, seen))
    if not sent:
        raise Conflict(Words("没有要改的内容", "nothing to change"))
    if "email" in sent:
        for role in roles_in_school(session, person, local_day(now)):
            must_hand_out(by, role)
    for name, value in sent.items():
        setattr(person, name, value)
    person.version += 1
    session.flush()
    _follow(session, now, person.branch_id)
    return person


def move_people(session: Session, people: Sequence[Person], to: Branch, *, on: date, now: datetime) -> None:
    """Move people to a branch. Their posts in the former one end the day before.

    Raises Invalid for a day that is to come.
    """
    _must_have_come(on, now)
    hold_organisation(session)
    former = {person.branch_id for person in people}
    _end_posts(session, people, on)
    for person in people:
        person.branch_id, person.left_on, person.left_reason = to.id, None, None
    session.flush()
    _follow(session, now, *former, to.id, day=on)


def _move(call: Call[Person], sent: Sent) -> Person:
    person, to = call.on, _branch(call.session, sent["branch"])
    if person.branch_id == to.id:
        raise Conflict(Words(f"{person.name} 已在{to.name}", f"{person.name} is in {to.code} already"))
    if person.standing is None:
        raise Conflict(Words(f"{person.name} 不是党员", f"{person.name} is no member"))
    move_people(call.session, [person], to, on=sent["on"], now=call.now)
    return person


def leave(session: Session, person: Person, *, on: date, reason: LeftReason, now: datetime) -> Person:
    """Take a person out of the school's organisation. Whoever was rated stays in the figures.

    Raises Invalid, and Conflict for somebody in no branch.
    """
    if reason is LeftReason.MOVED:
        raise Invalid({"reason": Words("转入本校其他支部的请用“转移”", "move them to the other branch")})
    _must_have_come(on, now)
    hold_organisation(session)
    if person.branch_id is None:
        # A roster takes people out without a word: the office says the day and why.
        if person.left_reason is not None or person.standing is None:
            raise Conflict(Words(f"{person.name} 不在任何党支部", f"{person.name} is in no branch"))
        person.left_on, person.left_reason = on, reason
        session.execute(
            update(Participant)
            .where(Participant.person_id == person.id, Participant.left_on.is_not(None), Participant.left_reason.is_(None))
            .values(left_on=on, left_reason=reason, version=Participant.version + 1)
            .execution_options(synchronize_session=False)
        )
        session.flush()
        return person
    former = person.branch_id
    _end_posts(session, [person], on)
    person.branch_id, person.left_on, person.left_reason = None, on, reason
    session.flush()
    _follow(session, now, former)
    return person


def renumber(session: Session, person: Person, to: str) -> Person:
    """Give a person a new 学工号: account, records, rolls and reasons go with it. Raises Exists.

    The history keeps the number under which something was done.
    """
    if session.scalar(select(Person.id).where(Person.staff_no == to)) is not None:
        raise Exists(Words(f"学工号 {to} 已有人使用", f"somebody has {to} already"))
    old = person.staff_no
    person.staff_no = to
    session.flush()
    both = {"old": old, "new": to}
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if column.name.endswith("_by") and isinstance(column.type, Text) and not column.foreign_keys:
                session.execute(update(table).where(column == bindparam("old")).values({column: bindparam("new")}), both)
    lines = update(Participant).where(Participant.person_id == person.id).values(staff_no=to, version=Participant.version + 1)
    session.execute(lines.execution_options(synchronize_session=False))
    session.execute(_REASONS, both)
    session.expire_all()
    return person


_REASONS = text("""
    update waiver w set
        covers = (select jsonb_object_agg(renamed.key, c.value) from jsonb_each(w.covers) c, lateral (
            select string_agg(case when part = :old then :new else part end, ':' order by place) as key
            from unnest(string_to_array(c.key, ':')) with ordinality parts (part, place)) renamed),
        names = (select coalesce(jsonb_object_agg(renamed.key, c.value), '{}') from jsonb_each(w.names) c, lateral (
            select string_agg(case when part = :old then :new else part end, ':' order by place) as key
            from unnest(string_to_array(c.key, ':')) with ordinality parts (part, place)) renamed)
    where exists (select from jsonb_object_keys(w.covers) subject where :old = any(string_to_array(subject, ':')))
""")
"""The subjects of reasons are written as keys: a 学工号, or a pair ``a:b``."""


def punish(session: Session, person: Person, sent: Sent, *, by: str, now: datetime) -> Punishment:
    """Record a punishment. The vote and the warning of running rolls follow. Raises Invalid."""
    must_have_happened("on", sent["given_on"], now)
    if "until" in sent and sent["until"] < sent["given_on"]:
        raise Invalid({"until": Words(f"早于处分日期 {sent['given_on']}", "before it was given")})
    row = Punishment(person_id=person.id, kind=sent["kind"], given_on=sent["given_on"], until=sent.get("until"), recorded_by=by, recorded_at=now)
    session.add(row)
    session.flush()
    _follow(session, now, person.branch_id)
    return row


def withdraw_punishment(session: Session, row: Punishment, *, reason: str, now: datetime) -> Punishment:
    """Take back a punishment that was recorded by mistake. Raises Conflict when it was already."""
    if row.is_withdrawn:
        raise Conflict(Words("已经撤回", "it was withdrawn already"))
    row.withdrawn_at, row.withdrawn_reason = now, reason
    session.flush()
    _follow(session, now, row.person.branch_id)
    return row


def people_named(session: Session, words: str, after: str, limit: int) -> Sequence[Person]:
    """List people by 学工号, those with these words in name or number; past ones included."""
    asked = select(Person).options(joinedload(Person.branch)).where(Person.staff_no > after).order_by(Person.staff_no).limit(limit)
    if words:
        asked = asked.where(or_(*(column.contains(words, autoescape=True) for column in (Person.staff_no, Person.name))))
    return session.scalars(asked).all()


def punishments_of(session: Session, person: Person, after: int, limit: int) -> Sequence[Punishment]:
    """List a person's punishments in the order they were recorded, withdrawn ones included."""
    return session.scalars(
        select(Punishment).where(Punishment.person_id == person.id, Punishment.id > after).order_by(Punishment.id).limit(limit)
    ).all()


def _branch(session: Session, code: str) -> Branch:
    try:
        return branch_by_code(session, code)
    except NotFound as missing:
        raise Invalid({"branch": missing.detail}) from None


def _must_have_come(on: date, now: datetime) -> None:
    if on > local_day(now):
        raise Invalid({"on": Words("须不晚于今天，到那一天再办", "is still to come")})


def _end_posts(session: Session, people: Sequence[Person], on: date) -> None:
    """End the posts of people in their branches on the day before; later ones never take effect."""
    held = select(Appointment).where(
        Appointment.person_id.in_([person.id for person in people]), Appointment.branch_id.is_not(None), Appointment.ends_on.is_(None)
    )
    for row in session.scalars(held):
        row.ends_on = max(on, row.starts_on) - timedelta(days=1)


def _follow(session: Session, now: datetime, *branches: int | None, day: date | None = None) -> None:
    rolls_follow(session, now=now, branches=sorted({each for each in branches if each is not None}), day=day)


# ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_person(call: Call[object], staff_no: str) -> Person:
    """Find the person that an address names. Raises NotFound."""
    return person_by_staff_no(call.session, staff_no)


def _a_punishment(call: Call[object], staff_no: str, punishment_id: int) -> Punishment:
    row = call.session.get(Punishment, punishment_id)
    if row is None or row.person.staff_no != staff_no:
        raise NotFound
    return row


def _punish(call: Call[Person], sent: Sent) -> Punishment:
    must_not_be_about_them(call.by, call.on.staff_no)
    return punish(call.session, call.on, sent, by=call.by.staff_no, now=call.now)


def _withdraw_punishment(call: Call[Punishment], sent: Sent) -> Punishment:
    must_not_be_about_them(call.by, call.on.person.staff_no)
    return withdraw_punishment(call.session, call.on, reason=sent["reason"], now=call.now)


def _act(name: str, zh: str, en: str, does: Any, **options: Any) -> Act[Any, Any]:
    return Act(name, zh, en, Action.WRITE_PEOPLE, does, **{"on": a_person, "shows": PERSON, **options})


ADD_PERSON = _act("add_person", "新增党员", "add a member", lambda call, sent: add_person(call.session, sent, now=call.now), on=None, sends=PERSON)
AMEND_PERSON = _act(
    "amend_person",
    "更正姓名、邮箱",
    "change a person's name or address",
    lambda call, sent: amend_person(call.session, call.on, sent, by=call.caller, seen=call.seen, now=call.now),
    sends=PersonChangeSchema(),
    wants_version=True,
)
MOVE_PERSON = _act("move_person", "转移党员", "move a member to another branch", _move, sends=PersonMoveSchema())
LEAVE = _act(
    "leave",
    "党员离开",
    "take a member out of the school's organisation",
    lambda call, sent: leave(call.session, call.on, on=sent["on"], reason=sent["reason"], now=call.now),
    sends=PersonLeaveSchema(),
)
RENUMBER = _act(
    "renumber",
    "更换学工号",
    "give a person a new staff number",
    lambda call, sent: renumber(call.session, call.on, sent["to"]),
    sends=RenumberSchema(),
)
PUNISH = _act(
    "punish",
    "登记处分",
    "record a punishment",
    _punish,
    sends=PUNISHMENT,
    shows=PUNISHMENT,
)
WITHDRAW_PUNISHMENT = _act(
    "withdraw_punishment",
    "撤回处分登记",
    "take back a punishment recorded by mistake",
    _withdraw_punishment,
    on=_a_punishment,
    sends=REASON,
    shows=PUNISHMENT,
)
ACTS: tuple[AnyAct, ...] = (ADD_PERSON, AMEND_PERSON, MOVE_PERSON, LEAVE, RENUMBER, PUNISH, WITHDRAW_PUNISHMENT)
