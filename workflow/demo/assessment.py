"""The committee's assessment in the demo (示范学校的考核), by the same verbs as a real one.

The office collects, some branches have reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from io import BytesIO

from openpyxl import Workbook
from sqlalchemy.orm import Session

from workflow.assessment import KIND
from workflow.assessment.activities import record_activity
from workflow.assessment.arrangement import arrange
from workflow.assessment.attendance import SHEET, apply_attendance, preview_attendance
from workflow.assessment.duty_reports import DUTY_REPORT, SECTIONS
from workflow.assessment.facts import FACTS, check_facts
from workflow.demo.season import Season
from workflow.foundation.database import act_as
from workflow.foundation.vocabulary import Presence, ReportMode
from workflow.people.access import Caller
from workflow.people.callers import caller_for
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.finding import Lock, processes_of
from workflow.year.roll import roll, secretaries

BEGUN, REPORTED = date(2024, 12, 10), date(2024, 12, 23)
ON_SITE, IN_WRITING = ("D0301", "D0402", "D0501"), ("D0202", "D0403", "D0404")
"""The branches that report on site, and those in writing; the others are still to be set."""
SUBMITTED, DRAFT = ("D0202", "D0403", "D0301"), "D0402"
ACTIVITIES = (
    ("study", "党纪学习教育专题党课", date(2024, 5, 15)),
    ("civility", "文明校园创建集中劳动", date(2024, 6, 20)),
    ("volunteering", "迎新志愿服务", date(2024, 9, 14)),
    ("other", "国庆升国旗仪式", date(2024, 9, 30)),
)
_DONE = (
    "逐条学习上级部署，制定任务清单，按月督促落实",
    "支部与学院工作同部署同检查，按期完成年度重点任务",
    "对照巡视反馈逐项整改，建立台账，已全部完成",
    "规范“三会一课”，完善学习和请销假制度，培训支委两次",
    "推行错时活动和线上学习，解决成员分散、工学矛盾的问题",
    "书记带头讲党课、联系师生，每季度研究一次支部建设",
)


def begin_assessment(session: Session, cycle: Cycle, office: Caller, season: Season) -> None:
    """Record modes and sessions, the year's activities with attendance, and some reports."""
    act_as(session, actor=office.staff_no)
    of_year = processes_of(session, cycle, KIND.kind, lock=Lock.MOVE)
    by_code = {process.branch.code: process for process in of_year}
    for number, code in enumerate(ON_SITE, 1):
        place = {"held_on": season.day(date(2025, 1, 14)), "place": "行政楼第一会议室", "order": number}
        arrange(session, by_code[code], {"mode": ReportMode.ON_SITE, "on_site": place}, seen=by_code[code].version)
    for code in IN_WRITING:
        arrange(session, by_code[code], {"mode": ReportMode.WRITTEN}, seen=by_code[code].version)
    people = [(process, row) for process in of_year for row in roll(session, process.id)]
    for number, (kind, name, day) in enumerate(ACTIVITIES):
        activity = record_activity(session, cycle, {"kind": kind, "name": name, "held_on": season.day(day)}, by=office, now=season.at(BEGUN))
        sheet = preview_attendance(session, cycle, activity, _sheet(people, number), file_name=f"{name}.xlsx", by=office, now=season.at(BEGUN))
        apply_attendance(session, cycle, activity, sheet, by=office, now=season.at(BEGUN))
    for code in (*SUBMITTED, DRAFT):
        _reports(session, by_code[code], office, season.at(REPORTED), submitted=code != DRAFT)


def _sheet(people: Sequence[tuple[Process, Participant]], activity: int) -> bytes:
    """Make the attendance sheet as the office would have filled it in."""
    book = Workbook()
    page = book.active
    assert page is not None  # noqa: S101  (a new workbook has one sheet)
    page.title = SHEET
    page.append(["学工号", "姓名", "所在党支部", "出勤情况"])
    for number, (process, row) in enumerate(people, activity):
        presence = Presence.ABSENT if number % 23 == 0 else Presence.ON_LEAVE if number % 13 == 0 else Presence.PRESENT
        page.append([row.staff_no, row.name, process.branch_name, presence.zh])
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _reports(session: Session, process: Process, office: Caller, now: datetime, *, submitted: bool) -> None:
    """Record the secretary's report and the facts of the branch's year, and the office's part.

    The office checks a submitted report and writes a word on it.
    """
    secretary = caller_for(session, secretaries(session, [process.id])[process.id].staff_no, now.date())
    act_as(session, actor=secretary.staff_no)
    told = dict(zip(SECTIONS, _DONE, strict=True))
    sections = told if submitted else {"C1": told["C1"]}
    DUTY_REPORT.write(session, process, None, {"sections": sections, "submitted": submitted}, seen=None, by=secretary, now=now)
    if not submitted:
        return
    facts = {
        "main_work": "完成本科教学审核评估迎评，组织党员先锋岗三个",
        "three_meetings": {"general": 4, "committee": 12, "group": 10, "lesson": 4},
        "development": {"applicants": 6, "activists": 4, "candidates": 2, "admitted": 1, "confirmed": 1},
        "clean": {"clean_government": "开展警示教育两次，排查廉政风险点五处", "clean_issues": False},
    }
    row = FACTS.write(session, process, None, facts, seen=None, by=secretary, now=now)
    act_as(session, actor=office.staff_no)
    check_facts(session, process, row, by=office, now=now)
    arrange(session, process, {"conduct": "集中活动组织有序，党员参加积极"}, seen=process.version)
