"""Accounts, tokens, appointments (账号、令牌、任职)."""

from __future__ import annotations

from datetime import date, datetime

from typing_extensions import TypedDict

from api.frame.address import NUMBER, location
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.routes import Answer, Routes
from api.frame.shapes import Listed
from workflow.acts.people import DISABLE_ACCOUNT, ENABLE_ACCOUNT, ISSUE_TOKEN, OPEN_ACCOUNT, REVOKE_TOKEN, TokenIssued
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import Post, Role
from workflow.people.access import Action
from workflow.people.accounts import Account, Token, accounts_after, tokens_after
from workflow.people.organisation import Appointment
from workflow.roster.posts import APPOINT, END_APPOINTMENT, appointments_after
from workflow.rules.acts import Call

routes = Routes()
TOKEN = f"/tokens/<{NUMBER}:token_id>"


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


@routes.get("/accounts", action=Action.READ_ACCOUNTS, answers=Listed[AccountShape], query=Page())
def list_accounts(call: Call[object], query: Sent) -> object:
    """Accounts by 学工号."""
    rows = accounts_after(call.session, after_of(query, "", natural), query["limit"] + 1)
    return listed(rows, query, account_shape, lambda row: row.person.staff_no)


@routes.post("/accounts", OPEN_ACCOUNT, answers=AccountShape, status=201)
def create_account(call: Call[object], row: Account) -> object:
    """Give somebody an account. An officer of the school is made with it."""
    return Answer(account_shape(row), location=location("/accounts"))


@routes.post("/accounts/<staff_no>/disable", DISABLE_ACCOUNT, answers=AccountShape)
def disable_account(call: Call[object], row: Account) -> object:
    """Disable an account: whoever is signed in by it is out with his next request, and so are his programs."""
    return account_shape(row)


@routes.post("/accounts/<staff_no>/enable", ENABLE_ACCOUNT, answers=AccountShape)
def enable_account(call: Call[object], row: Account) -> object:
    """Enable a disabled account again."""
    return account_shape(row)


@routes.get("/tokens", action=Action.WRITE_TOKENS, answers=Listed[TokenShape], query=Page())
def list_tokens(call: Call[object], query: Sent) -> object:
    """Tokens, without what they open with, which nobody has."""
    rows = tokens_after(call.session, after_of(query, 0, number), query["limit"] + 1)
    return listed(rows, query, token_shape, lambda row: row.id)


@routes.post("/tokens", ISSUE_TOKEN, answers=IssuedShape, status=201)
def create_token(call: Call[object], made: TokenIssued) -> object:
    """Make a token. It is shown in this answer, and never again."""
    issued = made.issued
    body: IssuedShape = {
        "id": issued.id,
        "staff_no": made.person.staff_no,
        "name": made.name,
        "token": issued.secret,
        "expires_at": issued.expires_at,
    }
    return Answer(body, location=location(TOKEN, method="DELETE", token_id=issued.id))


@routes.delete(TOKEN, REVOKE_TOKEN, status=204)
def end_token(call: Call[object], row: Token) -> object:
    """Revoke a token: it opens nothing from now on."""


@routes.get("/appointments", action=Action.READ_APPOINTMENTS, answers=Listed[AppointmentShape], query=Page())
def list_appointments(call: Call[object], query: Sent) -> object:
    """Posts in branches and offices of the school, past ones included."""
    rows = appointments_after(call.session, after_of(query, 0, number), query["limit"] + 1)
    return listed(rows, query, appointment_shape, lambda row: row.id)


@routes.post("/appointments", APPOINT, answers=AppointmentShape, status=201)
def create_appointment(call: Call[object], row: Appointment) -> object:
    """Give somebody a post. The rolls of his branch follow."""
    return Answer(appointment_shape(row), location=location("/appointments"))


@routes.post(f"/appointments/<{NUMBER}:appointment_id>/end", END_APPOINTMENT, answers=AppointmentShape)
def finish_appointment(call: Call[object], row: Appointment) -> object:
    """End a post with its last day. The rolls of its branch follow."""
    return appointment_shape(row)
