"""The office's lists (缺项、通知): filters stand in the address, what is shown is the API's."""

from __future__ import annotations

import pytest

from tests.support.builders import NOW
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import House


@pytest.fixture
def office(house: House) -> Visitor:
    house.clock.now = NOW
    return visitor(house.engine, house.app, "office")


def text_of(browser: Visitor, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def test_what_is_missing_is_listed_by_branch_with_its_weight_in_words(house: House, office: Visitor) -> None:
    cast = house.a_branch()
    page = text_of(office, "/office/exceptions")
    for row in house.as_("office").get("/cycles/2024/exceptions?limit=200").body["items"]:
        assert row["message"] in page
    assert "必须满足" in page
    assert "需说明理由" in page
    one = text_of(office, f"/office/exceptions?clause=E1&unit={cast.code[:3]}")
    assert f"{cast.code}党支部" in one
    assert "D0201党支部" not in one
    assert '<option value="E1" selected>' in one
    assert "没有这样的缺项" in text_of(office, "/office/exceptions?unit=没有这个单位")


def test_letters_are_those_of_the_ledger(house: House, office: Visitor) -> None:
    page = text_of(office, "/office/letters")
    for row in house.as_("office").get("/cycles/2024/letters?limit=200").body["items"]:
        assert row["subject"] in page
    assert "没有这样的通知" in text_of(office, "/office/letters?branch=D0201&recipient=nobody")
    assert 'role="alert"' in text_of(office, "/office/letters?recipient=%20!")
