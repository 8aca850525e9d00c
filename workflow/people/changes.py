"""Changes of people and of what opens the system (人员和账号的变更), for the office and the auditor.

They belong to no branch's process, so no branch reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, case, cast, or_, select
from sqlalchemy.orm import Session

from workflow.foundation.database import any_of
from workflow.foundation.history import History
from workflow.foundation.vocabulary import Changed
from workflow.people.accounts import Invitation, Token
from workflow.people.organisation import Appointment, Person, Punishment
from workflow.people.substitutes import Substitute

_KEY = cast(History.row_key, BigInteger)
_PERSON = case(
    *(
        (History.what == each.__tablename__, select(each.person_id).where(each.id == _KEY).scalar_subquery())
        for each in (Appointment, Invitation, Punishment, Substitute, Token)
    ),
    else_=_KEY,
)
"""The person whom a change concerns: an account and a person have the person's own number."""


@dataclass(frozen=True)
class Change:
    """A change, with the person whom it concerns (何人)."""

    row: History
    staff_no: str | None
    name: str | None


def changes_before(session: Session, before: int | None, limit: int, *, what: Changed | None, who: str | None) -> Sequence[Change]:
    """List changes of people, accounts, tokens, posts and substitutes, the newest first.

    Of one kind, or of all; ``who`` made the change, or is the one whom it concerns.
    """
    kinds = list(Changed) if what is None else [what]
    listed = (
        select(History, Person.staff_no, Person.name)
        .outerjoin(Person, Person.id == _PERSON)
        .where(History.process_id.is_(None), any_of(History.what, kinds))
        .order_by(History.id.desc())
        .limit(limit)
    )
    if before is not None:
        listed = listed.where(History.id < before)
    if who is not None:
        listed = listed.where(or_(History.actor == who, History.on_behalf_of == who, Person.staff_no == who))
    return [Change(*row) for row in session.execute(listed)]
