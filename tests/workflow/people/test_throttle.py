"""Limits on tries (限次): never more than the limit in all processes; the counted addresses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from tests.support.passing import age_attempts
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.errors import SettingsInvalid
from workflow.foundation.settings import read_settings
from workflow.people.throttle import Attempt, Limit, TooManyTries, forget, give_back, network_of, take

THREE = Limit("three", 3, timedelta(minutes=15))
MANY = Limit("many", 100, timedelta(minutes=15))


def tries_left(session: Session, whom: str = "w5", limit: Limit = THREE) -> int:
    """Count the tries that still get through."""
    for number in range(limit.at_most + 1):
        try:
            take(session, [(limit, whom)])
        except TooManyTries:
            return number
    raise AssertionError("no limit at all")


def test_the_fourth_try_of_three_is_refused_and_told_how_long_to_wait(session: Session) -> None:
    for _ in range(3):
        take(session, [(THREE, "w5")])
        age_attempts(session, timedelta(minutes=1))
    with pytest.raises(TooManyTries) as refused, session.begin_nested():
        take(session, [(THREE, "w5")])
    assert 11 * 60 < (refused.value.retry_after or 0) <= 12 * 60
    take(session, [(THREE, "z6")])


def test_when_the_time_is_over_the_count_begins_anew(session: Session) -> None:
    assert tries_left(session) == 3
    age_attempts(session, timedelta(minutes=14))
    with pytest.raises(TooManyTries), session.begin_nested():
        take(session, [(THREE, "w5")])
    age_attempts(session, timedelta(minutes=1))
    for _ in range(3):
        take(session, [(THREE, "w5")])


def test_one_limit_does_not_use_up_another(session: Session) -> None:
    assert tries_left(session) == 3
    take(session, [(MANY, "w5")])


def test_a_try_that_one_limit_refuses_is_not_counted_by_the_other(session: Session) -> None:
    tries_left(session)
    for _ in range(3):
        with pytest.raises(TooManyTries), session.begin_nested():
            take(session, [(THREE, "w5"), (MANY, "127.0.0.1")])
    session.expire_all()
    # the one that tries_left did not undo
    assert session.scalars(select(Attempt.count).order_by(Attempt.count)).all() == [4]


def test_what_is_given_back_may_be_tried_again_and_never_more(session: Session) -> None:
    take(session, [(THREE, "w5")])
    take(session, [(THREE, "w5")])
    give_back(session, THREE, "w5")
    assert tries_left(session) == 2
    give_back(session, THREE, "nobody")
    assert tries_left(session, "nobody") == 3


def test_forgetting_begins_anew_for_one_alone(session: Session) -> None:
    take(session, [(THREE, "w5"), (THREE, "z6")])
    forget(session, THREE, "w5")
    assert (tries_left(session, "w5"), tries_left(session, "z6")) == (3, 2)


def test_the_counters_name_nobody(session: Session) -> None:
    take(session, [(THREE, "a password in the wrong field")])
    assert "password" not in str(session.scalars(select(Attempt.key)).all())


def test_counters_that_are_over_are_swept_by_the_next_try(session: Session) -> None:
    for number in range(5):
        take(session, [(THREE, f"x{number}")])
    age_attempts(session, timedelta(minutes=15))
    take(session, [(THREE, "w5")])
    assert session.scalar(select(func.count()).select_from(Attempt)) == 1


def test_however_many_try_at_the_same_moment_three_get_through(engine: Engine, database_url: str) -> None:
    """Two engines act as two processes; each try names the pair in another order."""
    other = engine_for(database_url)

    def one(number: int) -> bool:
        pair = [(THREE, "w5"), (MANY, "127.0.0.1")]
        try:
            with transaction((engine, other)[number % 2], actor=None) as session:
                take(session, pair if number % 3 else pair[::-1])
        except TooManyTries:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(60))) == 3
    with transaction(engine, actor=None) as session:
        assert session.scalars(text("select count from attempt")).all() == [3, 3]
    other.dispose()


@pytest.mark.parametrize(
    ("name", "value"), [("TRUSTED_PROXIES", "-1"), ("TRUSTED_PROXIES", "10.0.0.1"), ("INVITATION_HOURS", "0"), ("INVITATION_HOURS", "soon")]
)
def test_a_setting_that_makes_no_sense_stops_the_start_and_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"ZHIBU_{name}"):
        read_settings({f"ZHIBU_{name}": value})


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),  # the owner of one address has the whole network
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_an_address_stands_for_its_network(address: str, network: str) -> None:
    assert network_of(address) == network
