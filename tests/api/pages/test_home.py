"""Pages for everybody (大家的页面): help without a sign-in, the own account, the short addresses."""

from __future__ import annotations

import pytest

from api.pages.home.guide import DESKS
from tests.support.builders import NOW
from tests.support.running.browsing import visitor
from tests.support.servers import Cast, House


@pytest.fixture
def cast(house: House) -> Cast:
    house.clock.now = NOW
    return house.a_branch()


def test_help_is_there_for_everybody(house: House, cast: Cast) -> None:
    for who in (None, cast.member, "office"):
        browser = visitor(house.engine, house.app, who)
        page = browser.get("/help/").get_data(as_text=True)
        for desk, words in DESKS.items():
            assert f'href="/help/{desk}">{words}怎么用' in page
            assert f"<h1>{words}怎么用</h1>" in browser.get(f"/help/{desk}").get_data(as_text=True)
        assert browser.get("/help/nobody").status_code == 404


def test_the_own_account_says_as_whom_one_acts(house: House, cast: Cast) -> None:
    page = visitor(house.engine, house.app, cast.secretary).get("/me/sessions").get_data(as_text=True)
    assert f"学工号 {cast.secretary}" in page
    assert "书记、支委、党员" in page
    assert visitor(house.engine, house.app, None).get("/me/sessions").headers["Location"] == "/sign-in?next=/me/sessions"


def test_short_addresses_lead_to_the_own_forms(house: House, cast: Cast) -> None:
    browser = visitor(house.engine, house.app, cast.member)
    at = f"/2024/{cast.code}"
    assert browser.get("/me/self-review").headers["Location"] == f"{at}/self-reviews/new?staff_no={cast.member}&next=/me"
    assert browser.get("/me/commitments").headers["Location"] == f"{at}/commitments"
    assert browser.get("/me/measures").headers["Location"] == f"{at}/measures"
    assert visitor(house.engine, house.app, "office").get("/me/measures").status_code == 404
