"""The migration that deletes unused personal data, and nothing else."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text

import migrations
from tests.support.builders import NOW
from tests.support.servers import kept_in
from workflow.assessment.attendance import AttendanceImport
from workflow.foundation.database import transaction
from workflow.roster.imports import RosterImport, apply_import
from workflow.workbooks.imports import import_by_id

BEFORE = "20241210_decision"
REMARK, JOINED, CONFIRMED = "困难补助对象", "1991-02-03", "1992-04-05"
TELLTALE = ("女", REMARK, JOINED, CONFIRMED, "gender", "joined_on", "confirmed_on")
GONE = {"gender": None, "joined_on": None, "confirmed_on": None, "remark": None}


def _member(staff_no: str, name: str, post: str | None, title: str | None) -> dict[str, Any]:
    return {
        "staff_no": staff_no,
        "name": name,
        "gender": "女",
        "branch_code": "D0101",
        "standing": "full",
        "joined_on": JOINED,
        "confirmed_on": CONFIRMED,
        "post": post,
        "title": title,
        "on_committee_sheet": False,
        "cadre": False,
        "email": f"{staff_no}@school.example",
        "remark": REMARK,
    }


BRANCH = {
    "code": "D0101",
    "name": "支部",
    "unit_code": "D01",
    "unit_name": "党委",
    "has_committee": False,
}
ROSTER = {
    "branches": [BRANCH],
    "members": [_member("z3", "张三", "secretary", "书记"), _member("l4", "李四", None, None)],
}
OF_GENDER = {"row": 2, "heading": "性别", "severity": "warning", "message": "性别“女女”未采用"}
OF_NAME = {"row": 3, "heading": "姓名", "severity": "error", "message": "缺少姓名"}
VALUES = {
    "now": NOW,
    "today": date(2024, 12, 20),
    "joined": JOINED,
    "confirmed": CONFIRMED,
    "remark": REMARK,
    "roster": json.dumps(ROSTER),
    "warnings": json.dumps([OF_GENDER]),
    "errors": json.dumps([OF_GENDER, OF_NAME]),
}
FILL = """
insert into person (staff_no, name, gender, email, joined_on, confirmed_on, cadre, remark) values
    ('z3', '张三', '女', 'z3@school.example', cast(:joined as date), cast(:confirmed as date),
        false, :remark),
    ('l4', '李四', null, null, null, null, false, null);
update person set remark = :remark || '二' where staff_no = 'z3';
insert into roster_import
        (file_name, problems, roster, summary, applicable, recorded_by, recorded_at) values
    ('名册.xlsx', cast(:warnings as jsonb), cast(:roster as jsonb), '{}', true, 'office', :now),
    ('错误.xlsx', cast(:errors as jsonb), cast(:roster as jsonb), '{}', false, 'office', :now);
insert into cycle (year, title, theme, status, plan, deadlines, version, changed_at)
    values (2024, '', '', 'draft', '{}', '{}', 1, :now);
insert into activity (cycle_id, kind, name, held_on, version, recorded_by, recorded_at)
    select id, 'study', '党课', :today, 1, 'office', :now from cycle;
insert into attendance_import (file_name, problems, activity_id, rows, summary, applicable,
        recorded_by, recorded_at, applied_by, applied_at)
    select file_name, '[]', id, '{"z3": "present"}', '{}', applicable,
        'office', :now, applied_by, applied_at
    from activity, (values
        ('待写入', true, null, null),
        ('已写入', true, 'office', cast(:now as timestamptz)),
        ('有错误', false, null, null)
    ) as sheet (file_name, applicable, applied_by, applied_at);
insert into letter (key, kind, recipient_id, recipient_name, address, subject, text, html, state,
        created_at, attempts, next_at, leased_until, sent_at, message_id)
    select state, kind, id, name, email, '题目', '正文', '<p>正文</p>', state,
        :now, 0, next_at, leased_until, sent_at, state
    from person, (values
        ('pending', 'returned', cast(:now as timestamptz), null, null),
        ('unknown', 'digest', cast(:now as timestamptz), null, null),
        ('sending', 'digest', null, cast(:now as timestamptz), null),
        ('sent', 'digest', null, null, cast(:now as timestamptz)),
        ('failed', 'digest', null, null, null),
        ('moot', 'digest', null, null, null)
    ) as letter (state, kind, next_at, leased_until, sent_at)
    where staff_no = 'z3'
"""
"""A school of the old release: data to be deleted, and data that stay."""


@pytest.fixture
def old(engine: Engine, owner_url: str) -> Engine:
    """A database of the old release, with rows."""
    command.downgrade(migrations.configuration(owner_url), BEFORE)
    with transaction(engine, actor="cli") as session:
        for statement in FILL.split(";"):
            names = [name for name in VALUES if f":{name}" in statement]
            session.execute(text(statement), {name: VALUES[name] for name in names})
        assert kept_in(session, REMARK) == {"person", "history", "roster_import"}
    return engine


@pytest.fixture
def present(old: Engine, owner_url: str) -> Engine:
    """The same database after the migration."""
    command.upgrade(migrations.configuration(owner_url), "head")
    return old


def test_people_and_their_history_lose_it_and_nothing_else(present: Engine) -> None:
    with transaction(present, actor=None) as session:
        assert [words for words in TELLTALE if kept_in(session, words)] == []
        people = session.execute(text("select name, email from person order by id")).all()
        assert people == [("张三", "z3@school.example"), ("李四", None)]
        of_people = text("select old, new from history where what = 'person' order by id")
        first, _, last = session.execute(of_people).all()
        kept = {"id", "name", "cadre", "email", "staff_no", "standing", "branch_id"}
        assert first.new.keys() == kept
        assert (last.old, last.new) == ({}, {}), "who changed something when stays told"
        of_imports = text("select count(*) from history where what = 'roster_import'")
        assert session.scalar(of_imports) == 2, "the migration adds none of its own"


def test_a_roster_that_waits_to_be_applied_still_can_be(present: Engine) -> None:
    with transaction(present, actor="cli") as session:
        applicable, faulty = (import_by_id(session, RosterImport, number) for number in (1, 2))
        assert (applicable.problems, faulty.problems) == ([], [OF_NAME])
        assert faulty.roster == {"branches": [], "members": []}
        found = apply_import(session, applicable, by="office", now=NOW)
        assert [each.name for each in found.people] == ["张三", "李四"]


def test_attendance_sheets_and_letters_keep_what_will_still_be_used(present: Engine) -> None:
    with transaction(present, actor=None) as session:
        sheets = [import_by_id(session, AttendanceImport, number) for number in (1, 2, 3)]
        assert [each.rows for each in sheets] == [{"z3": "present"}, {}, {}]
        letters = session.execute(text("select state, text || html as words from letter")).all()
    whole = {letter.state for letter in letters if letter.words == "正文<p>正文</p>"}
    assert whole == {"pending", "sending", "unknown"}
    assert {letter.state for letter in letters if not letter.words} == {"sent", "failed", "moot"}


def test_downgrading_brings_back_what_the_old_code_reads(present: Engine, owner_url: str) -> None:
    command.downgrade(migrations.configuration(owner_url), BEFORE)
    with transaction(present, actor=None) as session:
        people = text("select gender, joined_on, confirmed_on, remark from person")
        assert [row._asdict() for row in session.execute(people).all()] == [GONE, GONE]
        roster = session.scalar(text("select roster from roster_import where applicable"))
        members = [{**member, **GONE} for member in ROSTER["members"]]
        assert roster == {"branches": [BRANCH], "members": members}
    command.upgrade(migrations.configuration(owner_url), "head")
    with transaction(present, actor=None) as session:
        assert kept_in(session, "gender") == set()
