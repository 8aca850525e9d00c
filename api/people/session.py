"""Signing in and out, and the person who is signed in (登录)."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple
from datetime import datetime
from typing import Annotated

from typing_extensions import TypedDict

from api.frame.address import NUMBER, location
from api.frame.base import csrf_token
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import Listed, LocatedShape, located_shape
from api.frame.words import said
from workflow.acts.sign_in import CHANGE_PASSWORD, END_SESSION, SIGN_IN, SIGN_OUT, SignedIn
from workflow.foundation.errors import Unauthenticated
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import Role
from workflow.machine.gate import FIRST_TODO, TodoPlace, place_in_todos, todos
from workflow.people.access import Action, Caller
from workflow.people.guard.throttle import TooManyTries
from workflow.people.sessions import OpenSession, sessions_of
from workflow.rules.acts import Call

routes = Routes(tag=Tag("session", "登录", "signing in and out"))
me = Routes(tag=Tag("me", "我的", "the person who asks"))


class SessionShape(TypedDict):
    """A session that has begun (登录)."""

    staff_no: str
    csrf_token: str
    expires_at: datetime


class OpenSessionShape(TypedDict):
    """A session of one's own that is not over (未结束的登录)."""

    id: int
    created_at: Annotated[datetime, said("登录时间", "moment of the sign-in")]
    used_at: Annotated[datetime, said("最后使用的时间，精确到十分钟", "last use, to ten minutes")]
    expires_at: datetime
    browser: Annotated[str | None, said("浏览器和系统的种类；认不出为 null", "kind of browser and system; null where unknown")]
    current: Annotated[bool, said("是否就是这一处登录", "whether it is the session that asks")]


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

    Sets the session cookie; send csrf_token as X-CSRF-Token with every change. A second cookie
    marks the browser as one that has signed in: strangers' wrong tries do not count for it.
    """
    secret, ends = made.issued.secret, made.issued.expires_at
    body: SessionShape = {"staff_no": made.staff_no, "csrf_token": csrf_token(secret), "expires_at": ends}
    return Answer(body, location=location("/me"), session=secret, mark=made.mark)


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


@me.put("/me/password", CHANGE_PASSWORD, refuses=(TooManyTries,), status=204)
def change_own_password(call: Call[object], _: None) -> None:
    """Change the own password. The other sessions end, this one and tokens stay; a letter tells."""


@me.get("/me/sessions", action=Action.READ_SELF, answers=Listed[OpenSessionShape], query=Page(), zh="我的登录")
def my_sessions(call: Call[object], query: Sent) -> object:
    """List the own sessions that are not over: where I am signed in."""
    rows = sessions_of(call.session, call.by.person_id, secret=call.cookie, now=call.now, after=after_of(query, 0, number), limit=query["limit"] + 1)
    return listed(rows, query, _session_shape, lambda row: row.id)


def _session_shape(row: OpenSession) -> dict[str, object]:
    return asdict(row)


@me.delete(f"/me/sessions/<{NUMBER}:session_id>", END_SESSION, status=204)
def end_own_session(call: Call[object], current: bool) -> Answer:
    """End one of the own sessions: on another computer, or one that is not mine."""
    return Answer(session="" if current else None)
