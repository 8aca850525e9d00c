"""Another year's plan (另一年度的方案): lists of any length are asked and shown.

People read the plan's own words and days.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, TODAY, a_branch, an_office, caller, person, the_plan
from tests.support.letters.reminding import BASE, at
from tests.support.records.assessment import a_duty_report
from tests.support.records.assessment_summary import checked_facts
from tests.support.records.evidence import stand_at
from tests.support.records.rating import a_case, a_counted_ballot, a_rating, steps_up_to
from tests.support.records.self_review import ANSWERED, a_meeting, a_self_review
from tests.support.rosters import RosterBranch, a_workbook, committee_rows, member_rows
from tests.support.servers import settings_of_tests
from tests.support.situations import a_study
from workflow.appraisal.rating.aftercare import Step
from workflow.assessment.activities import activities_of, kinds_of, record_activity
from workflow.assessment.summary import sheets
from workflow.foundation.database import Json
from workflow.foundation.errors import Exists, Invalid
from workflow.foundation.vocabulary import Kind, Level, MeetingForm, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import blocking, exceptions, unmet
from workflow.reminders import letters_due
from workflow.roster.imports import PREVIEW
from workflow.roster.workbook import read_workbook
from workflow.rules.acts import Call
from workflow.workbooks.imports import Upload
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import open_cycle, publish
from workflow.year.plan import Plan


def a_year(session: Session, **changed: Any) -> Process:
    """Make 张三's branch in a year with a changed plan.

    Values of a list are added to it; any other value replaces the old one.
    """
    kept = the_plan().model_dump(mode="json")
    said = {key: [*kept[key], *value] if isinstance(value, list) else value for key, value in changed.items()}
    plan = Plan.model_validate_json(json.dumps({**kept, **said}))
    an_office(session)
    a_branch(session)
    publish(session, open_cycle(session, plan, DEADLINES, now=NOW), now=NOW)
    return process_of(session, 2024, "D0101")


def settings(**changed: object) -> Json:
    return {**the_plan().settings.model_dump(mode="json"), **changed}


def said(session: Session, process: Process, name: str) -> str:
    (found,) = unmet(session, process, [BY_NAME[name]], today=TODAY)
    return found.message.zh


# ── lists of any length ───────────────────────────────────────────────────────────────────────────────────────────────

A7, A8 = ({"id": id_, "title": title, "text": "是否做到"} for id_, title in (("A7", "廉洁自律"), ("A8", "联系群众")))


def test_a_seventh_and_an_eighth_aspect_are_asked_and_written(session: Session) -> None:
    process = a_year(session, aspects=[A7, A8])
    stand_at(session, process, Stage.SELF_REVIEW)
    row = a_self_review(session, process, "王五", aspects={**ANSWERED, "A7": "没有违反"})
    assert row.aspects["A7"] == "没有违反"
    assert said(session, process, "self_reviews_without_other_aspects") == "1 处自评没有写：王五（联系群众）"
    with pytest.raises(Invalid, match=r"自评的方面为 .*A8"):
        a_self_review(session, process, "李四", aspects={"A9": "不知道"})


def test_an_aspect_is_told_by_the_plans_own_title(session: Session) -> None:
    renamed = [{**each, "title": "为民宗旨"} if each["id"] == "A2" else each for each in the_plan().model_dump(mode="json")["aspects"]]
    process = a_year(session, aspects=tuple(renamed))
    stand_at(session, process, Stage.SELF_REVIEW)
    a_self_review(session, process, "王五", aspects={name: text for name, text in ANSWERED.items() if name != "A2"})
    assert said(session, process, "self_reviews_without_a2") == "1 份自评没有写“为民宗旨”方面：王五"


def test_a_seventh_content_is_asked_written_and_shown(session: Session) -> None:
    a_year(session, assessment_contents=[{"id": "C7", "text": "抓党建促中心工作情况"}])
    process = process_of(session, 2024, "D0101", kind=Kind.ASSESSMENT)
    report = a_duty_report(session, process)
    assert "duty_report_without_other_sections" in {each.requirement.name for each in blocking(session, process)}
    assert said(session, process, "duty_report_without_other_sections") == "述职报告缺少以下部分：抓党建促中心工作情况"
    report.sections = {**report.sections, "C7": ""}
    assert said(session, process, "duty_report_empty_in_other_sections") == "述职报告的以下部分没有内容：抓党建促中心工作情况"
    (sheet,) = sheets(session, [process.id])
    assert (sheet.report.sections[-1].id, sheet.report.sections[-1].title) == ("C7", "抓党建促中心工作情况")


def test_a_fourth_sign_is_taken_and_a_fifth_is_not(session: Session) -> None:
    signs = the_plan().warning_signs.model_dump(mode="json")
    process = a_year(session, warning_signs={**signs, "signs": [*signs["signs"], "长期不缴纳党费"]})
    stand_at(session, process, Stage.SELF_REVIEW)
    a_counted_ballot(session, process)
    stand_at(session, process, Stage.RATING)
    a_rating(session, process, "王五", level=Level.UNQUALIFIED)
    assert a_case(session, process, "王五", signs=[4]).signs == [4]
    with pytest.raises(Invalid, match="本年度方案列了 4 条表现，没有第 5 条"):
        a_case(session, process, "李四", signs=[5])


def test_a_fifth_kind_of_activity_is_recorded_and_has_its_rate(session: Session) -> None:
    process = a_year(session, activity_kinds={**the_plan().activity_kinds, "reading": "读书分享", "labour": "劳动实践"})
    cycle, office = process.cycle, caller(session, "office")
    body = {"kind": "reading", "name": "读书会", "held_on": date(2024, 5, 4)}
    row = record_activity(session, cycle, body, by=office, now=NOW)
    assert [each.id for each in activities_of(session, cycle, kind="reading")] == [row.id]
    with pytest.raises(Exists, match="（读书分享）已经登记"):
        record_activity(session, cycle, body, by=office, now=NOW)
    with pytest.raises(Invalid, match=r"应为 study（党员教育学习）、.*labour（劳动实践）.*other（其他活动） 之一"):
        record_activity(session, cycle, {**body, "kind": "sport"}, by=office, now=NOW)
    assessed = process_of(session, 2024, "D0101", kind=Kind.ASSESSMENT)
    checked_facts(session, assessed)
    (sheet,) = sheets(session, [assessed.id])
    assert {*sheet.attendance} == {"study", "civility", "volunteering", "reading", "labour"}
    assert [*kinds_of(cycle)] == [*sheet.attendance, "other"]


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_levels_are_called_as_the_plan_calls_them(session: Session) -> None:
    process = a_year(session, levels={"excellent": "优秀", "qualified": "良好", "basic": "合格", "unqualified": "不合格"})
    stand_at(session, process, Stage.SELF_REVIEW)
    a_counted_ballot(session, process)
    stand_at(session, process, Stage.RATING)
    a_rating(session, process, "王五", level=Level.BASIC)
    assert said(session, process, "basic_without_a_help_plan").startswith("1 名评为“合格”的党员")
    (told,) = [each for each in exceptions(session, 2024, today=TODAY) if each.requirement.name == "basic_without_a_help_plan"]
    assert told.message.zh.startswith("1 名评为“合格”的党员")


def test_a_form_of_meeting_that_the_plan_does_not_have_is_refused(session: Session) -> None:
    process = a_year(session, meeting_forms={"general": "党员大会", "group": "党小组会"})
    a_study(session, process)
    stand_at(session, process, Stage.SELF_REVIEW)
    with pytest.raises(Invalid, match="本年度方案的组织生活会形式为 "):
        a_meeting(session, process, form=MeetingForm.COMMITTEE, present=["张三", "李四"])
    a_meeting(session, process)


def test_a_required_title_may_name_another_one(session: Session) -> None:
    process = a_year(session, required_reading=["关于贯彻《条例》的通知"])
    a_study(session, process)
    assert [each.message.zh for each in blocking(session, process) if each.requirement.clause == "E3"] == [
        "还有 1 种必读文件没有组织学习：《关于贯彻〈条例〉的通知》"
    ]
    a_study(session, process, titles=["《关于贯彻《条例》的通知》"])
    assert [each for each in blocking(session, process) if each.requirement.clause == "E3"] == []


# ── days and sizes ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_reminders_go_on_the_days_that_the_plan_names(session: Session) -> None:
    process = a_year(session, settings=settings(reminder_days_before=[10, 2]))
    process.entered_at = at("2024-12-01")
    session.flush()
    day = DEADLINES[Stage.STUDY]
    kinds = {
        moment: {each.kind for each in letters_due(session, at(moment), base_url=BASE) if each.recipient_id == person(session, "张三").id}
        for moment in ("2024-12-10", "2024-12-13", "2024-12-20", "2024-12-23")
    }
    assert (day, process.due_on) == (date(2024, 12, 25), day)
    assert kinds == {"2024-12-10": set(), "2024-12-13": {"due-10"}, "2024-12-20": {"due-10"}, "2024-12-23": {"due-2"}}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"full_members_at_least": 9}, "只有 8 名正式党员，不足 9 名，应组成联合党支部"),
        ({"committee_from_full_members": 8, "committee_at_least": 4}, "有 8 名正式党员，应设支部委员会，但“支部委员会”表只列出 3 人"),
        ({"committee_at_most": 2}, "的支部委员会有 3 人，多于 2 人"),
    ],
)
def test_a_roster_is_checked_by_the_sizes_of_the_plan(session: Session, sizes: Json, message: str) -> None:
    usual = the_plan().settings.branch.model_dump(mode="json")
    a_year(session, settings=settings(branch={**usual, **sizes}))
    names = ("张三", "李四", "王五", "赵六", "钱七", "孙八", "周九", "吴十")
    branch = RosterBranch(members=names, posts={"张三": "书记", "李四": "组织委员", "王五": "宣传委员"})
    upload = Upload("名册.xlsx", a_workbook(member_rows((branch,)), committee_rows((branch,))))
    row = PREVIEW.does(Call(session, NOW, settings_of_tests()), upload)
    assert [problem["message"] for problem in row.problems if problem["message"].endswith(message)] != []
    kept = read_workbook(upload.data, today=TODAY)
    assert [problem for problem in kept.problems if problem.message.endswith(message)] == []


def test_the_terms_of_a_correction_are_the_plans(session: Session) -> None:
    process = a_year(session, settings=settings(correction_months=3, correction_months_at_most=4))
    case = a_case(session, process, "王五")
    steps_up_to(session, process, case, Step.GENERAL_MEETING)
    assert case.decided is not None
    assert case.decided.until == date(2025, 3, 20)
    with pytest.raises(Invalid, match="最长到 2025-04-20"):
        steps_up_to(session, process, a_case(session, process, "孙八"), Step.GENERAL_MEETING, until=date(2025, 4, 21))
