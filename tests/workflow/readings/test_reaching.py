"""A "no" at the door of the database: waited for, or told at once."""

from __future__ import annotations

from threading import Event

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from workflow.foundation.database import engine_for
from workflow.readings.reaching import finds_no_primary, is_lent_by_transaction, passes_by_itself, wait_for_database

PLACE = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '
REFUSED = f"{PLACE}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?"
BOTH = "{}\nMultiple connection attempts failed. All failures were:\n- host: 'h1': {}\n- host: 'h2': {}"


def no(words: str) -> OperationalError:
    return OperationalError("select 1", {}, psycopg.OperationalError(words))


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        (REFUSED, True),
        ("connection timeout expired", True),
        ("failed to resolve host 'db': [Errno -2] Name or service not known", True),
        (f"{PLACE}FATAL:  the database system is starting up", True),
        (f"{PLACE}致命错误:  数据库系统启动中", True),
        (f"{PLACE}FATAL:  sorry, too many clients already", True),
        (f"{PLACE}FATAL:  server login has been failing, try again later (server_login_retry)", True),
        (f"{PLACE}session is read-only", True),
        (f'{PLACE}FATAL:  password authentication failed for user "zhibu_web"', False),
        (f'{PLACE}致命错误:  用户 "zhibu_web" Password 认证失败', False),
        (f'{PLACE}FATAL:  database "zhibu" does not exist', False),
        (BOTH.format(f"{PLACE}FATAL:  no pg_hba.conf entry", REFUSED, f"{PLACE}FATAL:  no pg_hba.conf entry"), False),
    ],
)
def test_what_passes_by_itself_is_waited_for_and_a_refused_login_is_not(words: str, passes: bool) -> None:
    assert passes_by_itself(no(words)) is passes


def test_two_standbys_are_told_from_a_database_that_is_away() -> None:
    words = f"{PLACE}session is read-only"
    assert finds_no_primary(no(BOTH.format(words, REFUSED, words)))
    assert not finds_no_primary(no(REFUSED))


def test_a_wait_is_told_once_and_ends_with_the_first_answer() -> None:
    told: list[str] = []
    answers = iter([no(REFUSED), no(REFUSED)])

    def look() -> str:
        for answer in answers:
            raise answer
        return "there"

    class Quick(Event):
        def wait(self, timeout: float | None = None) -> bool:
            return False

    assert wait_for_database(look, Quick(), lambda: told.append("waits")) == "there"
    assert told == ["waits"]


def test_a_wait_ends_when_it_is_told_to_and_a_refusal_ends_it_too() -> None:
    stop = Event()
    stop.set()
    assert wait_for_database(lambda: "there", stop, lambda: None) is None

    def refuse() -> None:
        raise no(f'{PLACE}FATAL:  database "zhibu" does not exist')

    begun = Event()
    with pytest.raises(OperationalError):
        wait_for_database(refuse, begun, begun.set)
    assert not begun.is_set()


def test_sessions_of_their_own_are_told_from_lent_ones(engine: Engine, database_url: str) -> None:
    assert not is_lent_by_transaction(engine)
    narrow = engine_for(database_url, pool_size=1)
    assert not is_lent_by_transaction(narrow)
    narrow.dispose()
    # One session of the server for both, as a pooler lends it in transaction mode.
    lent = create_engine(database_url, poolclass=StaticPool)
    assert is_lent_by_transaction(lent)
    lent.dispose()
