"""Signing in and out, and who I am (登录)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import request as http
from typing_extensions import TypedDict

from api.frame.base import SESSION_COOKIE, Answer, Request, Routes, csrf_token, service
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, number
from api.frame.shapes import Listed, LocatedShape, located_shape
from api.people.invitations import the_address
from workflow.foundation.database import transaction
from workflow.foundation.fields import Body, LongText, StaffNo
from workflow.foundation.vocabulary import Role
from workflow.machine.gate import todos
from workflow.people.access import Action, Caller
from workflow.people.accounts import sign_in, sign_out
from workflow.people.throttle import SIGN_IN_FROM_ADDRESS, SIGN_IN_TO_ACCOUNT, forget, give_back, take

routes = Routes()


class SignInBody(Body):
    """Who, and the password."""

    staff_no = StaffNo(required=True)
    password = LongText(required=True, at_most=128)


class SessionShape(TypedDict):
    """A sign-in that has begun."""

    staff_no: str
    csrf_token: str
    expires_at: datetime


class BranchRolesShape(TypedDict):
    code: str
    roles: list[Role]
    stands_for: str | None
    """Whose substitute this person is there today (学工号)."""


class CallerShape(TypedDict):
    """Who I am, and what I am towards each branch."""

    staff_no: str
    name: str
    roles: list[Role]
    branches: list[BranchRolesShape]


def caller_shape(caller: Caller) -> CallerShape:
    return {
        "staff_no": caller.staff_no,
        "name": caller.name,
        "roles": sorted(caller.roles),
        "branches": [
            {"code": code, "roles": sorted(roles), "stands_for": caller.stands_for.get(code)} for code, roles in sorted(caller.branches.items())
        ],
    }


@routes.post("/session", action=None, answers=SessionShape, body=SignInBody, refuses=(401, 429), secret=True, status=201)
def start_session(request: Request, body: dict[str, Any]) -> Answer:
    """Sign in as a browser: sets the session cookie, and answers the CSRF token that changes must send along."""
    settings = service().settings
    address = the_address()
    # Committed before the password is looked at: the count stands whatever becomes of this sign-in.
    with transaction(service().engine, actor=None) as counting:
        take(counting, [(SIGN_IN_TO_ACCOUNT, body["staff_no"]), (SIGN_IN_FROM_ADDRESS, address)], request.now)
    issued = sign_in(request.session, staff_no=body["staff_no"], password=body["password"], now=request.now, hours=settings.session_hours)
    forget(request.session, SIGN_IN_TO_ACCOUNT, body["staff_no"])
    give_back(request.session, SIGN_IN_FROM_ADDRESS, address)
    secure = "; Secure" if (settings.base_url or "").startswith("https") else ""
    cookie = f"{SESSION_COOKIE}={issued.secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={settings.session_hours * 3600}{secure}"
    return Answer(
        {"staff_no": body["staff_no"], "csrf_token": csrf_token(issued.secret), "expires_at": issued.expires_at},
        201,
        location="/api/v1/me",
        headers={"Set-Cookie": cookie},
    )


@routes.delete("/session", action=Action.READ_SELF, status=204)
def end_session(request: Request) -> Answer:
    """Sign out."""
    sign_out(request.session, secret=http.cookies.get(SESSION_COOKIE, ""), now=request.now)
    return Answer(None, 204, headers={"Set-Cookie": f"{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"})


@routes.get("/me", action=Action.READ_SELF, answers=CallerShape)
def who_am_i(request: Request) -> Any:
    """Who I am, and what I am towards each branch."""
    return caller_shape(request.by)


@routes.get("/me/todos", action=Action.READ_SELF, answers=Listed[LocatedShape], query=Page)
def my_todos(request: Request, query: dict[str, Any]) -> Any:
    """What is missing from me, in all my branches and cycles."""
    skipped = after_of(query, 0, number)
    rows = list(enumerate(todos(request.session, request.by.person_id, today=request.today, school=request.by.school), 1))[
        skipped : skipped + query["limit"] + 1
    ]
    return listed(rows, query, lambda row: located_shape(row[1], language()), lambda row: row[0])
