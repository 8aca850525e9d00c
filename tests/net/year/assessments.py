"""Assessments of branches in the walk, from the reports to the published decision.

The decision is corrected later.
"""

from __future__ import annotations

from tests.net.year.school import HERE, NUMBERS, ROSTER, SLOW, SMALL, THERE, members
from tests.net.year.steps import EN, WHY, Walk
from tests.support.servers import YEAR
from tests.support.workbooks import Row
from tests.support.years.assessment_year import FACTS, SECTIONS, AssessmentYear, a_decision, attendance_sheet, decide, upload
from tests.support.years.branch_year import ok

CODES = [branch.code for branch in ROSTER]


def of(walk: Walk, code: str) -> AssessmentYear:
    """Give one branch's assessment."""
    return AssessmentYear(walk.house, code)


def arranged(walk: Walk) -> None:
    """Say how each secretary reports, on site or in writing."""
    here = of(walk, HERE)
    walk.both(walk.office, "PATCH", here.path, {"mode": "by pigeon"}, seen=walk.office.get(here.path).etag)
    walk.both(walk.office, "PATCH", here.path, {"mode": "written"})
    for number, code in enumerate((HERE, THERE), 1):
        of(walk, code).arrange(mode="on_site", on_site={"held_on": "2025-01-08", "place": "第一会议室", "order": number})
    for code in (SMALL, SLOW):
        of(walk, code).arrange(mode="written")
    here.arrange(conduct="组织有序", extra="获省级表彰")
    walk.office.get(f"{YEAR}/report-sessions")


def activities(walk: Walk) -> None:
    """Record activities, correct and take them back.

    Attendance sheets are uploaded with faults and without.
    """
    office, path = walk.office, f"{YEAR}/activities"
    body = {"kind": "study", "name": "专题党课", "held_on": "2024-10-10", "expected": 20}
    walk.both(office, "POST", path, {**body, "held_on": "2026-10-10"})
    first = ok(office.post(path, body))
    walk.both(office, "POST", path, body)
    one = f"{path}/{first['id']}"
    walk.both(office, "PATCH", one, {"expected": 18})
    ok(office.patch(one, {"expected": 18}, seen=office.get(one).etag), 200)
    walk.both(office, "PATCH", one, {"expected": 17}, seen=1)
    spare = ok(office.post(path, {**body, "kind": "civility", "name": "校园清洁"}))
    ok(office.post(f"{path}/{spare['id']}/withdraw", WHY), 200)
    walk.both(office, "POST", f"{path}/{spare['id']}/withdraw", WHY)
    sheets = f"{one}/attendance-imports"
    upload(office, sheets, b"no workbook")
    wrong = ok(upload(office, sheets, attendance_sheet([{"学工号": "nobody", "姓名": "某人", "出勤情况": "来了"}])))
    walk.both(office, "POST", f"{sheets}/{wrong['id']}/apply", {})
    read = ok(upload(office, sheets, attendance_sheet([_line(row, number) for number, row in enumerate(members())])))
    walk.kept["sheet_id"] = read["id"]
    office.get(f"{sheets}/{read['id']}", **EN)
    ok(office.post(f"{sheets}/{read['id']}/apply", {}, **{"Idempotency-Key": "sheet-1"}), 200)
    office.post(f"{sheets}/{read['id']}/apply", {}, **{"Idempotency-Key": "sheet-1"})
    walk.both(office, "POST", f"{sheets}/{read['id']}/apply", {})
    for kind, name in (("volunteering", "社区服务"), ("other", "参观展览")):
        ok(office.post(path, {"kind": kind, "name": name, "held_on": "2024-11-11"}))
    for query in ("?kind=study", "?limit=1"):
        office.get(f"{path}{query}")


def _line(row: Row, number: int) -> Row:
    presence = "缺勤" if number % 7 == 0 else "请假" if number % 11 == 0 else "出勤"
    return {"学工号": row["学工号"], "姓名": row["姓名"], "所在党支部": row["所在党支部"], "出勤情况": presence}


def reports(walk: Walk) -> None:
    """Write duty reports: a draft, submitted, taken back, rejected, submitted again.

    The facts of the year are recorded too.
    """
    here, office = of(walk, HERE), walk.office
    path, secretary = f"{here.path}/duty-report", here.secretary
    walk.both(secretary, "PUT", path, {"sections": {"C7": "多一段"}})
    here.put("duty-report", {"sections": {"C1": "<初稿>"}})
    for who in (secretary, office, walk.by("李四"), walk.by("王五")):
        who.get(path)
    here.report()
    walk.both(secretary, "PUT", path, {"sections": SECTIONS})
    walk.both(secretary, "PUT", path, {"sections": SECTIONS}, seen=1)
    ok(secretary.post(f"{path}/withdraw", WHY), 200)
    walk.both(secretary, "POST", f"{path}/withdraw", WHY)
    here.report()
    ok(office.post(f"{path}/reject", {"reason": "内容空泛"}), 200)
    office.get(f"{here.path}/requirements")
    here.report()
    walk.both(office, "POST", f"{here.path}/facts/confirm", {})
    walk.both(secretary, "PUT", f"{here.path}/facts", {"main_work": 5})
    here.tell_facts()
    ok(office.post(f"{here.path}/facts/confirm"), 200)
    here.put("facts", {**FACTS, "main_work": "<改主要工作>"})
    ok(office.post(f"{here.path}/facts/confirm"), 200)
    walk.both(office, "POST", f"{here.path}/moves", {"trigger": "advance"}, seen=99)
    for code in (THERE, SMALL):
        of(walk, code).report()
    refused(walk, SLOW)
    later = {"stage": "collecting", "due_on": "2025-01-15", "reason": "书记住院"}
    ok(office.post(f"{of(walk, SLOW).path}/extensions", later))
    office.get(f"{of(walk, SLOW).path}/extensions")


def refused(walk: Walk, code: str, trigger: str = "advance", **body: str) -> None:
    """Ask for a move of an assessment that is refused."""
    path = of(walk, code).path
    walk.both(walk.office, "POST", f"{path}/moves", {"trigger": trigger, **body}, seen=walk.office.get(path).etag)


def proposed(walk: Walk) -> None:
    """Summarise one assessment alone, then all together; return one; propose.

    At the end all are brought before the committee.
    """
    office, here = walk.office, of(walk, HERE)
    here.goes_on()
    refused(walk, HERE, "return")
    ok(here.move("return", reason="第三部分没有数据"))
    here.put("duty-report", {"sections": {**SECTIONS, "C3": "整改 12 项，完成 12 项"}, "submitted": True})
    here.goes_on()
    walk.both(office, "POST", f"{YEAR}/assessments/advance", {"to": "summarised"})
    of(walk, SLOW).report()
    ok(office.post(f"{YEAR}/assessments/advance", {"to": "summarised"}), 200)
    walk.both(office, "POST", f"{YEAR}/assessments/advance", {"to": "proposed", "branches": ["X999"]})
    walk.both(office, "PUT", f"{here.path}/proposal", {"result": "best"})
    for code in CODES:
        of(walk, code).propose("excellent" if code == HERE else "qualified", f"{code} 的理由")
    walk.both(office, "PUT", f"{here.path}/proposal", {"result": "qualified", "reason": "改"}, seen=99)
    here.put("proposal", {"result": "excellent", "reason": "各项突出"}, by=office)
    walk.kept["proposed"] = ok(office.post(f"{YEAR}/assessments/advance", {"to": "proposed"}), 200)
    office.get(f"{YEAR}/summary?limit=2")


def decided(walk: Walk) -> None:
    """Enter a decision, take it back, have one rejected and one confirmed."""
    office, committee, path = walk.office, walk.by("committee"), f"{YEAR}/decision"
    results = {code: "excellent" if code == HERE else "qualified" for code in CODES}
    walk.both(office, "POST", path, {"held_on": "2024-12-20", "number": "党委会〔2025〕1号"})
    walk.both(office, "POST", path, a_decision({"X999": "excellent"}))
    first = ok(office.post(path, a_decision(results, number="党委会〔2025〕1号")))
    walk.both(office, "POST", f"{YEAR}/decisions/{first['id']}/confirm", {})
    ok(office.post(f"{YEAR}/decisions/{first['id']}/withdraw", WHY), 200)
    second = ok(office.post(path, a_decision(results, number="党委会〔2025〕2号")))
    ok(committee.post(f"{YEAR}/decisions/{second['id']}/reject", {"reason": "会议纪要有误"}), 200)
    walk.both(committee, "POST", f"{YEAR}/decisions/{second['id']}/confirm", {})
    third = ok(office.post(path, a_decision(results)))
    walk.kept["decision_id"] = third["id"]
    walk.both(office, "POST", f"{path}/publish", {})
    committee.get(f"{YEAR}/decisions/{third['id']}", **EN)


def confirmed(walk: Walk) -> None:
    """Make the decision final."""
    ok(walk.by("committee").post(f"{YEAR}/decisions/{walk.kept['decision_id']}/confirm"), 200)
    refused(walk, HERE, "return", reason="太晚")


def published(walk: Walk) -> None:
    """Publish; correct one branch's result by another decision; publish again."""
    office, path = walk.office, f"{YEAR}/decision"
    ok(office.post(f"{path}/publish"), 200)
    walk.both(office, "POST", f"{path}/publish", {})
    decide(walk.house, {SMALL: "excellent"}, number="党委会〔2025〕4号")
    for who in ("张三", "王五", "陈一", "褚二", "office", "auditor"):
        for code in (HERE, SMALL):
            walk.by(who).get(of(walk, code).path)
        walk.by(who).get(path)
    ok(office.post(f"{path}/publish"), 200)
    walk.house.as_(NUMBERS["褚二"]).get(path)
