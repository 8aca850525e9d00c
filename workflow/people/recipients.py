"""Recipients of letters (收信人): people whose account is disabled or who left the school get none.

The ledger keeps such a letter as one that was not sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from workflow.foundation.database import any_of
from workflow.foundation.vocabulary import local_day
from workflow.mail.outbox import NewLetter, enqueue
from workflow.people.accounts import Account
from workflow.people.organisation import Appointment, Person, in_post


def is_gone(on: date) -> ColumnElement[bool]:
    """Say in SQL that a person's account is disabled, or that they left the school.

    Left: in no branch, and without a post on that day.
    """
    disabled = exists().where(Account.person_id == Person.id, Account.disabled_at.is_not(None)).correlate(Person)
    in_a_post = exists().where(Appointment.person_id == Person.id, *in_post(on)).correlate(Person)
    return or_(disabled, and_(Person.branch_id.is_(None), ~in_a_post))


def gone_among(session: Session, person_ids: Collection[int], on: date) -> set[int]:
    """Find the people who get no letters any more, in one query."""
    return set(session.scalars(select(Person.id).where(any_of(Person.id, person_ids), is_gone(on))))


def tell(session: Session, letters: Sequence[NewLetter], now: datetime) -> int:
    """Queue the letters of an act; those to people who are gone are kept and not sent."""
    gone = gone_among(session, {letter.recipient_id for letter in letters}, local_day(now)) if letters else set()
    return enqueue(session, [replace(letter, gone=letter.recipient_id in gone) for letter in letters], now)
