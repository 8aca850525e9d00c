"""Attendance sheets (出勤表): checked against the rolls.

A sheet is applied whole, once, and changes nothing that was summarised.
"""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import STAFF_NO
from tests.support.records.assessment_activities import HEADINGS, a_sheet, applied, attended, lines, read, sheet_rows
from tests.support.records.attendance_sheets import School, found, looked_at, moves, spoilt
from tests.support.records.evidence import leaves, stand_at
from tests.support.servers import state_of
from tests.support.workbooks import workbook_of
from workflow.assessment.attendance import AttendanceImport
from workflow.foundation.errors import Conflict, StageClosed
from workflow.foundation.vocabulary import Stage

# ── what a sheet says ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sheet_without_a_fault_says_what_it_will_change_and_changes_nothing(session: Session, school: School) -> None:
    before = state_of(session)
    row = looked_at(session, school, sheet_rows())
    assert row.problems == []
    assert row.applicable
    counts = {"expected": 5, "present": 3, "on_leave": 1, "absent": 1, "branches": 2}
    assert row.summary == {**counts, "changes": {"added": 5, "changed": 0, "removed": 0}}
    after = state_of(session)
    assert {table for table in after if after[table] != before[table]} == {"attendance_import", "history"}


@pytest.mark.parametrize(
    ("words", "presence"),
    [
        *(("出勤", "present"), ("到", "present"), ("√", "present"), ("请假", "on_leave")),
        *(("缺勤", "absent"), ("未到", "absent"), ("×", "absent"), (" 出 勤　", "present")),
    ],
)
def test_attendance_is_told_in_words_or_by_a_mark(session: Session, school: School, words: str, presence: str) -> None:
    attended(session, school.activity, {"张三": words})
    assert lines(session, school.activity) == {"z3": (presence, school.here.id)}


@pytest.mark.parametrize(("words", "message"), [("来了", "出勤情况“来了”不能识别，应为 出勤、请假、缺勤 之一"), (None, "缺少出勤情况")])
def test_what_is_neither_presence_nor_absence_is_an_error(session: Session, school: School, words: str | None, message: str) -> None:
    row = looked_at(session, school, spoilt(1, 出勤情况=words))
    assert found(row) == [(3, "出勤情况", "error", message)]
    assert not row.applicable
    assert "changes" not in row.summary
    assert row.rows == {}, "nobody can apply it"


def test_a_row_needs_its_number(session: Session, school: School) -> None:
    assert found(looked_at(session, school, spoilt(1, 学工号=None))) == [(3, "学工号", "error", "缺少学工号")]
    assert found(looked_at(session, school, spoilt(1, 学工号="z 3/4")))[0][:3] == (3, "学工号", "error")


def test_who_is_on_no_roll_of_the_year_is_an_error(session: Session, school: School) -> None:
    leaves(session, "王五")
    rows = [*sheet_rows(), {**sheet_rows()[0], "学工号": "nobody", "姓名": "无名"}]
    assert found(looked_at(session, school, rows)) == [
        (4, "学工号", "error", "学工号 w5 不在本年度任何党支部的考核名册上"),
        (7, "学工号", "error", "学工号 nobody 不在本年度任何党支部的考核名册上"),
    ]


def test_an_officer_who_is_on_no_roll_counts_for_no_branch(session: Session, school: School) -> None:
    row = looked_at(session, school, [{**sheet_rows()[0], "学工号": "office", "姓名": "党委办公室"}])
    assert [each[1] for each in found(row)] == ["学工号"]


def test_the_same_person_twice_is_one_error_at_the_later_row(session: Session, school: School) -> None:
    rows = sheet_rows()
    assert found(looked_at(session, school, [*rows, rows[0]])) == [(7, "学工号", "error", "学工号 z3 重复，另见第 2 行")]
    assert found(looked_at(session, school, [*rows, rows[0], rows[0]])) == [(7, "学工号", "error", "学工号 z3 重复，另见第 2、8 行")]


def test_a_name_that_differs_from_the_roll_is_a_warning(session: Session, school: School) -> None:
    row = looked_at(session, school, spoilt(1, 姓名="李思"))
    assert found(row) == [(3, "姓名", "warning", "学工号 l4 在名册上的姓名是“李四”，这里是“李思”，以名册为准")]
    assert row.applicable


def test_a_row_without_a_name_is_a_warning(session: Session, school: School) -> None:
    row = looked_at(session, school, spoilt(1, 姓名=None))
    assert found(row) == [(3, "姓名", "warning", "没有填写姓名，名册上学工号 l4 是“李四”，请核对")]
    assert row.applicable


def test_a_branch_that_differs_from_his_own_is_a_warning(session: Session, school: School) -> None:
    row = looked_at(session, school, spoilt(1, 所在党支部="D0201党支部"))
    assert found(row) == [(3, "所在党支部", "warning", "李四在“D0101党支部”的名册上，这里是“D0201党支部”，以名册为准")]
    assert row.applicable
    assert found(looked_at(session, school, spoilt(1, 所在党支部=None))) == []


def test_a_sheet_may_lack_the_branches_and_must_have_the_rest(session: Session, school: School) -> None:
    def without(heading: str) -> AttendanceImport:
        return read(session, school.activity, a_sheet(sheet_rows(), headings=[each for each in HEADINGS if each != heading]))

    branches = without("所在党支部")
    assert found(branches) == [(None, "所在党支部", "warning", "缺少列“所在党支部”")]
    assert branches.applicable
    for heading in ("学工号", "姓名", "出勤情况"):
        assert found(without(heading)) == [(None, heading, "error", f"缺少列“{heading}”")]


@pytest.mark.parametrize(("expected", "warnings"), [(None, 0), (5, 0), (4, 1), (6, 1), (0, 1)])
def test_other_numbers_than_were_expected_are_one_warning(session: Session, school: School, expected: int | None, warnings: int) -> None:
    school.activity.expected = expected
    row = looked_at(session, school, sheet_rows())
    assert found(row) == [(None, None, "warning", f"表中有 5 人，与该活动登记的应到人数 {expected} 不一致")] * warnings
    assert row.applicable


def test_the_only_sheet_may_be_called_anything(session: Session, school: School) -> None:
    assert read(session, school.activity, a_sheet(sheet_rows(), name="Sheet1")).problems == []
    two = {"Sheet1": (HEADINGS, sheet_rows()), "Sheet2": (HEADINGS, [])}
    assert not read(session, school.activity, workbook_of(two)).applicable


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no workbook", b"MZ\x90", "学工号,姓名".encode()], ids=["empty", "broken", "program", "csv"])
def test_a_file_that_is_no_workbook_is_one_problem(session: Session, school: School, data: bytes) -> None:
    attended(session, school.activity)
    stand_at(session, school.here, Stage.SUMMARISED)
    row = read(session, school.activity, data)
    assert [(problem["sheet"], problem["severity"]) for problem in row.problems] == [(None, "error")]
    assert not row.applicable
    with pytest.raises(Conflict, match="出勤表还有错误"):
        applied(session, school.activity, row)


def test_a_sheet_without_rows_takes_nothing_away(session: Session, school: School) -> None:
    attended(session, school.activity)
    school.activity.expected = 5
    assert found(looked_at(session, school, [])) == [(None, None, "error", "表中没有人员")]


# ── whom somebody counts for ──────────────────────────────────────────────────────────────────────────────────────────


def test_who_moved_counts_for_the_branch_where_he_is_now(session: Session, school: School) -> None:
    moves(session, "王五", "D0201")
    attended(session, school.activity)
    assert lines(session, school.activity)["w5"] == ("on_leave", school.there.id)


@pytest.mark.parametrize(("name", "to"), [("赵六", "D0101"), ("王五", "D0201")])
def test_whose_old_branch_was_decided_counts_for_the_one_that_still_collects(session: Session, school: School, name: str, to: str) -> None:
    """The roll of a decided branch stays as it is, so the member is on both rolls."""
    old, new = (school.there, school.here) if to == "D0101" else (school.here, school.there)
    stand_at(session, old, Stage.DECIDED)
    moves(session, name, to)
    attended(session, school.activity, {name: "出勤"})
    assert lines(session, school.activity) == {STAFF_NO[name]: ("present", new.id)}


def test_who_came_to_a_branch_that_was_decided_counts_for_none(session: Session, school: School) -> None:
    """The member is on the roll of the branch's own year, and not on that of its assessment."""
    stand_at(session, school.here, Stage.DECIDED)
    moves(session, "赵六", "D0101")
    row = looked_at(session, school, sheet_rows({"赵六": "出勤"}))
    assert found(row) == [(2, "学工号", "error", "学工号 z6 不在本年度任何党支部的考核名册上")]


def test_a_later_sheet_takes_the_line_of_who_moved_along(session: Session, school: School) -> None:
    attended(session, school.activity)
    moves(session, "王五", "D0201")
    assert attended(session, school.activity) == {"added": 0, "changed": 1, "removed": 0}
    assert lines(session, school.activity)["w5"] == ("on_leave", school.there.id)


def test_what_his_old_branch_was_decided_with_stays_there(session: Session, school: School) -> None:
    attended(session, school.activity)
    stand_at(session, school.there, Stage.DECIDED)
    moves(session, "赵六", "D0101")
    row = looked_at(session, school, spoilt(1, 出勤情况="缺勤"))
    assert row.problems == []
    assert applied(session, school.activity, row) == {"added": 0, "changed": 1, "removed": 0}
    assert lines(session, school.activity)["z6"] == ("present", school.there.id)


# ── what was summarised ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stage", [Stage.SUMMARISED, Stage.PROPOSED, Stage.DECIDED, Stage.PUBLISHED])
def test_a_branch_that_is_summarised_is_one_error_at_its_first_row(session: Session, school: School, stage: Stage) -> None:
    stand_at(session, school.here, stage)
    row = looked_at(session, school, sheet_rows())
    assert found(row) == [(2, "学工号", "error", "D0101党支部的考核材料已汇总，先退回再补登（第 3、4 行同此）")]
    assert not row.applicable
    assert looked_at(session, school, sheet_rows({"赵六": "出勤"})).applicable


def test_a_sheet_may_repeat_what_a_branch_was_summarised_with(session: Session, school: School) -> None:
    attended(session, school.activity)
    stand_at(session, school.here, Stage.SUMMARISED)
    row = looked_at(session, school, spoilt(4, 出勤情况="请假"))
    assert row.problems == []
    assert row.summary["changes"] == {"added": 0, "changed": 1, "removed": 0}
    assert applied(session, school.activity, row) == row.summary["changes"]
    assert lines(session, school.activity)["w10"] == ("on_leave", school.there.id)


def test_a_sheet_changes_no_line_that_a_branch_was_summarised_with(session: Session, school: School) -> None:
    attended(session, school.activity)
    stand_at(session, school.here, Stage.SUMMARISED)
    assert found(looked_at(session, school, spoilt(1, 出勤情况="缺勤"))) == [(3, "学工号", "error", "D0101党支部的考核材料已汇总，先退回再补登")]


def test_a_sheet_takes_no_line_away_that_a_branch_was_summarised_with(session: Session, school: School) -> None:
    attended(session, school.activity)
    stand_at(session, school.here, Stage.SUMMARISED)
    assert found(looked_at(session, school, sheet_rows()[1:])) == [
        (None, None, "error", "D0101党支部的考核材料已汇总，先退回再补登；表中没有其已登记的 张三")
    ]


def test_whom_a_faulty_sheet_leaves_out_is_not_known(session: Session, school: School) -> None:
    attended(session, school.activity)
    stand_at(session, school.here, Stage.SUMMARISED)
    assert found(looked_at(session, school, spoilt(0, 学工号=None))) == [(2, "学工号", "error", "缺少学工号")]


def test_a_line_moves_from_no_branch_that_is_summarised(session: Session, school: School) -> None:
    attended(session, school.activity)
    stand_at(session, school.here, Stage.SUMMARISED)
    moves(session, "王五", "D0201")
    assert found(looked_at(session, school, spoilt(2, 所在党支部=None))) == [(4, "学工号", "error", "D0101党支部的考核材料已汇总，先退回再补登")]


def test_a_line_moves_to_no_branch_that_is_summarised(session: Session, school: School) -> None:
    attended(session, school.activity)
    stand_at(session, school.there, Stage.SUMMARISED)
    moves(session, "王五", "D0201")
    assert found(looked_at(session, school, spoilt(2, 所在党支部=None))) == [(4, "学工号", "error", "D0201党支部的考核材料已汇总，先退回再补登")]


def test_a_branch_summarised_after_the_look_refuses_the_whole_sheet(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    stand_at(session, school.there, Stage.SUMMARISED)
    before = state_of(session)
    with pytest.raises(StageClosed, match="D0201党支部的考核材料已汇总"):
        applied(session, school.activity, row)
    assert state_of(session) == before
    assert row.applied_at is None
    assert len(row.rows) == 5
    stand_at(session, school.there, Stage.COLLECTING)
    assert applied(session, school.activity, row)["added"] == 5
    assert row.rows == {}, "what it says stands as attendance"


def test_who_left_after_the_look_refuses_the_whole_sheet(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    leaves(session, "王五")
    before = state_of(session)
    with pytest.raises(Conflict, match="w5 已不在名册上"):
        applied(session, school.activity, row)
    assert state_of(session) == before


def test_who_moved_after_the_look_counts_where_he_is_when_it_is_applied(session: Session, school: School) -> None:
    row = looked_at(session, school, sheet_rows())
    moves(session, "王五", "D0201")
    applied(session, school.activity, row)
    assert lines(session, school.activity)["w5"] == ("on_leave", school.there.id)
