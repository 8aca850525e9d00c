"""Seals of the history: whole order beside other transactions, destroyed contents, parts."""

from __future__ import annotations

import re
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, Engine, text

from tests.support.builders import person
from tests.support.seals import KEYS, do, fault, sealed, verified
from workflow.foundation.database import act_as, transaction
from workflow.foundation.seals import sealing, verification
from workflow.foundation.seals.sealing import seal
from workflow.foundation.seals.verification import recent, verify

# ── what stands ───────────────────────────────────────────────────────────────────────────────────


def test_an_untouched_history_is_verified_row_by_row(school: Engine, god: Connection) -> None:
    rows = god.scalar(text("select count(*) from history"))
    report = verified(school)
    assert (report.fault, report.rows, report.unsealed, report.destroyed) == (None, rows, 0, 0)
    assert report.seals == god.scalar(text("select max(number) from history_seal"))
    assert report.before == rows, "written before the first seal"


def test_rows_that_wait_for_their_seal_are_held_to_their_own_digest(school: Engine, god: Connection) -> None:
    with transaction(school, actor="cli") as session:
        person(session, "王五").email = "wang5@school.example"
    assert (verified(school).fault, verified(school).unsealed) == (None, 1)
    do(god, """update history set new = '{"email": "x"}' where id = (select max(id) from history)""")
    assert re.fullmatch(r"变更记录第 \d+ 行（person 表，记于 .+，尚未封印）被改动：.+", fault(school))


def test_the_second_round_goes_on_where_the_first_ended(school: Engine, god: Connection) -> None:
    assert sealed(school) is None, "nothing new"
    with transaction(school, actor="cli") as session:
        person(session, "王五").email = "wang5@school.example"
    again = sealed(school)
    assert again is not None
    assert again.rows == 1
    assert (verified(school).fault, verified(school).unsealed) == (None, 0)


# ── contents that were destroyed ──────────────────────────────────────────────────────────────────


DESTROY = "update history set salt = null, reason = null, old = null, new = null where id between 4 and 11"


def test_destroyed_contents_leave_the_proof_of_who_when_and_which_row(school: Engine, god: Connection) -> None:
    do(god, DESTROY)
    report = verified(school)
    assert (report.fault, report.destroyed) == (None, 8)
    assert report.rows == god.scalar(text("select count(*) from history"))
    do(god, "update history set actor = 'somebody' where id = 5")
    assert fault(school).startswith("变更记录第 5 行")


def test_contents_are_destroyed_whole_or_not_at_all(school: Engine, god: Connection) -> None:
    with pytest.raises(Exception, match="ck_history_destroyed"):
        do(god, "update history set salt = null where id = 5")
    do(god, "update history set new = null where id = 5")
    assert fault(school).startswith("变更记录第 5 行")


def test_no_contents_are_put_in_place_of_those_that_were_destroyed(school: Engine, god: Connection) -> None:
    do(god, "alter table history drop constraint ck_history_destroyed")
    do(god, """update history set salt = null, new = '{"name": "无名"}' where id = 5""")
    assert fault(school).startswith("变更记录第 5 行")


def test_destroyed_contents_cannot_be_tried_out(school: Engine, god: Connection) -> None:
    """Two rows that say the same have different digests: without its salt none can be guessed."""
    with transaction(school, actor="cli") as session:
        for name in ("wang5@school.example", "w5@school.example") * 2:
            person(session, "王五").email = name
            session.flush()
    rows, digests = god.execute(text("select count(*), count(distinct digest) from history")).one()
    assert rows == digests


# ── order, and other transactions ─────────────────────────────────────────────────────────────────


def change(engine: Engine, name: str, may_commit: Event, has_written: Event) -> None:
    with transaction(engine, actor="cli") as session:
        person(session, name).email = f"{name}@school.example"
        session.flush()
        has_written.set()
        may_commit.wait(20)


def test_a_row_is_sealed_when_no_older_change_can_still_commit(school: Engine) -> None:
    """The lower number commits last: sealed in between, it would look added afterwards."""
    may_commit, has_written = Event(), Event()
    late = Thread(target=change, args=(school, "王五", may_commit, has_written))
    late.start()
    assert has_written.wait(10)
    with transaction(school, actor="cli") as session:
        person(session, "孙八").email = "later@school.example"
    assert sealed(school) is None
    assert verified(school).unsealed == 1
    may_commit.set()
    late.join()
    made = sealed(school)
    assert made is not None
    assert made.rows == 2
    assert (verified(school).fault, verified(school).unsealed) == (None, 0)


def test_a_change_that_begins_after_the_round_does_not_hold_it_up(school: Engine) -> None:
    """Whoever writes all the time cannot keep rows from being sealed."""
    may_commit, has_written = Event(), Event()
    late = Thread(target=change, args=(school, "王五", may_commit, has_written))
    older_may_commit, older_has_written = Event(), Event()
    older = Thread(target=change, args=(school, "李四", older_may_commit, older_has_written))
    older.start()
    assert older_has_written.wait(10)
    with transaction(school, actor="cli") as session:
        person(session, "孙八").email = "later@school.example"

    def meanwhile(_: float) -> bool:
        if not late.ident:
            late.start()
            assert has_written.wait(10)
            older_may_commit.set()
            older.join()
        return False

    made = seal(school, KEYS, actor="worker", pause=meanwhile, patience=10)
    may_commit.set()
    late.join()
    assert made is not None
    assert made.rows == 2
    sealed(school)
    assert (verified(school).fault, verified(school).unsealed) == (None, 0)


def test_no_writer_waits_for_a_seal(school: Engine) -> None:
    with transaction(school, actor="cli") as session:
        person(session, "王五").email = "wang5@school.example"
    with transaction(school, actor="worker") as sealing_now:
        assert sealing._seal_next(sealing_now, KEYS, 10**9) is not None
        sealing_now.flush()
        with transaction(school, actor="cli") as session:
            act_as(session, actor="cli")
            session.execute(text("set local lock_timeout = '1s'"))
            person(session, "王五").email = "w5@school.example"


@pytest.mark.race
def test_two_workers_make_one_chain_beside_writers(school: Engine) -> None:
    stop = Event()

    def write() -> None:
        for turn in range(30):
            with transaction(school, actor="cli") as session:
                person(session, "王五").email = f"{turn}@school.example"

    def go_on() -> None:
        while not stop.is_set():
            seal(school, KEYS, actor="worker", pause=stop.wait, patience=1)

    writers, workers = [Thread(target=write) for _ in range(4)], [Thread(target=go_on) for _ in range(2)]
    for each in (*workers, *writers):
        each.start()
    for each in writers:
        each.join()
    stop.set()
    for each in workers:
        each.join()
    sealed(school)
    report = verified(school)
    assert (report.fault, report.unsealed) == (None, 0)


# ── a part of it ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("rows", "left_out"), [(0, 0), (4, 1), (6, 2), (7, 2), (10**6, None)])
def test_the_newest_rows_are_verified_alone(school: Engine, god: Connection, rows: int, left_out: int | None) -> None:
    newest: int = god.scalar(text("select max(number) from history_seal"))
    do(god, "update history_seal set entries = substr(entries, 1, 120)")
    with transaction(school, actor=None) as session:
        after = recent(session, rows)
    assert after == (newest - left_out if left_out is not None else 0)


def test_what_was_changed_before_the_part_is_not_seen_in_it(school: Engine, god: Connection) -> None:
    do(god, "update history set actor = 'somebody' where id = 2")
    assert verified(school, after=1).fault is None
    assert verified(school).fault is not None


def test_the_bar_hears_of_every_row(school: Engine) -> None:
    heard: list[int] = []
    with transaction(school, actor=None) as session:
        report = verify(session, KEYS, seen=heard.append)
        assert sum(heard) == report.rows == verification.rows_to_verify(session)
