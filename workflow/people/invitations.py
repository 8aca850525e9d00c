"""Invitations (邀请): one-time links and slips by which people set the password of their account.

The code of a link is in its letter and nowhere else, that of a slip (纸条) in the one answer that
made it: the invitation keeps a hash. Whoever may invite replaces all older ones. A forgotten
password is replaced by a link too; since a stranger can ask for that, it ends none (docs/0040). A
password that was set ends all.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from unicodedata import normalize

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, contains_eager

from workflow.foundation.database import any_of
from workflow.foundation.errors import Conflict, NotFound, Words
from workflow.foundation.vocabulary import SCHOOL_ZONE, local_day
from workflow.mail.letters import Rendered, render
from workflow.mail.links import INVITED, PASSWORD_FORGOTTEN, Invited, PasswordForgotten
from workflow.mail.outbox import NewLetter, enqueue, retire_links
from workflow.people.accounts import SLIP_DAYS, Account, Invitation, account_of, digest, set_password
from workflow.people.organisation import Appointment, Branch, Person

ON_SLIPS = "23456789ACDEFHJKMNPQRTVWXY"
"""The characters of a slip's code: neither 0 1 I L O nor B G S U Z, which look like others."""
SLIP_CODE = range(16)
"""The places of a slip's code, printed in groups of four.

Sixteen places of 26 characters are 75 bits. So wrong tries need no limit, nor do those of a link:
ten thousand tries a second at a school's thousand slips for seven days find one with a chance of
one in seven thousand million. And a stolen hash is not found in that time either.
"""


MOST_OPEN = 5
"""The most links and slips of a person that are open at the same time."""


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


@dataclass(frozen=True)
class Slip:
    """A person's slip of paper (纸条): its code, and the page where the code sets a password."""

    person: Person
    code: str = field(repr=False)
    link: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class BranchSlips:
    """The slips of a branch (全支部纸条). Their codes are here and nowhere else."""

    branch: Branch
    slips: Sequence[Slip]


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
    accounts = _without_password(session, branch)
    reachable = [account for account in accounts if account.person.email]
    _write(session, reachable, INVITED, desk)
    return BranchInvited(len(reachable), [account.person for account in accounts if not account.person.email])


def print_slips(session: Session, branch: Branch, *, desk: Desk) -> BranchSlips:
    """Make a slip for everyone of a branch who has neither a password nor a mail address.

    Whoever has a post in the school gets none: the paper would open more than a member's account.
    Raises Conflict if there is nobody, with the reasons.
    """
    in_school = _of_the_school(session, branch, local_day(desk.now))
    accounts = [each for each in _without_password(session, branch) if not each.person.email and each.person_id not in in_school]
    if not accounts:
        raise Conflict(_why_nobody(session, branch, in_school))
    return BranchSlips(branch, sorted(_slips(session, accounts, desk), key=lambda slip: slip.person.staff_no))


def print_slip(session: Session, account: Account, *, desk: Desk) -> BranchSlips:
    """Make a slip for one member without an address: they lost theirs, or forgot their password.

    The slips of others stay. Raises Conflict for whoever has an address, is disabled, is in no
    branch, or has a post in the school.
    """
    person = account.person
    if person.branch is None:
        raise Conflict(Words(f"{person.name} 不在任何党支部，不发纸条", f"{person.name} is in no branch"))
    if account.disabled_at is not None:
        raise Conflict(Words(f"{person.name} 的账号已停用", f"the account of {person.name} is disabled"))
    if person.email:
        raise Conflict(Words(f"{person.name} 登记了邮箱，请发邀请信", f"{person.name} has an address: send an invitation"))
    if person.id in _of_the_school(session, person.branch, local_day(desk.now)):
        raise Conflict(Words(f"{person.name} 担任学校职务，由系统管理员办理", f"{person.name} has a post in the school"))
    return BranchSlips(person.branch, _slips(session, [account], desk))


def _slips(session: Session, accounts: Sequence[Account], desk: Desk) -> list[Slip]:
    codes = ["".join(secrets.choice(ON_SLIPS) for _ in SLIP_CODE) for _ in accounts]
    expires_at = desk.now + timedelta(days=SLIP_DAYS)
    _end_open(session, accounts, desk.now)
    _add(session, accounts, codes, now=desk.now, expires_at=expires_at)
    slips = []
    for account, code in zip(accounts, codes, strict=True):
        printed = "-".join(code[place : place + 4] for place in SLIP_CODE[::4])
        slips.append(Slip(account.person, printed, f"{desk.base_url}/invitations/{printed}", expires_at))
    return slips


def _of_the_school(session: Session, branch: Branch, today: date) -> Collection[int]:
    """List the people of a branch who have a post in the school, or will have one."""
    held = select(Appointment.person_id).join(Person, Person.id == Appointment.person_id)
    ahead = or_(Appointment.ends_on.is_(None), Appointment.ends_on >= today)
    return frozenset(session.scalars(held.where(Person.branch_id == branch.id, Appointment.role.is_not(None), ahead)))


def _why_nobody(session: Session, branch: Branch, in_school: Collection[int]) -> Words:
    """Say why nobody of a branch gets a slip: how many have what."""
    accounts = session.scalars(
        select(Account).join(Account.person).options(contains_eager(Account.person)).where(Person.branch_id == branch.id)
    ).all()
    disabled = sum(each.disabled_at is not None for each in accounts)
    able = sum(each.disabled_at is None and each.has_password for each in accounts)
    barred = sum(each.disabled_at is None and not each.has_password and not each.person.email and each.person_id in in_school for each in accounts)
    reachable = len(accounts) - disabled - able - barred
    counted = (
        (able, f"{able} 人已设密码", f"{able} have a password"),
        (reachable, f"{reachable} 人登记了邮箱，请发邀请信", f"{reachable} have an address and can be invited by mail"),
        (barred, f"{barred} 人担任学校职务，由系统管理员办理", f"{barred} have a post in the school: the administrator lets them in"),
        (disabled, f"{disabled} 人账号已停用", f"{disabled} accounts are disabled"),
    )
    zh = "；".join(each for count, each, _ in counted if count) or "没有一个账号"
    en = ", ".join(each for count, _, each in counted if count) or "it has no accounts"
    return Words(f"{branch.name}没有人需要纸条：{zh}", f"nobody of {branch.name} needs a slip: {en}")


def _without_password(session: Session, branch: Branch) -> Sequence[Account]:
    """List the accounts of a branch that have no password and are not disabled, and hold them."""
    return session.scalars(
        select(Account)
        .join(Account.person)
        .options(contains_eager(Account.person))
        .where(Person.branch_id == branch.id, Account.password_hash.is_(None), Account.disabled_at.is_(None))
        .order_by(Account.person_id)
        .with_for_update(of=Account)
    ).all()


def forget_password(session: Session, staff_no: str, *, desk: Desk) -> None:
    """Mail a link to a person who forgot their password; older ones stay open.

    Only if there is such an account, it has an address, and fewer than ``MOST_OPEN`` links that the
    person has got are open. Nobody is told whether a letter went.
    """
    try:
        account = account_of(session, staff_no, for_update=True)
    except NotFound:
        return
    if account.disabled_at is None and account.person.email and _open(session, account, desk.now) < MOST_OPEN:
        _write(session, [account], PASSWORD_FORGOTTEN, desk)


def _open(session: Session, account: Account, now: datetime) -> int:
    here = (Invitation.person_id == account.person_id, Invitation.ended_at.is_(None), Invitation.expires_at > now)
    return session.scalar(select(func.count()).select_from(Invitation).where(*here)) or 0


def open_invitation(session: Session, code: str, *, now: datetime) -> Invitation:
    """Find the invitation of a link or of a slip.

    The code of a slip may be typed in small letters, with blanks or without its dashes. Raises
    NotFound alike for a wrong code, a spent, a replaced and an expired one.
    """
    # NFKC: a Chinese keyboard may give full-width characters.
    typed = "".join(each for each in normalize("NFKC", code).upper() if each.isalnum())
    from_a_slip = len(typed) == len(SLIP_CODE) and set(typed) <= set(ON_SLIPS)
    return _still_open(session, digest(typed if from_a_slip else code), now)


def accept_invitation(session: Session, invitation: Invitation, password: str, *, now: datetime) -> None:
    """Set the password by a link or slip, and spend it; sign-ins with an older password end.

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
        raise NotFound(Words("链接或代码无效或已过期，请重新申请", "this link or code is not valid any more, please ask for a new one"))
    return row


def _write(session: Session, accounts: Sequence[Account], kind: str, desk: Desk) -> list[Invitation]:
    """Make a new link for each account, and the letters that carry the links.

    The rows of the accounts are held.
    """
    codes = [secrets.token_urlsafe(32) for _ in accounts]
    if kind == INVITED:
        _end_open(session, accounts, desk.now)
    rows = _add(session, accounts, codes, now=desk.now, expires_at=desk.expires_at)
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


def _end_open(session: Session, accounts: Sequence[Account], now: datetime) -> None:
    """End the links and slips of these accounts, and blank letters that wait with one."""
    people = [account.person_id for account in accounts]
    session.execute(update(Invitation).where(any_of(Invitation.person_id, people), Invitation.ended_at.is_(None)).values(ended_at=now))
    retire_links(session, people)


def _add(session: Session, accounts: Sequence[Account], codes: Sequence[str], *, now: datetime, expires_at: datetime) -> list[Invitation]:
    """Make an invitation with a code for each account."""
    rows = [
        Invitation(person_id=account.person_id, hash=digest(code), created_at=now, expires_at=expires_at, ended_at=None)
        for account, code in zip(accounts, codes, strict=True)
    ]
    session.add_all(rows)
    session.flush()
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
