"""Tokens (令牌): a person who cannot sign in gets no token for programs either."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller, person
from workflow.foundation.errors import Conflict, Invalid
from workflow.people.accounts import Account, account_of, disable, issue_token
from workflow.people.organisation import Person

TOMORROW = NOW + timedelta(days=1)


@pytest.fixture
def member(session: Session) -> Person:
    """王五, a person with an account."""
    a_school(session)
    return person(session, "王五")


def test_a_token_is_issued_for_an_account_that_is_open(session: Session, member: Person) -> None:
    assert issue_token(session, member, name="脚本", now=NOW, expires_at=TOMORROW).secret.startswith("zb_")


def test_a_disabled_account_gets_no_token(session: Session, member: Person) -> None:
    disable(session, account_of(session, "w5"), by=caller(session, "administrator"), now=NOW)
    with pytest.raises(Conflict, match="王五 的账号已停用"):
        issue_token(session, member, name="脚本", now=NOW, expires_at=TOMORROW)


def test_a_person_without_an_account_gets_no_token(session: Session, member: Person) -> None:
    session.delete(session.get_one(Account, member.id))
    session.flush()
    with pytest.raises(Conflict, match="王五 还没有账号"):
        issue_token(session, member, name="脚本", now=NOW, expires_at=TOMORROW)


def test_a_token_ends_in_the_future(session: Session, member: Person) -> None:
    with pytest.raises(Invalid):
        issue_token(session, member, name="脚本", now=NOW, expires_at=NOW)
