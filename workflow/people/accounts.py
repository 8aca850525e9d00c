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

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, contains_eager, joinedload, mapped_column, relationship

from workflow.foundation.database import Base, Numbered
from workflow.foundation.errors import Conflict, Invalid, NotFound, Words
from workflow.foundation.history import granted, tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.settings import MOST_TOKEN_DAYS
from workflow.mail.outbox import retire_links
from workflow.people.access import Action, Caller
from workflow.people.guard.passwords import hash_password
from workflow.people.organisation import Person


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


@granted()
class SessionUse(Base):
    """The use of a session (会话的使用), for its person to know it again.

    No history: only the last use counts, and the row goes with the session.
    """

    __tablename__ = "session_use"

    session_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("web_session.id"), primary_key=True)
    browser: Mapped[str | None]
    """The kind of browser and system, such as ``Edge, Windows``: no more of its name for itself."""
    used_at: Mapped[datetime]


SLIP_DAYS = 7
"""The number of days for which the code of a slip (纸条) is valid: it is handed out in person."""


@tracked(hidden=["hash"])
class Invitation(Numbered, Base):
    """A link, or the code of a slip, by which a person sets a password, once (邀请)."""

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint("expires_at > created_at", name="expires"),
        Index("ix_invitation_open", "person_id", postgresql_where="ended_at is null"),
    )

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """The time at which it was used, or ended: by a password, or by an invitation made after it."""

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
        f"person_id 何人, revoked_at 退出时间, {_DATES}",
        "登录后不必再输密码；本人看自己在哪里登录着",
        "本人",
        _SPENT.format("{session_hours}"),
    ),
    Data("hash 会话的摘要", "登录后不必再输密码", "无人；访问时核对", _SPENT.format("{session_hours}")),
    of="登录的人",
)
personal(
    SessionUse,
    Area.PEOPLE,
    "会话的使用",
    Data("browser 浏览器和系统的种类, used_at 最后使用时间", "本人认出自己的登录", "本人", "会话结束为止；过期的到本人下次登录时清除"),
    of="登录的人",
    other="session_id",
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

    Raises Invalid for a password that may not be set.
    """
    account = session.get(Account, person.id)
    if account is None:
        account = Account(person_id=person.id, password_hash=None, created_at=now, disabled_at=None)
        session.add(account)
        session.flush()
    if password is not None:
        set_password(session, account, password, now=now)
    session.flush()
    return account


def set_password(session: Session, account: Account, password: str, *, now: datetime, at: str = "password", but: str = "") -> None:
    """Set the password, and end the sign-ins by browsers and the links that would set another one.

    All sessions end ``but`` the one of this secret. Tokens stay: an administrator gave them, no
    password opens them, and a program must go on when somebody forgets a password. Raises Invalid
    at the field ``at``.
    """
    account.password_hash = hash_password(password, of=own_words(account.person), at=at)
    _end_sign_ins(session, account.person_id, now, but=but)


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


def _end_sign_ins(session: Session, person_id: int, now: datetime, *, but: str = "") -> None:
    session.flush()
    running = (WebSession.person_id == person_id, WebSession.revoked_at.is_(None), WebSession.hash != digest(but))
    session.execute(update(WebSession).where(*running).values(revoked_at=now))
    forget_uses(session, person_id, now)
    session.execute(update(Invitation).where(Invitation.person_id == person_id, Invitation.ended_at.is_(None)).values(ended_at=now))
    retire_links(session, [person_id])


def forget_uses(session: Session, person_id: int, now: datetime) -> None:
    """Delete the uses of a person's sessions that have ended."""
    ended = select(WebSession.id).where(WebSession.person_id == person_id, or_(WebSession.revoked_at.is_not(None), WebSession.expires_at <= now))
    session.execute(delete(SessionUse).where(SessionUse.session_id.in_(ended)), execution_options={"synchronize_session": False})


def own_words(person: Person) -> list[str]:
    """List the words of a person that others know, of which no password may consist."""
    return [person.staff_no, person.name, *([person.email, person.email.partition("@")[0]] if person.email else [])]


def account_of(session: Session, staff_no: str, *, for_update: bool = False) -> Account:
    """Find the account of a person. Raises NotFound."""
    statement = select(Account).join(Account.person).options(contains_eager(Account.person)).where(Person.staff_no == staff_no)
    account = session.scalar(statement.with_for_update(of=Account) if for_update else statement)
    if account is None:
        raise NotFound(Words(f"没有学工号为 {staff_no} 的账号", f"nobody has an account with the number {staff_no}"))
    return account


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
