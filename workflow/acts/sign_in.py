"""Signing in, passwords and one's own sessions as acts (登录、密码、会话)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from workflow.acts.people import desk
from workflow.foundation.database import act_as, transaction
from workflow.foundation.fields import Body, LongText, Sent, StaffNo, about
from workflow.people.access import Action
from workflow.people.accounts import Invitation, Issued, WebSession, account_of, own_words
from workflow.people.guard.guesses import guess_at, knock
from workflow.people.guard.origin import marked
from workflow.people.guard.passwords import must_be_strong
from workflow.people.guard.throttle import FORGOTTEN_FROM_NETWORK, FORGOTTEN_OF_ACCOUNT, network_of, take
from workflow.people.invitations import accept_invitation, forget_password, open_invitation
from workflow.people.organisation import Person
from workflow.people.sessions import change_password, end_session, own_session, sign_in, sign_out, tell_password_changed
from workflow.rules.acts import Act, AnyAct, Call

SAME_TIME_SECONDS = 0.25
"""The least time to answer a forgotten password, in seconds.

The answer always takes this long; it is longer than writing a letter takes.
"""

_STAFF_NO = about("学工号", "staff number", "学校统一的学工号", "the number that the school gave", example="20160001")


class SignInSchema(Body):
    """A person and their password."""

    staff_no = StaffNo(required=True, **_STAFF_NO)
    password = LongText(required=True, at_most=128, **about("密码", "password", "10 至 128 个字符", "10 to 128 characters"))


class PasswordSchema(Body):
    """A new password."""

    password = LongText(required=True, at_most=128, **about("新密码", "new password", "10 至 128 个字符", "10 to 128 characters"))


class ChangePasswordSchema(Body):
    """The present password, and a new one."""

    old = LongText(required=True, at_most=128, **about("原密码", "present password", "现在的密码", "the password as it is now"))
    new = LongText(
        required=True, at_most=128, **about("新密码", "new password", "10 至 128 个字符，不要太常见", "10 to 128 characters, no common ones")
    )


class ForgottenSchema(Body):
    """The account whose password was forgotten."""

    staff_no = StaffNo(required=True, **_STAFF_NO)


# ── in and out ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class SignedIn:
    """A browser's session that has begun (登录)."""

    staff_no: str
    issued: Issued
    mark: str
    """The mark by which this browser is known from now on."""


def _sign_in(call: Call[object], sent: Sent) -> SignedIn:
    staff_no, origin = sent["staff_no"], call.origin
    guess = guess_at(staff_no, origin, call.settings, knocked=True)
    guess.count(call.engine)
    issued = sign_in(call.session, staff_no=staff_no, password=sent["password"], now=call.now, hours=call.settings.session_hours, agent=origin.agent)
    guess.was_right(call.session)
    return SignedIn(staff_no, issued, marked(origin, call.settings, staff_no))


SIGN_IN: Act[Any, SignedIn] = Act("sign_in", "登录", "sign in", None, _sign_in, sends=SignInSchema(), tries=knock, secret=True)
SIGN_OUT: Act[Any, None] = Act(
    "sign_out",
    "退出登录",
    "sign out",
    Action.WRITE_SELF,
    lambda call, sent: sign_out(call.session, secret=call.cookie, now=call.now),
)


def _end_session(call: Call[WebSession], sent: Sent) -> bool:
    return end_session(call.session, call.on, secret=call.cookie, now=call.now)


END_SESSION: Act[WebSession, bool] = Act(
    "end_session",
    "退出一处登录",
    "end a session of one's own",
    Action.WRITE_SELF,
    _end_session,
    on=lambda call, session_id: own_session(call.session, call.by.person_id, session_id, now=call.now),
)


# ── passwords ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _forgotten(call: Call[object], sent: Sent) -> None:
    """Mail a link, if there is such an account.

    It takes as long and ends alike whether there is one or not.
    """
    began = time.monotonic()
    # On a connection of its own, and committed before the wait: the time of the work must not
    # be seen.
    with transaction(call.engine, actor="anonymous") as writing:
        if take(writing, FORGOTTEN_OF_ACCOUNT, sent["staff_no"]) is None:
            forget_password(writing, sent["staff_no"], desk=desk(call))
    time.sleep(max(0.0, SAME_TIME_SECONDS - (time.monotonic() - began)))


FORGET_PASSWORD: Act[Any, None] = Act(
    "forget_password",
    "找回密码",
    "ask for a link to set a new password",
    None,
    _forgotten,
    sends=ForgottenSchema(),
    tries=lambda session, origin, _: take(session, FORGOTTEN_FROM_NETWORK, network_of(origin.address)),
    secret=True,
)


def _invitation(call: Call[object], invitation_code: str) -> Invitation:
    return open_invitation(call.session, invitation_code, now=call.now)


def _set_password(call: Call[Invitation], sent: Sent) -> Person:
    person = call.on.person
    act_as(call.session, actor=person.staff_no)
    accept_invitation(call.session, call.on, sent["password"], now=call.now)
    return person


SET_PASSWORD: Act[Invitation, Person] = Act(
    "set_password",
    "设置密码",
    "set a password by a letter's link or a slip's code",
    None,
    _set_password,
    on=_invitation,
    sends=PasswordSchema(),
    secret=True,
)


def _change_password(call: Call[object], sent: Sent) -> None:
    account = account_of(call.session, call.by.staff_no, for_update=True)
    # Before the guess: a password that may not be set says nothing about the present one.
    must_be_strong(sent["new"], of=own_words(account.person), at="new")
    guess = guess_at(call.by.staff_no, call.origin, call.settings, knocked=False)
    guess.count(call.engine)
    change_password(call.session, account, old=sent["old"], new=sent["new"], secret=call.cookie, now=call.now)
    guess.was_right(call.session)
    tell_password_changed(call.session, account.person, now=call.now, base_url=call.base_url)


CHANGE_PASSWORD: Act[Any, None] = Act(
    "change_password", "修改密码", "change one's own password", Action.WRITE_SELF, _change_password, sends=ChangePasswordSchema(), secret=True
)

ACTS: tuple[AnyAct, ...] = (SIGN_IN, SIGN_OUT, END_SESSION, FORGET_PASSWORD, SET_PASSWORD, CHANGE_PASSWORD)
