"""The self-review meeting (组织生活会·述职评议): its form, the report to the general meeting.

Minutes, criticism, and attendance are tested too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller
from tests.support.records.evidence import a_waiver, excused, lacking, leaves, stand_at
from tests.support.records.rectification import a_measure, the_year_after
from tests.support.records.self_review import CRITICISM, MET_ON, a_life_meeting, a_meeting
from tests.support.situations import a_study, on_roll
from workflow.appraisal.ledger import NOTHING_LAST_YEAR
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.recording import MEETINGS, confirm_minutes
from workflow.appraisal.self_review.meeting_requirements import (
    cadres_absent,
    incomplete_minutes,
    meetings_before_their_study,
    meetings_with_another_theme,
    meetings_without_the_agenda,
    no_criticism,
    no_report_on_last_years_measures,
    no_report_to_the_general_meeting,
    no_self_review_meeting,
    unconfirmed_minutes,
    vague_criticisms,
)
from workflow.appraisal.study.sessions import SESSIONS
from workflow.foundation.errors import Invalid
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import todos, unmet
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.following import bring_into_step

LIFE, REPORT, DECIDING = MeetingPurpose
GENERAL, COMMITTEE, GROUP = MeetingForm
E1, M1, M2, M4, M5, M6 = (
    each.name
    for each in (
        meetings_before_their_study,
        no_self_review_meeting,
        no_report_to_the_general_meeting,
        no_criticism,
        vague_criticisms,
        cadres_absent,
    )
)
F9, G1, G2 = no_report_on_last_years_measures.name, meetings_with_another_theme.name, meetings_without_the_agenda.name
COMPLETE, CONFIRMED = incomplete_minutes.name, unconfirmed_minutes.name
TAKE_BACK = pytest.mark.parametrize("take_back", [withdraw, reject])


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch after its study."""
    process = a_school(session)
    a_study(session, process)
    return process


def taken_back(session: Session, row: Any, take_back: Callable[..., None] = withdraw) -> None:
    take_back(row, by="z3", now=NOW, reason="登记有误")
    session.flush()


def amended(session: Session, process: Process, row: Meeting, **body: Any) -> None:
    MEETINGS.amend(session, process, row, body, seen=row.version, by=caller(session, "张三"), now=NOW)


def a_cadre(session: Session, process: Process, *names: str) -> None:
    for name in names:
        on_roll(session, process, name).cadre = True
    session.flush()


# ── E1: after the study ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_meeting_whose_study_fell_away_is_missed(session: Session) -> None:
    process = a_school(session)
    study = a_study(session, process)
    life = a_life_meeting(session, process, held_on=MET_ON)
    a_meeting(session, process, REPORT)
    assert lacking(session, process, E1) == []
    SESSIONS.amend(session, process, study, {"held_on": TODAY}, seen=1, by=caller(session, "张三"), now=NOW)
    assert lacking(session, process, E1) == [str(life.id)]
    SESSIONS.amend(session, process, study, {"held_on": MET_ON}, seen=2, by=caller(session, "张三"), now=NOW)
    assert lacking(session, process, E1) == []
    SESSIONS.amend(session, process, study, {"present": []}, seen=3, by=caller(session, "张三"), now=NOW)
    assert lacking(session, process, E1) == [str(life.id)]
    taken_back(session, life)
    assert lacking(session, process, E1) == []


# ── M1: the meeting in its form ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", MeetingForm)
def test_a_life_meeting_in_any_form_will_do(session: Session, branch: Process, form: MeetingForm) -> None:
    assert lacking(session, branch, M1) == [""]
    a_life_meeting(session, branch, form=form)
    assert lacking(session, branch, M1) == []


def test_several_groups_may_meet_for_one_and_another_meeting_is_none(session: Session, branch: Process) -> None:
    a_meeting(session, branch, REPORT)
    a_meeting(session, branch, DECIDING)
    assert lacking(session, branch, M1) == [""]
    first = a_life_meeting(session, branch, form=GROUP, group_name="第一党小组", present=("张三", "李四"))
    a_life_meeting(session, branch, form=GROUP, group_name="第二党小组", present=("王五", "孙八"))
    assert lacking(session, branch, M1) == []
    taken_back(session, first)
    assert lacking(session, branch, M1) == []


@TAKE_BACK
@pytest.mark.parametrize("requirement", [M1, M2, F9])
def test_a_meeting_that_was_taken_back_counts_for_nothing(
    session: Session, branch: Process, requirement: str, take_back: Callable[..., None]
) -> None:
    row = a_life_meeting(session, branch)
    assert lacking(session, branch, requirement) == []
    taken_back(session, row, take_back)
    assert lacking(session, branch, requirement) == [""]


@TAKE_BACK
@pytest.mark.parametrize("requirement", [COMPLETE, CONFIRMED, G1, G2, M5, M4, M6])
def test_nothing_is_missed_in_a_meeting_that_was_taken_back(
    session: Session, branch: Process, requirement: str, take_back: Callable[..., None]
) -> None:
    a_cadre(session, branch, "王五")
    lines = [] if requirement == M4 else [{"speaker": "z3", "about": "l4"}]
    row = a_life_meeting(session, branch, confirmed=False, present=("张三",), place=None, theme="另一主题", agenda=["自我检查"], criticisms=lines)
    assert lacking(session, branch, requirement) != []
    taken_back(session, row, take_back)
    assert lacking(session, branch, requirement) == []


# ── M2 and F9: the report to the general meeting ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("purpose", "form", "told"),
    [
        (LIFE, GENERAL, True),
        (REPORT, GENERAL, True),
        (DECIDING, GENERAL, False),
        (LIFE, COMMITTEE, False),
        (LIFE, GROUP, False),
        (REPORT, COMMITTEE, False),
        (REPORT, GROUP, False),
    ],
)
@pytest.mark.parametrize(("requirement", "field"), [(M2, "duty_report"), (F9, "rectification_report")])
def test_only_a_general_meeting_of_this_stage_is_reported_to(
    session: Session, branch: Process, requirement: str, field: str, purpose: MeetingPurpose, form: MeetingForm, told: bool
) -> None:
    a_meeting(session, branch, purpose, form=form)
    assert lacking(session, branch, requirement) == [""]
    reported: dict[str, Any] = {field: "已报告"}
    a_meeting(session, branch, purpose, form=form, **reported)
    assert lacking(session, branch, requirement) == ([] if told else [""])


def test_where_there_were_no_measures_last_year_the_product_says_so_beside_the_duty_report(session: Session, branch: Process) -> None:
    assert a_meeting(session, branch, REPORT).rectification_report is None
    assert a_meeting(session, branch, REPORT, duty_report="代表支委会述职").rectification_report == NOTHING_LAST_YEAR
    assert (lacking(session, branch, M2), lacking(session, branch, F9)) == ([], [])


def test_where_there_were_some_the_secretary_tells_what_became_of_them(session: Session, branch: Process) -> None:
    a_measure(session, branch)
    later = the_year_after(session, branch)
    bring_into_step(session, [later.id], now=NOW)
    a_study(session, later)
    row = a_meeting(session, later, REPORT, duty_report="代表支委会述职")
    assert row.rectification_report is None
    assert (lacking(session, later, M2), lacking(session, later, F9)) == ([], [""])
    amended(session, later, row, rectification_report="完善“三会一课”制度：已销号")
    assert lacking(session, later, F9) == []


# ── Q4: the minutes ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("purpose", [LIFE, REPORT])
@pytest.mark.parametrize("field", ["place", "chair", "recorder", "minutes", "present"])
def test_minutes_that_leave_one_thing_out_are_incomplete(session: Session, branch: Process, purpose: MeetingPurpose, field: str) -> None:
    a_meeting(session, branch, purpose)
    left_out: dict[str, Any] = {field: () if field == "present" else None}
    row = a_meeting(session, branch, purpose, confirmed=False, **left_out)
    assert lacking(session, branch, COMPLETE) == [str(row.id)]
    amended(session, branch, row, **{field: {"present": ["z3"], "chair": "z3", "recorder": "l4"}.get(field, "补记")})
    assert lacking(session, branch, COMPLETE) == []


def test_that_somebody_was_absent_is_no_attendance(session: Session, branch: Process) -> None:
    row = a_meeting(session, branch, present=(), absent=[{"staff_no": "w5"}])
    assert lacking(session, branch, COMPLETE) == [str(row.id)]
    (shown,) = unmet(session, branch, [BY_NAME[COMPLETE]], today=TODAY)
    assert shown.open[0].name == f"{MET_ON} 组织生活会"


def test_the_minutes_of_the_deciding_meeting_are_the_next_stages(session: Session, branch: Process) -> None:
    a_meeting(session, branch, DECIDING, place=None, confirmed=False)
    assert (lacking(session, branch, COMPLETE), lacking(session, branch, CONFIRMED)) == ([], [])


@pytest.mark.parametrize("purpose", [LIFE, REPORT])
def test_minutes_are_missed_once_until_both_have_confirmed(session: Session, branch: Process, purpose: MeetingPurpose) -> None:
    stand_at(session, branch, Stage.SELF_REVIEW)
    row = a_meeting(session, branch, purpose, recorder="w5", confirmed=False)

    def asked() -> list[str]:
        assert lacking(session, branch, CONFIRMED) == ([str(row.id)] if row.version < 3 else [])
        return [
            name
            for name in ("张三", "李四", "王五", "孙八")
            if [each for each in todos(session, caller(session, name).person_id, today=TODAY) if each.requirement.name == CONFIRMED]
        ]

    assert asked() == ["张三", "王五"]
    confirm_minutes(session, branch, row, by=caller(session, "王五"), now=NOW)
    assert asked() == ["张三"]
    confirm_minutes(session, branch, row, by=caller(session, "张三"), now=NOW)
    assert asked() == []
    amended(session, branch, row, place="会议室")
    assert lacking(session, branch, CONFIRMED) == [str(row.id)]


# ── M4 and M5: criticism ──────────────────────────────────────────────────────────────────────────────────────────────


def test_one_line_of_criticism_in_any_life_meeting_will_do(session: Session, branch: Process) -> None:
    assert lacking(session, branch, M4) == []
    a_meeting(session, branch, LIFE, form=GROUP)
    a_meeting(session, branch, REPORT, criticisms=[{"speaker": "z3", "about": "l4", **CRITICISM}])
    assert lacking(session, branch, M4) == [""]
    row = a_life_meeting(session, branch, form=GROUP)
    assert lacking(session, branch, M4) == []
    taken_back(session, row)
    assert lacking(session, branch, M4) == [""]


def test_one_reason_stands_for_no_criticism_at_all(session: Session, branch: Process) -> None:
    a_meeting(session, branch)
    a_waiver(session, branch, M4)
    assert lacking(session, branch, M4) == []


@pytest.mark.parametrize(
    ("changes", "vague"),
    [
        ({}, False),
        ({"matter": None}, True),
        ({"shown": None}, True),
        ({"improve": None}, True),
        ({"matter": "迟到", "shown": "两次开会"}, True),
        ({"matter": "迟到", "shown": "两次开会迟到"}, False),
    ],
)
def test_a_line_that_leaves_something_out_or_is_very_short_is_shown(
    session: Session, branch: Process, changes: dict[str, str | None], vague: bool
) -> None:
    line = {"speaker": "l4", "about": "z3", **CRITICISM, **changes}
    lines = [{"speaker": "z3", "about": "l4", **CRITICISM}, {name: text for name, text in line.items() if text is not None}]
    row = a_life_meeting(session, branch, criticisms=lines)
    a_meeting(session, branch, REPORT, criticisms=[{"speaker": "z3", "about": "l4"}])
    assert lacking(session, branch, M5) == ([str(row.criticisms[1].id)] if vague else [])


def test_how_short_is_very_short_is_a_setting_and_nobody_is_named(session: Session, branch: Process) -> None:
    a_life_meeting(session, branch)
    assert lacking(session, branch, M5) == []
    rules = branch.cycle.plan["rules"]
    settings = {**rules["settings"], "criticism_characters_at_least": 1000}
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "settings": settings}}
    session.flush()
    (shown,) = unmet(session, branch, [BY_NAME[M5]], today=TODAY)
    assert shown.open[0].name == f"{MET_ON} 组织生活会 第1条"
    assert "张三" not in shown.message.zh


# ── M6: leading cadres ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cadre_who_was_at_no_life_meeting_is_missed(session: Session, branch: Process) -> None:
    a_cadre(session, branch, "王五", "孙八")
    a_meeting(session, branch, REPORT)
    assert lacking(session, branch, M6) == []
    absent = [{"staff_no": "w5", "reason": "出差"}]
    a_life_meeting(session, branch, form=GROUP, present=("张三", "李四"), absent=absent)
    assert lacking(session, branch, M6) == ["s8", "w5"]
    row = a_life_meeting(session, branch, form=GROUP, present=("李四", "王五"))
    assert lacking(session, branch, M6) == ["s8"]
    taken_back(session, row)
    assert lacking(session, branch, M6) == ["s8", "w5"]
    a_waiver(session, branch, M6)
    assert lacking(session, branch, M6) == []


def test_a_confirmed_excuse_and_having_left_take_a_cadre_out(session: Session, branch: Process) -> None:
    a_cadre(session, branch, "王五", "孙八")
    a_life_meeting(session, branch, present=("张三", "李四"))
    excused(session, branch, "王五", confirmed=False)
    assert lacking(session, branch, M6) == ["s8", "w5"]
    excused(session, branch, "王五")
    assert lacking(session, branch, M6) == ["s8"]
    leaves(session, "孙八")
    assert lacking(session, branch, M6) == []


def test_to_go_to_the_report_or_the_decision_is_not_to_go_to_the_life_meeting(session: Session, branch: Process) -> None:
    a_cadre(session, branch, "王五")
    a_life_meeting(session, branch, present=("张三", "李四"))
    a_meeting(session, branch, REPORT)
    a_meeting(session, branch, DECIDING)
    assert lacking(session, branch, M6) == ["w5"]


# ── G1 and G2: theme and agenda ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("requirement", "fields", "shown"),
    [
        (G1, {"theme": "另一主题"}, True),
        (G1, {}, False),
        (G2, {"agenda": ["自我检查", "批评和自我批评"]}, True),
        (G2, {"agenda": []}, True),
        (G2, {"agenda": ["学习", "批评和自我批评", "党性分析", "自我检查"]}, False),
        (G2, {}, False),
    ],
)
def test_another_theme_and_an_agenda_that_lacks_an_item_are_shown(
    session: Session, branch: Process, requirement: str, fields: dict[str, Any], shown: bool
) -> None:
    a_meeting(session, branch, REPORT, theme="述职", agenda=["述职"])
    row = a_life_meeting(session, branch, **fields)
    assert lacking(session, branch, requirement) == ([str(row.id)] if shown else [])
    assert not BY_NAME[requirement].blocks


# ── everybody's rows ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_blocks_without_a_reason_blocks_whatever_reason_is_given(session: Session, branch: Process) -> None:
    for requirement in (M1, M2, F9, E1, COMPLETE, CONFIRMED):
        with pytest.raises(Invalid):
            a_waiver(session, branch, requirement)


def test_another_branchs_meeting_is_no_meeting_here(session: Session, branch: Process) -> None:
    a_life_meeting(session, branch)
    other = process_of(session, 2024, "D0201")
    assert [lacking(session, other, each) for each in (M1, M2, F9)] == [[""]] * 3
    assert [lacking(session, other, each) for each in (COMPLETE, CONFIRMED, M4, M5, M6, G1, G2, E1)] == [[]] * 8
