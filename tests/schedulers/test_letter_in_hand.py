"""A letter that was taken while the database says no: the outcome is kept, and written later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from schedulers import delivery
from schedulers.courier import Outcome
from tests.schedulers.test_delivery import queue, send, the_letter
from tests.support.mail_server import MailServer, mail_server
from workflow.foundation.database import MEANINGS, ConstraintFault, NoConnectionFree
from workflow.foundation.vocabulary import LetterState


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.01)


@contextmanager
def refusing(owner_url: str, state: str, times: int) -> Iterator[None]:
    """Let the database refuse to have letters called sent, so many times."""
    owner = create_engine(owner_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    raising = f"begin if nextval('tries') <= {times} then raise exception 'no' using errcode = '{state}'; end if; return new; end"
    with owner.connect() as connection:
        connection.execute(text("create sequence tries"))
        connection.execute(text("grant usage on sequence tries to public"))
        connection.execute(text(f"create function says_no() returns trigger language plpgsql as $${raising}$$"))
        connection.execute(text("create trigger says_no before update on letter for each row when (new.state = 'sent') execute function says_no()"))
    yield


STATES = [{"53": "53100", "58": "58030", "08": "08006", "57P": "57P01"}.get(row, row) for row in MEANINGS]


@pytest.mark.parametrize("state", [*STATES, "XX000"])
def test_a_letter_that_was_taken_is_sent_once_whatever_the_database_says(engine: Engine, owner_url: str, server: MailServer, state: str) -> None:
    queue(engine, "w5")
    with refusing(owner_url, state, times=3):
        assert send(engine, server) == {Outcome.SENT: 1}
    assert (the_letter(engine).state, the_letter(engine).attempts) == (LetterState.SENT, 1)
    assert len(server.received) == 1


def test_without_a_free_connection_the_outcome_is_kept_in_hand_too(engine: Engine, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(engine, "w5")
    settle, refusals = delivery._settle, iter([NoConnectionFree(), NoConnectionFree()])

    def sometimes(*given: object) -> bool:
        for refusal in refusals:
            raise refusal
        return settle(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "_settle", sometimes)
    assert send(engine, server) == {Outcome.SENT: 1}
    assert the_letter(engine).state is LetterState.SENT


def test_what_a_constraint_refuses_is_not_tried_again(engine: Engine, owner_url: str, server: MailServer) -> None:
    queue(engine, "w5")
    with refusing(owner_url, "23514", times=1), pytest.raises(ConstraintFault):
        send(engine, server)
    assert the_letter(engine).state is LetterState.SENDING
