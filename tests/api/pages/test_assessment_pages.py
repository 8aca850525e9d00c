"""The assessment's pages (党委考核页): tables for many branches, one branch, activities, decision."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from tests.support.builders import NOW
from tests.support.records.assessment import all_assessment, an_assessment
from tests.support.records.assessment_activities import a_sheet, sheet_rows
from tests.support.records.assessment_summary import all_inputs
from tests.support.records.evidence import stand_at
from tests.support.running.browsing import Visitor, form_in, visitor
from tests.support.servers import YEAR, House, a_house
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import Lock

LIST, DECISION = "/2024/assessments", "/2024/decision"
ACTIVITIES = "/office/years/2024/activities"


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """A school of one test's own: the list and the decision are those of the whole school."""
    with a_house(superuser, template) as made:
        made.clock.now = NOW
        yield made


@pytest.fixture
def office(house: House) -> Visitor:
    return visitor(house.engine, house.app, "office")


@pytest.fixture
def committee(house: House) -> Visitor:
    return visitor(house.engine, house.app, "committee")


def text_of(browser: Visitor, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.get_data(as_text=True)


def bring_to(house: House, stage: Stage, *codes: str) -> None:
    with transaction(house.engine, actor="cli") as session:
        for code in codes:
            stand_at(session, an_assessment(session, code, lock=Lock.MOVE), stage)


def proposed(house: House) -> None:
    """Propose a result for both branches of the school, as if all that is asked were there."""
    office = house.as_("office")
    for code, result in (("D0101", "excellent"), ("D0201", "qualified")):
        assert office.put(f"{YEAR}/assessments/{code}/proposal", {"result": result, "reason": "各项任务完成"}).status == 200
    bring_to(house, Stage.PROPOSED, "D0101", "D0201")


def test_the_mode_of_report_is_set_for_the_ticked_branches_by_one_button(house: House, office: Visitor) -> None:
    page = text_of(office, LIST)
    action = f"{LIST}/bulk"
    fields: dict[str, Any] = {"_csrf": form_in(page, action)["_csrf"], "_key": form_in(page, action)["_key"]}
    for at, code in enumerate(("D0101", "D0201")):
        version = house.as_("office").get(f"{YEAR}/assessments/{code}").body["version"]
        assert f'name="items.{at}.version" value="{version}"' in page
        fields |= {f"items.{at}.code": code, f"items.{at}.version": str(version)}
    done = office.http.post(action, data={**fields, "items._picked": ["1"], "items.*.mode": "written"})
    assert done.status_code == 303, done.get_data(as_text=True)
    modes = {row["branch"]["code"]: row["mode"] for row in house.as_("office").get(f"{YEAR}/assessments").body["items"]}
    assert modes == {"D0101": None, "D0201": "written"}


def test_the_list_shows_the_inputs_of_each_branch(house: House, office: Visitor) -> None:
    with transaction(house.engine, actor="cli") as session:
        all_inputs(session, an_assessment(session, lock=Lock.EVIDENCE))
    page = text_of(office, LIST)
    sheet = house.as_("office").get(f"{YEAR}/assessments/D0101/summary").body
    assert f"{sheet['committee_appraisal']['good_rate']}%" in page
    assert "✓ 已交" in page
    assert f"{sheet['attendance']['study']['rate']}%" in text_of(office, f"{LIST}?table=proposals")


def test_proposals_are_typed_through_as_one_table_and_changed_again(house: House, office: Visitor) -> None:
    path, action = f"{LIST}?table=proposals", f"{LIST}/proposals/bulk"
    form: dict[str, Any] = form_in(text_of(office, path), action)
    sent = {**form, "items.0.result": "excellent", "items.0.reason": "走在前列"}
    assert office.http.post(action, data=sent).status_code == 303
    assert house.as_("office").get(f"{YEAR}/assessments/D0201/proposal").status == 404
    again: dict[str, Any] = form_in(text_of(office, path), action)
    assert (again["items.0.result"], again["items.0.reason"]) == (["excellent"], ["走在前列"])
    assert office.http.post(action, data={**again, "items.1.result": "qualified"}).status_code == 303
    # The first row was as it was: nothing was written.
    assert house.as_("office").get(f"{YEAR}/assessments/D0101/summary").body["proposal"]["version"] == 1
    assert office.http.post(action, data=form_in(text_of(office, path), action)).status_code == 422
    results = [house.as_("office").get(f"{YEAR}/assessments/{code}/proposal").body["result"] for code in ("D0101", "D0201")]
    assert results == ["excellent", "qualified"]


def test_sessions_are_one_table_of_the_branches_that_report_on_site(house: House, office: Visitor) -> None:
    assert "没有现场述职的支部" in text_of(office, f"{LIST}?table=sessions")
    api = house.as_("office")
    at = f"{YEAR}/assessments/D0101"
    assert api.patch(at, {"mode": "on_site"}, seen=api.get(at).etag).status == 200
    form = form_in(text_of(office, f"{LIST}?table=sessions"), f"{LIST}/bulk")
    held = {"items.0.on_site.held_on": "2025-01-10", "items.0.on_site.place": "报告厅", "items.0.on_site.order": "1"}
    done = office.http.post(f"{LIST}/bulk", data={**form, **held})
    assert done.status_code == 303, done.get_data(as_text=True)
    assert api.get(at).body["on_site"] == {"held_on": "2025-01-10", "place": "报告厅", "order": 1}


def test_the_page_of_a_branch_shows_its_inputs_and_lets_it_go_on(house: House, office: Visitor) -> None:
    page = text_of(office, f"{LIST}/D0101")
    assert "还没有确定现场述职或者书面述职" in page
    assert "disabled" in page
    with transaction(house.engine, actor="cli") as session:
        all_assessment(session, an_assessment(session, lock=Lock.EVIDENCE))
    ready = text_of(office, f"{LIST}/D0101")
    moved = office.http.post(f"{LIST}/D0101/moves/new", data=form_in(ready, f"{LIST}/D0101/moves/new"))
    assert moved.status_code == 303, moved.get_data(as_text=True)
    assert house.as_("office").get(f"{YEAR}/assessments/D0101").body["stage"] == "summarised"
    secretary = visitor(house.engine, house.app, "z3")
    own = text_of(secretary, f"{LIST}/D0101")
    assert "填写述职报告" in own
    assert "考核结果建议" not in own
    assert secretary.get(f"{LIST}/D0201").status_code == 404
    assert secretary.get(LIST).status_code == 404
    assert visitor(house.engine, house.app, "w5").get(f"{LIST}/D0101").status_code == 404


def test_a_decision_is_entered_confirmed_and_published_by_the_pages(house: House, office: Visitor, committee: Visitor) -> None:
    assert "还没有支部提出了建议" in text_of(office, DECISION)
    proposed(house)
    form: dict[str, Any] = form_in(text_of(office, DECISION), f"{DECISION}/new")
    sent = {**form, "held_on": "2024-12-19", "number": "党委会〔2024〕9号", "due": "1", "attendees": ["committee"], "vote.yes": "1"}
    sent |= {"results.D0101.result": "excellent", "results.D0201.result": "qualified"}
    done = office.http.post(f"{DECISION}/new", data=sent)
    assert done.status_code == 303, done.get_data(as_text=True)
    waiting = text_of(committee, DECISION)
    assert "等学校党委确认" in waiting
    assert "确认决定" in waiting
    assert "确认决定" not in text_of(office, DECISION)
    number = house.as_("office").get(f"{YEAR}/decision").body["id"]
    told = text_of(committee, f"{DECISION}/{number}/confirm")
    assert "对 2 个支部的决定成为最终决定" in told
    confirmed = committee.fill(f"{DECISION}/{number}/confirm?next={DECISION}")
    assert confirmed.status_code == 303, confirmed.get_data(as_text=True)
    assert "2 个支部的书记、副书记收到" in text_of(office, f"{DECISION}/publish")
    assert visitor(house.engine, house.app, "w5").get(DECISION).status_code == 404
    assert office.fill(f"{DECISION}/publish").status_code == 303
    member = visitor(house.engine, house.app, "w5")
    assert "优秀党支部" in text_of(member, DECISION)
    result = text_of(member, f"{LIST}/D0101")
    assert "优秀" in result
    assert "建议" not in result


def test_attendance_is_read_as_a_page_before_it_is_applied(house: House, office: Visitor) -> None:
    body = {"kind": "study", "name": "专题党课", "held_on": "2024-12-10"}
    made = house.as_("office").post(f"{YEAR}/activities", body).body["id"]
    assert "还没有导入" in text_of(office, "/office/activities")
    path = f"{ACTIVITIES}/{made}/attendance-imports/new"
    form: dict[str, Any] = office.form(path)
    sent = office.http.post(path, data={**form, "file": (BytesIO(a_sheet(sheet_rows())), "出勤.xlsx")})
    assert sent.status_code == 303, sent.get_data(as_text=True)
    at = sent.headers["Location"].partition("?")[0]
    assert "没有错误，可以写入" in text_of(office, at)
    assert "人的出勤" in text_of(office, f"{at}/apply")
    assert office.fill(f"{at}/apply").status_code == 303
    assert "已写入" in text_of(office, at)
    assert "人到会" in text_of(office, "/office/activities")
