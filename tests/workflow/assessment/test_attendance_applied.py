"""Attendance sheets (出勤表): applied whole, once, and by many at once."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_branch, a_cycle, a_school, an_office, caller
from tests.support.records.assessment import an_assessment
from tests.support.records.assessment_activities import OF_BOTH, a_sheet, an_activity, applied, attended, lines, read, sheet_rows
from tests.support.records.attendance_sheets import School, looked_at
from tests.support.records.evidence import stand_at, statements
from tests.support.servers import state_of
from tests.support.workbooks import Row
from workflow.assessment.activities import Attendance, activity_of, withdraw_activity
from workflow.assessment.attendance import attendance_import_of
from workflow.foundation.database import transaction
from workflow.foundation.errors import Conflict, NotFound, StageClosed
from workflow.foundation.history import History
from workflow.foundation.vocabulary import Stage
from workflow.people.organisation import Person
from workflow.year.finding import Lock, cycle_by_year, processes
from workflow.year.following import open_processes
from workflow.year.opening import close_cycle


def test_applying_writes_a_line_for_each_person_and_says_who_and_when(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    assert applied(session, school.activity, row) == row.summary["changes"]
    here, there = school.here.id, school.there.id
    assert lines(session, school.activity) == {
        "z3": ("present", here),
        "l4": ("present", here),
        "w5": ("on_leave", here),
        "z6": ("present", there),
        "w10": ("absent", there),
    }
    assert (row.applied_by, row.applied_at) == ("office", NOW)


def test_applying_again_has_no_second_effect(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    applied(session, school.activity, row)
    before = state_of(session)
    assert applied(session, school.activity, row) == {"added": 0, "changed": 0, "removed": 0}
    assert state_of(session) == before


def test_an_earlier_sheet_applied_again_does_not_come_back(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    applied(session, school.activity, row)
    attended(session, school.activity, {"张三": "缺勤"})
    before = lines(session, school.activity)
    with pytest.raises(Conflict, match="更新的出勤表"):
        applied(session, school.activity, row)
    assert lines(session, school.activity) == before


def test_a_later_sheet_replaces_the_attendance_whole_and_the_history_keeps_the_old(session: Session, school: School) -> None:
    attended(session, school.activity)
    row = looked_at(session, school, sheet_rows({"张三": "出勤", "李四": "缺勤", "郑一": "出勤"}))
    assert row.summary["changes"] == {"added": 1, "changed": 1, "removed": 3}
    before = session.scalar(select(func.max(History.id))) or 0
    assert applied(session, school.activity, row) == row.summary["changes"]
    assert {staff_no: presence for staff_no, (presence, _) in lines(session, school.activity).items()} == {
        "z3": "present",
        "l4": "absent",
        "z1": "present",
    }
    changed = session.scalars(select(History).where(History.what == "attendance", History.id > before)).all()
    told = {each.row_key.partition(":")[2]: (each.old and each.old["presence"], each.new and each.new["presence"]) for each in changed}
    assert told == {
        "l4": ("present", "absent"),
        "z1": (None, "present"),
        "w5": ("on_leave", None),
        "z6": ("present", None),
        "w10": ("absent", None),
    }


def test_another_activity_keeps_its_attendance(session: Session, school: School) -> None:
    other = an_activity(session, school.cycle, name="志愿服务")
    for activity, presence in ((other, OF_BOTH), (school.activity, OF_BOTH), (school.activity, {"张三": "缺勤"})):
        attended(session, activity, presence)
    assert len(lines(session, other)) == len(OF_BOTH)


def test_the_history_tells_that_there_was_a_sheet_and_not_its_rows(session: Session, school: School) -> None:
    looked_at(session, school, sheet_rows())
    new = session.scalars(select(History.new).where(History.what == "attendance_import")).one()
    assert new is not None
    assert (new["rows"], new["problems"], new["summary"]) == ("changed", "changed", "changed")


def test_attendance_is_not_applied_before_its_day(session: Session, school: School) -> None:
    planned = an_activity(session, school.cycle, held_on=TODAY + timedelta(days=1))
    row = read(session, planned, a_sheet(sheet_rows()))
    assert row.applicable
    with pytest.raises(Conflict, match="还没有到"):
        applied(session, planned, row)
    planned.held_on = TODAY
    assert applied(session, planned, row)["added"] == 5


def test_an_activity_that_was_taken_back_takes_no_sheet(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    withdraw_activity(session, school.cycle, school.activity, by=caller(session, "office"), now=NOW, reason="重复登记")
    with pytest.raises(Conflict):
        looked_at(session, school, sheet_rows())
    with pytest.raises(Conflict):
        applied(session, school.activity, row)
    assert lines(session, school.activity) == {}


def test_a_closed_year_takes_no_sheet(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    close_cycle(session, school.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    with pytest.raises(Conflict, match="已办结"):
        looked_at(session, school, sheet_rows())
    with pytest.raises(Conflict, match="已办结"):
        applied(session, school.activity, row)


def test_a_draft_has_no_rolls_to_look_at(session: Session) -> None:
    an_office(session)
    draft = a_cycle(session)
    with pytest.raises(Conflict, match="还没有发布"):
        read(session, an_activity(session, draft), a_sheet(sheet_rows()))


def test_a_sheet_is_one_of_its_activity(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    with pytest.raises(NotFound):
        attendance_import_of(session, an_activity(session, school.cycle, name="志愿服务"), row.id)
    assert attendance_import_of(session, school.activity, row.id) is row


# ── many people, and many at once ─────────────────────────────────────────────────────────────────────────────────────


def test_however_many_people_a_sheet_is_applied_with_the_same_few_queries(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        people = [f"p{number}" for number in range(60)]
        a_branch(session, code="D0301", members=people, committee=people[:1])
        cycle = cycle_by_year(session, 2024)
        open_processes(session, cycle, now=NOW)
        everybody = session.execute(select(Person.staff_no, Person.name).where(Person.branch_id.is_not(None))).all()
        sent: dict[int, int] = {}
        for size in (3, 60):
            rows: list[Row] = [{"学工号": staff_no, "姓名": name, "出勤情况": "出勤"} for staff_no, name in everybody[-size:]]
            activity = an_activity(session, cycle, name=f"{size} 人")
            with statements(engine) as said:
                row = read(session, activity, a_sheet(rows))
                assert row.applicable
                assert applied(session, activity, row)["added"] == size
            sent[size] = len(said)
    assert sent[3] == sent[60]


def test_a_branch_that_is_being_moved_is_waited_for(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        cycle = cycle_by_year(session, 2024)
        row = read(session, an_activity(session, cycle), a_sheet(sheet_rows()))
        number, activity_id, there = row.id, row.activity_id, an_assessment(session, "D0201").id
    refusals: list[str] = []

    def apply() -> None:
        with transaction(engine, actor="office") as session:
            activity = activity_of(session, cycle_by_year(session, 2024), activity_id)
            try:
                applied(session, activity, attendance_import_of(session, activity, number))
            except StageClosed as refusal:
                refusals.append(refusal.detail.zh)

    with transaction(engine, actor="cli") as mover:
        (process,) = processes(mover, [there], lock=Lock.MOVE)
        thread = Thread(target=apply)
        thread.start()
        thread.join(timeout=0.7)
        assert thread.is_alive()
        stand_at(mover, process, Stage.SUMMARISED)
    thread.join(timeout=10)
    assert refusals == ["D0201党支部的考核材料已汇总，先退回再改动"]
    with transaction(engine, actor=None) as session:
        assert session.scalar(select(func.count()).select_from(Attendance)) == 0
