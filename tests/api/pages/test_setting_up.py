"""Setting up (建年度): roster, year and people by the pages; grave acts say what will happen."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from tests.support.builders import NOW
from tests.support.rosters import a_school_roster
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import House, a_house

DAYS = {f"deadlines__{stage}": f"2025-01-{day}" for stage, day in (("study", "06"), ("talks", "10"), ("report", "26"))}


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """A school of one test's own: years and rosters are those of the whole school."""
    with a_house(superuser, template) as made:
        made.clock.now = NOW
        yield made


@pytest.fixture
def office(house: House) -> Visitor:
    return visitor(house.engine, house.app, "office")


def text_of(browser: Visitor, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.get_data(as_text=True)


def sent_roster(office: Visitor, data: bytes) -> str:
    form: dict[str, Any] = office.form("/office/roster", "/office/roster/new")
    sent = office.http.post("/office/roster/new", data={**form, "file": (BytesIO(data), "名册.xlsx")})
    assert sent.status_code == 303, sent.get_data(as_text=True)
    return sent.headers["Location"].partition("?")[0]


def test_a_roster_is_read_as_a_page_before_it_is_applied(house: House, office: Visitor) -> None:
    before = house.state()
    at = sent_roster(office, a_school_roster(3, 60))
    page = text_of(office, at)
    assert "不在表中的人" in page
    assert "王五" in page
    assert "新增的支部" in page
    assert "写入前要确认" in page
    assert house.state()["person"] == before["person"]
    gone = len(house.as_("office").get(f"/roster-imports/{at.rpartition('/')[2]}").body["summary"]["gone"])
    told = text_of(office, f"{at}/apply")
    assert f"将离开名册 {gone} 人" in told
    assert "新增支部 2 个" in told
    refused = office.fill(f"{at}/apply")
    assert refused.status_code == 409
    assert "这样办以后" in refused.get_data(as_text=True)
    done = office.fill(f"{at}/apply", gone=str(gone))
    assert done.status_code == 303, done.get_data(as_text=True)
    assert "已写入" in text_of(office, at)
    assert "去写入" not in text_of(office, at)


def test_problems_of_a_workbook_are_told_by_sheet_row_and_heading(office: Visitor) -> None:
    form: dict[str, Any] = office.form("/office/roster", "/office/roster/new")
    sent = office.http.post("/office/roster/new", data={**form, "file": (BytesIO(b"no workbook"), "a.xlsx")})
    page = text_of(office, sent.headers["Location"]) if sent.status_code == 303 else sent.get_data(as_text=True)
    assert "工作簿" in page
    assert "去写入" not in page


def test_a_year_is_opened_from_a_plan_that_is_chosen_and_closed_with_its_numbers(house: House, office: Visitor) -> None:
    assert '<option value="2024"' in text_of(office, "/office/years/new") or 'value="2024"' in text_of(office, "/office/years/new")
    year = text_of(office, "/office/years/2024")
    assert "本环节的期限" in year
    closing = text_of(office, "/office/years/2024/close")
    assert "2 个支部中已接收 0 个" in closing
    assert "D0101党支部" in closing
    assert office.fill("/office/years/2024/close").status_code == 409
    done = office.fill("/office/years/2024/close", leave_open="true", reason="两个支部并入他校")
    assert done.status_code == 303, done.get_data(as_text=True)
    assert "重新启动" in text_of(office, "/office/years/2024")
    assert "下一年度发布以后就不能再启动" in text_of(office, "/office/years/2024/reopen")


def test_publishing_says_how_many_begin_and_are_told(house: House, office: Visitor) -> None:
    told = text_of(office, "/office/years/2024/publish")
    assert "有书记的支部 2 个" in told


def test_a_person_is_found_by_name_or_number_with_all_that_leads_on(house: House, office: Visitor) -> None:
    found = text_of(office, "/office/people?q=王五")
    assert 'href="/office/people/w5"' in found
    assert 'href="/office/people/w5"' in text_of(office, "/office/people?q=w5")
    assert "没有找到" in text_of(office, "/office/people?q=%25")
    page = text_of(office, "/office/people/w5")
    for address in ("/2024/D0101/roll/w5", "/office/letters?recipient=w5", "/office/people/w5/move", "/office/people/w5/leave"):
        assert f'href="{address}"' in page
    auditor = text_of(visitor(house.engine, house.app, "auditor"), "/office/people/w5")
    assert "/office/people/w5/move" not in auditor
    assert visitor(house.engine, house.app, "z3").get("/office/people?q=王五").status_code == 404


def test_posts_have_names_and_accounts_are_the_administrators(house: House, office: Visitor) -> None:
    posts = text_of(office, "/office/appointments")
    assert "张三" in posts
    assert office.get("/office/accounts").status_code == 404
    administrator = visitor(house.engine, house.app, "administrator")
    assert "z3" in text_of(administrator, "/office/accounts")
    assert 'value="D0101"' in text_of(office, "/office/appointments/new")


def test_slips_are_printed_as_slips(house: House, office: Visitor) -> None:
    new = {"staff_no": "n1", "name": "新来的人", "branch": "D0101", "standing": "full"}
    assert house.as_("office").post("/people", new).status == 201
    told = text_of(office, "/office/accounts/slips")
    assert "以前打印的纸条随之作废" in told
    printed = office.fill("/office/accounts/slips", branch="D0101")
    assert printed.status_code == 200, printed.get_data(as_text=True)
    assert "D0101党支部的纸条 1 张" in printed.get_data(as_text=True)
    assert "新来的人" in printed.get_data(as_text=True)


def test_the_calendar_shows_each_day_and_sets_one(house: House, office: Visitor) -> None:
    page = text_of(office, "/office/calendar?year=2024")
    assert 'href="/office/calendar/2024-12-20?working=false' in page
    done = office.fill("/office/calendar/2024-12-20?working=false", working="false", note="校庆")
    assert done.status_code == 303, done.get_data(as_text=True)
    page = text_of(office, "/office/calendar?year=2024")
    assert "学校设定的日子" in page
    assert "校庆" in page
    assert text_of(office, "/office/calendar?year=none").count("<table>") == 12
