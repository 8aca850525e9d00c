"""Sessions (会话): sign-ins by browsers, the list of one's own, a change of one's password."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from workflow.foundation.errors import Invalid, NotFound, Unauthenticated, Words
from workflow.foundation.vocabulary import SCHOOL_ZONE, local_day
from workflow.mail.letters import render
from workflow.mail.notices import PASSWORD_CHANGED, PasswordChanged
from workflow.mail.outbox import NewLetter
from workflow.people.accounts import Account, Issued, SessionUse, WebSession, digest, forget_uses, set_password
from workflow.people.guard.passwords import is_right
from workflow.people.organisation import Person
from workflow.people.recipients import tell

_FAMILIES = (
    *(("MicroMessenger", "WeChat"), ("QIHU", "360"), ("360SE", "360"), ("QQBrowser", "QQ"), ("Edg", "Edge"), ("Firefox", "Firefox")),
    *(("OPR", "Opera"), ("Chrome", "Chrome"), ("CriOS", "Chrome"), ("Safari", "Safari")),
)
"""Marks of browsers in their own names for themselves; the first that is found tells the family."""
_SYSTEMS = (
    *(("HarmonyOS", "HarmonyOS"), ("OpenHarmony", "HarmonyOS"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad")),
    *(("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux")),
)


@dataclass(frozen=True)
class OpenSession:
    """A session of one's own that is not over (未结束的会话)."""

    id: int
    created_at: datetime
    expires_at: datetime
    browser: str | None
    used_at: datetime
    """The time of its last use, to ten minutes."""
    current: bool
    """True for the session that asks."""


def sign_in(session: Session, *, staff_no: str, password: str, now: datetime, hours: int, agent: str = "") -> Issued:
    """Start a browser's session.

    Raises Unauthenticated, in the same time and words whether the account exists or not.
    """
    account = session.scalar(select(Account).join(Person).where(Person.staff_no == staff_no, Account.disabled_at.is_(None)))
    stored = account.password_hash if account is not None else None
    right = is_right(stored, password)
    if account is None or not right or not _stands(session, account.person_id, stored):
        raise Unauthenticated(Words("学工号或密码不对", "wrong number or password"))
    secret = secrets.token_urlsafe(32)
    row = WebSession(person_id=account.person_id, hash=digest(secret), created_at=now, expires_at=now + timedelta(hours=hours), revoked_at=None)
    session.add(row)
    session.flush()
    forget_uses(session, account.person_id, now)
    session.add(SessionUse(session_id=row.id, browser=browser_of(agent), used_at=now))
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
        _end(session, row, now)


def note_use(session: Session, *, secret: str, agent: str, now: datetime) -> None:
    """Note that a session is used now."""
    running = (WebSession.hash == digest(secret), WebSession.revoked_at.is_(None), WebSession.expires_at > now)
    used = insert(SessionUse).from_select(
        ["session_id", "browser", "used_at"],
        select(WebSession.id, literal(browser_of(agent)), literal(now)).where(*running),
    )
    session.execute(used.on_conflict_do_update(index_elements=[SessionUse.session_id], set_={"used_at": used.excluded.used_at}))


def sessions_of(session: Session, person_id: int, *, secret: str, now: datetime, after: int, limit: int) -> Sequence[OpenSession]:
    """List the sessions of a person that are not over, in the order of their beginning."""
    listed = (
        select(WebSession, SessionUse)
        .outerjoin(SessionUse, SessionUse.session_id == WebSession.id)
        .where(WebSession.person_id == person_id, WebSession.revoked_at.is_(None), WebSession.expires_at > now, WebSession.id > after)
        .order_by(WebSession.id)
        .limit(limit)
    )
    this = digest(secret)
    return [
        OpenSession(
            id=row.id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            browser=use.browser if use else None,
            used_at=use.used_at if use else row.created_at,
            current=row.hash == this,
        )
        for row, use in session.execute(listed)
    ]


def own_session(session: Session, person_id: int, session_id: int, *, now: datetime) -> WebSession:
    """Find a session of one's own that is not over. Raises NotFound for any other."""
    row = session.get(WebSession, session_id)
    if row is None or row.person_id != person_id or row.revoked_at is not None or row.expires_at <= now:
        raise NotFound
    return row


def end_session(session: Session, row: WebSession, *, secret: str, now: datetime) -> bool:
    """End a session of one's own; tell whether it is the one that asks."""
    _end(session, row, now)
    return row.hash == digest(secret)


def _end(session: Session, row: WebSession, now: datetime) -> None:
    row.revoked_at = now
    session.flush()
    forget_uses(session, row.person_id, now)


def change_password(session: Session, account: Account, *, old: str, new: str, secret: str, now: datetime) -> None:
    """Change one's password; all sessions end but the one that asks.

    The account is held. Raises Invalid at ``old`` or ``new``.
    """
    if not is_right(account.password_hash, old):
        raise Invalid({"old": Words("原密码不对", "that is not the present password")})
    set_password(session, account, new, now=now, at="new", but=secret)


def tell_password_changed(session: Session, person: Person, *, now: datetime, base_url: str) -> None:
    """Queue the letter to the person whose password was changed in a browser."""
    letter = PasswordChanged(recipient=person.name, at=now.astimezone(SCHOOL_ZONE), today=local_day(now), link=f"{base_url}/")
    queued = NewLetter(
        kind=PASSWORD_CHANGED,
        recipient_id=person.id,
        recipient_name=person.name,
        address=person.email,
        words=render(letter),
        # Each change is a letter of its own.
        round=int(now.timestamp()),
    )
    tell(session, [queued], now)


def browser_of(agent: str) -> str | None:
    """Tell the kind of browser and system, without versions, from its name for itself."""
    found = [next((word for mark, word in known if mark in agent), None) for known in (_FAMILIES, _SYSTEMS)]
    return ", ".join(filter(None, found)) or None
