"""How people get in, and who stands for whom (邀请、代行)."""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import Any

from flask import request as http
from typing_extensions import TypedDict

from api.frame.address import BASE, NUMBER
from api.frame.base import Answer, Request, Routes, service
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, number
from api.frame.shapes import Listed, PersonShape
from workflow.foundation.database import act_as, transaction
from workflow.foundation.errors import Invalid, NotFound, Words
from workflow.foundation.fields import Body, Line, LongText, StaffNo
from workflow.people.access import Action
from workflow.people.accounts import Account, Invitation, account_of
from workflow.people.invitations import Desk, accept_invitation, forget_password, invite, invite_branch, open_invitation
from workflow.people.organisation import Person, branch_by_code
from workflow.people.substitutes import (
    EndSubstituteBody,
    Substitute,
    SubstituteBody,
    branches_within,
    end_substitute,
    name_substitute,
    substitute_by_id,
    substitutes_after,
)
from workflow.people.throttle import FORGOTTEN_FROM_ADDRESS, FORGOTTEN_OF_ACCOUNT, TooManyTries, client_address, take

routes = Routes()

SAME_TIME_SECONDS = 0.25
"""What answering a forgotten password takes, whatever there was to do: longer than writing a letter."""


class BranchBody(Body):
    """Which branch."""

    branch = Line(required=True, at_most=32)


class PasswordBody(Body):
    """The new password."""

    password = LongText(required=True, at_most=128)


class ForgottenBody(Body):
    """Whose password."""

    staff_no = StaffNo(required=True)


class InvitationShape(TypedDict):
    """An invitation, without its code: that goes to the mailbox alone."""

    staff_no: str
    name: str
    expires_at: datetime


class BranchInvitedShape(TypedDict):
    """What inviting a branch came to."""

    letters: int
    no_address: list[PersonShape]


class MessageShape(TypedDict):
    message: str


class SubstituteShape(TypedDict):
    """Who stands for whom. ``staff_no`` is who is stood for."""

    id: int
    branch: str
    staff_no: str
    name: str
    substitute: str
    substitute_name: str
    starts_on: date
    ends_on: date
    ended_at: datetime | None
    recorded_by: str
    recorded_at: datetime


def substitute_shape(row: Substitute) -> SubstituteShape:
    return {
        "id": row.id,
        "branch": row.branch.code,
        "staff_no": row.person.staff_no,
        "name": row.person.name,
        "substitute": row.substitute.staff_no,
        "substitute_name": row.substitute.name,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
        "ended_at": row.ended_at,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at,
    }


def known_shape(person: Person) -> PersonShape:
    return {"staff_no": person.staff_no, "name": person.name}


def the_address() -> str:
    """Where this request comes from, as far as it can be believed."""
    return client_address(http.remote_addr, http.headers.get("X-Forwarded-For", ""), service().settings.trusted_proxies)


def _desk(request: Request) -> Desk:
    settings = service().settings
    return Desk(now=request.now, base_url=settings.base_url or "", hours=settings.invitation_hours)


# ── getting in ────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_account(request: Request, staff_no: str) -> Account:
    """The account that an address names."""
    return account_of(request.session, staff_no)


def _find_invitation(request: Request, invitation_code: str) -> Invitation:
    return open_invitation(request.session, invitation_code, now=request.now)


@routes.post("/accounts/<staff_no>/invitation", action=Action.WRITE_ACCOUNTS, answers=InvitationShape, find=find_account)
def invite_one(request: Request, account: Account) -> Any:
    """Mail somebody a one-time link to set a password. It replaces the one he had."""
    made = invite(request.session, account.person.staff_no, desk=_desk(request))
    return {**known_shape(account.person), "expires_at": made.expires_at}


@routes.post("/accounts/invitations", action=Action.WRITE_ACCOUNTS, answers=BranchInvitedShape, body=BranchBody)
def invite_many(request: Request, body: dict[str, Any]) -> Any:
    """Mail everyone of a branch who has no password yet a link to set one, and say who has no address."""
    try:
        branch = branch_by_code(request.session, body["branch"])
    except NotFound as missing:
        raise Invalid({"branch": missing.detail}) from None
    done = invite_branch(request.session, branch, desk=_desk(request))
    return {"letters": done.letters, "no_address": [known_shape(person) for person in done.no_address]}


@routes.post("/invitations/<invitation_code>", action=None, answers=PersonShape, body=PasswordBody, find=_find_invitation, secret=True)
def set_password_by_link(request: Request, invitation: Invitation, body: dict[str, Any]) -> Any:
    """Set a password by the link of a letter, once."""
    person = invitation.person
    act_as(request.session, actor=person.staff_no)
    accept_invitation(request.session, invitation, body["password"], now=request.now)
    return known_shape(person)


@routes.post("/session/forgotten", action=None, answers=MessageShape, body=ForgottenBody, refuses=(429,), secret=True)
def forgotten_password(request: Request, body: dict[str, Any]) -> Any:
    """Ask for a link to set a new password. The answer is the same whether there is such an account or not."""
    began = time.monotonic()
    engine = service().engine
    with transaction(engine, actor=None) as counting:
        take(counting, [(FORGOTTEN_FROM_ADDRESS, the_address())], request.now)
    try:
        # On a connection of its own, and committed before the wait: how long this took must not be seen.
        with transaction(engine, actor="anonymous") as writing:
            take(writing, [(FORGOTTEN_OF_ACCOUNT, body["staff_no"])], request.now)
            forget_password(writing, body["staff_no"], desk=_desk(request))
    except TooManyTries:
        pass
    time.sleep(max(0.0, SAME_TIME_SECONDS - (time.monotonic() - began)))
    told = Words(
        "如果该学工号有账号并登记了邮箱，重新设置口令的邮件很快就到",
        "if there is such an account with an address, a letter with a link is on its way",
    )
    return {"message": told.speak(language())}


# ── substitutes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _find_substitute(request: Request, substitute_id: int) -> Substitute:
    return substitute_by_id(request.session, substitute_id, branches=branches_within(request.by, request.by_roles))


@routes.get("/substitutes", action=Action.READ_SUBSTITUTES, answers=Listed[SubstituteShape], query=Page)
def list_substitutes(request: Request, query: dict[str, Any]) -> Any:
    """Who stands or stood for whom: of the own branch, or of all."""
    branches = branches_within(request.by, request.by_roles)
    rows = substitutes_after(request.session, after_of(query, 0, number), query["limit"] + 1, branches=branches)
    return listed(rows, query, substitute_shape, lambda row: row.id)


@routes.post("/substitutes", action=Action.WRITE_SUBSTITUTES, answers=SubstituteShape, body=SubstituteBody, status=201)
def create_substitute(request: Request, body: dict[str, Any]) -> Any:
    """Name who stands for a secretary or deputy (for himself), or for anyone with a post (the office), between two days."""
    row = name_substitute(request.session, body, by=request.by, reach=request.by_roles.values(), now=request.now)
    return Answer(substitute_shape(row), 201, location=f"{BASE}/substitutes")


@routes.post(
    f"/substitutes/<{NUMBER}:substitute_id>/end",
    action=Action.WRITE_SUBSTITUTES,
    answers=SubstituteShape,
    body=EndSubstituteBody,
    find=_find_substitute,
)
def finish_substitute(request: Request, row: Substitute, body: dict[str, Any]) -> Any:
    """End it at once, or with an earlier last day."""
    ended = end_substitute(request.session, row, by=request.by, reach=request.by_roles.values(), now=request.now, ends_on=body.get("ends_on"))
    return substitute_shape(ended)
