"""Invitations (邀请): letters with a one-time link by which people set the password of their account.

The link's code is in that letter and nowhere else: the invitation keeps its hash, and no answer
carries it. A newer link replaces the older one. A forgotten password is replaced in the same way.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, contains_eager

from workflow.foundation.database import any_of
from workflow.foundation.errors import Conflict, NotFound, Words
from workflow.foundation.vocabulary import SCHOOL_ZONE, local_day
from workflow.mail.letters import Rendered, render
from workflow.mail.links import INVITED, PASSWORD_FORGOTTEN, Invited, PasswordForgotten
from workflow.mail.outbox import NewLetter, enqueue, retire_links
from workflow.people.accounts import Account, Invitation, account_of, digest, set_password
from workflow.people.organisation import Branch, Person


@dataclass(frozen=True)
class Desk:
    """The settings for letters with a link."""

    now: datetime
    base_url: str
    hours: int
    """The number of hours for which a link is valid."""

    @property
    def expires_at(self) -> datetime:
        return self.now + timedelta(hours=self.hours)


@dataclass(frozen=True)
class BranchInvited:
    """The number of letters to a branch, and the people with neither password nor address."""

    letters: int
    no_address: Sequence[Person]


def invite(session: Session, staff_no: str, *, desk: Desk) -> Invitation:
    """Mail a person a link to set a password, even if they have one.

    Raises NotFound, Conflict without an address or when disabled.
    """
    account = account_of(session, staff_no, for_update=True)
    if account.disabled_at is not None:
        raise Conflict(Words(f"{account.person.name} 的账号已停用", f"the account of {account.person.name} is disabled"))
    if not account.person.email:
        raise Conflict(Words(f"{account.person.name} 没有登记邮箱，邀请信寄不出", f"{account.person.name} has no address to write to"))
    return _write(session, [account], INVITED, desk)[0]


def invite_branch(session: Session, branch: Branch, *, desk: Desk) -> BranchInvited:
    """Mail a link to everyone of a branch who has no password yet."""
    accounts = session.scalars(
        select(Account)
        .join(Account.person)
        .options(contains_eager(Account.person))
        .where(Person.branch_id == branch.id, Account.password_hash.is_(None), Account.disabled_at.is_(None))
        .order_by(Account.person_id)
        .with_for_update(of=Account)
    ).all()
    reachable = [account for account in accounts if account.person.email]
    _write(session, reachable, INVITED, desk)
    return BranchInvited(len(reachable), [account.person for account in accounts if not account.person.email])


def forget_password(session: Session, staff_no: str, *, desk: Desk) -> None:
    """Mail a link to a person who forgot their password.

    Only if there is such an account and it has an address. Nobody is told whether a letter went.
    """
    try:
        account = account_of(session, staff_no, for_update=True)
    except NotFound:
        return
    if account.disabled_at is None and account.person.email:
        _write(session, [account], PASSWORD_FORGOTTEN, desk)


def open_invitation(session: Session, code: str, *, now: datetime) -> Invitation:
    """Find the invitation of a link.

    Raises NotFound alike for a wrong code, a spent, a replaced and an expired one.
    """
    return _still_open(session, digest(code), now)


def accept_invitation(session: Session, invitation: Invitation, password: str, *, now: datetime) -> None:
    """Set the password by a link, and spend the link; sign-ins with an older password end.

    Raises NotFound, Invalid.
    """
    # The account's lock puts using, replacing and disabling in order: after it, the state is read
    # again.
    account = session.scalars(select(Account).where(Account.person_id == invitation.person_id).with_for_update()).one()
    _still_open(session, invitation.hash, now)
    set_password(session, account, password, now=now)


def _still_open(session: Session, hashed: str, now: datetime) -> Invitation:
    row = session.scalar(
        select(Invitation)
        .join(Account, Account.person_id == Invitation.person_id)
        .where(Invitation.hash == hashed, Invitation.ended_at.is_(None), Invitation.expires_at > now, Account.disabled_at.is_(None))
    )
    if row is None:
        raise NotFound(Words("链接无效或已过期，请重新申请", "this link is not valid any more, please ask for a new one"))
    return row


def _write(session: Session, accounts: Sequence[Account], kind: str, desk: Desk) -> list[Invitation]:
    """Make a new link for each account, and the letters that carry the links.

    The rows of the accounts are held.
    """
    ended = update(Invitation).where(any_of(Invitation.person_id, [account.person_id for account in accounts]), Invitation.ended_at.is_(None))
    session.execute(ended.values(ended_at=desk.now))
    codes = [secrets.token_urlsafe(32) for _ in accounts]
    rows = [
        Invitation(person_id=account.person_id, hash=digest(code), created_at=desk.now, expires_at=desk.expires_at, ended_at=None)
        for account, code in zip(accounts, codes, strict=True)
    ]
    session.add_all(rows)
    session.flush()
    retire_links(session, [account.person_id for account in accounts])
    enqueue(
        session,
        [
            NewLetter(
                kind=kind,
                recipient_id=account.person_id,
                recipient_name=account.person.name,
                address=account.person.email,
                words=_words(account.person, kind, code, desk),
                # Each link is a letter of its own.
                round=row.id,
                record=row.id,
            )
            for account, code, row in zip(accounts, codes, rows, strict=True)
        ],
        desk.now,
    )
    return rows


def _words(person: Person, kind: str, code: str, desk: Desk) -> Rendered:
    template = Invited if kind == INVITED else PasswordForgotten
    letter = template(
        recipient=person.name,
        staff_no=person.staff_no,
        link=f"{desk.base_url}/invitations/{code}",
        expires_at=desk.expires_at.astimezone(SCHOOL_ZONE),
        today=local_day(desk.now),
    )
    return render(letter)
