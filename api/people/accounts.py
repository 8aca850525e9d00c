"""Accounts, tokens, appointments (账号、令牌、任职)."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from api.frame.address import NUMBER, location
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import page_of
from workflow.acts.people import ACCOUNT, DISABLE_ACCOUNT, ENABLE_ACCOUNT, ISSUE_TOKEN, OPEN_ACCOUNT, REVOKE_TOKEN, TOKEN, TokenIssued
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import Role
from workflow.people.access import Action
from workflow.people.accounts import Account, Token, accounts_after, tokens_after
from workflow.people.organisation import Appointment
from workflow.roster.posts import APPOINT, APPOINTMENT, END_APPOINTMENT, appointments_after
from workflow.rules.acts import Call

routes = Routes(tag=Tag("accounts", "账号", "accounts of people"))
tokens = Routes(tag=Tag("tokens", "令牌", "tokens of programs"))
posts = Routes(tag=Tag("appointments", "任职", "posts of people"))
ONE_TOKEN = f"/tokens/<{NUMBER}:token_id>"


class IssuedShape(TypedDict):
    """A token with its secret, shown once (新发的令牌)."""

    id: int
    staff_no: str
    name: str
    token: str
    expires_at: datetime


@routes.get("/accounts", action=Action.READ_ACCOUNTS, answers=page_of(ACCOUNT), query=Page(), zh="列出账号")
def list_accounts(call: Call[object], query: Sent) -> object:
    """List accounts by staff number."""
    rows = accounts_after(call.session, after_of(query, "", natural), query["limit"] + 1)
    return listed(rows, query, ACCOUNT.shown, lambda row: row.person.staff_no)


@routes.post("/accounts", OPEN_ACCOUNT, status=201)
def create_account(call: Call[object], row: Account) -> object:
    """Give somebody an account. For an officer of the school, name and role make the person too."""
    return Answer(ACCOUNT.shown(row), location=location("/accounts"))


@routes.post("/accounts/<staff_no>/disable", DISABLE_ACCOUNT)
def disable_account(call: Call[object], row: Account) -> object:
    """Disable an account. Its sessions and tokens stop at the next request."""
    return ACCOUNT.shown(row)


@routes.post("/accounts/<staff_no>/enable", ENABLE_ACCOUNT)
def enable_account(call: Call[object], row: Account) -> object:
    """Enable a disabled account again."""
    return ACCOUNT.shown(row)


@tokens.get("/tokens", action=Action.WRITE_TOKENS, answers=page_of(TOKEN), query=Page(), zh="列出令牌")
def list_tokens(call: Call[object], query: Sent) -> object:
    """List tokens. Their secrets are not stored."""
    rows = tokens_after(call.session, after_of(query, 0, number), query["limit"] + 1)
    return listed(rows, query, TOKEN.shown, lambda row: row.id)


@tokens.post("/tokens", ISSUE_TOKEN, answers=IssuedShape, status=201)
def create_token(call: Call[object], made: TokenIssued) -> object:
    """Make a token. Its secret is in this answer alone."""
    issued = made.issued
    body: IssuedShape = {
        "id": issued.id,
        "staff_no": made.person.staff_no,
        "name": made.name,
        "token": issued.secret,
        "expires_at": issued.expires_at,
    }
    return Answer(body, location=location(ONE_TOKEN, method="DELETE", token_id=issued.id))


@tokens.delete(ONE_TOKEN, REVOKE_TOKEN, status=204)
def end_token(call: Call[object], row: Token) -> object:
    """Revoke a token. It opens nothing from now on."""


@posts.get("/appointments", action=Action.READ_APPOINTMENTS, answers=page_of(APPOINTMENT), query=Page(), zh="列出任职")
def list_appointments(call: Call[object], query: Sent) -> object:
    """List posts in branches and roles of the school, past ones included.

    The administrator sees the roles of the school alone.
    """
    in_branches = bool(call.by_roles.keys() - {Role.ADMINISTRATOR})
    rows = appointments_after(call.session, after_of(query, 0, number), query["limit"] + 1, in_branches=in_branches)
    return listed(rows, query, APPOINTMENT.shown, lambda row: row.id)


@posts.post("/appointments", APPOINT, status=201)
def create_appointment(call: Call[object], row: Appointment) -> object:
    """Give somebody a post. The rolls of their branch follow.

    A branch has one secretary: with succeeds the one in office ends the day before.
    """
    return Answer(APPOINTMENT.shown(row), location=location("/appointments"))


@posts.post(f"/appointments/<{NUMBER}:appointment_id>/end", END_APPOINTMENT)
def finish_appointment(call: Call[object], row: Appointment) -> object:
    """End a post with its last day. The rolls of its branch follow."""
    return APPOINTMENT.shown(row)
