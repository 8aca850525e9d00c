"""The wall (进度页): figures, rows, filters and order in the address, and the meeting-room view."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise

import pytest
from markupsafe import escape

from api.pages.office.burn_up import drawn
from api.pages.office.rows import FILTERS, SORTS
from tests.support.builders import NOW, TODAY
from tests.support.records.evidence import stand_at
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import Lock, process_of

WALL = "/2024/"


@pytest.fixture
def office(house: House) -> Visitor:
    house.clock.now = NOW
    return visitor(house.engine, house.app, "office")


def bring_to(house: House, cast: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, cast.code, lock=Lock.MOVE), stage)


def text_of(browser: Visitor, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.get_data(as_text=True)


def figure(page: str, name: str) -> str:
    found = re.search(rf'data-n="{name}">([^<]*)<', page)
    assert found is not None, name
    return found[1]


def rows(page: str) -> dict[str, str]:
    """Return the rows of the wall by branch, those that are not hidden."""
    found = re.findall(r'(<tr data-branch="([^"]+)"[^>]*>)(.*?)</tr>', page, re.DOTALL)
    return {code: tag + rest for tag, code, rest in found if " hidden" not in tag}


def test_the_figures_are_those_of_the_api_and_each_branch_has_its_row(house: House, office: Visitor) -> None:
    filed, working = house.a_branch(), house.a_branch()
    bring_to(house, filed, Stage.FILED)
    page = text_of(office, WALL)
    seen = house.as_("office").get("/cycles/2024/progress").body
    assert figure(page, "filed") == str(seen["by_stage"]["filed"] + seen["by_stage"]["accepted"])
    assert (figure(page, "branches"), figure(page, "overdue")) == (str(seen["branches"]), str(seen["overdue"]))
    assert figure(page, "inbox") == str(len(house.as_("office").get("/me/todos?limit=200").body["items"]))
    assert all(f'data-figure="{name}"' in page for name in ("filed", "overdue", "due_soon", "inbox"))
    assert f'data-cursor="{seen["cursor"]}"' in page
    found = rows(page)
    assert len(found) == seen["branches"] + seen["ended"]
    assert 'data-stage="study"' in found[working.code]
    assert f"/2024/{working.code}/stages/study" in found[working.code]
    assert "✓ 已报送" in found[filed.code]
    assert "data-missing" not in found[filed.code]


def test_days_are_told_as_left_today_or_late(house: House, office: Visitor) -> None:
    cast = house.a_branch()
    words = {date(2024, 12, 20): "还有 5 天", date(2024, 12, 25): "今天到期", date(2024, 12, 27): "逾期 2 天"}
    for today, said in words.items():
        house.clock.now = NOW + (today - TODAY)
        row = rows(text_of(office, WALL))[cast.code]
        assert said in row
        assert ("▲" in row) == (today == date(2024, 12, 27))


def test_filters_and_order_stand_in_the_address(house: House, office: Visitor) -> None:
    first, second = house.a_branch(), house.a_branch()
    bring_to(house, second, Stage.TALKS)
    assert set(rows(text_of(office, f"{WALL}?stage=talks"))) >= {second.code}
    assert first.code not in rows(text_of(office, f"{WALL}?stage=talks"))
    assert list(rows(text_of(office, f"{WALL}?q={first.code}"))) == [first.code]
    assert list(rows(text_of(office, f"{WALL}?q={second.secretary}"))) == [second.code]
    none = text_of(office, f"{WALL}?overdue=true&q=%3Cb%3E")
    assert rows(none) == {}
    assert "没有这样的支部" in none
    assert f'value="{escape("<b>")}"' in none
    down = list(rows(text_of(office, f"{WALL}?sort=-name")))
    assert down == list(reversed(list(rows(text_of(office, f"{WALL}?sort=name")))))
    unknown = text_of(office, f"{WALL}?sort=nothing&stage=nothing&page=2")
    assert set(rows(unknown)) == set(rows(text_of(office, WALL)))
    for name, _ in SORTS:
        assert not name or f'data-sort="{name}"' in none
    for name, _, _ in FILTERS:
        assert f'data-filter="{name}"' in none


def test_many_branches_are_folded_by_unit_until_one_is_asked_for(house: House, office: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = house.a_branch()
    assert 'class="folded"' not in text_of(office, WALL)
    monkeypatch.setattr("api.pages.office.wall.FOLDS_FROM", 2)
    assert 'class="folded"' in text_of(office, WALL)
    opened = text_of(office, f"{WALL}?unit={cast.code[:3]}党委")
    assert 'class="folded"' not in opened
    assert cast.code in rows(opened)


def test_the_meeting_room_sees_figures_and_no_names_of_people(house: House, office: Visitor) -> None:
    cast = house.a_branch()
    page = text_of(office, f"{WALL}?view=wall")
    assert figure(page, "branches") == figure(text_of(office, WALL), "branches")
    assert cast.secretary not in page.partition("<main")[2]
    assert "张三" not in page
    assert 'href="/2024/">退出大屏' in page


def test_the_page_brings_a_module_of_its_own_and_says_so_without_script(office: Visitor) -> None:
    page = text_of(office, WALL)
    address = re.search(r'<script type="module" src="(/static/wall\.js[^"]+)"></script>', page)
    assert address is not None
    module = office.get(address[1])
    assert module.status_code == 200
    assert "javascript" in module.headers["Content-Type"]
    module.close()
    assert "<noscript>" in page
    assert " style=" not in page
    assert " onclick=" not in page


def test_whoever_has_no_wall_is_sent_to_their_own_desk(house: House) -> None:
    cast = house.a_branch()
    for who in (cast.secretary, cast.member):
        sent = visitor(house.engine, house.app, who).get(WALL)
        assert (sent.status_code, sent.headers["Location"]) == (303, "/")
    for who in ("committee", "auditor"):
        assert visitor(house.engine, house.app, who).get(WALL).status_code == 200


def test_the_burn_up_is_drawn_with_a_table_behind_it(house: House, office: Visitor, as_day: Callable[[int], date]) -> None:
    page = text_of(office, WALL)
    assert "<svg" in page
    assert "逐日数字" in page
    days = [{"day": as_day(at), "filed": at, "accepted": at // 2} for at in range(1, 8)]
    made = drawn({"items": days, "branches": 10, "due_on": as_day(20)}, as_day(7))
    assert made is not None
    assert [each["filed"] for each in made.rows] == list(range(1, 8))
    assert made.filed.split()[0].partition(",")[0] == "44"
    assert any(each.text == "已报送 7" for each in made.labels)
    below = sorted(each.x for each in made.labels if each.anchor == "middle")
    assert all(there - here >= 84 for here, there in pairwise(below))
    assert drawn({"items": [], "branches": 10, "due_on": None}, as_day(7)) is None


@pytest.fixture
def as_day() -> Callable[[int], date]:
    return lambda number: date(2025, 1, number)
