"""Roles of the school (学校职务): who gives them to whom, and who is told of it.

A holder names others to the same role, the administrator names auditors, the first of each comes
from the command line. Nobody gives themselves a role. Every grant is a letter to all holders.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from workflow.foundation.errors import Conflict, Exists, Forbidden, Invalid, Words
from workflow.foundation.vocabulary import Role, local_day
from workflow.mail.letters import render
from workflow.mail.notices import PASSWORD_SET, ROLE_GIVEN, TOKEN_MADE, PasswordSet, RoleGiven, TokenMade
from workflow.mail.outbox import NewLetter
from workflow.people.access import GIVEN_BY, Caller
from workflow.people.accounts import Token, open_account
from workflow.people.organisation import Appointment, Person, not_over
from workflow.people.recipients import tell

COMMAND_LINE = "系统命令行"
"""The name in a letter for whoever did it at the server, without a sign-in."""

SET_BY_THEMSELVES = Words("已登记的人员由本人用邀请信或纸条设置密码", "whoever is registered sets it by an invitation or a slip")


def must_hand_out(by: Caller | None, role: Role) -> None:
    """Raise Forbidden for whoever may not give or take this role of the school.

    The command line (None) may. Raises Invalid for a role of branches, which the roster gives.
    """
    if role not in GIVEN_BY:
        zh = "只能是党委办公室、党委、督导人员或管理员；支部内的职务由名册决定"
        raise Invalid({"role": Words(zh, "only roles of the school; posts in branches come from the roster")})
    if by is not None and not by.school & GIVEN_BY[role]:
        zh = f"{role.zh}由{'、'.join(each.zh for each in sorted(GIVEN_BY[role]))}任免；第一位由命令行 zhibu account create 建立"
        en = f"{role} is given by {', '.join(sorted(GIVEN_BY[role]))}, the first by the command line"
        raise Forbidden(Words(zh, en))


def must_be_another(by: Caller | None, person: Person) -> None:
    """Raise Forbidden for whoever would give themselves a role or post."""
    if by is not None and by.person_id == person.id:
        raise Forbidden(Words("不能给自己任职，请他人办理", "nobody gives themselves a role or post"))


def give_role(session: Session, person: Person, role: Role, *, by: Caller | None, starts_on: date, title: str | None = None) -> Appointment:
    """Give somebody a role of the school from a day on.

    Raises Invalid for a role of branches, Forbidden for oneself or a role of others, Exists for one
    that they hold already.
    """
    must_hand_out(by, role)
    must_be_another(by, person)
    if session.scalar(_held(role, starts_on).where(Appointment.person_id == person.id).limit(1)) is not None:
        raise Exists(Words(f"{person.name} 已经是{role.zh}", f"{person.name} has this role already"))
    row = Appointment(person_id=person.id, branch_id=None, post=None, role=role, title=title, starts_on=starts_on, ends_on=None)
    session.add(row)
    session.flush()
    return row


def roles_in_school(session: Session, person: Person, on: date) -> Sequence[Role]:
    """List the roles of the school that somebody has on a day, or will have."""
    held = select(Appointment.role).where(Appointment.person_id == person.id, Appointment.role.is_not(None), not_over(on))
    return [role for role in session.scalars(held) if role is not None]


def must_leave_somebody(session: Session, row: Appointment, ends_on: date) -> None:
    """Raise Conflict where a role that only its holders give would be without one the day after.

    The organisation is held: two last ones could end each other's otherwise.
    """
    role = row.role
    if role is None or role not in GIVEN_BY[role]:
        return
    stays = (Appointment.id != row.id, Appointment.ends_on.is_(None), Appointment.starts_on <= ends_on + timedelta(days=1))
    others = _held(role, ends_on).where(*stays).limit(1)
    if session.scalar(others) is None:
        zh = f"担任{role.zh}的只有{row.person.name}，请先任命接替的人"
        raise Conflict(Words(zh, f"{row.person.name} is the only {role}: name another one first"))


def create_officer(
    session: Session,
    *,
    staff_no: str,
    name: str,
    role: Role,
    now: datetime,
    email: str | None = None,
    password: str | None = None,
    by: Caller | None = None,
) -> Appointment:
    """Make an account with a role in the school, and the person where there is none.

    Raises Exists when the person holds that role already, Conflict when the number is another's.
    """
    person = session.scalar(select(Person).where(Person.staff_no == staff_no))
    if person is None:
        must_hand_out(by, role)
        person = Person(staff_no=staff_no, name=name, email=email, branch_id=None, standing=None)
        session.add(person)
        session.flush()
    elif person.name != name:
        raise Conflict(Words(f"学工号 {staff_no} 已登记为 {person.name}，与 {name} 不符", f"{staff_no} is registered under another name"))
    elif by is not None and password is not None:
        raise Invalid({"password": SET_BY_THEMSELVES})
    row = give_role(session, person, role, by=by, starts_on=local_day(now))
    open_account(session, person, now=now, password=password)
    return row


def tell_role_given(session: Session, row: Appointment, *, by: Caller | None, now: datetime, base_url: str) -> None:
    """Queue the letter of a grant to all holders of the role, the new one among them."""
    role = row.role
    assert role is not None  # noqa: S101  (a role of the school)
    today, who = local_day(now), row.person

    def letter(holder: Person) -> RoleGiven:
        return RoleGiven(
            recipient=holder.name,
            name=who.name,
            staff_no=who.staff_no,
            role=role,
            starts_on=row.starts_on,
            by=_name(by),
            today=today,
            link=f"{base_url}/",
        )

    holders = session.scalars(select(Person).where(Person.id.in_(_held(role, today))).order_by(Person.id)).all()
    tell(session, [_notice(ROLE_GIVEN, letter(each), each, record=row.id) for each in holders], now)


def tell_token_made(session: Session, person: Person, row: Token, *, by: Caller | None, now: datetime, base_url: str) -> None:
    """Queue the letter to the person in whose name somebody else has made a token."""
    if by is not None and by.person_id == person.id:
        return
    letter = TokenMade(
        recipient=person.name, by=_name(by), name=row.name, expires_on=local_day(row.expires_at), today=local_day(now), link=f"{base_url}/"
    )
    tell(session, [_notice(TOKEN_MADE, letter, person, record=row.id)], now)


def tell_password_set(session: Session, person: Person, *, now: datetime, base_url: str) -> None:
    """Queue the letter to the person whose password was set at the command line."""
    letter = PasswordSet(recipient=person.name, by=COMMAND_LINE, today=local_day(now), link=f"{base_url}/")
    # By the second: each time is told.
    tell(session, [_notice(PASSWORD_SET, letter, person, record=int(now.timestamp()))], now)


def _notice(kind: str, letter: RoleGiven | TokenMade | PasswordSet, to: Person, *, record: int) -> NewLetter:
    return NewLetter(kind=kind, recipient_id=to.id, recipient_name=to.name, address=to.email, words=render(letter), round=record, record=record)


def _name(by: Caller | None) -> str:
    return COMMAND_LINE if by is None else f"{by.name}（{by.staff_no}）"


def _held(role: Role, on: date) -> Select[Any]:
    """Select by whom a role is held on a day or later."""
    return select(Appointment.person_id).where(Appointment.role == role, not_over(on))
