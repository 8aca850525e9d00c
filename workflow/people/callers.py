"""Callers (办理人): the person who acts, found by a token, a session or a 学工号.

Roles, branches and substitutes come in the same statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Date,
    Select,
    and_,
    bindparam,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session, aliased

from workflow.foundation.errors import NotFound, Unauthenticated, Words
from workflow.foundation.vocabulary import local_day
from workflow.people.access import Caller, roles_of
from workflow.people.accounts import Account, Token, WebSession, digest
from workflow.people.organisation import Appointment, Branch, Person, in_post, person_by_staff_no
from workflow.people.substitutes import Substitute, standing


def caller_by_secret(session: Session, kind: type[Token | WebSession], secret: str, now: datetime) -> Caller:
    """Find the caller of a secret, with all roles of the day, in one statement.

    Raises Unauthenticated.
    """
    on = local_day(now)
    caller = _caller(session, _by_secret(kind), {"hash": digest(secret), "now": now, "on": on})
    if caller is None:
        raise Unauthenticated(Words("登录已失效，请重新登录", "this sign-in is no longer valid"))
    return caller


def caller_for(session: Session, staff_no: str, on: date) -> Caller:
    """Find a person as a caller, for the command line and the demo.

    Raises NotFound for a person without an account.
    """
    caller = _caller(session, _by_staff_no(), {"staff_no": staff_no, "on": on})
    if caller is None:
        raise NotFound(Words(f"{person_by_staff_no(session, staff_no).name} 没有账号", "no account"))
    return caller


def _caller(session: Session, query: Select[Any], values: Mapping[str, Any]) -> Caller | None:
    row = session.execute(query, values).first()
    if row is None:
        return None
    person_id, staff_no, name, branch, held, lent = row
    posts = [*(held or []), *((post, code) for post, code, _ in lent or [])]
    school, branches = roles_of(branch, posts)
    stands_for = {code: absent_no for _, code, absent_no in lent or []}
    return Caller(
        person_id=person_id,
        staff_no=staff_no,
        name=name,
        school=school,
        branches=branches,
        stands_for=stands_for,
    )


@cache
def _by_secret(kind: type[Token | WebSession]) -> Select[object]:
    signed_in = select(kind.person_id).where(
        kind.hash == bindparam("hash"),
        kind.revoked_at.is_(None),
        kind.expires_at > bindparam("now"),
    )
    return _callers().where(Person.id == signed_in.scalar_subquery())


@cache
def _by_staff_no() -> Select[object]:
    return _callers().where(Person.staff_no == bindparam("staff_no"))


def _callers() -> Select[object]:
    """Select the people with an account, and their posts on a day ``on``.

    These are the posts that they hold or stand in for.
    """
    on: BindParameter[date] = bindparam("on", type_=Date)
    of_post, absent = aliased(Branch), aliased(Person)
    word = func.coalesce(Appointment.role, Appointment.post, literal(""))
    posts = (
        select(func.jsonb_agg(func.jsonb_build_array(word, of_post.code)))
        .select_from(Appointment)
        .outerjoin(of_post, of_post.id == Appointment.branch_id)
        .where(Appointment.person_id == Person.id, *in_post(on))
        .correlate(Person)
        .scalar_subquery()
    )
    held = and_(Appointment.person_id == absent.id, Appointment.branch_id == of_post.id)
    stood_for = (
        select(func.jsonb_agg(func.jsonb_build_array(Appointment.post, of_post.code, absent.staff_no)))
        .select_from(Substitute)
        .join(absent, absent.id == Substitute.person_id)
        .join(of_post, of_post.id == Substitute.branch_id)
        .join(Appointment, held)
        .where(Substitute.substitute_id == Person.id, Substitute.branch_id == Person.branch_id)
        .where(*standing(on), *in_post(on))
        .correlate(Person)
        .scalar_subquery()
    )
    return (
        select(Person.id, Person.staff_no, Person.name, Branch.code, posts, stood_for)
        .join(Account, Account.person_id == Person.id)
        .outerjoin(Branch, Branch.id == Person.branch_id)
        .where(Account.disabled_at.is_(None))
    )
