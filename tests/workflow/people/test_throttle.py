"""Limits on tries (限次): never more than the limit in all processes; the counted addresses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from math import ceil

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from tests.support.passing import age_attempts
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.errors import SettingsInvalid
from workflow.foundation.settings import read_settings
from workflow.people.guard.throttle import NO_WAIT, Attempt, Limit, add, first, forget, give_back, network_of, slowed, take

THREE = Limit("three", 3, timedelta(minutes=15))
MANY = Limit("many", 100, timedelta(minutes=15))
SLOW = Limit("slow", 3, timedelta(hours=1), longest=timedelta(seconds=8))


def waits(session: Session, limit: Limit, whom: str = "w5", gap: timedelta = NO_WAIT) -> int:
    """Try once; return the seconds to wait, 0 if it is let through."""
    wait = take(session, limit, whom, gap=gap)
    return 0 if wait is None else ceil(wait.total_seconds())


def tries_left(session: Session, whom: str = "w5", limit: Limit = THREE) -> int:
    """Count the tries that still get through."""
    return next(number for number in range(limit.at_most + 1) if take(session, limit, whom))


def test_the_fourth_try_of_three_is_refused_and_told_how_long_to_wait(session: Session) -> None:
    for _ in range(3):
        assert waits(session, THREE) == 0
        age_attempts(session, timedelta(minutes=1))
    assert 11 * 60 < waits(session, THREE) <= 12 * 60
    assert 11 * 60 < waits(session, THREE) <= 12 * 60, "being refused makes it no longer"
    assert waits(session, THREE, "z6") == 0


def test_when_the_time_is_over_the_count_begins_anew(session: Session) -> None:
    assert tries_left(session) == 3
    age_attempts(session, timedelta(minutes=14))
    assert 0 < waits(session, THREE) <= 60
    age_attempts(session, timedelta(minutes=1))
    assert tries_left(session) == 3


def test_beyond_a_limit_that_slows_the_wait_doubles_and_is_bounded(session: Session) -> None:
    assert [waits(session, SLOW) for _ in range(4)] == [0, 0, 0, 1]
    for seconds in (1, 2, 4, 8, 8, 8):
        assert waits(session, SLOW) == seconds
        age_attempts(session, timedelta(seconds=seconds - 0.5))
        assert waits(session, SLOW) == 1
        age_attempts(session, timedelta(seconds=0.5))
        assert waits(session, SLOW) == 0


def test_with_a_gap_also_the_first_try_waits_from_when_it_was_asked_for(session: Session) -> None:
    gap = timedelta(seconds=20)
    assert waits(session, THREE, gap=gap) == 20
    age_attempts(session, timedelta(seconds=15))
    assert waits(session, THREE, gap=gap) == 5, "to ask again makes it no longer"
    age_attempts(session, timedelta(seconds=5))
    assert waits(session, THREE, gap=gap) == 0
    assert waits(session, THREE, gap=gap) == 20
    for _ in range(2):
        age_attempts(session, gap)
        assert waits(session, THREE, gap=gap) == 0
    age_attempts(session, gap)
    assert waits(session, THREE, gap=gap) > 60, "and there are still three tries alone"
    age_attempts(session, timedelta(minutes=15))
    assert waits(session, THREE, gap=gap) == 20


def test_what_others_count_tells_how_far_it_has_slowed(session: Session) -> None:
    told = []
    for _ in range(8):
        told.append(slowed(session, SLOW, "w5").total_seconds())
        add(session, SLOW, "w5")
    assert told == [0, 0, 0, 1, 2, 4, 8, 8]
    age_attempts(session, timedelta(hours=1))
    assert slowed(session, SLOW, "w5") == NO_WAIT


def test_one_limit_does_not_use_up_another(session: Session) -> None:
    assert tries_left(session) == 3
    assert waits(session, MANY) == 0


def test_what_is_given_back_may_be_tried_again_and_never_more(session: Session) -> None:
    take(session, THREE, "w5")
    take(session, THREE, "w5")
    give_back(session, THREE, "w5")
    assert tries_left(session) == 2
    give_back(session, THREE, "w5", tries=9)
    assert tries_left(session) == 3
    give_back(session, THREE, "nobody")
    assert tries_left(session, "nobody") == 3


def test_forgetting_begins_anew_for_one_alone(session: Session) -> None:
    for whom in ("w5", "z6"):
        take(session, THREE, whom)
    forget(session, THREE, "w5")
    assert (tries_left(session, "w5"), tries_left(session, "z6")) == (3, 2)


def test_the_first_time_is_told_once_in_the_time_of_its_limit(session: Session) -> None:
    assert [first(session, THREE, "w5") for _ in range(3)] == [True, False, False]
    age_attempts(session, timedelta(minutes=15))
    assert [first(session, THREE, "w5") for _ in range(2)] == [True, False]


def test_the_counters_name_nobody(session: Session) -> None:
    take(session, THREE, "a password in the wrong field")
    assert "password" not in str(session.scalars(select(Attempt.key)).all())


def test_counters_that_are_over_are_swept_by_the_next_try(session: Session) -> None:
    for number in range(5):
        take(session, THREE, f"x{number}")
    age_attempts(session, timedelta(minutes=15))
    take(session, THREE, "w5")
    assert session.scalar(select(func.count()).select_from(Attempt)) == 1


def test_however_many_try_at_the_same_moment_three_get_through(engine: Engine, database_url: str) -> None:
    """Two engines act as two processes."""
    other = engine_for(database_url)

    def one(number: int) -> bool:
        with transaction((engine, other)[number % 2], actor=None) as session:
            return take(session, (THREE, SLOW)[number % 4 // 2], "w5") is None

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(60))) == 6
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
