"""Every "no" of the database, asked for over HTTP: what it means, and when to ask again.

Each row of the table is raised by the database in the middle of an act; those that a server gives
by itself are brought about for real. Nothing is changed by any of them, and nothing is 500 that
passes by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from api import create_app
from tests.api.conftest import B, Client
from tests.support.servers import House, settings_of_tests
from workflow.foundation.database import MEANINGS, Meaning, engine_for

EXTENSION = {"stage": "report", "due_on": "2030-01-10", "reason": "期末考试"}
SAID = {
    Meaning.GIVE_WAY: ("busy", "1"),
    Meaning.BUSY: ("busy", "1"),
    Meaning.UNWRITABLE: ("database-unwritable", "30"),
    Meaning.AWAY: ("database-away", "5"),
}
WHOLE = {"53": ("53000", "53100", "53400"), "58": ("58000", "58030"), "08": ("08000", "08003", "08006"), "57P": ("57P01", "57P02", "57P03", "57P05")}
"""States of a row that stands for all that begin so."""
ROWS = [(state, meaning) for row, meaning in MEANINGS.items() for state in WHOLE.get(row, (row,))]


@contextmanager
def connected(house: House, role: str) -> Iterator[Connection]:
    """Open a connection as another role."""
    engine = create_engine(make_url(house.engine.url).set(username=role), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def owner(house: House) -> Iterator[Connection]:
    with connected(house, migrations.OWNER_ROLE) as connection:
        yield connection


@pytest.fixture
def administrator(house: House, superuser: str) -> Iterator[Connection]:
    """The superuser, in the database of the house."""
    with connected(house, make_url(superuser).username or "") as connection:
        yield connection


@contextmanager
def refusing(owner: Connection, state: str) -> Iterator[None]:
    """Let the database refuse every extension with a SQLSTATE, and count the tries."""
    owner.execute(text("create sequence tries"))
    owner.execute(text("grant usage on sequence tries to public"))
    raising = f"begin perform nextval('tries'); raise exception 'no' using errcode = '{state}'; end"
    owner.execute(text(f"create function says_no() returns trigger language plpgsql as $${raising}$$"))
    owner.execute(text("create trigger says_no before insert on extension for each row execute function says_no()"))
    try:
        yield
    finally:
        owner.execute(text("drop trigger says_no on extension"))
        owner.execute(text("drop function says_no"))
        owner.execute(text("drop sequence tries"))


def extend(client: Client, path: str, **more: str) -> Any:
    return client.post(f"{path}/extensions", EXTENSION, **more)


def said(answer: Any) -> tuple[int, str, str | None]:
    return answer.status, answer.body["type"].partition("#")[2], answer.headers.get("Retry-After")


@pytest.mark.parametrize(("state", "meaning"), ROWS, ids=[row[0] for row in ROWS])
def test_each_no_of_the_table_is_503_with_its_problem_and_changes_nothing(house: House, owner: Connection, state: str, meaning: Meaning) -> None:
    office, branch = house.as_("office"), house.a_branch()
    before = house.state()
    with refusing(owner, state):
        assert said(extend(office, branch.path, **{"Idempotency-Key": f"the-key-of-{state}"})) == (503, *SAID[meaning])
        tries = owner.scalar(text("select last_value from tries"))
    assert tries == (2 if meaning is Meaning.GIVE_WAY else 1)
    assert house.state() == before
    assert extend(office, branch.path, **{"Idempotency-Key": f"the-key-of-{state}"}).status == 201, "5xx is never kept"


@pytest.mark.parametrize("state", ["XX000", "XX001", "22012", "42P01", "25P02", "55000"])
def test_what_does_not_pass_by_itself_is_a_fault_of_ours(house: House, owner: Connection, state: str) -> None:
    with refusing(owner, state):
        assert said(extend(house.as_("office"), house.a_branch().path)) == (500, "internal", None)


# ── those that a server gives by itself ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def fresh(house: House) -> Iterator[Engine]:
    """A pool of its own, on the database of the house."""
    engine = engine_for(house.engine.url.render_as_string(hide_password=False))
    yield engine
    engine.dispose()


def client_of(house: House, engine: Engine) -> Client:
    return Client(create_app(engine, settings_of_tests(), clock=house.clock).test_client(), house.as_("office").token)


@contextmanager
def database_set(administrator: Connection, setting: str, value: str) -> Iterator[None]:
    """Give new sessions of this database another value of a setting."""
    name = administrator.scalar(text("select current_database()"))
    administrator.execute(text(f"alter database {name} set {setting} = {value}"))
    try:
        yield
    finally:
        administrator.execute(text(f"alter database {name} reset {setting}"))


def test_a_read_only_database_is_read_refuses_changes_and_is_not_ready(house: House, fresh: Engine, administrator: Connection) -> None:
    client, http = client_of(house, fresh), create_app(fresh, settings_of_tests()).test_client()
    path = house.a_branch().path
    with database_set(administrator, "default_transaction_read_only", "on"):
        for _ in range(2):
            assert said(extend(client, path)) == (503, "database-unwritable", "30")
        assert client.get(B).status == 200
        ready = http.get("/readyz")
        assert (ready.status_code, ready.get_json()["database"]) == (503, "unwritable")
    assert extend(client, path).status == 201, "the session that began read-only was thrown away"
    assert http.get("/readyz").status_code == 200


def test_a_database_without_room_is_not_ready(house: House, fresh: Engine, administrator: Connection) -> None:
    """A limit on temporary files is the full disk that needs no disk: PostgreSQL answers alike."""
    http = create_app(fresh, settings_of_tests()).test_client()
    with database_set(administrator, "temp_file_limit", "'64kB'"):
        ready = http.get("/readyz")
        assert (ready.status_code, ready.get_json()["database"]) == (503, "unwritable")
    fresh.dispose()
    assert http.get("/readyz").status_code == 200


@contextmanager
def table_locked(owner: Connection) -> Iterator[None]:
    """Let every extension wait."""
    owner.execute(text("begin"))
    owner.execute(text("lock table extension in share row exclusive mode"))
    try:
        yield
    finally:
        owner.execute(text("rollback"))


def at_connect(engine: Engine, statement: str) -> None:
    """Run a statement in every new session."""
    event.listen(engine, "connect", lambda connection, _: connection.execute(statement) and connection.commit())


def test_a_statement_that_runs_too_long_ends_as_busy(house: House, fresh: Engine, owner: Connection) -> None:
    at_connect(fresh, "set statement_timeout = '200ms'")
    client, path = client_of(house, fresh), house.a_branch().path
    with table_locked(owner):
        assert said(extend(client, path)) == (503, "busy", "1")
    assert extend(client, path).status == 201


def test_a_lock_that_does_not_come_is_waited_for_twice_then_busy(house: House, fresh: Engine, owner: Connection) -> None:
    at_connect(fresh, "set lock_timeout = '200ms'")
    path = house.a_branch().path
    with table_locked(owner):
        assert said(extend(client_of(house, fresh), path)) == (503, "busy", "1")


@pytest.mark.parametrize(("ended_by", "slug"), [("pg_cancel_backend", "busy"), ("pg_terminate_backend", "database-away")])
def test_a_request_that_an_administrator_ends_is_told_to_come_again(
    house: House, fresh: Engine, owner: Connection, administrator: Connection, ended_by: str, slug: str
) -> None:
    client, path, answers = client_of(house, fresh), house.a_branch().path, []
    with table_locked(owner):
        asking = threading.Thread(target=lambda: answers.append(extend(client, path)))
        asking.start()
        waiting = f"select {ended_by}(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"  # noqa: S608
        while not administrator.scalar(text(waiting)):
            assert asking.is_alive()
        asking.join(10)
    assert said(answers[0])[:2] == (503, slug)
    assert extend(client, path).status == 201


def test_a_session_that_the_server_ended_is_thrown_away(house: House, fresh: Engine) -> None:
    """By ``transaction_timeout`` where there is one, which PostgreSQL has since 17."""
    ended_by = ("transaction_timeout", "idle_in_transaction_session_timeout")
    with house.engine.connect() as connection:
        known = connection.scalars(text("select name from pg_settings where name = any(:names)"), {"names": list(ended_by)}).all()
    at_connect(fresh, f"set {next(each for each in ended_by if each in known)} = '100ms'")
    client = client_of(house, fresh)

    @event.listens_for(fresh, "before_cursor_execute")
    def dawdle(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO extension"):
            threading.Event().wait(0.4)

    assert said(extend(client, house.a_branch().path))[0] == 503
    event.remove(fresh, "before_cursor_execute", dawdle)
    assert client.get(B).status == 200
    assert all(each.status == 200 for each in [client.get(B) for _ in range(3)])
