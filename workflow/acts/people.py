"""Accounts, tokens and substitutes as acts (账号、令牌、委托代办)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from workflow.foundation.errors import Conflict, Invalid, NotFound, Words
from workflow.foundation.fields import (
    Answered,
    EmailAddress,
    Line,
    LongText,
    Moment,
    Sent,
    StaffNo,
    Truth,
    Whole,
    about,
    one_of,
)
from workflow.foundation.vocabulary import Role
from workflow.people.access import Action
from workflow.people.accounts import (
    Account,
    Issued,
    Token,
    account_of,
    disable,
    enable,
    issue_token,
    open_account,
    revoke_token,
)
from workflow.people.invitations import Desk
from workflow.people.organisation import Person, person_by_staff_no
from workflow.people.roles import SET_BY_THEMSELVES, create_officer, tell_password_set, tell_role_given, tell_token_made
from workflow.people.substitutes import (
    SUBSTITUTE,
    EndSubstituteSchema,
    Substitute,
    branches_within,
    end_substitute,
    name_substitute,
    substitute_by_id,
)
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
)

# ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────────

_OF_PERSON = about("学工号", "staff number", "学校统一的学工号", "the number that the school gave", example="20160001", reads="person.staff_no")


class AccountSchema(Answered):
    """An account of a known person, or with ``name`` and ``role`` of an officer of the school."""

    staff_no = StaffNo(required=True, **_OF_PERSON)
    name = Line(
        at_most=50,
        **about("姓名", "name", "新建学校层面人员时填写", "of a new officer of the school", example="张三", reads="person.name", always=True),
    )
    role = one_of(Role, load_only=True, **about("角色", "role", "党委办公室、党委、督导人员或管理员", "of the school", example="office"))
    email = EmailAddress(load_only=True, **about("邮箱", "address", "新建人员的邮箱", "of a new officer", example="office@school.example"))
    password = LongText(at_most=128, load_only=True, **about("密码", "password", "不填则由邀请信设置", "left out, an invitation sets it"))
    has_password = Truth(dump_only=True, **about("已设密码", "has a password", always=True))
    created_at = Moment(dump_only=True, **about("开通时间", "opened at", always=True))
    disabled_at = Moment(dump_only=True, **about("停用时间", "disabled at"))


class TokenSchema(Answered):
    """A token: its person, its use, its end (default: a year).

    Its secret is shown once, when it is made.
    """

    id = Whole(dump_only=True, **about("编号", "number", always=True))
    staff_no = StaffNo(required=True, **_OF_PERSON)
    name = Line(required=True, at_most=50, **about("用途", "name", "给哪个程序用", "which program uses it", example="数据大屏"))
    created_at = Moment(dump_only=True, **about("发放时间", "made at", always=True))
    made_by = Line(dump_only=True, **about("由谁发", "made by"))
    expires_at = Moment(**about("有效期至", "good until", "不填为一年", "a year if left out", example="2025-12-31T00:00:00+08:00", always=True))
    revoked_at = Moment(dump_only=True, **about("作废时间", "revoked at"))


ACCOUNT, TOKEN = AccountSchema(), TokenSchema()


def _named(call: Call[object], staff_no: str) -> Person:
    """Find the person that was named. Raises Invalid at that field for an unknown one."""
    try:
        return person_by_staff_no(call.session, staff_no)
    except NotFound as missing:
        raise Invalid({"staff_no": missing.detail}) from None


def desk(call: Call[object]) -> Desk:
    """Return the settings for links at the time of a call."""
    return Desk(now=call.now, base_url=call.base_url, hours=call.settings.invitation_hours)


# ── accounts and tokens ───────────────────────────────────────────────────────────────────────────────────────────────


def the_account(call: Call[object], staff_no: str) -> Account:
    """Find the account that an address names. Raises NotFound."""
    return account_of(call.session, staff_no)


def _open_account(call: Call[object], sent: Sent) -> Account:
    if "role" in sent:
        named = {name: sent.get(name) for name in ("email", "password")}
        name = sent.get("name", sent["staff_no"])
        row = create_officer(call.session, staff_no=sent["staff_no"], name=name, role=sent["role"], now=call.now, by=call.caller, **named)
        tell_role_given(call.session, row, by=call.caller, now=call.now, base_url=call.base_url)
        return account_of(call.session, sent["staff_no"])
    if call.caller is not None and "password" in sent:
        raise Invalid({"password": SET_BY_THEMSELVES})
    person = _named(call, sent["staff_no"])
    account = open_account(call.session, person, now=call.now, password=sent.get("password"))
    if "password" in sent:
        if account.disabled_at is not None:
            raise Conflict(Words(f"{person.name} 的账号已停用", f"the account of {person.name} is disabled"))
        tell_password_set(call.session, person, now=call.now, base_url=call.base_url)
    return account_of(call.session, person.staff_no)


OPEN_ACCOUNT: Act[Any, Account] = Act(
    "open_account", "开通账号", "give somebody an account", Action.WRITE_ACCOUNTS, _open_account, sends=ACCOUNT, shows=ACCOUNT, secret=True
)


def _and_the_account(does: Callable[[Call[Account]], object]) -> Callable[[Call[Account], Sent], Account]:
    """Wrap a function of an account, so that the act returns the account."""

    def done(call: Call[Account], sent: Sent) -> Account:
        does(call)
        return call.on

    return done


DISABLE_ACCOUNT: Act[Account, Account] = Act(
    "disable_account",
    "停用账号",
    "disable an account",
    Action.WRITE_ACCOUNTS,
    _and_the_account(lambda call: disable(call.session, call.on, by=call.by, now=call.now)),
    on=the_account,
    shows=ACCOUNT,
)
ENABLE_ACCOUNT: Act[Account, Account] = Act(
    "enable_account",
    "恢复账号",
    "enable an account again",
    Action.WRITE_ACCOUNTS,
    _and_the_account(lambda call: enable(call.session, call.on)),
    on=the_account,
    shows=ACCOUNT,
)


@dataclass(frozen=True)
class TokenIssued:
    """A token with its secret, which is shown once (令牌)."""

    person: Person
    name: str
    issued: Issued


def _issue_token(call: Call[object], sent: Sent) -> TokenIssued:
    person = _named(call, sent["staff_no"])
    ends = sent.get("expires_at", call.now + timedelta(days=call.settings.token_days))
    issued = issue_token(call.session, person, name=sent["name"], now=call.now, expires_at=ends, by=call.actor)
    made = call.session.get_one(Token, issued.id)
    tell_token_made(call.session, person, made, by=call.caller, now=call.now, base_url=call.base_url)
    return TokenIssued(person, sent["name"], issued)


ISSUE_TOKEN: Act[Any, TokenIssued] = Act("issue_token", "发令牌", "make a token", Action.WRITE_TOKENS, _issue_token, sends=TOKEN, secret=True)
REVOKE_TOKEN: Act[Any, Token] = Act(
    "revoke_token",
    "作废令牌",
    "revoke a token",
    Action.WRITE_TOKENS,
    lambda call, sent: revoke_token(call.session, call.on, now=call.now),
    on=lambda call, token_id: token_id,
)

# ── substitutes ───────────────────────────────────────────────────────────────────────────────────────────────────────

NAME_SUBSTITUTE: Act[Any, Substitute] = Act(
    "name_substitute",
    "指定受托人",
    "name a substitute",
    Action.WRITE_SUBSTITUTES,
    lambda call, sent: name_substitute(call.session, sent, by=call.by, reach=call.by_roles.values(), now=call.now),
    sends=SUBSTITUTE,
    shows=SUBSTITUTE,
)


def _substitute(call: Call[object], substitute_id: int) -> Substitute:
    return substitute_by_id(call.session, substitute_id, branches=branches_within(call.by, call.by_roles))


def _end_substitute(call: Call[Substitute], sent: Sent) -> Substitute:
    return end_substitute(call.session, call.on, by=call.by, reach=call.by_roles.values(), now=call.now, ends_on=sent.get("ends_on"))


END_SUBSTITUTE: Act[Substitute, Substitute] = Act(
    "end_substitute",
    "结束委托代办",
    "end a substitute",
    Action.WRITE_SUBSTITUTES,
    _end_substitute,
    on=_substitute,
    sends=EndSubstituteSchema(),
    shows=SUBSTITUTE,
)

ACTS: tuple[AnyAct, ...] = (
    OPEN_ACCOUNT,
    DISABLE_ACCOUNT,
    ENABLE_ACCOUNT,
    ISSUE_TOKEN,
    REVOKE_TOKEN,
    NAME_SUBSTITUTE,
    END_SUBSTITUTE,
)
