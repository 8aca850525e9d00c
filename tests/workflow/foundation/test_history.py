"""The history (变更记录): no path around it, the content of a change, and forbidden content."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, func, select, text, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from migrations.tables import METADATA
from tests.support.builders import NOW, a_school, caller, person
from tests.support.records.evidence import a_follow_up, excused
from tests.support.situations import SUBSTANCE, a_study, a_talk
from workflow.appraisal.study.sessions import SESSIONS
from workflow.appraisal.talks.follow_ups import finish_follow_up
from workflow.appraisal.talks.talks import PRIVATE, TALKS, TEXTS, Talk
from workflow.foundation.database import act_as, sqlstate, transaction
from workflow.foundation.history import History, history_of
from workflow.people.accounts import issue_token, open_account
from workflow.people.sessions import sign_in
from workflow.roster.imports import RosterImport
from workflow.year.cycle import Process
from workflow.year.deadlines import change_processes

WITHOUT_HISTORY = {
    "attempt": "how often something was tried, about nobody that can be named",
    "branch_change": "it says that a row changed, never what; the process's own history does",
    "progress_count": "numbers that follow from the processes",
    "progress_delta": "numbers that follow from the processes",
    "history": "it is the history",
    "history_seal": "it seals the history",
    "kept_outcome": "its row is the record, and is forgotten after seven days",
    "letter": "its row is the record, and a copy of every text would double its size",
    "letter_item": "it says which reminder a letter holds, and its letter is the record",
    "letter_aside": "what is not written at present, about nobody",
    "daily_step": "a clock, about nobody",
    "session_use": "only the last use of a session counts, and the row goes with it",
    "draft": "nobody else reads it, and it is no record: it is gone once its form is done",
    "past": "a word of the database itself, about nobody",
    "worker_heartbeat": "a clock, about nobody",
}
"""Tables that no trigger watches, each with its reason."""


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


def last(session: Session, what: str) -> History:
    return session.scalars(select(History).where(History.what == what).order_by(History.id.desc()).limit(1)).one()


# ── no path around it ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_table_is_watched_or_has_its_reason(session: Session) -> None:
    watched = session.scalars(
        text("select tgrelid::regclass::text from pg_trigger where tgname = 'zhibu_history' and tgenabled = 'O' and tgtype = 1 + 4 + 8 + 16")
    )
    assert sorted(watched) == sorted(set(METADATA.tables) - set(WITHOUT_HISTORY))
    assert set(WITHOUT_HISTORY) <= set(METADATA.tables)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into branch (code, name, unit_code, unit_name, has_committee) values ('X', 'X', 'X', 'X', false)",
        "update person set name = '无名'",
        "update person set name = name",
        "update participant set voting = false where staff_no = 'w5'",
        "delete from talk",
        "update waiver set reason = ''",
        "delete from study_attendance",
        "update process set stage = 'accepted' where kind = 'appraisal'",
        "update account set password_hash = 'x'",
    ],
)
def test_no_tracked_table_changes_while_nobody_acts_not_even_by_raw_sql(session: Session, branch: Process, statement: str) -> None:
    a_study(session, branch)
    a_talk(session, branch, "张三", "王五")
    reason = "insert into waiver (process_id, requirement, covers, names, reason, needs_approval, version, recorded_by, recorded_at)"
    session.execute(text(f"{reason} values (:id, 'x', '{{}}', '{{}}', 'x', false, 1, 'z3', now())"), {"id": branch.id})
    session.execute(text("select set_config('zhibu.actor', '', true)"))
    with pytest.raises(DBAPIError) as refused, session.begin_nested():
        session.execute(text(statement))
    assert sqlstate(refused.value) == "ZH001"


def test_a_session_without_an_actor_reads_and_changes_nothing(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
    with pytest.raises(DBAPIError) as refused, transaction(engine, actor=None) as session:
        person(session, "王五").name = "王五五"
    assert sqlstate(refused.value) == "ZH001"


def test_who_acted_in_one_transaction_does_not_act_in_the_next(engine: Engine) -> None:
    with engine.connect() as connection:
        with connection.begin():
            act_as(Session(connection), actor="z3")
        with pytest.raises(DBAPIError) as refused, connection.begin():
            connection.execute(text("insert into branch (code, name, unit_code, unit_name, has_committee) values ('X', 'X', 'X', 'X', false)"))
    assert sqlstate(refused.value) == "ZH001"


@pytest.mark.parametrize(
    "statement",
    [
        "insert into history (actor, what, row_key) values ('z3', 'talk', '1')",
        "update history set actor = 'somebody else'",
        "delete from history",
        "truncate history",
        "drop trigger zhibu_history on talk",
        "alter table talk disable trigger zhibu_history",
        "alter table talk disable trigger all",
        "truncate talk cascade",
        "drop table talk cascade",
        "set session_replication_role = replica",
        "drop function zhibu_record_history() cascade",
        "create or replace function zhibu_record_history() returns trigger language plpgsql as 'begin return null; end'",
        "alter function zhibu_record_history() owner to zhibu_app",
    ],
)
def test_the_application_can_neither_write_the_history_nor_switch_it_off(session: Session, statement: str) -> None:
    with pytest.raises(DBAPIError) as refused, session.begin_nested():
        session.execute(text(statement))
    assert sqlstate(refused.value) == "42501"


def test_a_table_of_the_applications_own_does_not_catch_what_belongs_into_the_history(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        process = a_school(session)
        before = session.scalar(text("select count(*) from public.history"))
        session.execute(text("create temporary table history (like public.history including defaults including identity)"))
        session.execute(text("grant all on history to public"))
        change_processes(session, [process], {"version": 2})
        assert session.scalar(text("select count(*) from public.history")) == before + 1


# ── what it keeps ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_is_kept_with_who_for_whom_why_and_what(session: Session, branch: Process) -> None:
    act_as(session, actor="l4", on_behalf_of="z3", reason="书记出差")
    person(session, "王五").email = "wang5@school.example"
    session.flush()
    row = last(session, "person")
    assert (row.actor, row.on_behalf_of, row.reason, row.row_key) == ("l4", "z3", "书记出差", str(person(session, "王五").id))
    assert (row.old, row.new) == ({"email": "w5@school.example"}, {"email": "wang5@school.example"})


def test_a_correction_keeps_only_what_changed_from_what_to_what(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "张三", "王五", place="办公室")
    TALKS.amend(session, branch, talk, {"place": "会议室"}, seen=1, by=caller(session, "张三"), now=NOW)
    row = last(session, "talk")
    assert (row.old, row.new) == ({"place": "办公室", "version": 1}, {"place": "会议室", "version": 2})
    assert (row.process_id, row.row_key) == (branch.id, str(talk.id))


def test_an_update_that_changes_nothing_is_no_change(session: Session, branch: Process) -> None:
    before = session.scalar(select(func.max(History.id)))
    session.execute(text("update person set name = name"))
    assert session.scalar(select(func.max(History.id))) == before


def test_a_new_row_and_one_that_is_gone_are_kept_whole(session: Session, branch: Process) -> None:
    study = a_study(session, branch, ("张三", "王五"))
    made = last(session, "study_session")
    assert made.old is None
    assert made.new is not None
    assert made.new["titles"] == study.titles
    SESSIONS.amend(session, branch, study, {"present": ["z3"]}, seen=1, by=caller(session, "张三"), now=NOW)
    gone = last(session, "study_attendance")
    assert (gone.old, gone.new) == ({"session_id": study.id, "staff_no": "w5", "process_id": branch.id}, None)
    assert gone.row_key == f"{study.id}:w5"


def test_the_history_of_a_process_is_its_own_in_order(session: Session, branch: Process) -> None:
    excused(session, branch, "王五")
    a_study(session, branch, ("张三",))
    a_talk(session, branch, "张三", "王五")
    change_processes(session, [branch], {"version": 2})
    rows = session.scalars(history_of(branch.id, true())).all()
    assert [row.what for row in rows] == ["process", *["participant"] * 7, "study_session", "study_attendance", "talk", "process"]
    assert {row.process_id for row in rows} == {branch.id}
    assert [row.id for row in session.scalars(history_of(branch.id, true(), after=rows[3].id, limit=2))] == [rows[4].id, rows[5].id]


def test_the_moment_is_the_databases_own_and_not_the_transactions_beginning(session: Session, branch: Process) -> None:
    first, second = (a_talk(session, branch, "张三", name).id for name in ("王五", "孙八"))
    at = {row.row_key: row.at for row in session.scalars(select(History).where(History.what == "talk"))}
    assert at[str(first)] < at[str(second)]


# ── what it never keeps ───────────────────────────────────────────────────────────────────────────────────────────────


def everything(session: Session) -> str:
    return "\n".join(session.scalars(text("select concat(old, new, reason, row_key) from history")))


def test_what_was_said_in_a_talk_never_appears_in_the_history(session: Session, branch: Process) -> None:
    texts = {name: f"说过的话-{name}" for name in (*TEXTS, *PRIVATE)}
    by = caller(session, "张三")
    talk = a_talk(session, branch, "张三", "王五", focus=True, **texts)
    TALKS.amend(session, branch, talk, {name: f"说过的话-又-{name}" for name in texts}, seen=1, by=by, now=NOW)
    row = last(session, "talk")
    assert row.old == {**dict.fromkeys(texts, "changed"), "version": 1}
    assert row.new == {**dict.fromkeys(texts, "changed"), "version": 2}
    follow_up = a_follow_up(session, branch, talk)
    finish_follow_up(session, branch, talk, follow_up, on=talk.held_on, by=by, now=NOW)
    session.execute(text("delete from talk_follow_up"))
    session.execute(text("delete from talk"))
    kept = everything(session)
    assert "说过的话" not in kept
    assert "联系工会帮助" not in kept


def test_a_text_that_was_empty_shows_that_it_was_and_nothing_more(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "张三", "王五")
    assert last(session, "talk").new["private_notes"] is None  # type: ignore[index]
    TALKS.amend(session, branch, talk, {"private_notes": SUBSTANCE["private_notes"]}, seen=1, by=caller(session, "张三"), now=NOW)
    row = last(session, "talk")
    assert (row.old, row.new) == ({"private_notes": None, "version": 1}, {"private_notes": "changed", "version": 2})


def test_secrets_never_appear_in_the_history(session: Session, branch: Process) -> None:
    someone = person(session, "王五")
    account = open_account(session, someone, now=NOW, password="correct horse battery")
    token = issue_token(session, someone, name="月报", now=NOW, expires_at=NOW.replace(year=2026))
    signed_in = sign_in(session, staff_no="w5", password="correct horse battery", now=NOW, hours=8)
    session.flush()
    kept = everything(session)
    hashes = session.scalars(text("select hash from token union all select hash from web_session")).all()
    assert len(hashes) == 2
    for secret in ("correct horse", "argon2", token.secret, signed_in.secret, account.password_hash, *hashes):
        assert secret is not None
        assert secret not in kept
    for table, column in (("account", "password_hash"), ("token", "hash"), ("web_session", "hash")):
        assert last(session, table).new[column] == "changed"  # type: ignore[index]


def test_the_copies_of_a_workbook_never_appear_in_the_history(session: Session) -> None:
    values: dict[str, Any] = {"problems": [{"at": "原件内容"}], "roster": {"people": ["原件内容"]}, "summary": {"moved": "原件内容"}}
    session.add(
        RosterImport(file_name="名册.xlsx", applicable=True, recorded_by="office", recorded_at=NOW, applied_by=None, applied_at=None, **values)
    )
    session.flush()
    assert "原件内容" not in everything(session)
    assert last(session, "roster_import").new["file_name"] == "名册.xlsx"  # type: ignore[index]


def test_every_text_of_a_talk_has_readers_of_its_own() -> None:
    plain = {"place", "talker", "partner", "recorded_by", "withdrawn_by", "withdrawn_reason", "rejected_by", "rejected_reason"}
    texts = {column.name for column in Talk.__table__.columns if str(column.type) == "TEXT"}
    assert texts - plain == {*TEXTS, *PRIVATE}


def test_the_owner_himself_is_not_let_past_it(owner_url: str) -> None:
    owner = create_engine(owner_url, poolclass=NullPool)
    with pytest.raises(DBAPIError) as refused, owner.begin() as connection:
        connection.execute(text("insert into branch (code, name, unit_code, unit_name, has_committee) values ('X', 'X', 'X', 'X', false)"))
    assert sqlstate(refused.value) == "ZH001"
