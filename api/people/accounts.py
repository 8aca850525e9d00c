"""Accounts, tokens, appointments (账号、令牌、任职)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload
from typing_extensions import TypedDict

from api.frame.address import BASE, NUMBER
from api.frame.base import Answer, Request, Routes, service
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.shapes import Listed
from api.people.invitations import find_account
from workflow.foundation.errors import Invalid, NotFound
from workflow.foundation.fields import Body, Day, Line, LongText, Moment, StaffNo, one_of
from workflow.foundation.vocabulary import Post, Role
from workflow.people.access import Action
from workflow.people.accounts import (
    Account,
    Token,
    accounts_after,
    create_officer,
    disable,
    enable,
    issue_token,
    open_account,
    revoke_token,
    tokens_after,
)
from workflow.people.organisation import Appointment, Person, person_by_staff_no
from workflow.roster.posts import AppointmentBody, appoint, end_appointment

routes = Routes()


class AccountBody(Body):
    """An account: of somebody who is known, or with ``name`` and ``role`` of an officer of the school."""

    staff_no = StaffNo(required=True)
    name = Line(at_most=50)
    role = one_of(Role)
    password = LongText(at_most=128)


class TokenBody(Body):
    """A token: whose, what for, until when (default: a year)."""

    staff_no = StaffNo(required=True)
    name = Line(required=True, at_most=50)
    expires_at = Moment()


class EndBody(Body):
    """The last day in the post."""

    ends_on = Day(required=True)


class AccountShape(TypedDict):
    """Who may sign in, and whether by password."""

    staff_no: str
    name: str
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None


class TokenShape(TypedDict):
    """A token without what it opens with."""

    id: int
    staff_no: str
    name: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class IssuedShape(TypedDict):
    """A token as it is shown, once."""

    id: int
    staff_no: str
    name: str
    token: str
    expires_at: datetime


def account_shape(row: Account) -> AccountShape:
    return {
        "staff_no": row.person.staff_no,
        "name": row.person.name,
        "has_password": row.password_hash is not None,
        "created_at": row.created_at,
        "disabled_at": row.disabled_at,
    }


def token_shape(row: Token) -> TokenShape:
    return {
        "id": row.id,
        "staff_no": row.person.staff_no,
        "name": row.name,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
    }


class AppointmentShape(TypedDict):
    """A post between two days."""

    id: int
    staff_no: str
    name: str
    branch: str | None
    post: Post | None
    role: Role | None
    title: str | None
    starts_on: date
    ends_on: date | None


def appointment_shape(row: Appointment) -> AppointmentShape:
    return {
        "id": row.id,
        "staff_no": row.person.staff_no,
        "name": row.person.name,
        "branch": row.branch.code if row.branch is not None else None,
        "post": row.post,
        "role": row.role,
        "title": row.title,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
    }


def _named(request: Request, body: dict[str, Any]) -> Person:
    """The person a body names. Raises Invalid at that field for somebody unknown."""
    try:
        return person_by_staff_no(request.session, body["staff_no"])
    except NotFound as missing:
        raise Invalid({"staff_no": missing.detail}) from None


@routes.get("/accounts", action=Action.READ_ACCOUNTS, answers=Listed[AccountShape], query=Page)
def list_accounts(request: Request, query: dict[str, Any]) -> Any:
    """Accounts by 学工号."""
    rows = accounts_after(request.session, after_of(query, "", natural), query["limit"] + 1)
    return listed(rows, query, account_shape, lambda row: row.person.staff_no)


@routes.post("/accounts", action=Action.WRITE_ACCOUNTS, answers=AccountShape, body=AccountBody, secret=True, status=201)
def create_account(request: Request, body: dict[str, Any]) -> Any:
    """Give somebody an account. An officer of the school is made with it."""
    if "role" in body:
        person = create_officer(
            request.session,
            staff_no=body["staff_no"],
            name=body.get("name", body["staff_no"]),
            role=body["role"],
            now=request.now,
            password=body.get("password"),
        )
    else:
        person = _named(request, body)
    account = open_account(request.session, person, now=request.now, password=body.get("password") if "role" not in body else None)
    account.person = person
    return Answer(account_shape(account), 201, location=f"{BASE}/accounts")


@routes.post("/accounts/<staff_no>/disable", action=Action.WRITE_ACCOUNTS, answers=AccountShape, find=find_account)
def disable_account(request: Request, account: Account) -> Any:
    """Disable an account: whoever is signed in by it is out with his next request, and so are his programs."""
    disable(request.session, account, by=request.by, now=request.now)
    return account_shape(account)


@routes.post("/accounts/<staff_no>/enable", action=Action.WRITE_ACCOUNTS, answers=AccountShape, find=find_account)
def enable_account(request: Request, account: Account) -> Any:
    """Enable a disabled account again."""
    enable(request.session, account)
    return account_shape(account)


@routes.get("/tokens", action=Action.WRITE_TOKENS, answers=Listed[TokenShape], query=Page)
def list_tokens(request: Request, query: dict[str, Any]) -> Any:
    """Tokens, without what they open with, which nobody has."""
    rows = tokens_after(request.session, after_of(query, 0, number), query["limit"] + 1)
    return listed(rows, query, token_shape, lambda row: row.id)


@routes.post("/tokens", action=Action.WRITE_TOKENS, answers=IssuedShape, body=TokenBody, secret=True, status=201)
def create_token(request: Request, body: dict[str, Any]) -> Any:
    """Make a token. It is shown in this answer, and never again."""
    person = _named(request, body)
    ends = body.get("expires_at", request.now + timedelta(days=service().settings.token_days))
    issued = issue_token(request.session, person, name=body["name"], now=request.now, expires_at=ends)
    return Answer(
        {"id": issued.id, "staff_no": person.staff_no, "name": body["name"], "token": issued.secret, "expires_at": issued.expires_at},
        201,
        location=f"{BASE}/tokens/{issued.id}",
    )


@routes.delete(f"/tokens/<{NUMBER}:token_id>", action=Action.WRITE_TOKENS, status=204)
def end_token(request: Request, token_id: int) -> Any:
    """Revoke a token: it opens nothing from now on."""
    revoke_token(request.session, token_id, now=request.now)
    return Answer(None, 204)


@routes.get("/appointments", action=Action.READ_APPOINTMENTS, answers=Listed[AppointmentShape], query=Page)
def list_appointments(request: Request, query: dict[str, Any]) -> Any:
    """Posts in branches and offices of the school, past ones included."""
    rows = request.session.scalars(
        select(Appointment)
        .options(joinedload(Appointment.person), joinedload(Appointment.branch))
        .where(Appointment.id > after_of(query, 0, number))
        .order_by(Appointment.id)
        .limit(query["limit"] + 1)
    ).all()
    return listed(rows, query, appointment_shape, lambda row: row.id)


@routes.post("/appointments", action=Action.WRITE_APPOINTMENTS, answers=AppointmentShape, body=AppointmentBody, status=201)
def create_appointment(request: Request, body: dict[str, Any]) -> Any:
    """Give somebody a post. The rolls of his branch follow."""
    row = appoint(request.session, body, now=request.now)
    return Answer(appointment_shape(row), 201, location=f"{BASE}/appointments")


@routes.post(f"/appointments/<{NUMBER}:appointment_id>/end", action=Action.WRITE_APPOINTMENTS, answers=AppointmentShape, body=EndBody)
def finish_appointment(request: Request, body: dict[str, Any], appointment_id: int) -> Any:
    """End a post with its last day. The rolls of its branch follow."""
    return appointment_shape(end_appointment(request.session, appointment_id, ends_on=body["ends_on"], now=request.now))
