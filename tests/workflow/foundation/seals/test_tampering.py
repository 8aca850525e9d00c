"""Tampering by a superuser: each kind is named, by table, row, time and what was done.

The rows of a school are sealed as the worker seals them; then a superuser goes at them.
"""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Connection, Engine, text

from tests.support.builders import person
from tests.support.seals import OTHER, SECRET, do, fault, keys_of, mend, sealed, verified
from workflow.foundation.database import transaction
from workflow.foundation.seals import sealing
from workflow.foundation.seals.sealing import HistorySeal
from workflow.foundation.seals.witness import Seen, not_there

# ── rows ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        """new = '{"name": "无名"}'""",
        "new = null",
        "reason = '补记'",
        "actor = 'somebody'",
        "on_behalf_of = 'somebody'",
        "at = at - interval '1 microsecond'",
        "what = 'talk'",
        "row_key = '0'",
        "process_id = 0",
        "digest = sha256('')",
        "salt = gen_random_uuid()",
    ],
)
@pytest.mark.parametrize("knowing", [False, True], ids=["naively", "with its digest"])
def test_an_edited_row_is_named(school: Engine, god: Connection, change: str, knowing: bool) -> None:
    do(god, f"update history set {change} where id = 8")  # noqa: S608
    if knowing:
        mend(god, 8)
    if change.startswith("digest") and knowing:
        assert verified(school).fault is None, "it is as it was"
        return
    what, at = god.execute(text("select what, to_char(at at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS') from history where id = 8")).one()
    assert fault(school).startswith(f"变更记录第 8 行（{what} 表，记于 {at}，封印 3，")
    assert "被改动" in fault(school)
    assert verified(school).rows == 7, "all before it are well"


@pytest.mark.parametrize("number", [0, -(2**63)])
def test_a_row_before_the_first_is_named_as_added(school: Engine, god: Connection, number: int) -> None:
    columns = "at, actor, what, row_key, digest"
    do(
        god,
        f"insert into history (id, {columns}) overriding system value select :id, now(), actor, what, row_key, sha256('') from history where id = 1",  # noqa: S608
        id=number,
    )
    assert f"第 {number} 行" in fault(school)
    assert "是事后添加的" in fault(school)


@pytest.mark.parametrize("number", [1, 8, 9], ids=["the first", "inside", "the last of its seal"])
def test_a_deleted_row_is_named(school: Engine, god: Connection, number: int) -> None:
    do(god, "delete from history where id = :id", id=number)
    assert re.fullmatch(rf"变更记录第 {number} 行（封印 {(number + 2) // 3}，.+）被删除", fault(school))


def test_a_row_that_was_added_afterwards_is_named(school: Engine, god: Connection) -> None:
    columns = "at, actor, on_behalf_of, reason, what, row_key, process_id, old, new, salt, digest"
    do(god, "delete from history where id = 8")
    do(god, "delete from history_seal where number > 2")
    sealed(school)
    do(god, f"insert into history (id, {columns}) overriding system value select 8, {columns} from history where id = 2")  # noqa: S608
    do(god, "update history set actor = 'somebody', salt = gen_random_uuid() where id = 8")
    mend(god, 8)
    assert re.fullmatch(r"变更记录第 8 行（\w+ 表，记于 .+）是事后添加的：.+", fault(school))


SWAP = "update history set id = case id when {0} then {1} else {0} end where id in ({0}, {1})"


@pytest.mark.parametrize(("first", "second"), [(7, 8), (2, 20)], ids=["in one seal", "in two"])
def test_rows_that_changed_places_are_named(school: Engine, god: Connection, first: int, second: int) -> None:
    do(god, "alter table history drop constraint pk_history, alter column id drop identity")
    do(god, SWAP.format(first, second))
    assert re.search(rf"第 {first} 行（.+，封印 .+）被调换了位置：它现在是第 {second} 行$", fault(school))


def test_a_row_that_was_moved_into_a_gap_is_named_by_its_old_place(school: Engine, god: Connection) -> None:
    do(god, "alter table history alter column id drop identity")
    do(god, "update history set id = 0 where id = 8")
    assert re.search(r"第 8 行（.+，封印 3，.+）被调换了位置：它现在是第 0 行$", fault(school))
    do(god, "update history set id = 1000000 where id = 0")
    assert re.search(r"第 8 行（封印 3，.+）被调换了位置：它现在是第 1000000 行$", fault(school))


def test_the_first_of_several_is_named(school: Engine, god: Connection) -> None:
    do(god, "delete from history where id = 12")
    do(god, "update history set actor = 'somebody' where id = 5")
    assert fault(school).startswith("变更记录第 5 行")


def test_functions_of_the_owners_own_do_not_answer_for_those_of_postgresql(school: Engine, god: Connection) -> None:
    do(god, "create function public.is_same(bytea, bytea) returns boolean language sql as 'select true'")
    do(god, "create operator public.= (function = public.is_same, leftarg = bytea, rightarg = bytea)")
    do(god, f"alter database {school.url.database} set search_path = public, pg_catalog")
    do(god, "alter role zhibu_app set search_path = public, pg_catalog")
    do(god, """update history set new = '{"name": "无名"}' where id = 8""")
    try:
        school.dispose()
        assert "第 8 行" in fault(school)
    finally:
        do(god, "alter role zhibu_app reset search_path")


# ── seals ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        "sealed_at = sealed_at + interval '1 microsecond'",
        "last_id = last_id + 1",
        "entries = entries || entries",
        "entries = set_byte(entries, 39, get_byte(entries, 39) # 1)",
        "previous = sha256('')",
        "mac = sha256('')",
    ],
)
def test_an_edited_seal_is_named(school: Engine, god: Connection, change: str) -> None:
    do(god, f"update history_seal set {change} where number = 3")  # noqa: S608
    assert re.fullmatch(r"第 3 道封印（.+）被改动：.+", fault(school))


def test_a_row_and_its_seal_edited_alike_are_seen_by_the_seal(school: Engine, god: Connection) -> None:
    do(god, "update history set actor = 'somebody' where id = 8")
    digest = sealing.ROW_DIGEST.format(row="h")
    entry = f"substr(entries, 1, 40) || int8send(8) || (select {digest} from history h where id = 8) || substr(entries, 81)"  # noqa: S608
    do(god, f"update history_seal set entries = {entry} where number = 3")  # noqa: S608
    assert re.fullmatch(r"第 3 道封印（.+）被改动：.+", fault(school))


def test_a_seal_from_before_the_others_were_made_anew_does_not_fit(school: Engine, god: Connection) -> None:
    """Its proof is right, and it is of another chain."""
    do(god, "create table kept as select * from history_seal where number = 3")
    do(god, "delete from history_seal where number > 1")
    sealed(school)
    do(god, "delete from history_seal where number = 3")
    do(god, "insert into history_seal select * from kept")
    assert re.fullmatch(r"第 3 道封印（.+）被改动：.+", fault(school))


@pytest.mark.parametrize("number", [1, 3])
def test_a_seal_that_is_gone_is_named(school: Engine, god: Connection, number: int) -> None:
    do(god, "delete from history_seal where number = :number", number=number)
    assert fault(school) == f"第 {number} 道封印不见了，后面的还在"


def test_a_chain_of_another_key_is_no_proof_until_the_key_is_known(school: Engine, god: Connection) -> None:
    other = keys_of(secret=OTHER)
    assert re.fullmatch(r"第 1 道封印（.+）所用的密钥不在设置里：.+", fault(school, other))
    with transaction(school, actor="cli") as session:
        person(session, "王五").email = "wang5@school.example"
    assert sealed(school, other) is not None
    assert "密钥不在设置里" in fault(school)
    both = keys_of(OTHER, SECRET, secret="a third secret of the tests")
    assert verified(school, both).fault is None, "the new key, and the old secret behind it"
    assert both.present == other.present, "the first seals"
    last = god.scalar(text("select max(number) from history_seal"))
    assert verified(school, other, after=last - 1).fault is None, "what an old key sealed is left out"


def test_a_cut_end_is_seen_by_whoever_has_seen_the_last_seal(school: Engine, god: Connection) -> None:
    with transaction(school, actor=None) as session:
        last = sealing.last_seal(session)
        assert last is not None
        seen = Seen.of(last)
        assert not_there(session, seen) is None
    do(god, "delete from history where id > 9")
    do(god, "delete from history_seal where number > 3")
    assert verified(school).fault is None, "nothing in the database can tell"
    with transaction(school, actor=None) as session:
        assert (not_there(session, seen) or "").startswith(f"记录的末尾不见了：见过第 {seen.number} 道封印")


def test_all_seals_made_anew_over_an_edited_history_are_not_those_that_were_seen(school: Engine, god: Connection) -> None:
    with transaction(school, actor=None) as session:
        third = session.get_one(HistorySeal, 3)
    do(god, "delete from history where id = 2")
    do(god, "delete from history_seal")
    sealed(school)
    assert verified(school).fault is None, "the worker lends its key"
    with transaction(school, actor=None) as session:
        assert (not_there(session, Seen.of(third)) or "").startswith("第 3 道封印被换过")
