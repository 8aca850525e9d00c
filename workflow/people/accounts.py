"""Accounts (账号): the sign-in of people, by password or by a token for programs.

Passwords are argon2 hashes. Sessions, tokens and links are random 256-bit values, the codes of
slips have 75 bits. Only their SHA-256 is kept, so that a copy of these tables opens nothing; each
has an end and can be revoked at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, contains_eager, joinedload, mapped_column, relationship

from workflow.foundation.database import Base, Numbered
from workflow.foundation.errors import Conflict, Invalid, NotFound, Unauthenticated, Words
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.settings import MOST_TOKEN_DAYS
from workflow.people.access import Action, Caller
from workflow.people.organisation import Person

PASSWORD_LENGTH = range(10, 129)
_hasher = PasswordHasher()
_at_once = BoundedSemaphore(2)
"""The limit of hashes at the same time.

A hash takes 64 MB and a fifth of a second: more than a few at once would starve everybody else.
"""
_NOBODY = _hasher.hash(secrets.token_hex())
"""A hash to verify when there is no such account, so that the time it takes says nothing."""


@tracked(hidden=["password_hash"])
class Account(Base):
    """The sign-in of a person (账号).

    Without a password it opens nothing, until an invitation sets one.
    """

    __tablename__ = "account"

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"), primary_key=True)
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship()

    @property
    def has_password(self) -> bool:
        return self.password_hash is not None


@tracked(hidden=["hash"])
class Token(Numbered, Base):
    """A named bearer token (令牌) for programs: shown once, with an end, revocable."""

    __tablename__ = "token"
    __table_args__ = (CheckConstraint("expires_at > created_at", name="expires"),)

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"), index=True)
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    made_by: Mapped[str | None] = mapped_column(sort_order=200)
    """The one who made it; unknown of those made before this was kept."""

    person: Mapped[Person] = relationship()


@tracked(hidden=["hash"])
class WebSession(Numbered, Base):
    """A sign-in by a browser (会话), kept on the server so that it can be ended."""

    __tablename__ = "web_session"

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"), index=True)
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


SLIP_DAYS = 7
"""The number of days for which the code of a slip (纸条) is valid: it is handed out in person."""


@tracked(hidden=["hash"])
class Invitation(Numbered, Base):
    """A link, or the code of a slip, by which a person sets a password, once (邀请)."""

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint("expires_at > created_at", name="expires"),
        Index("uq_invitation_open", "person_id", unique=True, postgresql_where="ended_at is null"),
    )

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """The time at which it was used, or replaced by a newer one."""

    person: Mapped[Person] = relationship()


personal(
    Account,
    Area.PEOPLE,
    "账号",
    Data("person_id 何人, created_at 开立时间, disabled_at 停用时间", "登录", Action.READ_ACCOUNTS),
    Data("password_hash 密码的 argon2 摘要", "登录", "无人；登录时核对"),
    of="能登录的人",
)
_DATES = "created_at 发出时间, expires_at 失效时间"
_LISTED = "默认 {token_days} 天失效；失效后仍列出"
personal(
    Token,
    Area.PEOPLE,
    "令牌",
    Data(
        f"person_id 何人, name 用途, revoked_at 吊销时间, made_by 由谁发, {_DATES}",
        "程序代本人访问",
        Action.WRITE_TOKENS,
        _LISTED,
    ),
    Data("hash 令牌的摘要", "程序代本人访问", "无人；访问时核对", _LISTED),
    of="用程序访问的人",
)
_SPENT = "默认 {} 小时失效；失效后的行不再使用，尚不清理"
personal(
    WebSession,
    Area.PEOPLE,
    "会话",
    Data(
        f"person_id 何人, hash 会话的摘要, revoked_at 退出时间, {_DATES}",
        "登录后不必再输密码",
        "无人；访问时核对",
        _SPENT.format("{session_hours}"),
    ),
    of="登录的人",
)
personal(
    Invitation,
    Area.PEOPLE,
    "邀请",
    Data(
        f"person_id 何人, hash 链接或纸条代码的摘要, ended_at 用掉或被替换的时间, {_DATES}",
        "设密码的一次性链接和纸条",
        "无人；使用时核对",
        f"纸条 {SLIP_DAYS} 天、链接{_SPENT.format('{invitation_hours}')}",
    ),
    of="收到链接或纸条的人",
)


@dataclass(frozen=True)
class Issued:
    """A secret, shown once, and the row that remembers it."""

    secret: str
    id: int
    expires_at: datetime


def digest(secret: str) -> str:
    """Hash the secret of a session, token or invitation: only the hash is kept.

    Random 256 bits need no salt and no slow hash, nor do the 75 bits of a slip in its seven days.
    """
    return sha256(secret.encode()).hexdigest()


def open_account(session: Session, person: Person, *, now: datetime, password: str | None = None) -> Account:
    """Give a person an account, or set the password of the account they have.

    Raises Invalid for a password that is too short.
    """
    account = session.get(Account, person.id)
    if account is None:
        account = Account(person_id=person.id, password_hash=None, created_at=now, disabled_at=None)
        session.add(account)
    if password is not None:
        set_password(session, account, password, now=now)
    session.flush()
    return account


def set_password(session: Session, account: Account, password: str, *, now: datetime) -> None:
    """Set the password, and end the sign-ins by browsers and a link that would set another one.

    Tokens stay: an administrator gave them, no password opens them, and a program must go on when
    somebody forgets a password. Raises Invalid.
    """
    account.password_hash = hash_password(password)
    _end_sign_ins(session, account.person_id, now)


def disable(session: Session, account: Account, *, by: Caller, now: datetime) -> None:
    """Disable an account: nobody acts by it from now on.

    Sessions, tokens and invitations end with it, for good. Raises Conflict for one's own.
    """
    if account.person_id == by.person_id:
        raise Conflict(Words("不能停用自己的账号", "you cannot disable your own account"))
    account.disabled_at = account.disabled_at or now
    _end_sign_ins(session, account.person_id, now)
    session.execute(update(Token).where(Token.person_id == account.person_id, Token.revoked_at.is_(None)).values(revoked_at=now))


def enable(session: Session, account: Account) -> None:
    """Enable an account again with its old password; tokens must be made anew."""
    account.disabled_at = None
    session.flush()


def _end_sign_ins(session: Session, person_id: int, now: datetime) -> None:
    session.flush()
    session.execute(update(WebSession).where(WebSession.person_id == person_id, WebSession.revoked_at.is_(None)).values(revoked_at=now))
    session.execute(update(Invitation).where(Invitation.person_id == person_id, Invitation.ended_at.is_(None)).values(ended_at=now))


def account_of(session: Session, staff_no: str, *, for_update: bool = False) -> Account:
    """Find the account of a person. Raises NotFound."""
    statement = select(Account).join(Account.person).options(contains_eager(Account.person)).where(Person.staff_no == staff_no)
    account = session.scalar(statement.with_for_update(of=Account) if for_update else statement)
    if account is None:
        raise NotFound(Words(f"没有学工号为 {staff_no} 的账号", f"nobody has an account with the number {staff_no}"))
    return account


def hash_password(password: str) -> str:
    """Hash a password. Raises Invalid if it has fewer than ten or more than 128 characters."""
    if len(password) not in PASSWORD_LENGTH:
        raise Invalid({"password": Words("密码须为 10 至 128 个字符", "a password has 10 to 128 characters")})
    with _at_once:
        return _hasher.hash(password)


def sign_in(session: Session, *, staff_no: str, password: str, now: datetime, hours: int) -> Issued:
    """Start a browser's session.

    Raises Unauthenticated, in the same time and words whether the account exists or not.
    """
    account = session.scalar(select(Account).join(Person).where(Person.staff_no == staff_no, Account.disabled_at.is_(None)))
    stored = account.password_hash if account is not None else None
    with _at_once:
        try:
            _hasher.verify(stored or _NOBODY, password)
            right = stored is not None
        except VerificationError:
            right = False
    if account is None or not right or not _stands(session, account.person_id, stored):
        raise Unauthenticated(Words("学工号或密码不对", "wrong number or password"))
    secret = secrets.token_urlsafe(32)
    row = WebSession(person_id=account.person_id, hash=digest(secret), created_at=now, expires_at=now + timedelta(hours=hours), revoked_at=None)
    session.add(row)
    session.flush()
    return Issued(secret, row.id, row.expires_at)


def _stands(session: Session, person_id: int, stored: str | None) -> bool:
    """Tell whether the account is the same as before the hash was computed, and keep it so.

    It stays the same until this transaction ends. If somebody sets a password or disables the
    account meanwhile, this function sees it, or that change waits and then ends the session that
    begins here.
    """
    same = (Account.person_id == person_id, Account.password_hash == stored, Account.disabled_at.is_(None))
    return session.scalar(select(Account.person_id).where(*same).with_for_update(read=True)) is not None


def sign_out(session: Session, *, secret: str, now: datetime) -> None:
    """End a browser's session."""
    row = session.scalar(select(WebSession).where(WebSession.hash == digest(secret)))
    if row is not None and row.revoked_at is None:
        row.revoked_at = now


def issue_token(session: Session, person: Person, *, name: str, now: datetime, expires_at: datetime, by: str = "cli") -> Issued:
    """Make a bearer token for programs.

    Raises Invalid for an end that is not ahead or too far, Conflict for a person without an
    account.
    """
    if expires_at <= now:
        raise Invalid({"expires_at": Words("须晚于现在", "must lie ahead")})
    if expires_at > now + timedelta(days=MOST_TOKEN_DAYS):
        raise Invalid({"expires_at": Words("有效期至多两年", "a token is good for two years at most")})
    account = session.get(Account, person.id)
    if account is None:
        raise Conflict(Words(f"{person.name} 还没有账号", f"{person.name} has no account"))
    if account.disabled_at is not None:
        raise Conflict(Words(f"{person.name} 的账号已停用", f"the account of {person.name} is disabled"))
    secret = "zb_" + secrets.token_urlsafe(32)
    row = Token(person_id=person.id, name=name, hash=digest(secret), created_at=now, expires_at=expires_at, revoked_at=None, made_by=by)
    session.add(row)
    session.flush()
    return Issued(secret, row.id, row.expires_at)


def revoke_token(session: Session, token_id: int, *, now: datetime) -> Token:
    """Revoke a token. Raises NotFound. Revoking twice changes nothing."""
    token = session.get(Token, token_id)
    if token is None:
        raise NotFound
    if token.revoked_at is None:
        token.revoked_at = now
    return token


# Each statement is built once: building takes longer than running it, and every request runs it.


def tokens_after(session: Session, token_id: int, limit: int) -> Sequence[Token]:
    """List tokens in the order they were made, without their secrets, which nobody has."""
    return session.scalars(select(Token).options(joinedload(Token.person)).where(Token.id > token_id).order_by(Token.id).limit(limit)).all()


def accounts_after(session: Session, staff_no: str, limit: int) -> Sequence[Account]:
    """List accounts in the order of their 学工号, after one of them."""
    return session.scalars(
        select(Account)
        .join(Account.person)
        .options(contains_eager(Account.person))
        .where(Person.staff_no > staff_no)
        .order_by(Person.staff_no)
        .limit(limit)
    ).all()
