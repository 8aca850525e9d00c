"""Signing in and out, and the person who is signed in (登录)."""

from __future__ import annotations

import json
from dataclasses import astuple
from datetime import datetime

from typing_extensions import TypedDict

from api.frame.address import location
from api.frame.base import csrf_token
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, natural
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import Listed, LocatedShape, located_shape
from workflow.acts.people import SIGN_IN, SIGN_OUT, SignedIn
from workflow.foundation.errors import Unauthenticated
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import Role
from workflow.machine.gate import FIRST_TODO, TodoPlace, place_in_todos, todos
from workflow.people.access import Action, Caller
from workflow.people.throttle import TooManyTries
from workflow.rules.acts import Call

routes = Routes(tag=Tag("session", "登录", "signing in and out"))
me = Routes(tag=Tag("me", "我的", "the person who asks"))


class SessionShape(TypedDict):
    """A session that has begun (登录)."""

    staff_no: str
    csrf_token: str
    expires_at: datetime


class BranchRolesShape(TypedDict):
    """Roles in one branch (在一个支部的角色)."""

    code: str
    roles: list[Role]
    stands_for: str | None
    """The person in whose place this person acts there today (学工号)."""


class CallerShape(TypedDict):
    """The person who asks, with roles and branches (本人)."""

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


@routes.post("/session", SIGN_IN, answers=SessionShape, refuses=(Unauthenticated, TooManyTries), status=201)
def start_session(call: Call[object], made: SignedIn) -> Answer:
    """Sign in as a browser.

    Sets the session cookie; send csrf_token as X-CSRF-Token with every change.
    """
    secret, ends = made.issued.secret, made.issued.expires_at
    body: SessionShape = {"staff_no": made.staff_no, "csrf_token": csrf_token(secret), "expires_at": ends}
    return Answer(body, location=location("/me"), session=secret)


@routes.delete("/session", SIGN_OUT, status=204)
def end_session(call: Call[object], _: None) -> Answer:
    """Sign out. The session of the cookie ends."""
    return Answer(session="")


@me.get("/me", action=Action.READ_SELF, answers=CallerShape, zh="我是谁")
def who_am_i(call: Call[object]) -> object:
    """Read the own name, roles and branches."""
    return caller_shape(call.by)


@me.get("/me/todos", action=Action.READ_SELF, answers=Listed[LocatedShape], query=Page(), zh="我的待办")
def my_todos(call: Call[object], query: Sent) -> object:
    """List what is missing from me, in all my branches and years."""
    after = after_of(query, FIRST_TODO, _todo_place)
    rows = todos(call.session, call.by.person_id, today=call.today, school=call.by.school, after=after, limit=query["limit"] + 1)
    return listed(rows, query, lambda row: located_shape(row, language()), lambda row: json.dumps(astuple(place_in_todos(row))))


def _todo_place(text: str) -> TodoPlace:
    match json.loads(text):
        case [bool(of_school), str(code), int(at)] if type(at) is int and 0 <= at < 1000:
            return TodoPlace(of_school, natural(code), at)
    raise ValueError
